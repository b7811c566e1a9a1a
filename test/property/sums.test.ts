/**
 * Sums in place of old profiles, made and merged in any order, against the profiles as they were sent: what sums can answer
 * stays equal to the last unit; what they cannot is what the profiles that are left say, and reported.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blockPrefix, openBlock } from '../../src/block/reader.js';
import { ROLLUP_SETTINGS, type RollupSettings } from '../../src/block/rollup-series.js';
import { sumWidthOf } from '../../src/block/sums.js';
import { verifyBlock } from '../../src/block/verify.js';
import { type BlockWriterOptions, createBlockWriter } from '../../src/block/writer.js';
import type { CompactionDependencies } from '../../src/compaction/dependencies.js';
import { mergeBlocks } from '../../src/compaction/merge-blocks.js';
import { sumBlock } from '../../src/compaction/sum-block.js';
import { systemClock } from '../../src/env/clock.js';
import type { WidthOf } from '../../src/manifest/retention.js';
import type { ManifestBlock } from '../../src/manifest/types.js';
import { ROLLUP_WIDTH_NS, ROLLUP_WIDTHS, type RollupWidth } from '../../src/model/rollup-width.js';
import { parseSelector } from '../../src/model/selector.js';
import type { Series, Temporality } from '../../src/model/series.js';
import { MemoryBucket } from '../../src/objstore/memory-bucket.js';
import type { Aggregation } from '../../src/query/api.js';
import { answerText, selfByPath } from '../support/answer-text.js';
import { copyBlock } from '../support/copy-block.js';
import { crowdedProfiles, crowdedStart } from '../support/plain-arbitraries.js';
import { plainDeltas, plainMerge } from '../support/plain-query.js';
import type { PlainProfile } from '../support/plain-store.js';
import { manifestLine, type MemoryStore, memoryStore, TENANT } from '../support/query-store.js';
import { seededRng } from '../support/virtual-clock.js';

const HOUR_MS = 3_600_000;
const types = (...list: [string, Temporality][]): Series['sampleTypes'] =>
  list.map(([type, temporality]) => ({ type, unit: 'count', temporality }));
const SAMPLE_TYPES: Readonly<Record<string, Series['sampleTypes']>> = {
  cpu: types(['samples', 'delta'], ['cpu', 'delta']),
  memory: types(['alloc', 'cumulative'], ['inuse', 'gauge']),
};

function seriesOf(
  profileName: string,
  service: string,
  labels: Readonly<Record<string, string>>,
): Series {
  return {
    service,
    profileName,
    labels: Object.entries({ ...labels, service_name: service })
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => ({ name, value })),
    periodType: 'p',
    periodUnit: 'u',
    sampleTypes: SAMPLE_TYPES[profileName] ?? [],
    group: 0,
  };
}

const SERIES = [
  seriesOf('cpu', 'api', { pod: 'a', version: '1' }),
  seriesOf('cpu', 'api', { pod: 'b', version: '1' }),
  seriesOf('cpu', 'api', { version: '1' }),
  seriesOf('cpu', 'api', { pod: 'c', version: '2' }),
  seriesOf('memory', 'api', { pod: 'a', version: '1' }),
  seriesOf('memory', 'web', { pod: 'b' }),
  seriesOf('cpu', 'web', { pod: 'b' }),
];
const TYPES = ['cpu:cpu', 'cpu:samples', 'memory:alloc', 'memory:inuse'].map(
  (t) => `${t}:count:p:u`,
);

const startMs = crowdedStart(2);
const profiles = crowdedProfiles(SERIES, startMs, { minLength: 5, maxLength: 50 });
/** Which series are due, and how wide. */
const due = fc.record({
  width: fc.constantFrom(...ROLLUP_WIDTHS),
  kept: fc.constantFrom('', '', '', 'pod=a', 'pod=', 'version=2', 'service_name=api'),
});
const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('sum' as const), block: fc.nat(2), due }),
    fc.record({ kind: fc.constant('merge' as const), block: fc.nat(2) }),
  ),
  { minLength: 1, maxLength: 5 },
);
type Step = typeof steps extends fc.Arbitrary<readonly (infer T)[]> ? T : never;

