import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';

const ROOT = resolve(import.meta.dirname, '../..');
const SCRIPT = resolve(ROOT, '../shared/tools/s3-server.sh');
/** The script keeps the built server in `bin` beside its data folder, so it is built once (about a minute). */
const CACHE = join(ROOT, '.cache/s3');
const BUILD_MS_MAX = 300_000;

export interface S3Server {
  readonly endpoint: string;
  /** A bucket that exists and is empty. */
  readonly bucket: string;
  /** Credentials and region, for child processes; set in this process too. */
  readonly env: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/** Whether tests against a real S3 server can run here. */
export function hasS3Server(): boolean {
  if (!existsSync(SCRIPT)) return false;
  if (existsSync(join(CACHE, 'bin/versitygw'))) return true;
  return spawnSync('go', ['version']).status === 0;
}

/** Starts an S3 server on a free port of the loopback interface, with files of its own. */
export async function startS3Server(): Promise<S3Server> {
  await mkdir(CACHE, { recursive: true });
  const dir = await mkdtemp(join(CACHE, 'data-'));
  const port = await freePort();
  const output: string[] = [];
  const child = spawn('bash', [SCRIPT, dir, String(port)], { stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => output.push(chunk.toString()));
  }
  const env = {
    AWS_ACCESS_KEY_ID: 'user',
    AWS_SECRET_ACCESS_KEY: 'password',
    AWS_REGION: 'us-east-1',
  };
  Object.assign(process.env, env);
  const endpoint = `http://127.0.0.1:${port}`;
  const close = async (): Promise<void> => {
    await stop(child);
    await rm(dir, { recursive: true, force: true });
  };
  try {
    await listening(child, port, output);
    const bucket = 'basalt-test';
    const client = new S3Client({ endpoint, forcePathStyle: true, region: env.AWS_REGION });
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
    client.destroy();
    return { endpoint, bucket, env, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function freePort(): Promise<number> {
  return new Promise((resolvePort, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolvePort(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

async function listening(child: ChildProcess, port: number, output: string[]): Promise<void> {
  for (let waitedMs = 0; waitedMs < BUILD_MS_MAX; waitedMs += 100) {
    if (child.exitCode !== null) throw new Error(`the S3 server ended: ${output.join('')}`);
    if (await accepts(port)) return;
    await delay(100);
  }
  throw new Error(`the S3 server did not start: ${output.join('')}`);
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolveAccepts) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolveAccepts(true);
    });
    socket.once('error', () => resolveAccepts(false));
  });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise<void>((resolveExit) => child.once('exit', () => resolveExit()));
  child.kill('SIGKILL');
  await exited;
}
