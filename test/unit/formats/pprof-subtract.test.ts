/** What is taken off a counter, against sums that pprof-format reads. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { subtractPprof } from '../../../src/formats/pprof/subtract.js';
import { plainPprof, type PlainProfile } from '../../support/plain-pprof.js';
import { inflate, readPprof } from '../../support/read-pprof.js';

const TYPES = [
  { type: 'alloc_space', unit: 'bytes' },
  { type: 'inuse_space', unit: 'bytes' },
];
const isCounter = ({ type }: { readonly type: string }): boolean => type === 'alloc_space';
const START_MS = 1_790_000_000_000;

function heap(samples: PlainProfile['samples'], startMs = START_MS): Uint8Array {
  return inflate(
    plainPprof({ types: TYPES, periodType: 'space', periodUnit: 'bytes', startMs, samples }),
  );
}

const samples: fc.Arbitrary<PlainProfile['samples']> = fc.array(
  fc.record({
    functions: fc.array(fc.constantFrom('main', 'run', 'läuft', 'f'), {
      minLength: 1,
      maxLength: 4,
    }),
    labels: fc.oneof(fc.constant({}), fc.record({ bytes: fc.constantFrom('8', '16') })),
    values: fc.tuple(fc.bigInt(-5n, 300n), fc.bigInt(0n, 9n)),
  }),
  { maxLength: 12 },
);

describe('subtractPprof', () => {
  it('leaves what was counted in between, and gauges as they are', () => {
    fc.assert(
      fc.property(samples, samples, (now, before) => {
        const a = heap(now, START_MS + 15_000);
        const b = heap(before);
        const difference = readPprof(subtractPprof(a, b, isCounter));
        expect(sorted(difference.rows(0))).toEqual(sorted(rowsBetween(a, b, 0)));
        expect(sorted(difference.rows(1))).toEqual(sorted(readPprof(a).rows(1)));
        expect(difference.timeNs).toBe(BigInt(START_MS) * 1_000_000n);
        expect(difference.durationNs).toBe(15_000_000_000n);
      }),
    );
  });

  it('keeps the times of a profile whose previous one is not older', () => {
    const difference = readPprof(subtractPprof(heap([]), heap([]), isCounter));
    expect(difference.timeNs).toBe(BigInt(START_MS) * 1_000_000n);
    expect(difference.durationNs).toBe(0n);
  });

  const pairs = new URL('../../../../shared/fixtures/pprof/delta-pairs/', import.meta.url);
  it.skipIf(!existsSync(pairs)).each(['heap', 'block', 'stress-failure.3'])(
    'takes off what a real %s profile had before',
    async (name) => {
      const read = async (which: string): Promise<Uint8Array> =>
        inflate(await readFile(new URL(`${name}.${which}.pprof`, pairs)));
      const [before, after] = [await read('before'), await read('after')];
      const difference = readPprof(subtractPprof(after, before, () => true));
      expect(difference.types.length).toBeGreaterThan(0);
      for (const [i] of difference.types.entries()) {
        expect(sorted(difference.rows(i))).toEqual(sorted(rowsBetween(after, before, i)));
      }
    },
  );

  it.each([
    ['other types', () => heapOf([{ type: 'cpu', unit: 'nanoseconds' }])],
    ['types in another order', () => heapOf([TYPES[1]!, TYPES[0]!])],
    ['too many bytes', () => new Uint8Array(33 << 20)],
  ])('refuses a previous profile with %s', (_, previous) => {
    expect(() => subtractPprof(heap([]), previous(), isCounter)).toThrow(
      expect.objectContaining({ kind: 'invalid', code: 'PS_PPROF_SUBTRACT' }),
    );
  });
});

function heapOf(types: PlainProfile['types']): Uint8Array {
  const header = { periodType: 'space', periodUnit: 'bytes', startMs: START_MS, samples: [] };
  return inflate(plainPprof({ types, ...header }));
}

function rowsBetween(after: Uint8Array, before: Uint8Array, type: number): Map<string, bigint> {
  const rows = new Map(readPprof(after).rows(type));
  for (const [row, value] of readPprof(before).rows(type)) {
    rows.set(row, (rows.get(row) ?? 0n) - value);
  }
  for (const [row, value] of rows) if (value === 0n) rows.delete(row);
  return rows;
}

function sorted(rows: ReadonlyMap<string, bigint>): [string, bigint][] {
  return [...rows].sort(([a], [b]) => (a < b ? -1 : 1));
}
