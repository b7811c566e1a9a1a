/** Retention that puts sums in the place of old profiles, through the whole store and its server. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MetricsRegistry } from '../../../src/base/metrics.js';
import { nodeFileSystem } from '../../../src/env/node-files.js';
import { systemRng } from '../../../src/env/rng.js';
import { AdminService } from '../../../src/gen/basalt/v1/admin_pb.js';
import {
  openMaintenance,
  openStore,
  parseRetentionRule,
  type RetentionRule,
  type Store,
} from '../../../src/index.js';
import { startServer } from '../../../src/server/server.js';
import { plainPprof } from '../../support/plain-pprof.js';
import { readPprof, inflate } from '../../support/read-pprof.js';
import { WallClock } from '../../support/wall-clock.js';
import { grpcClient, unary } from '../server/grpc-client.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** A day's start. */
const BASE_MS = Math.floor(1_790_000_000_000 / DAY_MS) * DAY_MS;
const TYPE = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const range = { tenantId: 'anonymous', startMs: BASE_MS, endMs: BASE_MS + 365 * DAY_MS };

let dir: string;
let clock: WallClock;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'basalt-sums-'));
  clock = new WallClock(BASE_MS + 10 * HOUR_MS);
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const open = (...rules: string[]): Promise<Store> =>
  openStore({
    dir,
    threads: false,
    compaction: 'manual',
    retention: rules.map(parseRetentionRule),
    environment: { files: nodeFileSystem, clock, rng: systemRng },
  });

async function write(store: Store, pod: string, minute: number, id = ''): Promise<void> {
  const { rejections } = await store.write({
    labels: Object.entries({ service_name: 'shop', pod, __name__: 'process_cpu' }).map(
      ([name, value]) => ({ name, value }),
    ),
    profile: plainPprof({
      types: [{ type: 'cpu', unit: 'nanoseconds' }],
      periodType: 'cpu',
      periodUnit: 'nanoseconds',
      startMs: BASE_MS + minute * MINUTE_MS,
      durationMs: 10_000,
      samples: [{ functions: ['main', pod], values: [7n] }],
    }),
    profileId: `${pod}-${minute}${id}`,
  });
  expect(rejections).toEqual([]);
}

/** Two hours of two pods, a profile each every ten minutes: 24 profiles of 7 ns. */
async function fill(store: Store): Promise<void> {
  for (let minute = 0; minute < 120; minute += 10) {
    for (const pod of ['a', 'b']) await write(store, pod, minute);
  }
}

const top = (store: Store, selector = '{}', more: object = {}) =>
  store.query.mergeTop({ ...range, selector, profileType: TYPE, ...more });
const sumsOf = async (store: Store): Promise<unknown[]> =>
  (await store.inspect()).blocks.map((block) => block.sums);

