/** A real `basalt serve` process for tests: built code, own data directory, free loopback ports. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

export interface ServerOptions {
  readonly dataDir: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly readyTimeoutMs?: number;
}

export interface ServerProcess {
  readonly pid: number;
  /** host:port */
  readonly http: string;
  readonly grpc: string;
  /** Milliseconds from spawn until /ready said 200. */
  readonly readyMs: number;
  output(): string;
  /** SIGKILL, and waits until the process is gone. */
  kill(): Promise<void>;
  /** SIGTERM, and waits; resolves with the exit code. */
  stop(): Promise<number | null>;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

export async function startServerProcess(options: ServerOptions): Promise<ServerProcess> {
  if (!existsSync(`${root}dist/index.js`)) throw new Error('dist/ is missing: run npm run build');
  const http = `127.0.0.1:${await freePort()}`;
  const grpc = `127.0.0.1:${await freePort()}`;
  const begin = performance.now();
  const child = spawn(
    `${root}bin/basalt.js`,
    ['serve', '--data', options.dataDir, '--http', http, '--grpc', grpc, ...(options.args ?? [])],
    { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...options.env } },
  );
  let output = '';
  child.stdout.on('data', (d: Buffer) => {
    output = (output + d.toString()).slice(-65_536);
  });
  child.stderr.on('data', (d: Buffer) => {
    output = (output + d.toString()).slice(-65_536);
  });
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
  await untilReady(child, http, () => output, options.readyTimeoutMs ?? 30_000);
  return {
    pid: child.pid as number,
    http,
    grpc,
    readyMs: performance.now() - begin,
    output: () => output,
    kill: async () => {
      child.kill('SIGKILL');
      await exited;
    },
    stop: async () => {
      child.kill('SIGTERM');
      return await exited;
    },
  };
}

async function untilReady(
  child: ChildProcess,
  http: string,
  output: () => string,
  timeoutMs: number,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`server exited before it was ready:\n${output()}`);
    }
    try {
      const answer = await fetch(`http://${http}/ready`);
      await answer.arrayBuffer();
      if (answer.ok) return;
    } catch {
      // Not listening yet.
    }
    if (performance.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`server not ready after ${timeoutMs} ms:\n${output()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
