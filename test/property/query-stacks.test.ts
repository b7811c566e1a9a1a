/** Filters and views of stacks against the obvious ones: arrays of names, changed one after another. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sampleLabelsFromKey } from '../../src/model/sample-labels.js';
import type { Series } from '../../src/model/series.js';
import type { FlameTree } from '../../src/query/api.js';
import type { OptionValues } from '../../src/query/option-tables.js';
import { plainRows } from '../support/plain-query.js';
import { fewProfiles } from '../support/plain-arbitraries.js';
import type { PlainProfile, PlainSample } from '../support/plain-store.js';
import { memoryStore, TENANT } from '../support/query-store.js';

const NAMES = ['main', 'run', 'gc', 'runtime.gc', 'λ'];
const TYPE = 'cpu:cpu:count:p:u';
const SERIES: readonly Series[] = ['a', 'b', ''].map((pod) => ({
  service: 'api',
  profileName: 'cpu',
  labels: [
    ...(pod === '' ? [] : [{ name: 'pod', value: pod }]),
    { name: 'service_name', value: 'api' },
  ],
  periodType: 'p',
  periodUnit: 'u',
  sampleTypes: [{ type: 'cpu', unit: 'count', temporality: 'delta' }],
  group: 0,
}));

const samples = fc.uniqueArray(
  fc.record({
    functions: fc.array(fc.constantFrom(...NAMES), { maxLength: 6 }),
    labelSet: fc.constantFrom('', '[[["thread","1"]],[]]', '[[["pod","x"],["thread","2"]],[]]'),
    values: fc.tuple(fc.oneof(fc.bigInt(1n, 9n), fc.bigInt(2n ** 53n, 2n ** 55n))),
  }),
  { selector: (s) => JSON.stringify([s.functions, s.labelSet]), maxLength: 12 },
);
const profiles = fewProfiles(SERIES, samples);
const layout = fc.record({
  consumedMs: fc.nat(20),
  places: fc.array(fc.nat(2), { minLength: 8, maxLength: 8 }),
});

const regex = fc.constantFrom('main', 'gc', '^gc$', 'run', '.', 'a|λ', 'nothing');
const frame = fc.oneof(
  fc.constant('*'),
  fc
    .tuple(
      fc.constantFrom('=', '!=', '=~', '!~', '*=', '!*='),
      fc.constantFrom(...NAMES, 'GC'),
      fc.constantFrom('', 'i'),
    )
    .map(([operator, value, flag]) => `function${operator}${JSON.stringify(value)}${flag}`),
);
const pattern = fc
  .tuple(
    fc.constantFrom('', '!'),
    fc.constantFrom('', 'any:', 'leaf: ', 'root:'),
    fc.array(frame, { minLength: 1, maxLength: 3 }),
  )
  .map(([negated, place, frames]) => `${negated}${place}${frames.join(' > ')}`);
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 3 });
const filter = fc
  .record({
    focus: maybe(regex),
    ignore: maybe(regex),
    hide: maybe(regex),
    show: maybe(regex),
    showFrom: maybe(regex),
    pruneFrom: maybe(regex),
    stack: maybe(fc.array(pattern, { maxLength: 2 })),
    hideFrame: maybe(fc.array(frame, { maxLength: 2 })),
  })
  .map(withoutAbsent);
const view = fc
  .record({
    inverted: maybe(fc.boolean()),
    collapseRecursion: maybe(fc.boolean()),
    rootLabel: maybe(fc.subarray(['pod', 'thread', 'service_name'])),
  })
  .map(withoutAbsent);

function withoutAbsent(options: object): OptionValues {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

function holdsFrame(text: string, name: string): boolean {
  if (text === '*') return true;
  const [, operator = '', quoted = '', flag] =
    /^function(=~|!~|!\*=|\*=|!=|=)(".*")(i?)$/.exec(text) ?? [];
  const fold = (t: string): string => (flag === 'i' ? t.toLowerCase() : t);
  const value = JSON.parse(quoted) as string;
  const isNegated = operator.startsWith('!');
  const kind = isNegated ? operator.slice(1) : operator;
  const isFound =
    kind === '='
      ? fold(name) === fold(value)
      : kind === '*='
        ? fold(name).includes(fold(value))
        : new RegExp(value, flag).test(name);
  return isFound !== isNegated;
}

function holdsPattern(text: string, stack: readonly string[]): boolean {
  const [, negated, place, rest = ''] = /^(!?)(?:(any|leaf|root):)? ?(.*)$/.exec(text) ?? [];
  const frames = rest.split(' > ');
  const at = (start: number): boolean =>
    frames.every((f, i) => stack[start + i] !== undefined && holdsFrame(f, stack[start + i]!));
  const starts =
    place === 'root'
      ? [0]
      : place === 'leaf'
        ? [stack.length - frames.length]
        : stack.map((_, i) => i);
  return starts.some((start) => start >= 0 && at(start)) !== (negated === '!');
}

/** What is left of a stack, or undefined where it does not count. */
function plainFilter(
  options: OptionValues,
  stack: readonly string[],
): readonly string[] | undefined {
  const {
    focus,
    ignore,
    hide,
    show,
    showFrom,
    pruneFrom,
    stack: patterns = [],
    hideFrame = [],
  } = options;
  const has = (text: string, list: readonly string[]): boolean =>
    list.some((n) => new RegExp(text).test(n));
  if (!patterns.every((p) => holdsPattern(p, stack))) return undefined;
  if (focus !== undefined && !has(focus, stack)) return undefined;
  if (ignore !== undefined && (stack.length === 0 || has(ignore, stack))) return undefined;
  let left = stack.filter(
    (n) =>
      (hide === undefined || !has(hide, [n])) &&
      (show === undefined || has(show, [n])) &&
      !hideFrame.some((f) => holdsFrame(f, n)),
  );
  if ((hide !== undefined || show !== undefined || hideFrame.length > 0) && left.length === 0)
    return undefined;
  if (showFrom !== undefined) {
    const first = left.findIndex((n) => has(showFrom, [n]));
    if (first < 0) return undefined;
    left = left.slice(first);
  }
  if (pruneFrom !== undefined) {
    const last = left.map((n) => has(pruneFrom, [n])).lastIndexOf(true);
    if (last >= 0) left = left.slice(0, last + 1);
  }
  return left;
}