const ALWAYS: RollupSettings = {
  keptLabels: ROLLUP_SETTINGS.keptLabels,
  spanNsMin: 0n,
  savingMin: { '5m': 0, '1h': 0, '1d': 0 },
};
const settings = fc.constantFrom(ALWAYS, { ...ALWAYS, spanNsMin: 1n << 62n });

function widthOf({ width, kept }: { width: RollupWidth; kept: string }): WidthOf {
  const [name, text] = kept.split('=');
  return ({ labels }) => {
    const own = labels.find((label) => label.name === name)?.value ?? '';
    return kept !== '' && own === text ? undefined : width;
  };
}

interface Stores {
  readonly summed: MemoryStore;
  readonly plain: MemoryStore;
  /** Ids of the profiles that are there as they were sent. */
  readonly sent: ReadonlySet<string>;
  readonly sums: number;
}

async function storesOf(
  list: readonly PlainProfile[],
  places: readonly number[],
  plan: readonly Step[],
  rollups: RollupSettings,
): Promise<Stores> {
  const layout = { consumedBeforeNs: 1n << 62n, placeOf: (i: number): number => places[i] ?? 0 };
  const summed = memoryStore(list, layout);
  const plain = memoryStore(list, layout);
  const bucket = new MemoryBucket();
  const dependencies = {
    bucket,
    blocks: {
      createWriter: (block: object) =>
        createBlockWriter({ ...(block as BlockWriterOptions), bucket, rollups }),
      open: (tenantId: string, blockId: string) => openBlock(bucket, tenantId, blockId),
      prefix: blockPrefix,
    },
    clock: systemClock,
    rng: seededRng(places.length),
  } as unknown as CompactionDependencies;
  let lines: ManifestBlock[] = [];
  for (const [id, block] of summed.blocks) {
    lines.push(manifestLine((await copyBlock(block, bucket, id, rollups)).meta));
  }
  const { signal } = new AbortController();
  for (const step of plan) {
    const base = { ...summed.manifest, blocks: lines };
    if (step.kind === 'merge') {
      const { block } = await mergeBlocks(
        dependencies,
        base,
        { kind: 'merge', tenantId: TENANT, blocks: lines },
        { cutoffOf: undefined, undo: [] },
      );
      if (block !== undefined) lines = [manifestLine(block)];
      continue;
    }
    const old = lines[step.block % lines.length] as ManifestBlock;
    const made = await sumBlock(dependencies, base, old, {
      widthOf: widthOf(step.due),
      undo: [],
      signal,
    });
    if (made === undefined) continue;
    expect(await verifyBlock(bucket, TENANT, made.blockId)).toEqual([]);
    lines = [...lines.filter((line) => line !== old), manifestLine(made)];
  }
  const sent = new Set<string>();
  let sums = 0;
  summed.blocks.clear();
  for (const { blockId } of lines) {
    const reader = await openBlock(bucket, TENANT, blockId);
    summed.blocks.set(blockId, reader);
    const { flags } = await reader.profiles();
    (await reader.profileIds()).forEach((id, p) => {
      if (sumWidthOf(flags[p]!) === undefined) sent.add(id);
      else sums++;
    });
  }
  summed.manifest = { ...summed.manifest, blocks: lines };
  return { summed, plain, sent, sums };
}

const places = fc.array(fc.nat(2), { minLength: 50, maxLength: 50 });
const days = fc.tuple(fc.nat(2), fc.nat(2)).map(([a, b]) => ({
  startMs: Math.min(a, b) * 24 * HOUR_MS,
  endMs: (Math.max(a, b) + 1) * 24 * HOUR_MS,
}));

const known = fc.record({
  profileType: fc.constantFrom(...TYPES),
  selector: fc.constantFrom(
    '',
    '{version="1"}',
    '{thread="1"}',
    '{thread!="1"}',
    '{service_name="web"}',
  ),
  range: days,
  rootLabel: fc.subarray(['version', 'thread']),
});

