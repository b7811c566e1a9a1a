import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { wordsOf } from '../../../src/query/kernels.js';
import { acquireSums, releaseSums, type SumKernel } from '../../../src/query/sum-kernel.js';

interface Rows {
  readonly key: Int32Array;
  readonly value: BigInt64Array;
}

/** More rows than wait at once, so that some are added while others come. */
const ROWS = 30_000;

function rowsOf(seed: number, keyCount: number): Rows {
  let state = seed >>> 0;
  const next = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state;
  };
  const key = Int32Array.from({ length: ROWS }, () => next() % keyCount);
  const value = BigInt64Array.from({ length: ROWS }, () =>
    BigInt.asIntN(64, (BigInt(next()) << 32n) | BigInt(next())),
  );
  return { key, value };
}

function add(kernel: SumKernel, { key, value }: Rows, start: number, end: number): void {
  kernel.add({ key, words: wordsOf(value) }, start, end);
}

function sumsOf(kernel: SumKernel): bigint[] {
  const found = kernel.finish();
  if ('strayKey' in found) throw new Error(`a stray key ${found.strayKey}`);
  const { buffer, byteOffset, length } = found.words;
  return [...new BigInt64Array(buffer, byteOffset, length / 2)];
}

function naive({ key, value }: Rows, keyCount: number, runs: readonly [number, number][]) {
  const sums = new Array<bigint>(keyCount).fill(0n);
  for (const [start, end] of runs)
    for (let i = start; i < end; i++)
      sums[key[i] ?? 0] = BigInt.asIntN(64, (sums[key[i] ?? 0] ?? 0n) + (value[i] ?? 0n));
  return sums;
}

describe('the sum kernel against bigint', () => {
  it('adds any runs of rows, wrapping past 64 bits, from zero each time it is taken', () => {
    const run = fc.tuple(fc.nat(ROWS), fc.nat(ROWS)).map(([a, b]): [number, number] => {
      return a < b ? [a, b] : [b, a];
    });
    fc.assert(
      fc.property(
        fc.nat(),
        fc.integer({ min: 1, max: 20_000 }),
        fc.array(run, { maxLength: 4 }),
        (seed, keyCount, runs) => {
          const rows = rowsOf(seed, keyCount);
          const kernel = acquireSums(keyCount);
          for (const [start, end] of runs) add(kernel, rows, start, end);
          expect(sumsOf(kernel)).toEqual(naive(rows, keyCount, runs));
          releaseSums(kernel);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('keeps apart what several readers add in turns', () => {
    const [a, b] = [rowsOf(1, 100), rowsOf(2, 5_000)];
    const [one, two] = [acquireSums(100), acquireSums(5_000)];
    for (let at = 0; at < ROWS; at += 1_000) {
      add(one, a, at, at + 1_000);
      add(two, b, at, at + 1_000);
    }
    expect(sumsOf(one)).toEqual(naive(a, 100, [[0, ROWS]]));
    expect(sumsOf(two)).toEqual(naive(b, 5_000, [[0, ROWS]]));
    releaseSums(one);
    releaseSums(two);
  });

  it.each([10, 2 ** 31 - 1, -1, -(2 ** 31)])('names key %d where there are ten', (stray) => {
    const { key, value } = rowsOf(3, 10);
    key[20_000] = stray;
    const kernel = acquireSums(10);
    add(kernel, { key, value }, 0, ROWS);
    expect(kernel.finish()).toEqual({ strayKey: stray >>> 0 });
    releaseSums(kernel);
    const next = acquireSums(11);
    expect(sumsOf(next)).toEqual(new Array<bigint>(11).fill(0n));
    releaseSums(next);
  });

  it('has no sums for no keys', () => {
    const kernel = acquireSums(0);
    expect(sumsOf(kernel)).toEqual([]);
    releaseSums(kernel);
  });
});
