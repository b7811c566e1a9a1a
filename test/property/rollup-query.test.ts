import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ROLLUP_SETTINGS, type RollupSettings } from '../../src/block/rollup-series.js';
import { parseSelector } from '../../src/model/selector.js';
import type { Series, Temporality } from '../../src/model/series.js';
import { MemoryBucket } from '../../src/objstore/memory-bucket.js';
import type { Aggregation, QueryStats } from '../../src/query/api.js';
import { answerText, selfByPath } from '../support/answer-text.js';
import { copyBlock } from '../support/copy-block.js';
import { crowdedProfiles, crowdedStart } from '../support/plain-arbitraries.js';
import { plainDeltas, plainMerge, plainTimeSeries } from '../support/plain-query.js';
import type { PlainProfile } from '../support/plain-store.js';
import { type MemoryStore, memoryStore, TENANT } from '../support/query-store.js';

const types = (...list: [string, Temporality][]): Series['sampleTypes'] =>
  list.map(([type, temporality]) => ({ type, unit: 'count', temporality }));
const CPU = types(['samples', 'delta'], ['cpu', 'delta']);
const MEMORY = types(['alloc', 'cumulative'], ['inuse', 'gauge']);

function seriesOf(profileName: string, labels: Readonly<Record<string, string>>): Series {
  return {
    service: 'api',
    profileName,
    labels: Object.entries({ ...labels, service_name: 'api' })
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => ({ name, value })),
    periodType: 'p',
    periodUnit: 'u',
    sampleTypes: profileName === 'cpu' ? CPU : MEMORY,
    group: 0,
  };
}

const SERIES = [
  seriesOf('cpu', { pod: 'a', version: '1' }),
  seriesOf('cpu', { pod: 'b', version: '1' }),
  seriesOf('cpu', { pod: 'c', version: '2' }),
  seriesOf('memory', { pod: 'a', version: '1' }),
  seriesOf('memory', { pod: 'b', version: '1' }),
];
const TYPES = ['cpu:cpu', 'cpu:cpu', 'memory:alloc', 'memory:inuse'].map((t) => `${t}:count:p:u`);
const SELECTORS = [
  '',
  '',
  '{version="1"}',
  '{pod="a"}',
  '{pod=~"a|b"}',
  '{thread="1"}',
  '{pod!="c"}',
];
const HOUR_MS = 3_600_000;

const startMs = crowdedStart(3);
const profiles = crowdedProfiles(SERIES, startMs, { minLength: 10, maxLength: 60 });
/** Edges on and off the buckets' own. */
const edgeMs = fc.oneof(
  fc.integer({ min: 0, max: 72 }).map((hour) => hour * HOUR_MS),
  fc.integer({ min: 0, max: 864 }).map((five) => five * 300_000),
  startMs,
);
const range = fc
  .tuple(edgeMs, edgeMs)
  .map(([a, b]) => ({ startMs: Math.min(a, b), endMs: Math.max(a, b) + 1 }));
const request = fc.record({
  profileType: fc.constantFrom(...TYPES),
  selector: fc.constantFrom(...SELECTORS),
  range: fc.oneof(range, fc.constant({ startMs: 0, endMs: 100 * HOUR_MS })),
  aggregation: fc.constantFrom<Aggregation | undefined>(
    undefined,
    undefined,
    'sum',
    'avg',
    'last',
    'max',
  ),
});
const layout = fc.record({
  consumedMs: fc.integer({ min: 0, max: 80 * HOUR_MS }),
  places: fc.array(fc.nat(2), { minLength: 60, maxLength: 60 }),
});
const ALWAYS: RollupSettings = {
  keptLabels: ROLLUP_SETTINGS.keptLabels,
  spanNsMin: 0n,
  savingMin: { '5m': 0, '1h': 0, '1d': 0 },
};
const settings = fc.constantFrom(
  ALWAYS,
  { ...ALWAYS, savingMin: { '5m': 1e9, '1h': 0, '1d': 0 } },
  { ...ALWAYS, savingMin: { '5m': 0, '1h': 1e9, '1d': 1.2 } },
  { ...ALWAYS, keptLabels: ['pod'] },
);

interface Deletion {
  readonly selector: string;
  readonly startMs: number;
  readonly endMs: number;
}

/** Deletions take from blocks what age takes as well: whole profiles, and samples. */
const deletions = fc.array(
  fc.record({
    selector: fc.constantFrom('{service_name="api"}', '{pod="a"}', '{pod!="a"}', '{thread="1"}'),
    range: fc.oneof(
      range,
      edgeMs.map((endMs) => ({ startMs: 0, endMs: endMs + 1 })),
    ),
  }),
  { maxLength: 2 },
);

interface Stores {
  readonly rolled: MemoryStore;
  readonly plain: MemoryStore;
}

/** The same blocks with rollups and without, beside the same segments. */
async function storesOf(
  list: readonly PlainProfile[],
  l: { readonly consumedMs: number; readonly places: readonly number[] },
  rollups: RollupSettings,
  deletions: readonly Deletion[] = [],
): Promise<Stores> {
  const plan = {
    consumedBeforeNs: BigInt(l.consumedMs) * 1_000_000n,
    placeOf: (i: number): number => l.places[i] ?? 0,
  };
  const rolled = memoryStore(list, plan);
  const plain = memoryStore(list, { ...plan, settings: { usesRollups: false } });
  const bucket = new MemoryBucket();
  for (const [id, block] of rolled.blocks) {
    const copy = await copyBlock(block, bucket, id, rollups);
    rolled.blocks.set(id, copy);
    plain.blocks.set(id, copy);
  }
  for (const store of [rolled, plain]) {
    const seriesTombstones = deletions.map((d, i) => ({
      ...d,
      id: i + 1,
      createdMs: 0,
      covered: [],
    }));
    const marks = seriesTombstones.map(({ id }) => id);
    const blocks = store.manifest.blocks.map((b) => ({ ...b, seriesTombstones: marks }));
    store.manifest = { ...store.manifest, seriesTombstones, blocks };
  }
  return { rolled, plain };
}

