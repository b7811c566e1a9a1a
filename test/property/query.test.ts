import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { Profile } from 'pprof-format';
import { describe, expect, it } from 'vitest';
import { compileMatcher } from '../../src/model/matcher.js';
import { parseSelector } from '../../src/model/selector.js';
import type { Series, Temporality } from '../../src/model/series.js';
import type { Aggregation, FlameTree } from '../../src/query/api.js';
import { MemoryBucket } from '../../src/objstore/memory-bucket.js';
import { copyBlock } from '../support/copy-block.js';
import {
  plainCounts,
  plainDeltas,
  plainMerge,
  plainRows,
  plainTimeSeries,
} from '../support/plain-query.js';
import type { PlainProfile } from '../support/plain-store.js';
import { memoryStore, TENANT } from '../support/query-store.js';

const types = (...list: [string, Temporality][]): Series['sampleTypes'] =>
  list.map(([type, temporality]) => ({ type, unit: 'count', temporality }));
const CPU = types(['samples', 'delta'], ['cpu', 'delta']);
const MEMORY = types(['alloc', 'cumulative'], ['inuse', 'gauge']);

function seriesOf(service: string, profileName: string, pod: string): Series {
  const labels = [{ name: 'service_name', value: service }];
  if (pod !== '') labels.unshift({ name: 'pod', value: pod });
  return {
    service,
    profileName,
    labels,
    periodType: 'p',
    periodUnit: 'u',
    sampleTypes: profileName === 'cpu' ? CPU : MEMORY,
    group: 0,
  };
}

const SERIES = [
  seriesOf('api', 'cpu', 'a'),
  seriesOf('api', 'cpu', 'b'),
  seriesOf('api', 'memory', 'a'),
  seriesOf('api', 'memory', ''),
  seriesOf('web', 'cpu', ''),
  seriesOf('web', 'memory', 'b'),
];
const TYPES = ['cpu:samples', 'cpu:cpu', 'memory:alloc', 'memory:inuse'].map(
  (t) => `${t}:count:p:u`,
);
const SELECTORS = [
  '',
  '{service_name="api"}',
  '{pod=~"a|b"}',
  '{pod!="a"}',
  '{pod=""}',
  '{thread="1"}',
  '{thread!~"1.*"}',
  'memory{pod=~".+",thread=""}',
  '{__profile_type__=~".*inuse.*"}',
];

const value = fc.oneof(
  { weight: 8, arbitrary: fc.bigInt(0n, 20n) },
  { weight: 1, arbitrary: fc.bigInt(-5n, 5n) },
  { weight: 1, arbitrary: fc.bigInt(2n ** 53n, 2n ** 56n) },
);
const key = fc.record({
  functions: fc.array(fc.constantFrom('main', 'run', 'gc', 'λ'), { maxLength: 4 }),
  labelSet: fc.constantFrom(
    '',
    '',
    '[[["thread","1"]],[]]',
    '[[["thread","1"],["thread","2"]],[]]',
    '[[["pod","x"]],[["bytes","16","bytes"]]]',
  ),
});
const samples = fc.uniqueArray(
  key.chain((k) =>
    fc.record({
      functions: fc.constant(k.functions),
      labelSet: fc.constant(k.labelSet),
      values: fc.tuple(value, value),
    }),
  ),
  { selector: (s) => JSON.stringify([s.functions, s.labelSet]), maxLength: 6 },
);
const profiles: fc.Arbitrary<PlainProfile[]> = fc
  .array(
    fc.record({
      series: fc.constantFrom(...SERIES),
      startUs: fc.integer({ min: 0, max: 30_000 }),
      flags: fc.constantFrom(0, 0, 0, 0, 1),
      samples,
    }),
    { maxLength: 25 },
  )
  .map((list) =>
    list.map(({ startUs, ...p }, i) => ({
      ...p,
      startNs: BigInt(startUs) * 1_000n,
      id: `id-${(i * 7) % 25}`,
    })),
  );
const aggregation = fc.constantFrom<Aggregation | undefined>(
  undefined,
  'sum',
  'avg',
  'last',
  'max',
);
const request = fc.record({
  profileType: fc.constantFrom(...TYPES),
  selector: fc.constantFrom(...SELECTORS),
  startMs: fc.integer({ min: 0, max: 10 }),
  endMs: fc.integer({ min: 11, max: 31 }),
  aggregation,
});
const layout = fc.record({
  consumedMs: fc.integer({ min: 0, max: 30 }),
  places: fc.array(fc.nat(2), { minLength: 30, maxLength: 30 }),
});