function plainView(
  options: OptionValues,
  stack: readonly string[],
  labels: (name: string) => string,
): string[] {
  const { inverted, collapseRecursion, rootLabel = [] } = options;
  let left = [...stack];
  if (collapseRecursion === true) left = left.filter((n, i) => n !== stack[i - 1]);
  if (inverted === true) left.reverse();
  return [...rootLabel.map((name) => labels(name) || '[none]'), ...left];
}

function labelOf(profile: PlainProfile, sample: PlainSample): (name: string) => string {
  return (name) =>
    profile.series.labels.find((l) => l.name === name)?.value ??
    sampleLabelsFromKey(sample.labelSet)
      .strings.filter((l) => l.name === name)
      .map((l) => l.value)
      .join();
}

const QUERY = { profileType: TYPE, startMs: 0, endMs: 21 };

function plainStacks(list: readonly PlainProfile[], options: OptionValues): Map<string, bigint> {
  const out = new Map<string, bigint>();
  for (const { profile, values } of plainRows(list, {
    ...QUERY,
    matchers: [],
    aggregation: 'sum',
  })) {
    for (const { sample, value } of values) {
      const left = plainFilter(options, sample.functions);
      if (left === undefined) continue;
      const line = plainView(options, left, labelOf(profile, sample)).join(';') || '[empty]';
      out.set(line, (out.get(line) ?? 0n) + value);
    }
  }
  return out;
}

function foldedMap(body: Uint8Array): Map<string, bigint> {
  const lines = new TextDecoder()
    .decode(body)
    .split('\n')
    .filter((line) => line !== '');
  return new Map(
    lines.map((line) => {
      const space = line.lastIndexOf(' ');
      return [line.slice(0, space), BigInt(line.slice(space + 1))];
    }),
  );
}