describe('sums in place of old profiles', () => {
  it('count their profiles while a deletion of samples waits for compaction', async () => {
    let store = await open();
    await fill(store);
    await store.compact({ full: true });
    await store.close();
    clock.wallMs = BASE_MS + 3 * DAY_MS;
    store = await open('1d/1h');
    await store.compact({ full: true });
    const counted = async (): Promise<bigint> => {
      const { series } = await store.query.timeSeries({
        ...range,
        selector: '',
        profileType: TYPE,
        stepMs: DAY_MS,
        groupBy: [],
        measure: 'profiles',
      });
      return series.flatMap((one) => [...one.value]).reduce((sum, value) => sum + value, 0n);
    };
    expect(await counted()).toBe(24n);
    await store.delete({ selector: '{thread="none"}' });
    expect(await counted()).toBe(24n);
    await store.close();
  });

  it('are made once a block is old enough, wider ones later, and answer as the profiles did', async () => {
    const store = await open('1d/1h:30d/1d');
    await fill(store);
    await store.compact({ full: true });
    expect(await sumsOf(store)).toEqual([undefined]);
    const sent = await store.query.mergePprof({ ...range, selector: '', profileType: TYPE });
    expect(sent.stats.sums).toBe('');
    clock.wallMs += 2 * DAY_MS;
    const report = await store.compact();
    expect(report.failures).toEqual([]);
    expect(report.merges).toBe(1);
    expect(await sumsOf(store)).toEqual([{ width: '1h', droppedLabels: ['pod'] }]);
    const [block] = (await store.inspect()).blocks;
    expect(block).toMatchObject({ profiles: 2, samples: 4 });
    const hourly = await top(store);
    expect(hourly).toMatchObject({ total: 168n, stats: { profiles: 24, sums: '1h', missing: [] } });
    const pprof = await store.query.mergePprof({ ...range, selector: '', profileType: TYPE });
    const [now, then] = [pprof, sent].map(({ body }) => readPprof(inflate(body)));
    expect(now!.rows(0)).toEqual(then!.rows(0));
    expect(now).toMatchObject({ durationNs: 240_000_000_000n });
    expect(now).toMatchObject({ durationNs: then!.durationNs, timeNs: then!.timeNs });
    // Nothing is left to do.
    expect(await store.compact()).toMatchObject({ merges: 0, conflicts: 0 });
    expect(await store.verify()).toEqual([]);
    clock.wallMs += 31 * DAY_MS;
    await store.compact();
    expect(await sumsOf(store)).toEqual([{ width: '1d', droppedLabels: ['pod'] }]);
    expect((await store.inspect()).blocks[0]).toMatchObject({ profiles: 1, samples: 2 });
    expect(await top(store)).toMatchObject({ total: 168n, stats: { profiles: 24, sums: '1d' } });
    expect(await store.verify()).toEqual([]);
    await store.close();
  });

  it('take late profiles in at the next compaction, and stay when the rule goes', async () => {
    const store = await open('1d/1h:30d');
    await fill(store);
    clock.wallMs += 2 * DAY_MS;
    await store.compact({ full: true });
    await write(store, 'c', 15);
    await store.flush();
    expect(await top(store)).toMatchObject({ total: 175n, stats: { profiles: 25 } });
    await store.compact({ full: true });
    expect((await store.inspect()).blocks).toMatchObject([{ profiles: 2, samples: 5 }]);
    expect(await top(store)).toMatchObject({ total: 175n, stats: { profiles: 25 } });
    await store.close();
    const forever = await open();
    expect(await top(forever)).toMatchObject({ total: 175n, stats: { sums: '1h' } });
    await forever.close();
    const shorter = await open('2d');
    expect(await top(shorter)).toMatchObject({ total: 0n });
    await shorter.compact();
    expect((await shorter.inspect()).blocks).toEqual([]);
    await shorter.close();
  });

  it('have the age of their start, which may be due to become wider at once', async () => {
    const store = await open('1d/1h:2d/1d');
    await write(store, 'a', 45);
    await store.compact({ full: true });
    // The profile is ten minutes short of two days old, its hour is not.
    clock.wallMs = BASE_MS + 2 * DAY_MS + 35 * MINUTE_MS;
    await store.compact();
    expect(await sumsOf(store)).toEqual([{ width: '1d', droppedLabels: ['pod'] }]);
    await store.close();
  });

  it('are what a rebuilt manifest finds, beside the block that they were made of', async () => {
    const store = await open('1d/1h');
    await fill(store);
    await store.compact({ full: true });
    clock.wallMs += 2 * DAY_MS;
    // Not a full run: what is replaced stays for ten minutes.
    await store.compact();
    expect(await sumsOf(store)).toEqual([{ width: '1h', droppedLabels: ['pod'] }]);
    await store.close();
    for (const name of ['manifest', 'manifest-boundary']) {
      rmSync(join(dir, 'objects', name), { recursive: true, force: true });
    }
    const environment = { files: nodeFileSystem, clock, rng: systemRng };
    const maintenance = await openMaintenance({ dir, environment });
    const rebuilt = await maintenance.rebuildManifests();
    expect(rebuilt).toMatchObject([
      { blocks: 1, leftOut: [{ reason: expect.stringMatching(/its profiles are in/) }] },
    ]);
    await maintenance.close();
    const again = await open('1d/1h');
    expect(await top(again)).toMatchObject({ total: 168n, stats: { profiles: 24, sums: '1h' } });
    await again.close();
  });

  it('are of series that are due alone', async () => {
    const store = await open('{pod="a"}=30d', '1d/1h:30d');
    await fill(store);
    clock.wallMs += 2 * DAY_MS;
    await store.compact({ full: true });
    // Rolled up with pod b, which would not be told apart from pod a.
    expect(await sumsOf(store)).toEqual([undefined]);
    await store.close();
  });

  it('say what they cannot answer', async () => {
    const store = await open('1d/1h');
    await fill(store);
    clock.wallMs += 2 * DAY_MS;
    await store.compact({ full: true });
    const missing = [{ code: 'PS_SUMS', part: expect.stringMatching(/^sums of block /) }];
    for (const asked of [
      top(store, '{pod="a"}'),
      top(store, '{}', { aggregation: 'last' }),
      top(store, '{}', { aggregation: 'avg' }),
      top(store, '{}', { profileIds: ['a-0'] }),
      store.query.items({ ...range, selector: '', profileType: TYPE, kind: 'profile', limit: 5 }),
    ]) {
      const { stats } = await asked;
      expect(stats).toMatchObject({ profiles: 0, missing });
    }
    const { missing: parts } = (await top(store, '{pod="a"}')).stats;
    expect(parts[0]?.message).toMatch(/24 profiles.*sums of up to 1h.*\(pod\)/);
    // What is new is there beside it.
    await write(store, 'a', 2 * 24 * 60);
    expect(await top(store, '{pod="a"}')).toMatchObject({ total: 7n, stats: { missing } });
    await store.close();
  });

  it('count in a comparison, whose significance is of the profiles that are left', async () => {
    const store = await open('1d/1h');
    await fill(store);
    clock.wallMs += 2 * DAY_MS;
    await store.compact({ full: true });
    for (let minute = 0; minute < 60; minute += 10) await write(store, 'a', 2 * 24 * 60 + minute);
    const own = { tenantId: 'anonymous', selector: '{}', profileType: TYPE };
    const { base, comparisons } = await store.query.diff({
      ...own,
      startMs: BASE_MS,
      endMs: BASE_MS + 2 * HOUR_MS,
      others: [{ selector: '{}', startMs: BASE_MS + 2 * DAY_MS, endMs: BASE_MS + 3 * DAY_MS }],
    });
    const missing = [{ code: 'PS_SUMS' }];
    expect(base).toMatchObject({ total: 168n, durationNs: 240_000_000_000n, observedProfiles: 0 });
    expect(base.stats).toMatchObject({ profiles: 24, missing });
    const { side, functions } = comparisons[0]!;
    expect(side).toMatchObject({ total: 42n, durationNs: 60_000_000_000n, observedProfiles: 6 });
    const b = functions.find((f) => f.functionName === 'b');
    expect(b).toMatchObject({ selfChange: -0.5, isSelfSignificant: false });
    await store.close();
  });

  it('are deleted whole: what cannot be is refused, or said to stay', async () => {
    const store = await open('1d/1h');
    await fill(store);
    clock.wallMs += 2 * DAY_MS;
    await store.compact({ full: true });
    await write(store, 'a', 2 * 24 * 60);
    const [start, end] = [BASE_MS, BASE_MS + HOUR_MS];
    for (const request of [
      { selector: '{pod!="a"}' },
      { selector: '{service_name="shop",pod=""}' },
      { selector: '{service_name="shop"}', startMs: start + MINUTE_MS },
      { selector: '{service_name="shop"}', endMs: end - MINUTE_MS },
    ]) {
      await expect(store.delete(request)).rejects.toMatchObject({
        kind: 'invalid',
        code: 'PS_DELETE_SUMS',
      });
    }
    expect(await top(store)).toMatchObject({ total: 175n });
    // The new profile goes; what pod a added to the sums stays, and that is said.
    expect(await store.delete({ selector: '{pod="a"}' })).toMatchObject({ sumsKept: 1 });
    expect(await top(store)).toMatchObject({ total: 168n });
    const own = { selector: '{service_name="shop"}', startMs: start, endMs: end };
    expect(await store.delete(own)).toMatchObject({ sumsKept: 0 });
    expect(await top(store)).toMatchObject({ total: 84n, stats: { profiles: 12 } });
    await store.compact({ full: true });
    expect(await top(store)).toMatchObject({ total: 84n, stats: { profiles: 12, sums: '1h' } });
    expect(await store.verify()).toEqual([]);
    await store.close();
  });

  it('are of no block that a deletion marked meanwhile', async () => {
    const store = await open('1d/1h');
    await fill(store);
    await store.compact({ full: true });
    clock.wallMs += 2 * DAY_MS;
    // Marks the block: pod a goes first, then what is left becomes sums.
    expect(await store.delete({ selector: '{pod="a"}' })).toMatchObject({ sumsKept: 0, blocks: 1 });
    await store.compact();
    expect(await sumsOf(store)).toEqual([{ width: '1h', droppedLabels: ['pod'] }]);
    expect(await top(store)).toMatchObject({ total: 84n, stats: { profiles: 12 } });
    await store.close();
  });
});