/** Self value of each path of names that is not 0, and each node's value checked on the way. */
function flatten(tree: FlameTree): Map<string, bigint> {
  const out = new Map<string, bigint>();
  const paths: string[][] = [];
  const sums = new BigInt64Array(tree.parent.length);
  for (let n = tree.parent.length - 1; n >= 0; n--) {
    sums[n]! += tree.self[n]!;
    if (n > 0) sums[tree.parent[n]!]! += sums[n]!;
  }
  for (let n = 0; n < tree.parent.length; n++) {
    if (n > 0) expect(tree.parent[n]).toBeLessThan(n);
    paths[n] = n === 0 ? [] : [...paths[tree.parent[n]!]!, tree.names[tree.name[n]!]!];
    if (tree.self[n] !== 0n) out.set(JSON.stringify(paths[n]), tree.self[n]!);
    if (tree.hiddenNodes === 0) expect(tree.value[n]).toBe(sums[n]);
  }
  return out;
}

const bytesOf = (answer: object): string =>
  JSON.stringify(answer, (name, v: unknown) => {
    if (name === 'stats') return undefined;
    if (typeof v === 'bigint') return v.toString();
    return ArrayBuffer.isView(v) ? Array.from(v as unknown as ArrayLike<number>, String) : v;
  });

describe('query engine against the obvious one (I3, I4)', () => {
  it('merges', async () => {
    await fc.assert(
      fc.asyncProperty(profiles, request, layout, async (list, r, l) => {
        const consumedBeforeNs = BigInt(l.consumedMs) * 1_000_000n;
        const placeOf = (i: number): number => l.places[i] ?? 0;
        // What lies in a second segment once more is a retry.
        const { engine } = memoryStore([...list, ...list.slice(0, 2)], {
          consumedBeforeNs,
          placeOf,
        });
        const { engine: logOnly } = memoryStore(list, { consumedBeforeNs: 0n, placeOf: () => 0 });
        const query = { ...r, tenantId: TENANT };
        const matchers = parseSelector(r.selector);
        for (const m of matchers) compileMatcher(m);
        const want = plainMerge(plainDeltas(list), { ...r, matchers });
        const tree = await engine.mergeTree(query as Parameters<typeof engine.mergeTree>[0]);
        expect(flatten(tree)).toEqual(want);
        expect(tree.total).toBe([...want.values()].reduce((a, b) => a + b, 0n));
        expect(tree.stats.missing).toEqual([]);
        const q = query as Parameters<typeof engine.mergeTree>[0];
        expect(bytesOf(await logOnly.mergeTree(q))).toBe(bytesOf(tree));
        const small = await engine.mergeTree({ ...q, maxNodes: 3 });
        expect(bytesOf(await logOnly.mergeTree({ ...q, maxNodes: 3 }))).toBe(bytesOf(small));
        expect(small.parent.length).toBe(Math.min(3, tree.parent.length));
        expect(small.hiddenNodes).toBe(tree.parent.length - small.parent.length);
        const top = await engine.mergeTop(q);
        expect(bytesOf(await logOnly.mergeTop(q))).toBe(bytesOf(top));
        checkTop(top, want);
        const folded = await engine.mergeFolded(q);
        expect((await logOnly.mergeFolded(q)).body).toEqual(folded.body);
        expect(unfold(folded.body)).toEqual(want);
        const pprof = await engine.mergePprof(q);
        expect((await logOnly.mergePprof(q)).body).toEqual(pprof.body);
        expect(readStacks(pprof.body)).toEqual(want);
      }),
      { numRuns: 150 },
    );
  });

  it('gives the same bytes from real blocks', async () => {
    await fc.assert(
      fc.asyncProperty(profiles, request, layout, async (list, r, l) => {
        const plan = {
          consumedBeforeNs: BigInt(l.consumedMs) * 1_000_000n,
          placeOf: (i: number): number => l.places[i] ?? 0,
        };
        const memory = memoryStore(list, plan);
        const real = memoryStore(list, plan);
        const bucket = new MemoryBucket();
        for (const [id, block] of real.blocks) {
          real.blocks.set(id, await copyBlock(block, bucket, id));
        }
        const q = { ...r, tenantId: TENANT } as Parameters<typeof real.engine.mergeTree>[0];
        for (const maxNodes of [2, 1_000]) {
          const want = await memory.engine.mergeTree({ ...q, maxNodes });
          expect(bytesOf(await real.engine.mergeTree({ ...q, maxNodes }))).toBe(bytesOf(want));
        }
        const want = await memory.engine.mergePprof(q);
        expect((await real.engine.mergePprof(q)).body).toEqual(want.body);
        const steps = { ...q, stepMs: 7, groupBy: ['pod', 'thread'] };
        const series = await memory.engine.timeSeries(steps);
        expect(bytesOf(await real.engine.timeSeries(steps))).toBe(bytesOf(series));
        const labels = { ...q, name: 'thread' };
        expect(await real.engine.labelValues(labels)).toEqual(
          await memory.engine.labelValues(labels),
        );
        expect(await real.engine.series(q)).toEqual(await memory.engine.series(q));
      }),
      { numRuns: 25 },
    );
  });

  it('makes time series', async () => {
    const groupBy = fc.subarray(['pod', 'service_name', 'thread', '__name__']);
    await fc.assert(
      fc.asyncProperty(
        profiles,
        request,
        layout,
        groupBy,
        fc.integer({ min: 1, max: 12 }),
        async (list, r, l, by, stepMs) => {
          const { engine } = memoryStore(list, {
            consumedBeforeNs: BigInt(l.consumedMs) * 1_000_000n,
            placeOf: (i) => l.places[i] ?? 0,
          });
          const matchers = parseSelector(r.selector);
          const want = plainTimeSeries(plainDeltas(list), { ...r, matchers, stepMs, groupBy: by });
          const query = { ...r, tenantId: TENANT, stepMs, groupBy: by };
          const got = await engine.timeSeries(query as Parameters<typeof engine.timeSeries>[0]);
          const points = new Map(
            got.series.map((s) => [
              JSON.stringify(Object.entries(s.labels).sort()),
              new Map([...s.timestampMs].map((t, i) => [t, s.value[i]])),
            ]),
          );
          for (const [group, own] of want) if (own.size === 0) want.delete(group);
          const sorted = (m: Map<string, Map<number, unknown>>): unknown =>
            [...m]
              .map(([g, p]) => [
                g,
                [...p].sort(([a], [b]) => a - b).map(([t, v]) => [t, String(v)]),
              ])
              .sort();
          expect(sorted(points)).toEqual(sorted(want));
        },
      ),
      { numRuns: 200 },
    );
  });

  it('counts samples and profiles, and keeps the series with the greatest sums', async () => {
    const groupBy = fc.subarray(['pod', 'service_name', 'thread']);
    const more = fc.record({
      measure: fc.constantFrom('samples' as const, 'profiles' as const),
      stepMs: fc.integer({ min: 1, max: 12 }),
      limit: fc.integer({ min: 1, max: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(profiles, request, layout, groupBy, more, async (list, r, l, by, m) => {
        const { engine } = memoryStore(list, {
          consumedBeforeNs: BigInt(l.consumedMs) * 1_000_000n,
          placeOf: (i) => l.places[i] ?? 0,
        });
        const { aggregation: _, ...rest } = r;
        const steps = { ...rest, tenantId: TENANT, stepMs: m.stepMs, groupBy: by };
        const got = await engine.timeSeries({ ...steps, measure: m.measure });
        const points = got.series.map((s): [string, [number, number][]] => [
          JSON.stringify(Object.entries(s.labels).sort()),
          [...s.timestampMs].map((t, i) => [t, Number(s.value[i])]),
        ]);
        const matchers = parseSelector(r.selector);
        const want = plainCounts(plainDeltas(list), {
          ...r,
          matchers,
          stepMs: m.stepMs,
          groupBy: by,
          measure: m.measure,
        });
        const sorted = [...want].map(([g, p]) => [g, [...p].sort(([a], [b]) => a - b)]);
        expect([...points].sort()).toEqual(sorted.sort());
        expect(got.unit).toBe('count');
        const few = await engine.timeSeries({ ...steps, measure: m.measure, limit: m.limit });
        expect(few.hiddenSeries).toBe(Math.max(0, points.length - m.limit));
        const sums = (answer: typeof got): number[] =>
          answer.series.map((s) => s.value.reduce((sum, v) => sum + Number(v), 0));
        const descending = sums(got).sort((a, b) => b - a);
        expect(sums(few)).toEqual(descending.slice(0, m.limit));
      }),
      { numRuns: 150 },
    );
  });

  it('lists single profiles, and counts them by value and time', async () => {
    const more = fc.record({
      limit: fc.integer({ min: 1, max: 8 }),
      stepMs: fc.integer({ min: 1, max: 12 }),
      buckets: fc.integer({ min: 1, max: 5 }),
    });
    await fc.assert(
      fc.asyncProperty(profiles, request, layout, more, async (list, r, l, m) => {
        const { engine } = memoryStore(list, {
          consumedBeforeNs: BigInt(l.consumedMs) * 1_000_000n,
          placeOf: (i) => l.places[i] ?? 0,
        });
        const { aggregation: _, ...rest } = r;
        const query = { ...rest, tenantId: TENANT, kind: 'profile' as const };
        const want = plainRows(plainDeltas(list), { ...r, matchers: parseSelector(r.selector) })
          .map(({ profile, values }) => ({
            startMs: Number(profile.startNs / 1_000_000n),
            profileId: profile.id,
            value: values.reduce((sum, { value }) => sum + value, 0n),
          }))
          .filter(({ value }) => value !== 0n);
        const { items, hiddenItems } = await engine.items({ ...query, limit: 1_000 });
        const textOf = (i: { startMs: number; profileId: string; value: bigint }): string =>
          `${i.value} ${i.startMs} ${i.profileId}`;
        expect(items.map(textOf).sort()).toEqual(want.map(textOf).sort());
        expect(hiddenItems).toBe(0);
        const few = await engine.items({ ...query, limit: m.limit });
        expect(few.items).toEqual(items.slice(0, m.limit));
        expect(items.every((item, i) => i === 0 || items[i - 1]!.value >= item.value)).toBe(true);
        const { stepMs, buckets } = m;
        const heat = await engine.heatmap({
          ...query,
          stepMs,
          buckets,
          groupBy: [],
          withExemplars: true,
        });
        const values = want.map(({ value }) => Number(value));
        const least = Math.min(...values);
        const width = (Math.max(...values) - least) / buckets;
        const cells = new Map<string, number>();
        for (const { startMs, value } of want) {
          const step = Math.floor((startMs - r.startMs) / stepMs);
          const at = width === 0 ? 0 : Math.floor((Number(value) - least) / width);
          const cell = `${r.startMs + step * stepMs} ${Math.min(at, buckets - 1)}`;
          cells.set(cell, (cells.get(cell) ?? 0) + 1);
        }
        const counted = heat.series.flatMap(({ slots }) =>
          slots.flatMap(({ timestampMs, counts }) =>
            [...counts].flatMap((n, b): [string, number][] =>
              n === 0 ? [] : [[`${timestampMs} ${b}`, n]],
            ),
          ),
        );
        expect(counted.sort()).toEqual([...cells].sort());
        for (const { slots } of heat.series) {
          for (const { timestampMs, exemplar } of slots) {
            const inStep = want.filter(
              (i) => i.startMs >= timestampMs && i.startMs < timestampMs + stepMs,
            );
            const greatest = inStep.reduce((a, b) => (b.value > a.value ? b : a)).value;
            expect(exemplar?.value).toBe(greatest);
          }
        }
      }),
      { numRuns: 120 },
    );
  });
});

function checkTop(
  top: { functions: readonly { functionName: string; self: bigint; total: bigint }[] },
  want: Map<string, bigint>,
): void {
  const self = new Map<string, bigint>();
  const total = new Map<string, bigint>();
  for (const [path, v] of want) {
    const names = JSON.parse(path) as string[];
    const leaf = names.at(-1);
    if (leaf !== undefined) self.set(leaf, (self.get(leaf) ?? 0n) + v);
    for (const name of new Set(names)) total.set(name, (total.get(name) ?? 0n) + v);
  }
  const got = new Map(top.functions.map((f) => [f.functionName, f]));
  for (const name of new Set([...got.keys(), ...total.keys()])) {
    expect([name, got.get(name)?.self ?? 0n, got.get(name)?.total ?? 0n]).toEqual([
      name,
      self.get(name) ?? 0n,
      total.get(name) ?? 0n,
    ]);
  }
}

/** As pprof's own library reads it, sample labels left aside. */
function readStacks(body: Uint8Array): Map<string, bigint> {
  const profile = Profile.decode(gunzipSync(body));
  const text = (index: number | bigint): string => profile.stringTable.strings[Number(index)] ?? '';
  const functions = new Map(profile.function.map((f) => [Number(f.id), text(f.name)]));
  const locations = new Map(
    profile.location.map((l) => [
      Number(l.id),
      l.line.map((line) => functions.get(Number(line.functionId)) ?? ''),
    ]),
  );
  const out = new Map<string, bigint>();
  for (const sample of profile.sample) {
    const path = JSON.stringify(
      sample.locationId.flatMap((id) => locations.get(Number(id)) ?? []).reverse(),
    );
    out.set(path, (out.get(path) ?? 0n) + BigInt.asIntN(64, BigInt(sample.value[0] ?? 0)));
  }
  for (const [path, v] of out) if (v === 0n) out.delete(path);
  return out;
}

function unfold(body: Uint8Array): Map<string, bigint> {
  const out = new Map<string, bigint>();
  for (const line of new TextDecoder().decode(body).split('\n').slice(0, -1)) {
    const space = line.lastIndexOf(' ');
    const path = line.slice(0, space);
    out.set(
      JSON.stringify(path === '[empty]' ? [] : path.split(';')),
      BigInt(line.slice(space + 1)),
    );
  }
  return out;
}