const sorted = (map: Map<string, bigint>): [string, bigint][] => [...map].sort();
const base = { ...QUERY, tenantId: TENANT, selector: '' };
const storeOf = (list: PlainProfile[], l: { consumedMs: number; places: number[] }) =>
  memoryStore(list, {
    consumedBeforeNs: BigInt(l.consumedMs) * 1_000_000n,
    placeOf: (i) => l.places[i] ?? 0,
  }).engine;

describe('stacks of a query against the obvious ones (I3)', () => {
  it('filters and shows', async () => {
    await fc.assert(
      fc.asyncProperty(profiles, filter, view, layout, async (list, f, v, l) => {
        const options = { ...f, ...v };
        const { body } = await storeOf(list, l).mergeFolded({ ...base, ...options });
        expect(sorted(foldedMap(body))).toEqual(sorted(plainStacks(list, options)));
      }),
      { numRuns: 300 },
    );
  });

  it('sums groups to the total, and each group is what its selector gives', async () => {
    await fc.assert(
      fc.asyncProperty(profiles, layout, async (list, l) => {
        const engine = storeOf(list, l);
        const whole = await engine.mergeTree(base);
        const grouped = await engine.mergeTree({ ...base, rootLabel: ['pod'] });
        expect(grouped.total).toBe(whole.total);
        for (let n = 1; n < grouped.parent.length; n++) {
          if (grouped.parent[n] !== 0) continue;
          const name = grouped.names[grouped.name[n]!]!;
          const value = name === '[none]' ? '' : name;
          const part = await engine.mergeTree({ ...base, selector: `{pod="${value}"}` });
          expect(grouped.value[n]).toBe(part.total);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('makes time series of filtered stacks that sum to the merge', async () => {
    await fc.assert(
      fc.asyncProperty(profiles, filter, layout, async (list, f, l) => {
        const engine = storeOf(list, l);
        const { series } = await engine.timeSeries({ ...base, ...f, stepMs: 5, groupBy: ['pod'] });
        const sum = series.reduce((s, { value }) => value.reduce((a, b) => a + b, s), 0n);
        expect(sum).toBe((await engine.mergeTree({ ...base, ...f })).total);
      }),
      { numRuns: 100 },
    );
  });

  it('puts a function between its callers and callees', async () => {
    await fc.assert(
      fc.asyncProperty(
        profiles,
        layout,
        fc.integer({ min: 1, max: 6 }),
        async (list, l, levels) => {
          const answer = await storeOf(list, l).mergeSandwich({ ...base, function: 'gc', levels });
          const callees = new Map<string, bigint>();
          const callers = new Map<string, bigint>();
          const add = (map: Map<string, bigint>, stack: readonly string[], value: bigint): void => {
            const key = stack.slice(0, levels + 1).join(';');
            map.set(key, (map.get(key) ?? 0n) + value);
          };
          for (const { values } of plainRows(list, {
            ...QUERY,
            matchers: [],
            aggregation: 'sum',
          })) {
            for (const { sample, value } of values) {
              const first = sample.functions.indexOf('gc');
              if (first < 0) continue;
              add(callees, sample.functions.slice(first), value);
              add(callers, sample.functions.slice(0, first + 1).reverse(), value);
            }
          }
          expect(sorted(selfByPath(answer.callees))).toEqual(sorted(callees));
          expect(sorted(selfByPath(answer.callers))).toEqual(sorted(callers));
        },
      ),
      { numRuns: 100 },
    );
  });
});

function selfByPath(tree: FlameTree): Map<string, bigint> {
  const out = new Map<string, bigint>();
  const paths: string[] = [];
  for (let n = 1; n < tree.parent.length; n++) {
    const above = paths[tree.parent[n]!];
    const name = tree.names[tree.name[n]!]!;
    paths[n] = above === undefined ? name : `${above};${name}`;
    if (tree.self[n] !== 0n) out.set(paths[n]!, tree.self[n]!);
  }
  return out;
}
