import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CarryBuilder,
  CarryKeys,
  decodeCarry,
  decodeCarryOrigin,
} from '../../../src/manifest/carry.js';
import { readSteps, readZigzags, VarintWriter } from '../../../src/manifest/varint-columns.js';
import type { CarryRows, SeriesCarry } from '../../../src/symbols/deltas.js';

const ids = (...first: number[]): Uint32Array =>
  Uint32Array.from(first.flatMap((n) => [n, n * 7, 1, 2]));

function rowsOf(
  startNs: bigint,
  entries: readonly (readonly [number, bigint, bigint])[],
): SeriesCarry {
  const live = {
    startNs,
    rowCount: entries.length,
    key: Int32Array.from(entries, ([k]) => k),
    values: [
      BigInt64Array.from(entries, ([, v]) => v),
      BigInt64Array.from(entries, ([, , v]) => v),
      new BigInt64Array(entries.length),
      new BigInt64Array(entries.length),
    ] as const,
  };
  return { live, deleted: undefined };
}

const KEY = 'carry/anonymous/one';
const ORIGIN = { baseVersion: 3, consumed: [{ instance: 'i', sequence: 7 }] };

const plain = (rows: CarryRows | undefined): unknown =>
  rows && Array.from(rows.key, (k, r) => [k, rows.values[0][r], rows.values[1][r]]).sort();

