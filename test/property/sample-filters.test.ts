/** Call sites, spans, traces and profile ids, and the single profiles and spans behind them, against the obvious ones. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sampleLabelsFromKey } from '../../src/model/sample-labels.js';
import type { Series } from '../../src/model/series.js';
import { plainRows } from '../support/plain-query.js';
import { fewProfiles } from '../support/plain-arbitraries.js';
import type { PlainProfile, PlainSample } from '../support/plain-store.js';
import { memoryStore, TENANT } from '../support/query-store.js';

const NAMES = ['main', 'run', 'gc'];
const TYPE = 'cpu:cpu:count:p:u';
const SERIES: readonly Series[] = ['a', 'b'].map((pod) => ({
  service: 'api',
  profileName: 'cpu',
  labels: [
    { name: 'pod', value: pod },
    { name: 'service_name', value: 'api' },
  ],
  periodType: 'p',
  periodUnit: 'u',
  sampleTypes: [{ type: 'cpu', unit: 'count', temporality: 'delta' }],
  group: 0,
}));

/** As agents send them: in either case, with leading zeros, and under a name of their own. */
const ID = fc.constantFrom('00000000000000a1', '00000000000000A1', 'b2', '0');
const labelSet = fc
  .record({
    span_id: fc.option(ID, { nil: undefined, freq: 2 }),
    profile_id: fc.option(ID, { nil: undefined, freq: 1 }),
    trace_id: fc.option(fc.constantFrom('0c3', 'C3', 'd4'), { nil: undefined, freq: 2 }),
  })
  .map((labels) => Object.entries(labels).filter(([, v]) => v !== undefined))
  .map((labels) => labels.sort(([a], [b]) => (a < b ? -1 : 1)))
  .map((labels) => (labels.length === 0 ? '' : JSON.stringify([labels, []])));
const samples = fc.uniqueArray(
  fc.record({
    functions: fc.array(fc.constantFrom(...NAMES), { maxLength: 4 }),
    labelSet,
    values: fc.tuple(fc.oneof(fc.bigInt(-2n, 9n), fc.bigInt(2n ** 53n, 2n ** 55n))),
  }),
  { selector: (s) => JSON.stringify([s.functions, s.labelSet]), maxLength: 10 },
);
const profiles = fewProfiles(SERIES, samples);
const layout = fc.record({
  consumedMs: fc.nat(21),
  places: fc.array(fc.nat(2), { minLength: 8, maxLength: 8 }),
});

const some = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.option(fc.array(arbitrary, { maxLength: 2 }), { nil: undefined, freq: 2 });
const filter = fc.record({
  callSite: some(fc.constantFrom(...NAMES)),
  spanIds: some(fc.constantFrom('a1', '000A1', 'B2', 'ffff', '0')),
  traceIds: some(fc.constantFrom('c3', '000c3', 'D4')),
  profileIds: fc.option(fc.array(fc.constantFrom('0', '1', '2', '5', 'x'), { minLength: 1 }), {
    nil: undefined,
    freq: 4,
  }),
});
type Filter = typeof filter extends fc.Arbitrary<infer T> ? T : never;

const canonical = (id: string): string => BigInt(`0x${id}`).toString(16);

function valuesOf(sample: PlainSample, names: readonly string[]): string[] {
  return sampleLabelsFromKey(sample.labelSet)
    .strings.filter((label) => names.includes(label.name))
    .map((label) => label.value);
}

function passes(
  sample: PlainSample,
  { callSite = [], spanIds = [], traceIds = [] }: Filter,
): boolean {
  const isOf = (names: string[], ids: readonly string[]): boolean =>
    ids.length === 0 ||
    valuesOf(sample, names).some((v) => ids.map(canonical).includes(canonical(v)));
  return (
    callSite.every((name, i) => sample.functions[i] === name) &&
    isOf(['span_id', 'profile_id'], spanIds) &&
    isOf(['trace_id'], traceIds)
  );
}

interface PlainItem {
  readonly startMs: number;
  readonly profileId: string;
  readonly spanId: string;
  readonly traceId: string;
  readonly value: bigint;
}

const QUERY = { profileType: TYPE, startMs: 0, endMs: 21 };

