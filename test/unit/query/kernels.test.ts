import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  keyMax,
  magnitudeBound,
  maxByKey,
  maxWords,
  normalizeWords,
  sumWords,
  wordsOf,
} from '../../../src/query/kernels.js';
import { divideFloor, ExactSums, pairToBigint, storeWords } from '../../../src/query/sums.js';

const KEYS = 7;
const int64 = fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n);
const rowsOf = (value: fc.Arbitrary<bigint>): fc.Arbitrary<{ key: number; value: bigint }[]> =>
  fc.array(fc.record({ key: fc.nat(KEYS - 1), value }), { maxLength: 50 });

function columns(rows: readonly { key: number; value: bigint }[]): {
  key: Int32Array;
  words: Int32Array;
} {
  return {
    key: Int32Array.from(rows, (r) => r.key),
    words: wordsOf(BigInt64Array.from(rows, (r) => r.value)),
  };
}

const pair = (low: number, high: number): bigint => BigInt(high) * 2n ** 32n + BigInt(low);

describe('sum kernels against bigint', () => {
  it('adds any values as words, past 64 bits too', () => {
    fc.assert(
      fc.property(rowsOf(int64), (rows) => {
        const low = new Float64Array(KEYS);
        const high = new Float64Array(KEYS);
        sumWords({ low, high }, columns(rows), 0, rows.length);
        normalizeWords(low, high);
        const want = new Array<bigint>(KEYS).fill(0n);
        for (const { key, value } of rows) want[key] = (want[key] ?? 0n) + value;
        expect([...low].map((l, k) => pair(l, high[k] ?? 0))).toEqual(want);
        for (const l of low) expect(l >= 0 && l < 2 ** 32).toBe(true);
      }),
    );
  });

  it('takes maxima', () => {
    fc.assert(
      fc.property(rowsOf(int64), (rows) => {
        const max = maxByKey(KEYS);
        maxWords(max, columns(rows), 0, rows.length);
        for (let k = 0; k < KEYS; k++) {
          const own = rows.filter((r) => r.key === k).map((r) => r.value);
          expect(max.count[k]).toBe(own.length);
          if (own.length === 0) continue;
          const want = own.reduce((a, b) => (b > a ? b : a));
          expect(pair(max.low[k] ?? 0, max.high[k] ?? 0)).toBe(want);
        }
        expect(max.touchedCount).toBe(new Set(rows.map((r) => r.key)).size);
      }),
    );
  });

  it('bounds magnitudes, from above and within a factor of two where high words are used', () => {
    fc.assert(
      fc.property(fc.array(int64, { minLength: 1, maxLength: 5 }), (values) => {
        const { words } = columns(values.map((value) => ({ key: 0, value })));
        const greatest = values.map((v) => (v < 0n ? -v : v)).reduce((a, b) => (b > a ? b : a));
        const bound = magnitudeBound(words, 0, values.length);
        expect(BigInt(bound) >= greatest).toBe(true);
        expect(BigInt(bound) <= 2n ** 32n || BigInt(bound) <= 2n * greatest + 2n).toBe(true);
      }),
    );
    expect(magnitudeBound(wordsOf(BigInt64Array.of(5n)), 0, 1)).toBe(8);
    expect(magnitudeBound(wordsOf(BigInt64Array.of(0xffff_ffffn)), 0, 1)).toBe(2 ** 32);
    expect(magnitudeBound(wordsOf(BigInt64Array.of(-1n)), 0, 1)).toBe(2 ** 32);
    expect(magnitudeBound(new Int32Array(0), 0, 0)).toBeLessThanOrEqual(1);
  });

  it('finds keys that cannot be', () => {
    expect(keyMax(Int32Array.of(1, 5, 2), 0, 3)).toBe(5);
    expect(keyMax(Int32Array.of(1, -1, 2), 0, 3)).toBe(2 ** 32 - 1);
    expect(keyMax(Int32Array.of(1), 0, 0)).toBe(-1);
  });
});

describe('pairs', () => {
  it('divide like bigints, rounded down', () => {
    fc.assert(
      fc.property(
        fc.bigInt(-(2n ** 70n), 2n ** 70n),
        fc.integer({ min: 1, max: 2 ** 21 - 1 }),
        (value, n) => {
          const { low, high, remainder } = divideFloor(
            Number(BigInt.asUintN(32, value)),
            Number(value >> 32n),
            n,
          );
          expect(pair(low, high) * BigInt(n) + BigInt(remainder)).toBe(value);
          expect(remainder >= 0 && remainder < n).toBe(true);
          expect(low >= 0 && low < 2 ** 32).toBe(true);
        },
      ),
    );
  });

  it('add up and refuse what 64 bits cannot hold', () => {
    const sums = new ExactSums();
    sums.addDouble(0, -(2 ** 52));
    sums.addDouble(0, -1);
    expect(sums.bigint(0)).toBe(-(2n ** 52n) - 1n);
    sums.addWords(1, 2 ** 32 - 1, 2 ** 31 - 1);
    expect(sums.bigint(1)).toBe(2n ** 63n - 1n);
    sums.addDouble(1, 1);
    expect(() => sums.bigint(1)).toThrow(/beyond 64 bits/);
    expect(() => storeWords(new Int32Array(2), 0, 0, 2 ** 31)).toThrow(/beyond 64 bits/);
    expect(pairToBigint(0, -(2 ** 31))).toBe(-(2n ** 63n));
    sums.reserve(100_000);
    expect(sums.bigint(0)).toBe(-(2n ** 52n) - 1n);
  });
});
