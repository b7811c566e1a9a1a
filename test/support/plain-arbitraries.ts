/** Random profiles for the obvious store (plain-store.ts). */
import fc from 'fast-check';
import type { Series } from '../../src/model/series.js';
import type { PlainProfile, PlainSample } from './plain-store.js';

const value = fc.oneof(
  { weight: 8, arbitrary: fc.bigInt(0n, 20n) },
  { weight: 2, arbitrary: fc.bigInt(-5n, 5n) },
  { weight: 1, arbitrary: fc.bigInt(2n ** 53n, 2n ** 56n) },
);
const crowdedSamples = fc.uniqueArray(
  fc.record({
    functions: fc.array(fc.constantFrom('main', 'run', 'gc'), { maxLength: 2 }),
    labelSet: fc.constantFrom('', '', '[[["thread","1"]],[]]'),
    values: fc.tuple(value, value),
  }),
  { selector: (s) => JSON.stringify([s.functions, s.labelSet]), maxLength: 4 },
);

/** Times in milliseconds, on and off full minutes: a few crowded hours at the start, the rest sparse. */
export function crowdedStart(days: number): fc.Arbitrary<number> {
  return fc
    .oneof(fc.integer({ min: 0, max: 180 }), fc.integer({ min: 0, max: days * 24 * 60 }))
    .chain((minute) => fc.constantFrom(0, 1, 59_999).map((ms) => minute * 60_000 + ms));
}

/** Profiles with two values a sample, over some days; profile i has the id `id-i`. */
export function crowdedProfiles(
  series: readonly Series[],
  startMs: fc.Arbitrary<number>,
  length: { readonly minLength: number; readonly maxLength: number },
): fc.Arbitrary<PlainProfile[]> {
  const profile = fc.record({
    series: fc.constantFrom(...series),
    startMs,
    flags: fc.constantFrom(0, 0, 0, 1),
    samples: crowdedSamples,
  });
  return fc.array(profile, length).map((list) =>
    list.map(({ startMs: ms, ...p }, i) => ({
      ...p,
      startNs: BigInt(ms) * 1_000_000n,
      id: `id-${i}`,
    })),
  );
}

/** Up to eight profiles within 21 ms; profile i has the id `i`. */
export function fewProfiles(
  series: readonly Series[],
  samples: fc.Arbitrary<readonly PlainSample[]>,
): fc.Arbitrary<PlainProfile[]> {
  const profile = fc.record({ series: fc.constantFrom(...series), ms: fc.nat(20), samples });
  return fc.array(profile, { maxLength: 8 }).map((list) =>
    list.map(({ ms, ...p }, i) => ({
      ...p,
      startNs: BigInt(ms) * 1_000_000n,
      id: `${i}`,
      flags: 0,
    })),
  );
}