describe('sums of old profiles (I3, I4)', () => {
  it('answer as those profiles did', async () => {
    let sums = 0;
    await fc.assert(
      fc.asyncProperty(profiles, places, steps, settings, known, async (list, p, plan, s, q) => {
        const { summed, plain, ...made } = await storesOf(list, p, plan, s);
        sums += made.sums;
        const { range, ...rest } = q;
        const query = { ...rest, ...range, tenantId: TENANT };
        const isGauge = q.profileType.startsWith('memory');
        for (const aggregation of [undefined, 'sum', ...(isGauge ? (['avg'] as const) : [])]) {
          const asked = aggregation === undefined ? query : { ...query, aggregation };
          const got = await summed.engine.mergeTree(asked as never);
          const want = await plain.engine.mergeTree(asked as never);
          expect(answerText(got)).toBe(answerText(want));
          expect(got.stats.missing).toEqual([]);
          expect(got.stats.profiles).toBe(want.stats.profiles);
          const { rootLabel: groupBy, ...unrooted } = asked;
          const stepped = { ...unrooted, stepMs: 24 * HOUR_MS, groupBy };
          expect(answerText(await summed.engine.timeSeries(stepped as never))).toBe(
            answerText(await plain.engine.timeSeries(stepped as never)),
          );
        }
        const counted = { ...query, stepMs: 24 * HOUR_MS, groupBy: ['service_name'] };
        const isOpen = !q.selector.includes('thread');
        if (isOpen) {
          const asked = { ...counted, measure: 'profiles' } as never;
          expect(answerText(await summed.engine.timeSeries(asked))).toBe(
            answerText(await plain.engine.timeSeries(asked)),
          );
        }
      }),
      { numRuns: 60 },
    );
    expect(sums).toBeGreaterThan(100);
  });

  it('are left out, and said to be, where they cannot', async () => {
    let missing = 0;
    const selector = fc.constantFrom('{pod="a"}', '{pod!="a"}', '{pod=""}', '{version="1"}', '');
    const asked = fc.constantFrom<Aggregation | undefined>(undefined, 'avg', 'last', 'max');
    const type = fc.constantFrom(...TYPES);
    await fc.assert(
      fc.asyncProperty(
        profiles,
        steps,
        fc.record({ selector, aggregation: asked, profileType: type }),
        async (list, plan, q) => {
          // In one block, so that all sums are left out or none.
          const { summed, sent } = await storesOf(list, [], plan, ALWAYS);
          const range = { startMs: 0, endMs: 72 * HOUR_MS };
          const query = { ...q, ...range, tenantId: TENANT } as never;
          const tree = await summed.engine.mergeTree(query);
          const all = plainDeltas(list);
          const model = { ...q, ...range, matchers: parseSelector(q.selector) };
          if (tree.stats.missing.length === 0) {
            expect(selfByPath(tree)).toEqual(plainMerge(all, model));
            return;
          }
          missing++;
          expect(tree.stats.missing.map((part) => part.code)).toContain('PS_SUMS');
          const rest = all.filter((profile) => sent.has(profile.id));
          expect(selfByPath(tree)).toEqual(plainMerge(rest, model));
        },
      ),
      { numRuns: 50 },
    );
    expect(missing).toBeGreaterThan(10);
  });

  it('start where their bucket starts, and say how many profiles they are', async () => {
    await fc.assert(
      fc.asyncProperty(profiles, due, async (list, d) => {
        const only = { kind: 'sum', block: 0, due: { ...d, kept: '' } } as const;
        const { summed, sums } = await storesOf(list, [], [only], ALWAYS);
        const [block] = summed.blocks.values();
        const { flags, startNs, profileCounts, count } = await block!.profiles();
        let counted = 0;
        for (let p = 0; p < count; p++) {
          counted += profileCounts?.[p] ?? 1;
          const width = sumWidthOf(flags[p]!);
          if (width !== undefined) expect(startNs[p]! % ROLLUP_WIDTH_NS[width]).toBe(0n);
        }
        expect(counted).toBe(plainDeltas(list).length);
        const buckets = new Set(
          plainDeltas(list).map(({ series, startNs: ns }) => {
            const isMemory = series.profileName === 'memory';
            const labels = series.labels.filter(({ name }) => isMemory || name !== 'pod');
            const bucket = ns / ROLLUP_WIDTH_NS[d.width];
            return JSON.stringify([series.service, series.profileName, labels, `${bucket}`]);
          }),
        );
        if (sums > 0 && sums === count) expect(count).toBe(buckets.size);
      }),
      { numRuns: 30 },
    );
  });
});
