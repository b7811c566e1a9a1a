import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FunctionNumbers, Moments } from '../../src/query/diff/moments.js';
import { discoveries, studentP, welchP } from '../../src/query/diff/statistics.js';
import { mulberry32 } from '../support/lossy-files.js';
import type { PlainProfile } from '../support/plain-store.js';
import { memoryStore, TENANT } from '../support/query-store.js';

const TYPE = 'cpu:samples:count:p:u';
const SERIES = ['a', 'b'].map((pod) => ({
  service: 'api',
  profileName: 'cpu',
  labels: [
    { name: 'pod', value: pod },
    { name: 'service_name', value: 'api' },
  ],
  periodType: 'p',
  periodUnit: 'u',
  sampleTypes: [{ type: 'samples', unit: 'count', temporality: 'delta' as const }],
  group: 0,
}));

const samples = fc.uniqueArray(
  fc.record({
    functions: fc.array(fc.constantFrom('main', 'run', 'gc', 'io'), { minLength: 1, maxLength: 4 }),
    labelSet: fc.constant(''),
    values: fc.tuple(fc.bigInt(1n, 50n)),
  }),
  { selector: (s) => JSON.stringify(s.functions), maxLength: 5 },
);
const profiles: fc.Arbitrary<PlainProfile[]> = fc
  .array(fc.record({ series: fc.constantFrom(...SERIES), samples, flags: fc.constant(0) }), {
    minLength: 2,
    maxLength: 30,
  })
  .map((list) =>
    list.map((p, i) => ({ ...p, startNs: BigInt(i) * 1_000_000n, id: `id-${i}` }) as PlainProfile),
  );

/** P(|T| >= t) by Simpson's rule over the density, transformed to a finite range. */
function plainStudentP(t: number, freedom: number): number {
  // x = sqrt(freedom) tan(u): the density becomes cos(u)^(freedom - 1).
  const density = (u: number): number => Math.cos(u) ** (freedom - 1);
  const integral = (from: number, to: number): number => {
    const n = 20_000;
    const h = (to - from) / n;
    let sum = density(from) + density(to);
    for (let i = 1; i < n; i++) sum += density(from + i * h) * (i % 2 === 1 ? 4 : 2);
    return (sum * h) / 3;
  };
  return integral(Math.atan(t / Math.sqrt(freedom)), Math.PI / 2) / integral(0, Math.PI / 2);
}

interface Observation {
  readonly x: number;
  readonly total: number;
}

/** By definition: the residuals of each profile from the common share. */
function plainEstimate(list: readonly Observation[]): { share: number; variance: number } {
  const total = list.reduce((sum, o) => sum + o.total, 0);
  const share = list.reduce((sum, o) => sum + o.x, 0) / total;
  const residuals = list.reduce((sum, o) => sum + (o.x - share * o.total) ** 2, 0);
  const n = list.length;
  return { share, variance: residuals / (n - 1) / (n * (total / n) ** 2) };
}

function observations(
  list: readonly PlainProfile[],
  kind: 'self' | 'total',
  name: string,
): readonly Observation[] {
  const all = list.map(({ samples: own }) => {
    const has = (functions: readonly string[]): boolean =>
      kind === 'self' ? functions.at(-1) === name : functions.includes(name);
    const sum = (some: typeof own): number =>
      some.reduce((all, s) => all + Number(s.values[0] ?? 0n), 0);
    return { x: sum(own.filter((s) => has(s.functions))), total: sum(own) };
  });
  // A profile of nothing has no shares.
  return all.filter(({ total }) => total > 0);
}

const closeTo = (got: number, want: number): boolean =>
  Math.abs(got - want) <= 1e-6 * Math.max(1, Math.abs(want));

