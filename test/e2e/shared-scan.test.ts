/** Scans that threads share: the same answers as one thread gives, whatever becomes of the helpers. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { StoreError } from '../../src/base/errors.js';
import { openBlock } from '../../src/block/reader.js';
import { systemClock } from '../../src/env/clock.js';
import { nodeFileSystem } from '../../src/env/node-files.js';
import { systemRng } from '../../src/env/rng.js';
import { openStore } from '../../src/index.js';
import { ManifestStore } from '../../src/manifest/manifest-store.js';
import type { MergeQuery } from '../../src/query/api.js';
import { openQueryEngine, type QueryEngine } from '../../src/query/engine.js';
import { type ScanHelpers, TaskQueue } from '../../src/query/shared-scan.js';
import { dataLayout, openStoreBucket } from '../../src/store/layout.js';
import { ScanThreads } from '../../src/store/scan-threads.js';
import { plainPprof } from '../support/plain-pprof.js';

const START_MS = 1_790_000_000_000;
const PROFILES = 36;
/** All profiles together have a million rows: five tasks. */
const STACKS = 30_000;
const TYPES = ['memory:alloc_space:bytes:space:bytes', 'memory:inuse_space:bytes:space:bytes'];

let dir = '';
const opened: { close(): Promise<void> }[] = [];

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'basalt-shared-'));
  const store = await openStore({ dir, threads: false, compaction: 'manual' });
  for (let p = 0; p < PROFILES; p++) {
    const samples = Array.from({ length: STACKS }, (_, s) => ({
      functions: ['main', `group${s % 300}`, `leaf${s}`],
      labels: s % 7 === 0 ? { request: `r${s % 5}` } : {},
      // A sum passes 2^53 here and there.
      values: [BigInt(s + 1) * (s % 1000 === 3 ? 2n ** 38n : 1n), BigInt((s * 31 + p) % 97)],
    }));
    const profile = plainPprof({
      types: [
        { type: 'alloc_space', unit: 'bytes', temporality: 'delta' },
        { type: 'inuse_space', unit: 'bytes', temporality: 'gauge' },
      ],
      periodType: 'space',
      periodUnit: 'bytes',
      startMs: START_MS + p * 1_000,
      samples,
    } as never);
    const labels = [
      { name: '__name__', value: 'memory' },
      { name: 'service_name', value: 'shop' },
      { name: 'pod', value: `pod-${p % 3}` },
    ];
    await store.write({ labels, profile });
  }
  await store.compact({ full: true });
  await store.close();
}, 120_000);

afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});
afterAll(() => rmSync(dir, { recursive: true }));

/** Nothing is small enough for its cache, and rows are all that it reads. */
async function engineOn(data: string, helpers?: ScanHelpers): Promise<QueryEngine> {
  const environment = { files: nodeFileSystem, clock: systemClock, rng: systemRng };
  const bucket = await openStoreBucket(dataLayout(data), {}, environment);
  opened.push(bucket);
  const parts = {
    bucket,
    manifests: new ManifestStore({ bucket, ...environment }),
    blocks: { open: (tenant: string, id: string) => openBlock(bucket, tenant, id) },
    segments: { view: () => Promise.reject(new Error('everything is in blocks')) },
    position: async () => ({ segments: [] }),
    clock: systemClock,
    helpers,
  };
  return openQueryEngine(parts, { usesRollups: false, resultBytes: 0, cacheBytes: 1 << 16 });
}

/** Threads that run, and how many scans they took a part of. */
async function threads(
  count: number,
  data = dir,
): Promise<ScanHelpers & { taken: number; woken: number }> {
  const made = new ScanThreads({ dir: data }, count);
  opened.push(made);
  made.wake();
  await vi.waitFor(() => expect(made.count).toBe(count), 30_000);
  const helpers = {
    count,
    taskRows: made.taskRows,
    taken: 0,
    woken: 0,
    wake: () => {
      helpers.woken++;
      made.wake();
    },
    sum: (...args: Parameters<ScanHelpers['sum']>) =>
      made.sum(...args).map(async (sums) => {
        const { words } = await sums;
        if (words !== undefined) helpers.taken++;
        return sums;
      }),
  };
  return helpers;
}