describe('AdminService over a store', () => {
  it('deletes, lists and says what is kept and what stays', async () => {
    const rules: RetentionRule[] = [parseRetentionRule('1d/1h:30d')];
    const store = await open('1d/1h:30d');
    const server = await startServer({
      ingest: store.ingest,
      query: store.query,
      admin: {
        delete: (request) => store.delete(request),
        deletions: (tenantId) => store.deletions(tenantId),
        retention: rules,
      },
      clock,
      metrics: new MetricsRegistry(),
      ready: () => true,
      ui: new Map(),
      httpAddress: '127.0.0.1:0',
      grpcAddress: '127.0.0.1:0',
    });
    const client = grpcClient(`127.0.0.1:${server.grpcPort}`);
    try {
      await fill(store);
      clock.wallMs += 2 * DAY_MS;
      await store.compact({ full: true });
      await write(store, 'a', 2 * 24 * 60);
      await store.compact();
      const { method } = AdminService;
      const { deletion, sumsKept } = await unary(client, method.delete, { selector: '{pod="a"}' });
      expect(deletion).toMatchObject({ selector: '{pod="a"}' });
      expect(sumsKept).toBe(1n);
      const { deletions } = await unary(client, method.deletions, {});
      expect(deletions.map((d) => d.id)).toEqual([deletion!.id]);
      expect(await top(store)).toMatchObject({ total: 168n });
      await store.compact({ full: true });
      expect((await unary(client, method.deletions, {})).deletions).toEqual([]);
      const { rules: served } = await unary(client, method.retention, {});
      expect(served).toMatchObject([
        { selector: '', keepMs: 2_592_000_000n, sums: [{ afterMs: 86_400_000n, width: '1h' }] },
      ]);
      await expect(unary(client, method.delete, { selector: '{pod!="a"}' })).rejects.toMatchObject({
        code: 3,
        details: expect.stringContaining('sums'),
      });
    } finally {
      client.close();
      await server.close();
      await store.close();
    }
  });
});

describe('a rule with sums', () => {
  it('is read', () => {
    expect(parseRetentionRule('team-a{env="dev"}=7d/1h:30d/1d:2y')).toEqual({
      tenantId: 'team-a',
      selector: '{env="dev"}',
      sums: [
        { afterMs: 7 * DAY_MS, width: '1h' },
        { afterMs: 30 * DAY_MS, width: '1d' },
      ],
      keepMs: 730 * DAY_MS,
    });
    expect(parseRetentionRule('7d/5m')).toEqual({ sums: [{ afterMs: 7 * DAY_MS, width: '5m' }] });
  });

  it('is refused where it cannot be meant', async () => {
    for (const text of ['7d/2h', '/1h', '7d/', '7d/1h:', '7d/1h/1d', '1h:7d', '7d/1h:30d/']) {
      expect(() => parseRetentionRule(text), text).toThrow(/cannot read retention rule/);
    }
    for (const text of ['7d/1h:7d', '7d/1h:1d', '7d/1d:30d/1h', '7d/1h:30d/1h:60d']) {
      await expect(open(text), text).rejects.toMatchObject({ code: 'PS_RETENTION' });
    }
  });
});