describe('carry objects', () => {
  it('come back under another numbering of keys, missing keys after the others', () => {
    const builder = new CarryBuilder('api');
    builder.set(
      'a',
      rowsOf(5n, [
        [2, 1n << 40n, 3n],
        [0, 7n, 0n],
      ]),
      ids(10, 11, 12),
    );
    builder.set('b', rowsOf(9n, [[1, -4n, 1n]]), ids(10, 11, 12));
    const carry = decodeCarry(
      { service: 'api', objectKey: KEY },
      builder.encode(KEY, ORIGIN).bytes,
    );
    expect(decodeCarryOrigin(builder.encode(KEY, ORIGIN).bytes)).toEqual({
      service: 'api',
      lineage: ORIGIN,
    });
    const keys = new CarryKeys(ids(12, 99, 11));
    const mapped = keys.numbered(carry);
    expect(mapped.get('a')?.live?.startNs).toBe(5n);
    expect(plain(mapped.get('a')?.live)).toEqual([
      [0, 1n << 40n, 3n],
      [3, 7n, 0n],
    ]);
    expect(plain(mapped.get('b')?.live)).toEqual([[2, -4n, 1n]]);
    expect([keys.count, ...keys.ids.subarray(12, 16)]).toEqual([4, ...ids(10)]);
  });

  it('inherits what is not newer and not too old', () => {
    const old = new CarryBuilder('api');
    for (const [name, at] of [
      ['a', 5n],
      ['b', 6n],
      ['c', 1n],
    ] as const)
      old.set(name, rowsOf(at, [[0, at, 1n]]), ids(3));
    const builder = new CarryBuilder('api');
    builder.set('a', rowsOf(8n, [[0, 8n, 1n]]), ids(4));
    builder.inherit(
      decodeCarry({ service: 'api', objectKey: KEY }, old.encode(KEY, ORIGIN).bytes),
      3n,
    );
    const series = decodeCarry(
      { service: 'api', objectKey: KEY },
      builder.encode(KEY, ORIGIN).bytes,
    ).series;
    expect([...series].map(([name, rows]) => [name, rows.live?.startNs])).toEqual([
      ['a', 8n],
      ['b', 6n],
    ]);
  });

  it('is the same bytes whatever the order of rows and series', () => {
    const one = new CarryBuilder('api');
    one.set(
      'a',
      rowsOf(5n, [
        [0, 1n, 2n],
        [1, 3n, 4n],
      ]),
      ids(1, 2),
    );
    one.set('b', rowsOf(6n, [[1, 3n, 4n]]), ids(1, 2));
    const two = new CarryBuilder('api');
    two.set('b', rowsOf(6n, [[0, 3n, 4n]]), ids(2, 1));
    two.set(
      'a',
      rowsOf(5n, [
        [0, 3n, 4n],
        [1, 1n, 2n],
      ]),
      ids(2, 1),
    );
    expect(one.encode(KEY, ORIGIN).bytes).toEqual(two.encode(KEY, ORIGIN).bytes);
  });

  it('is not taken for one of another key, another service or an older one put in its place', () => {
    const builder = new CarryBuilder('api');
    builder.set('a', rowsOf(5n, [[0, 1n, 2n]]), ids(1));
    const { bytes } = builder.encode(KEY, ORIGIN);
    for (const ref of [
      { service: 'api', objectKey: 'carry/anonymous/other' },
      { service: 'web', objectKey: KEY },
    ]) {
      expect(() => decodeCarry(ref, bytes)).toThrowError(
        expect.objectContaining({ kind: 'corrupt', code: 'PS_CARRY_DECODE' }),
      );
    }
  });

  it('have a deleted profile beside one that counts, with its values or without', () => {
    const builder = new CarryBuilder('api');
    const { live } = rowsOf(5n, [[1, 1n, 2n]]);
    const { live: rows } = rowsOf(9n, [
      [0, 7n, 8n],
      [1, 3n, 4n],
    ]);
    const deleted = { startNs: 9n, rows };
    builder.set('alone', { live: undefined, deleted }, ids(1, 2));
    builder.set('both', { live, deleted }, ids(1, 2));
    const stored = (): ReadonlyMap<string, SeriesCarry> =>
      decodeCarry({ service: 'api', objectKey: KEY }, builder.encode(KEY, ORIGIN).bytes).series;
    expect(stored()).toEqual(
      new Map(Object.entries({ alone: { deleted }, both: { live, deleted } })),
    );
    expect(builder.hasDeleted).toBe(true);
    builder.dropDeleted();
    expect(builder.hasDeleted).toBe(false);
    const both = { live, deleted: { startNs: 9n, rows: undefined } };
    // Numbers of keys are by their ids: one is left.
    expect([...stored().keys()]).toEqual(['both']);
    expect(stored().get('both')).toMatchObject({
      live: { startNs: 5n, values: both.live?.values },
      deleted: both.deleted,
    });
  });

  it('finds every flipped bit and every cut', () => {
    const builder = new CarryBuilder('api');
    builder.set(
      'a',
      rowsOf(5n, [
        [0, 1n, 2n],
        [1, 3n, 4n],
      ]),
      ids(1, 2),
    );
    const { bytes } = builder.encode(KEY, ORIGIN);
    for (let i = 0; i < bytes.length * 8; i++) {
      const damaged = bytes.slice();
      damaged[i >> 3]! ^= 1 << (i & 7);
      expect(() => decodeCarry({ service: 'api', objectKey: KEY }, damaged)).toThrowError(
        expect.objectContaining({ kind: 'corrupt' }),
      );
    }
    for (let end = 0; end < bytes.length; end++) {
      expect(() =>
        decodeCarry({ service: 'api', objectKey: KEY }, bytes.subarray(0, end)),
      ).toThrowError(expect.objectContaining({ kind: 'corrupt' }));
    }
  });
});

describe('varint columns', () => {
  it('round trip, whatever the values', () => {
    const writer = new VarintWriter();
    fc.assert(
      fc.property(fc.array(fc.bigInt(-(1n << 63n), (1n << 63n) - 1n)), (values) => {
        const order = [...values.keys()];
        const out = new BigInt64Array(values.length);
        expect(readZigzags(writer.zigzags(BigInt64Array.from(values), order), out)).toBe(true);
        expect([...out]).toEqual(values);
      }),
    );
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat()), (numbers) => {
        const ascending = Int32Array.from(numbers).sort();
        const bytes = writer.steps(ascending, [...numbers.keys()]);
        expect(readSteps(bytes, numbers.length, 2 ** 31)).toEqual(ascending);
        expect(readSteps(bytes, numbers.length + 1, 2 ** 31)).toBeUndefined();
      }),
    );
  });
});