const queries: readonly Partial<MergeQuery & { focus: string }>[] = TYPES.flatMap((profileType) => [
  { profileType },
  { profileType, selector: '{pod=~"pod-[01]"}' },
  { profileType, selector: '{request="r2"}' },
  { profileType, startMs: START_MS + 1_500, endMs: START_MS + 9_500 },
  { profileType, focus: 'group7' },
  { profileType, aggregation: 'avg' as const },
]);
const whole = {
  tenantId: 'anonymous',
  selector: '{}',
  startMs: 0,
  endMs: START_MS + 3_600_000,
  profileType: '',
};

async function answers(engine: QueryEngine): Promise<readonly unknown[]> {
  const out: unknown[] = [];
  for (const query of queries) out.push(await engine.mergeTree({ ...whole, ...query }));
  return out;
}

describe('a scan that threads share', () => {
  it('gives the sums of one thread', async () => {
    const want = await answers(await engineOn(dir));
    const helpers = await threads(2);
    const engine = await engineOn(dir, helpers);
    for (let round = 0; round < 3; round++) expect(await answers(engine)).toEqual(want);
    expect(helpers.taken).toBeGreaterThan(0);
    // Each large scan may find one missing.
    expect(helpers.woken).toBeGreaterThanOrEqual(queries.length);
  }, 120_000);

  it('counts what helpers read', async () => {
    const plan = async (helpers?: ScanHelpers) => {
      const engine = await engineOn(dir, helpers);
      const query = { ...whole, profileType: TYPES[0]!, kind: 'merge', format: 'tree' } as const;
      await engine.explain(query);
      return engine.explain(query);
    };
    const alone = await plan();
    const shared = await plan(await threads(1));
    // A helper reads in other pieces, but the same rows.
    expect(shared.bytes).toBeGreaterThanOrEqual(alone.bytes);
    expect(shared.stats.rows).toBe(alone.stats.rows);
  }, 120_000);

  it('is done again by one thread when a helper is lost with what it took', async () => {
    const want = await answers(await engineOn(dir));
    let lost = 0;
    const helpers: ScanHelpers = {
      count: 1,
      taskRows: 1 << 18,
      wake: () => undefined,
      sum: ({ queue, tasks }) => {
        if (new TaskQueue(queue, tasks.length).takeFirst(0) !== undefined) lost++;
        const gone = new StoreError({
          kind: 'unavailable',
          code: 'PS_THREAD_EXIT',
          message: 'it is gone',
        });
        return [Promise.reject(gone)];
      },
    };
    expect(await answers(await engineOn(dir, helpers))).toEqual(want);
    expect(lost).toBeGreaterThan(0);
  }, 120_000);

  it('starts its helpers after the first large scan, and does without those that cannot start', async () => {
    const helpers = new ScanThreads({ dir }, 2);
    opened.push(helpers);
    const engine = await engineOn(dir, helpers);
    const want = await answers(engine);
    await vi.waitFor(() => expect(helpers.count).toBe(2), 30_000);
    await helpers.close();
    helpers.wake();
    expect(helpers.count).toBe(0);
    expect(await answers(engine)).toEqual(want);
  }, 120_000);

  it('says which block is damaged, as one thread does', async () => {
    const copy = mkdtempSync(join(tmpdir(), 'basalt-shared-'));
    try {
      for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
        if (!entry.isFile()) continue;
        const from = join(entry.parentPath, entry.name);
        const to = join(copy, from.slice(dir.length));
        mkdirSync(dirname(to), { recursive: true });
        const bytes = readFileSync(from);
        const isDamaged = entry.name === 'samples.parquet';
        for (let at = 1_000; isDamaged && at < bytes.length; at += 1_000) bytes[at]! ^= 1;
        writeFileSync(to, bytes);
      }
      const query = { ...whole, profileType: TYPES[0]! };
      const want = await (await engineOn(copy)).mergeTree(query);
      expect(want.stats.missing).toHaveLength(1);
      const engine = await engineOn(copy, await threads(2, copy));
      for (let round = 0; round < 2; round++) expect(await engine.mergeTree(query)).toEqual(want);
    } finally {
      rmSync(copy, { recursive: true });
    }
  }, 120_000);
});
