import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MetricsRegistry } from '../../src/base/metrics.js';
import { systemClock } from '../../src/env/clock.js';
import { openStore, type Store } from '../../src/index.js';
import { type RunningServer, startServer } from '../../src/server/server.js';
import { BASALT } from '../support/basalt-command.js';

/** A real process that runs into the limit of its heap while it is profiled, and what its last profiles say. */

let dir: string;
let store: Store;
let server: RunningServer;
let acked = 0;
let died: { code: number | null; signal: string | null };
let startMs: number;
let endMs: number;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'basalt-oom-'));
  store = await openStore({ dir, threads: false, compaction: 'manual' });
  server = await startServer({
    ingest: store.ingest,
    query: store.query,
    clock: systemClock,
    metrics: new MetricsRegistry(),
    ready: () => true,
    ui: new Map(),
    httpAddress: '127.0.0.1:0',
    grpcAddress: '127.0.0.1:0',
  });
  startMs = Date.now();
  const labels = ['service_name=orders', 'pod=orders-7', '__name__=memory'];
  const query = labels.map((label) => `label=${encodeURIComponent(label)}`).join('&');
  const child = spawn(
    process.execPath,
    [
      '--max-old-space-size=48',
      join(import.meta.dirname, '..', 'support', 'leaking-process.mjs'),
      `http://127.0.0.1:${server.httpPort}/api/v1/write?${query}`,
    ],
    { stdio: ['ignore', 'pipe', 'ignore'], timeout: 90_000, killSignal: 'SIGKILL' },
  );
  child.stdout.on('data', (dots: Buffer) => {
    acked += dots.length;
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  died = { code, signal };
  endMs = Date.now() + 1;
}, 120_000);

afterAll(async () => {
  await server.close();
  await store.close();
  rmSync(dir, { recursive: true, force: true });
});

describe('before an OOM', () => {
  const instance = { tenantId: 'anonymous', selector: '{pod="orders-7"}' };

  it('the process died of its memory, and its profiles are there', () => {
    expect(died.code === 134 || died.signal === 'SIGABRT').toBe(true);
    expect(acked).toBeGreaterThan(5);
  });

  it('names what grew, and where', async () => {
    const answer = await store.query.beforeOom({ ...instance, startMs, endMs });
    expect(answer.profileType).toBe('memory:inuse_space:bytes:space:bytes');
    // What was sent when it died may have arrived or not.
    expect(answer.profileCount).toBeGreaterThanOrEqual(acked);
    expect(answer.profiles).toHaveLength(Math.min(10, answer.profileCount));
    expect(answer.last.total).toBeGreaterThan(2n * answer.first.total);
    const [worst] = answer.paths;
    expect(worst?.path).toContain('keepOrders');
    // The leak is most of what grew.
    const growth = (worst?.after ?? 0n) - (worst?.before ?? 0n);
    expect(growth * 2n).toBeGreaterThan(answer.last.total - answer.first.total);
    const points = [...answer.series.value];
    expect(points.reduce((a, b) => (b > a ? b : a))).toBe(answer.last.total);
    const own = { ...instance, profileType: answer.profileType };
    const top = await store.query.mergeTop({
      ...own,
      startMs: answer.last.startMs,
      endMs: answer.last.startMs + 1,
    });
    expect(top.total).toBe(answer.last.total);
  });

  it('is one call over HTTP, as a service, and by the command', async () => {
    const want = await store.query.beforeOom({ ...instance, startMs, endMs });
    const url = `http://127.0.0.1:${server.httpPort}`;
    const search = new URLSearchParams({
      selector: instance.selector,
      start: String(startMs),
      end: String(endMs),
    });
    const plain = (await (await fetch(`${url}/api/v1/before-oom?${search}`)).json()) as {
      last: object;
      paths: readonly { path: readonly string[] }[];
    };
    expect(plain.last).toEqual({
      startMs: want.last.startMs,
      total: String(want.last.total),
    });
    expect(plain.paths.map(({ path }) => path)).toEqual(want.paths.map(({ path }) => path));
    const called = (await (
      await fetch(`${url}/basalt.v1.QueryService/BeforeOom`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ selector: instance.selector, startMs, endMs, limit: 1 }),
      })
    ).json()) as { paths: readonly { path: readonly string[] }[] };
    expect(called.paths[0]?.path).toEqual(want.paths[0]?.path);
    const args = ['query', 'oom', '--server', url, '--selector', instance.selector];
    const range = ['--from', String(startMs), '--to', String(endMs)];
    // Not the blocking call: the server runs in this process.
    const run = promisify(execFile);
    const { stdout } = await run(process.execPath, [BASALT, ...args, ...range]);
    expect(stdout).toContain('keepOrders');
  });

  it('says so where there is nothing to look at', async () => {
    const nobody = { ...instance, selector: '{pod="nobody"}', startMs, endMs };
    await expect(store.query.beforeOom(nobody)).rejects.toMatchObject({
      kind: 'not-found',
      code: 'PS_OOM_PROFILES',
    });
  });
});