function plainAnswer(list: readonly PlainProfile[], f: Filter) {
  const stacks = new Map<string, bigint>();
  const whole: PlainItem[] = [];
  const spans: PlainItem[] = [];
  let total = 0n;
  const asked = { ...QUERY, matchers: [], aggregation: 'sum' } as const;
  for (const { profile, values } of plainRows(list, asked)) {
    if (f.profileIds !== undefined && !(f.profileIds as readonly string[]).includes(profile.id))
      continue;
    const own = values.filter(({ sample }) => passes(sample, f));
    const of = { startMs: Number(profile.startNs / 1_000_000n), profileId: profile.id };
    const bySpan = new Map<string, PlainItem>();
    let sum = 0n;
    for (const { sample, value } of own) {
      const line = sample.functions.join(';') || '[empty]';
      stacks.set(line, (stacks.get(line) ?? 0n) + value);
      sum += value;
      const [span = '', other = '', trace = ''] = ['span_id', 'profile_id', 'trace_id'].map(
        (name) => valuesOf(sample, [name])[0] ?? '',
      );
      if (span === '' && other === '') continue;
      const spanId = canonical(span === '' ? other : span).padStart(16, '0');
      const traceId = trace === '' ? '' : canonical(trace).padStart(32, '0');
      const key = JSON.stringify([spanId, traceId]);
      const before = bySpan.get(key)?.value ?? 0n;
      bySpan.set(key, { ...of, spanId, traceId, value: before + value });
    }
    total += sum;
    if (sum !== 0n) whole.push({ ...of, spanId: '', traceId: '', value: sum });
    spans.push(...[...bySpan.values()].filter((item) => item.value !== 0n));
  }
  return { stacks, whole, spans, total };
}

const texts = (items: readonly PlainItem[]): string[] =>
  items
    .map(({ startMs, profileId, spanId, traceId, value }) =>
      [startMs, profileId, spanId, traceId, value].join(),
    )
    .sort();

function linesOf(body: Uint8Array): string[] {
  const lines = new TextDecoder().decode(body).split('\n');
  return lines.filter((line) => line !== '').sort();
}

describe('filters of samples against the obvious ones (I3)', () => {
  it('keep what they name, in merges, time series, lists and heatmaps', async () => {
    await fc.assert(
      fc.asyncProperty(profiles, filter, layout, async (list, f, l) => {
        const { engine } = memoryStore(list, {
          consumedBeforeNs: BigInt(l.consumedMs) * 1_000_000n,
          placeOf: (i) => l.places[i] ?? 0,
        });
        const given = Object.fromEntries(Object.entries(f).filter(([, v]) => v !== undefined));
        const query = { ...QUERY, tenantId: TENANT, selector: '', ...given };
        const want = plainAnswer(list, f);
        const { body } = await engine.mergeFolded(query);
        const stacks = [...want.stacks].filter(([, v]) => v > 0n).map(([s, v]) => `${s} ${v}`);
        expect(linesOf(body).filter((line) => !/ -?0?$| -\d+$/.test(line))).toEqual(stacks.sort());
        expect((await engine.mergeTree(query)).total).toBe(want.total);
        const { series } = await engine.timeSeries({ ...query, stepMs: 21, groupBy: [] });
        expect(series.reduce((sum, s) => sum + s.value.reduce((a, b) => a + b, 0n), 0n)).toBe(
          want.total,
        );
        for (const [kind, items] of [
          ['profile', want.whole],
          ['span', want.spans],
        ] as const) {
          const list100 = await engine.items({ ...query, kind, limit: 100 });
          expect(texts(list100.items)).toEqual(texts(items));
          const values = list100.items.map((item) => item.value);
          expect(values).toEqual([...values].sort((a, b) => (a > b ? -1 : a < b ? 1 : 0)));
          const top = await engine.items({ ...query, kind, limit: 1 });
          expect(top.items).toEqual(list100.items.slice(0, 1));
          expect(top.hiddenItems).toBe(Math.max(0, items.length - 1));
          const heatmap = await engine.heatmap({
            ...query,
            kind,
            stepMs: 5,
            groupBy: ['pod'],
            buckets: 4,
            withExemplars: true,
          });
          const slots = heatmap.series.flatMap((s) => s.slots);
          const counted = slots.reduce((sum, s) => sum + s.counts.reduce((a, b) => a + b, 0), 0);
          expect(counted).toBe(items.length);
          const exemplars = slots.map((s) => s.exemplar!);
          const all = texts(items);
          for (const text of texts(exemplars)) expect(all).toContain(text);
        }
      }),
      { numRuns: 300 },
    );
  });
});