/** What must not change when rollups stand in for profiles. */
function same(rolled: QueryStats, plain: QueryStats): void {
  const facts = ({ profiles: p, series, blocks, segments, missing }: QueryStats): unknown => ({
    profiles: p,
    series,
    blocks,
    segments,
    missing,
  });
  expect(facts(rolled)).toEqual(facts(plain));
  expect(plain.tiles).toBe(0);
  expect(plain.tileRows).toBe(0);
  expect(rolled.rows).toBeLessThanOrEqual(plain.rows);
}

describe('rollups answer as the profiles behind them do (I3, I4)', () => {
  it('merges', async () => {
    let tiles = 0;
    await fc.assert(
      fc.asyncProperty(profiles, request, layout, settings, async (list, r, l, s) => {
        const { rolled, plain } = await storesOf(list, l, s);
        const { range: span, ...rest } = r;
        const q = { ...rest, ...span, tenantId: TENANT } as Parameters<
          typeof rolled.engine.mergeTree
        >[0];
        const matchers = parseSelector(r.selector);
        const tree = await rolled.engine.mergeTree(q);
        expect(selfByPath(tree)).toEqual(
          plainMerge(plainDeltas(list), { ...rest, ...span, matchers }),
        );
        const want = await plain.engine.mergeTree(q);
        expect(answerText(tree)).toBe(answerText(want));
        same(tree.stats, want.stats);
        tiles += tree.stats.tiles;
        if (tree.stats.tiles === 0) expect(tree.stats.rows).toBe(want.stats.rows);
        const pprof = await rolled.engine.mergePprof(q);
        expect(pprof.body).toEqual((await plain.engine.mergePprof(q)).body);
        const rooted = { ...q, rootLabel: ['version', 'thread'] };
        expect(answerText(await rolled.engine.mergeTree(rooted))).toBe(
          answerText(await plain.engine.mergeTree(rooted)),
        );
      }),
      { numRuns: 120 },
    );
    expect(tiles).toBeGreaterThan(50);
  });

  it('makes time series', async () => {
    let tiles = 0;
    const groupBy = fc.subarray(['pod', 'version', 'thread']);
    const stepMs = fc.constantFrom(60_000, 300_000, HOUR_MS, 2 * HOUR_MS, 24 * HOUR_MS);
    await fc.assert(
      fc.asyncProperty(
        profiles,
        request,
        layout,
        settings,
        groupBy,
        stepMs,
        async (list, r, l, s, by, step) => {
          const { rolled, plain } = await storesOf(list, l, s);
          const { range: span, ...rest } = r;
          const startMsOf = span.startMs - (span.startMs % step);
          const q = { ...rest, ...span, startMs: startMsOf, stepMs: step, groupBy: by };
          const query = { ...q, tenantId: TENANT } as Parameters<
            typeof rolled.engine.timeSeries
          >[0];
          const got = await rolled.engine.timeSeries(query);
          const want = await plain.engine.timeSeries(query);
          expect(answerText(got)).toBe(answerText(want));
          same(got.stats, want.stats);
          tiles += got.stats.tiles;
          const model = plainTimeSeries(plainDeltas(list), {
            ...q,
            matchers: parseSelector(r.selector),
          });
          const points = got.series.map((x) => [
            JSON.stringify(Object.entries(x.labels).sort()),
            [...x.timestampMs].map((t, i) => [t, String(x.value[i])]),
          ]);
          const modelled = [...model]
            .filter(([, own]) => own.size > 0)
            .map(([g, own]) => [
              g,
              [...own].sort(([a], [b]) => a - b).map(([t, v]) => [t, String(v)]),
            ]);
          expect(points.sort()).toEqual(modelled.sort());
        },
      ),
      { numRuns: 80 },
    );
    expect(tiles).toBeGreaterThan(10);
  });

  it('where something was deleted', async () => {
    let tiles = 0;
    await fc.assert(
      fc.asyncProperty(profiles, request, layout, settings, deletions, async (list, r, l, s, d) => {
        const taken = d.map(({ selector, range: own }) => ({ selector, ...own }));
        const { rolled, plain } = await storesOf(list, l, s, taken);
        const { range: span, ...rest } = r;
        const q = { ...rest, ...span, tenantId: TENANT } as Parameters<
          typeof rolled.engine.mergeTree
        >[0];
        const tree = await rolled.engine.mergeTree(q);
        const want = await plain.engine.mergeTree(q);
        expect(answerText(tree)).toBe(answerText(want));
        same(tree.stats, want.stats);
        if (d.length > 0) tiles += tree.stats.tiles;
        const startMsOf = span.startMs - (span.startMs % HOUR_MS);
        const steps = { ...q, startMs: startMsOf, stepMs: HOUR_MS, groupBy: ['version'] };
        expect(answerText(await rolled.engine.timeSeries(steps))).toBe(
          answerText(await plain.engine.timeSeries(steps)),
        );
      }),
      { numRuns: 120 },
    );
    expect(tiles).toBeGreaterThan(10);
  });
});