describe('comparisons', () => {
  it('have the sums of merges and the statistics of their definition', async () => {
    await fc.assert(
      fc.asyncProperty(profiles, fc.integer({ min: 1, max: 29 }), async (list, cut) => {
        const { engine } = memoryStore(list, {
          consumedBeforeNs: BigInt(cut >> 1) * 1_000_000n,
          placeOf: (i) => i % 3,
        });
        const at = Math.min(cut, list.length - 1);
        const range = { tenantId: TENANT, selector: '', startMs: 0, endMs: at };
        const other = { selector: '', startMs: at, endMs: list.length };
        const query = { ...range, profileType: TYPE, others: [other] };
        const { base, comparisons } = await engine.diff(query);
        const top = (own: object) =>
          engine.mergeTop({ ...range, profileType: TYPE, ...own } as typeof query);
        const sides = [await top({}), await top(other)] as const;
        expect(base.total).toBe(sides[0].total);
        const [comparison] = comparisons;
        expect(comparison?.side.total).toBe(sides[1].total);
        const known = new Set(sides.flatMap((side) => side.functions.map((f) => f.functionName)));
        expect(new Set(comparison?.functions.map((f) => f.functionName))).toEqual(known);
        for (const f of comparison?.functions ?? []) {
          for (const [i, own] of [f.base, f.other].entries()) {
            const found = sides[i]?.functions.find((g) => g.functionName === f.functionName);
            expect([own.self, own.total]).toEqual([found?.self ?? 0n, found?.total ?? 0n]);
            const side = i === 0 ? list.slice(0, at) : list.slice(at);
            const having = side.map(
              ({ samples: all }) => all.filter((s) => s.functions.includes(f.functionName)).length,
            );
            expect([own.profiles, own.samples]).toEqual([
              having.filter((count) => count > 0).length,
              having.reduce((sum, count) => sum + count, 0),
            ]);
          }
          for (const kind of ['self', 'total'] as const) {
            const [b, o] = [list.slice(0, at), list.slice(at)].map((side) => {
              const seen = observations(side, kind, f.functionName);
              return { seen, all: seen.reduce((sum, { total }) => sum + total, 0) };
            });
            const got = kind === 'self' ? f.selfP : f.totalP;
            if (b === undefined || o === undefined) continue;
            if (b.seen.length < 2 || o.seen.length < 2 || b.all === 0 || o.all === 0) {
              expect(got).toBeUndefined();
              continue;
            }
            const one = plainEstimate(b.seen);
            const two = plainEstimate(o.seen);
            const variance = one.variance + two.variance;
            if (variance < 1e-12) continue;
            const freedom =
              variance ** 2 /
              (one.variance ** 2 / (b.seen.length - 1) + two.variance ** 2 / (o.seen.length - 1));
            const t = Math.abs(one.share - two.share) / Math.sqrt(variance);
            const want = plainStudentP(t, freedom);
            expect({ got, want, is: closeTo(got ?? -1, want) }).toMatchObject({ is: true });
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  it('take no profile without a value that counts for an observation', async () => {
    const profile = (pod: string, at: number, main: bigint, io: bigint): PlainProfile => ({
      series: SERIES.find((s) => s.labels.some((l) => l.value === pod)) ?? SERIES[0]!,
      samples: [
        { functions: ['main'], labelSet: '', values: [main] },
        { functions: ['io', ...(main === 52n ? ['rare'] : [])], labelSet: '', values: [io] },
      ],
      flags: 0,
      startNs: BigInt(at) * 1_000_000n,
      id: `id-${at}`,
    });
    const others = (from: number): PlainProfile[] =>
      Array.from({ length: 7 }, (_, i) => profile('a', from + i, 50n, 50n));
    const list = [
      profile('a', 0, 52n, 48n),
      ...others(1),
      profile('b', 10, 52n, 8n),
      ...others(11),
    ];
    const { engine } = memoryStore(list, { consumedBeforeNs: 0n, placeOf: () => 0 });
    const range = { tenantId: TENANT, selector: '', startMs: 0, endMs: 10, profileType: TYPE };
    const query = { ...range, focus: 'rare', others: [{ selector: '', startMs: 10, endMs: 20 }] };
    const { base, comparisons } = await engine.diff(query);
    expect([base.observedProfiles, comparisons[0]?.side.observedProfiles]).toEqual([1, 1]);
    for (const f of comparisons[0]?.functions ?? []) {
      expect([f.selfP, f.totalP, f.isSelfSignificant]).toEqual([undefined, undefined, false]);
    }
  });

  it('of gauges weigh each series alike, as their averages do', async () => {
    const random = mulberry32(4);
    const gauge = SERIES.map((series) => ({
      ...series,
      sampleTypes: [{ type: 'samples', unit: 'count', temporality: 'gauge' as const }],
    }));
    // One pod holds mostly x, the other mostly y, both the same all the time; but first one has more profiles, then the other.
    const list = [60, 10, 10, 60].flatMap((count, i) =>
      Array.from({ length: count }, (_, p): PlainProfile => {
        const [x, y] = i % 2 === 0 ? [900, 100] : [100, 900];
        const value = (of: number): bigint => BigInt(Math.round(of * (0.98 + 0.04 * random())));
        return {
          series: gauge[i % 2]!,
          samples: [
            { functions: ['x'], labelSet: '', values: [value(x)] },
            { functions: ['y'], labelSet: '', values: [value(y)] },
          ],
          flags: 0,
          startNs: BigInt((i < 2 ? 0 : 100) + p) * 1_000_000n,
          id: `id-${i}-${p}`,
        };
      }),
    );
    const { engine } = memoryStore(list, { consumedBeforeNs: 0n, placeOf: () => 0 });
    const range = { tenantId: TENANT, selector: '', startMs: 0, endMs: 100, profileType: TYPE };
    const others = [{ selector: '', startMs: 100, endMs: 200 }];
    const { comparisons } = await engine.diff({ ...range, others });
    for (const f of comparisons[0]!.functions) {
      expect(Math.abs(f.selfChange)).toBeLessThan(0.02);
      expect(f.selfP).toBeGreaterThan(0.05);
    }
  });

  it('are no surer than the profiles that were looked at, of however many', async () => {
    const random = mulberry32(3);
    const count = 16_000;
    const names = Array.from({ length: 12 }, (_, f) => `f${f}`);
    const list = Array.from({ length: 2 * count }, (_, i) => ({
      series: SERIES[0]!,
      samples: names.map((name) => ({
        functions: [name],
        labelSet: '',
        values: [BigInt(1 + Math.floor(random() * 1_000))],
      })),
      flags: 0,
      startNs: BigInt(i) * 1_000_000n,
      id: `id-${i}`,
    }));
    const { engine } = memoryStore(list, { consumedBeforeNs: 0n, placeOf: () => 0 });
    const range = { tenantId: TENANT, selector: '', startMs: 0, endMs: count, profileType: TYPE };
    const others = [{ selector: '', startMs: count, endMs: 2 * count }];
    const { comparisons } = await engine.diff({ ...range, others });
    const p = comparisons[0]!.functions.map((f) => f.selfP ?? 1);
    expect(p).toHaveLength(names.length);
    // Both sides are drawn alike. As if all had been looked at, half of these would be below 5 %.
    expect(p.filter((value) => value < 0.05).length).toBeLessThanOrEqual(3);
  });

  it('of equal inputs are zero, and nothing is significant', async () => {
    await fc.assert(
      fc.asyncProperty(profiles, async (list) => {
        const { engine } = memoryStore(list, { consumedBeforeNs: 0n, placeOf: () => 0 });
        const range = { selector: '{pod=~"a|b"}', startMs: 0, endMs: 100 };
        const query = { ...range, tenantId: TENANT, profileType: TYPE, others: [range, range] };
        const { comparisons } = await engine.diff(query);
        expect(comparisons).toHaveLength(2);
        for (const f of comparisons.flatMap((c) => c.functions)) {
          expect([f.selfChange, f.totalChange]).toEqual([0, 0]);
          expect([1, undefined]).toContain(f.selfP);
          expect([f.isSelfSignificant, f.isTotalSignificant]).toEqual([false, false]);
        }
      }),
      { numRuns: 60 },
    );
  });
});

const FUNCTIONS = 20;

/**
 * Profiles whose samples come in bursts: of each profile's functions some run hot together, so that samples are far from
 * independent. `extra` is added to the share of function 0.
 */
function side(random: () => number, extra: number, count: number): Moments {
  const moments = new Moments();
  for (let p = 0; p < count; p++) {
    const weights = Array.from({ length: FUNCTIONS }, () => -Math.log(1 - random()));
    const sum = weights.reduce((all, w) => all + w, 0);
    for (let f = 0; f < FUNCTIONS; f++) {
      const share = (weights[f]! / sum) * (1 - extra) + (f === 0 ? extra : 0);
      moments.add([f], Math.round(share * 1_000));
    }
    moments.endProfile();
  }
  return moments;
}

function pValues(a: Moments, b: Moments): readonly (number | undefined)[] {
  return Array.from({ length: FUNCTIONS }, (_, f) =>
    welchP(a.estimate(f, 'self'), b.estimate(f, 'self')),
  );
}

describe('significance', () => {
  it('keeps to its rate where nothing changed, though samples of a profile go together', () => {
    const random = mulberry32(7);
    let small = 0;
    let anyFound = 0;
    const runs = 400;
    for (let run = 0; run < runs; run++) {
      const p = pValues(side(random, 0, 60), side(random, 0, 60));
      small += p.filter((value) => (value ?? 1) < 0.05).length;
      if (discoveries(p, 0.05).includes(true)) anyFound++;
    }
    // 8,000 tests: three standard deviations of 5 % are 0.7 %.
    expect(small / (runs * FUNCTIONS)).toBeGreaterThan(0.038);
    expect(small / (runs * FUNCTIONS)).toBeLessThan(0.062);
    // With nothing to find, a find is a false one: 5 % of the comparisons, three standard deviations 3.3 %.
    expect(anyFound / runs).toBeLessThan(0.083);
  });

  it('finds what is there', () => {
    const random = mulberry32(11);
    let found = 0;
    for (let run = 0; run < 100; run++) {
      const p = pValues(side(random, 0, 60), side(random, 0.05, 60));
      if (discoveries(p, 0.05)[0] === true) found++;
    }
    expect(found).toBeGreaterThan(90);
  });

  it.each([
    // Tables of Student's distribution.
    [12.706, 1, 0.05],
    [2.086, 20, 0.05],
    [2.845, 20, 0.01],
    [1.96, 1e7, 0.05],
    [0, 5, 1],
  ])('P(|T| >= %d) with %d degrees of freedom is %d', (t, freedom, p) => {
    expect(studentP(t, freedom)).toBeCloseTo(p, 4);
  });

  it('rejects by rank', () => {
    expect(discoveries([0.01, 0.04, 0.03, 0.5, undefined], 0.05)).toEqual([
      true,
      false,
      false,
      false,
      false,
    ]);
    expect(discoveries([0.01, 0.02, 0.03, 0.04], 0.05)).toEqual([true, true, true, true]);
    expect(discoveries([], 0.05)).toEqual([]);
  });

  it('numbers a function by name and file', () => {
    const numbers = new FunctionNumbers();
    expect([numbers.of('f', 'a'), numbers.of('f', 'b'), numbers.of('f', 'a')]).toEqual([0, 1, 0]);
  });
});
