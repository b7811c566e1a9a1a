/** One run of another product's agent against a real server, and what went over the wire. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { InteropClient } from './interop-client.js';
import { type Recorded, type RecordingProxy, recordingProxy } from './recording-proxy.js';
import { type SentRows, storedRows, withLabel } from './sent-profiles.js';
import { type ServerProcess, startServerProcess } from './server-process.js';

export interface AgentRun {
  readonly server: ServerProcess;
  readonly proxy: RecordingProxy;
  close(): Promise<void>;
}

const CLIENT_MS = 90_000;

/** Runs `client` to its end with the address of a new server and `seconds`. */
export async function runAgent(
  client: InteropClient,
  seconds: number,
  env: (url: string) => Record<string, string> = () => ({}),
): Promise<AgentRun> {
  const dir = mkdtempSync(join(tmpdir(), 'basalt-interop-'));
  const server = await startServerProcess({ dataDir: dir });
  const proxy = await recordingProxy(server.http);
  const close = async (): Promise<void> => {
    await proxy.close();
    await server.kill();
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    const options = { timeoutMs: CLIENT_MS, env: env(proxy.url) };
    await client.run([proxy.url, String(seconds)], options);
  } catch (error) {
    await close();
    throw error;
  }
  return { server, proxy, close };
}

/** Every stack of every type is stored with the sum of what was sent for it, and nothing else is. */
export async function expectStored(run: AgentRun, service: string, sent: SentRows): Promise<void> {
  const stored = await storedRows(run.server.http, service);
  for (const [type, rows] of sent) {
    expect(rows.size, type).toBeGreaterThan(0);
    expect(stored.get(type), type).toEqual(rows);
  }
  expect([...stored.keys()].sort()).toEqual([...sent.keys()].sort());
}

/** A dynamic tag selects the samples that carry it. */
export async function expectTagged(
  run: AgentRun,
  service: string,
  sent: { readonly type: string; readonly rows: SentRows },
): Promise<void> {
  for (const vehicle of ['car', 'bike']) {
    const selector = `,vehicle="${vehicle}",pod="pod 1 (a)",region="eu/west"`;
    const stored = await storedRows(run.server.http, service, selector);
    const wanted = withLabel(sent.rows.get(sent.type) ?? new Map(), `vehicle=${vehicle}`);
    expect(wanted.size).toBeGreaterThan(0);
    expect(stored.get(sent.type)).toEqual(wanted);
  }
}

/** Sends each recorded request once more, as it was. */
export async function sendAgain(run: AgentRun): Promise<void> {
  for (const request of run.proxy.requests) expect(await repeat(run, request)).toBe(200);
}

async function repeat(run: AgentRun, { method, url, headers, body }: Recorded): Promise<number> {
  const kept = ['content-type', 'content-encoding'].flatMap((name) => {
    const value = headers[name];
    return typeof value === 'string' ? [[name, value] as [string, string]] : [];
  });
  const answer = await fetch(`http://${run.server.http}${url}`, {
    method,
    headers: kept,
    body: new Uint8Array(body),
  });
  return answer.status;
}
