import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore, type Store } from '../../../src/index.js';
import { MemoryBucket } from '../../../src/objstore/memory-bucket.js';
import { MeteredBucket } from '../../support/metered-bucket.js';
import { plainPprof } from '../../support/plain-pprof.js';

/** A plan says what the query itself would say, and what the bucket saw. */

const START_MS = Date.now() - 3_600_000;
const TYPE = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const RANGE = { tenantId: 'anonymous', startMs: START_MS, endMs: START_MS + 3_600_000 };
const QUERY = { ...RANGE, selector: '{service_name="shop"}', profileType: TYPE };

let dir: string;
let bucket: MeteredBucket;
let store: Store;

async function write(service: string, tick: number): Promise<void> {
  await store.write({
    labels: [
      { name: 'service_name', value: service },
      { name: '__name__', value: 'process_cpu' },
    ],
    profile: plainPprof({
      types: [{ type: 'cpu', unit: 'nanoseconds', temporality: 'delta' }],
      periodType: 'cpu',
      periodUnit: 'nanoseconds',
      startMs: START_MS + tick * 10_000,
      samples: [
        { functions: ['main', 'run'], labels: {}, values: [7n] },
        { functions: ['main', `tick${tick}`], labels: {}, values: [1n] },
      ],
    } as never),
  });
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'basalt-explain-'));
  bucket = new MeteredBucket(new MemoryBucket());
  store = await openStore({ dir, bucket, threads: false, compaction: 'manual' });
  for (let tick = 0; tick < 6; tick++) {
    await write('shop', tick);
    await write('other', tick);
  }
  await store.compact({ full: true });
  for (let tick = 6; tick < 9; tick++) await write('shop', tick);
});

afterAll(async () => {
  await store.close();
  rmSync(dir, { recursive: true, force: true });
});

const readSoFar = (): { requests: number; bytes: number } => {
  const { get, getRange } = bucket.counts;
  return { requests: get.calls + getRange.calls, bytes: get.bytes + getRange.bytes };
};

describe('explain', () => {
  it('names the parts with what was read of each, and what the bucket saw', async () => {
    const before = readSoFar();
    const plan = await store.query.explain({ ...QUERY, kind: 'merge', format: 'pprof' });
    const after = readSoFar();
    const { stats } = await store.query.mergeTree(QUERY);
    expect(plan.stats).toEqual(stats);
    expect(plan.parts.map(({ part }) => part.split(' ')[0])).toEqual(['block', 'segment']);
    const [block, segment] = plan.parts;
    expect(block).toMatchObject({ rollup: '', series: 1, profiles: 6, rows: 12 });
    expect(segment).toMatchObject({ rollup: '', series: 1, profiles: 3, rows: 6 });
    expect(plan.blocksInRange).toBe(1);
    const seen = after.bytes - before.bytes;
    const manifest = plan.bytes - (block?.bytes ?? 0) - (segment?.bytes ?? 0);
    expect(plan.bytes - (segment?.bytes ?? 0)).toBe(seen);
    expect(plan.requests - (segment?.requests ?? 0)).toBe(after.requests - before.requests);
    expect(block?.bytes).toBeGreaterThan(0);
    expect(manifest).toBeGreaterThanOrEqual(0);
    expect(plan.stages.map(({ stage }) => stage)).toEqual([
      'wait',
      'snapshot',
      'select',
      'read',
      'render',
    ]);
    expect(plan.stages.every(({ ms }) => ms >= 0)).toBe(true);
  });

  it('shows that the cache has what was read before', async () => {
    await store.query.mergePprof(QUERY);
    const plan = await store.query.explain({ ...QUERY, kind: 'merge', format: 'pprof' });
    expect(plan.parts[0]).toMatchObject({ requests: 0, bytes: 0, rows: 12 });
  });

  it('reads no samples for a time series of totals, and none where nothing matches', async () => {
    const steps = { ...QUERY, stepMs: 60_000, groupBy: [] };
    const plan = await store.query.explain({ ...steps, kind: 'timeseries' });
    expect(plan.stats).toEqual((await store.query.timeSeries(steps)).stats);
    expect(plan.stats.rows).toBe(0);
    const selector = '{service_name="nobody"}';
    const none = await store.query.explain({ ...QUERY, selector, kind: 'merge', format: 'tree' });
    expect(none.parts).toEqual([]);
    expect(none.blocksInRange).toBe(1);
    expect(none.stats.blocks).toBe(0);
  });

  it('tells queries apart that run at the same time', async () => {
    const [one, two] = await Promise.all([
      store.query.explain({ ...QUERY, kind: 'merge', format: 'tree' }),
      store.query.explain({ ...QUERY, selector: '{}', kind: 'merge', format: 'folded' }),
    ]);
    expect(one.parts[0]).toMatchObject({ profiles: 6 });
    expect(two.parts[0]).toMatchObject({ profiles: 12 });
  });

  it('refuses what the query would refuse', async () => {
    const query = { ...QUERY, kind: 'merge' as const, format: 'sandwich' as const };
    await expect(store.query.explain(query)).rejects.toMatchObject({ kind: 'invalid' });
  });
});
