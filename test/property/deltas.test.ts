import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Temporality } from '../../src/model/series.js';
import { type CarryRows, DeltaSeries } from '../../src/symbols/deltas.js';
import { KeyOrder } from '../../src/symbols/key-order.js';

/** One profile as a map: key → four values. */
type Plain = Map<number, bigint[]>;

interface PlainProfile {
  readonly startNs: bigint;
  readonly isIncomplete: boolean;
  readonly rows: Plain;
}

const KEYS = 12;
const TYPES: readonly Temporality[] = ['cumulative', 'cumulative', 'gauge', 'delta'];

/** The definition, per column, over maps. */
function naive(profiles: readonly PlainProfile[]): {
  out: Plain[];
  last: PlainProfile | undefined;
} {
  let last: PlainProfile | undefined;
  const out = profiles.map((profile) => {
    const isConsumed =
      !profile.isIncomplete && (last === undefined || profile.startNs > last.startNs);
    const before = last;
    const rows: Plain = new Map();
    const value = (from: Plain, k: number, c: number): bigint => from.get(k)?.[c] ?? 0n;
    TYPES.forEach((type, c) => {
      const isFallen =
        before !== undefined &&
        [...before.rows.keys()].some((k) => value(profile.rows, k, c) < value(before.rows, k, c));
      for (const k of profile.rows.keys()) {
        const now = value(profile.rows, k, c);
        let adds = now;
        if (type === 'cumulative') {
          if (!isConsumed || before === undefined) adds = 0n;
          else if (!isFallen) adds = now - value(before.rows, k, c);
        }
        const row = rows.get(k) ?? [0n, 0n, 0n, 0n];
        row[c] = adds;
        rows.set(k, row);
      }
    });
    for (const [k, row] of rows) if (row.every((v) => v === 0n)) rows.delete(k);
    if (isConsumed) last = profile;
    return rows;
  });
  return { out, last };
}

const value = fc.oneof(
  fc.constant(0n),
  fc.bigInt(1n, 5n),
  fc.bigInt(0xffff_fff0n, 0x1_0000_0010n),
  fc.bigInt(0n, (1n << 62n) - 1n),
);
const rows = fc
  .uniqueArray(
    fc.tuple(fc.integer({ min: 0, max: KEYS - 1 }), fc.tuple(value, value, value, value)),
    {
      selector: ([k]) => k,
      maxLength: KEYS,
    },
  )
  .map((entries) => new Map(entries.map(([k, v]) => [k, [...v]])));
/** Mostly growing, sometimes starting anew, sometimes anything. */
const history = fc
  .array(
    fc.record({ step: fc.integer({ min: 0, max: 2 }), cut: fc.boolean(), kind: fc.nat(9), rows }),
    { maxLength: 12 },
  )
  .map((steps) => {
    let startNs = 0n;
    let held: Plain = new Map();
    return steps.map(({ step, cut, kind, rows: random }): PlainProfile => {
      startNs += BigInt(step);
      const next: Plain = kind < 2 ? new Map() : new Map(held);
      for (const [k, v] of random) {
        const old = kind === 2 ? [] : (next.get(k) ?? []);
        next.set(
          k,
          v.map((x, c) => x / 16n + (old[c] ?? 0n)),
        );
      }
      held = next;
      return { startNs, isIncomplete: cut && kind === 3, rows: next };
    });
  });

function run(series: DeltaSeries, profiles: readonly PlainProfile[]): Plain[] {
  return profiles.map((profile, i) => {
    const firstRow = i % 3;
    const size = profile.rows.size;
    const key = new Int32Array(firstRow + size);
    const values = [0, 1, 2, 3].map(
      () => new BigInt64Array(firstRow + size),
    ) as never as CarryRows['values'];
    let r = firstRow;
    for (const [k, v] of profile.rows) {
      key[r] = k;
      v.forEach((x, c) => {
        values[c]![r] = x;
      });
      r++;
    }
    const { startNs, isIncomplete } = profile;
    const out = series.next({ startNs, isIncomplete, firstRow, rowCount: size, key, values });
    const rowsOut: Plain = new Map();
    for (let o = 0; o < out.rowCount; o++)
      rowsOut.set(
        out.key[o]!,
        out.values.map((column) => column[o]!),
      );
    expect(rowsOut.size).toBe(out.rowCount);
    return rowsOut;
  });
}

describe('cumulative to delta (I3)', () => {
  it('agrees with the definition, also when it stops and goes on from its carry', () => {
    const series = new DeltaSeries();
    fc.assert(
      fc.property(history, fc.nat(12), (profiles, cut) => {
        const { out, last } = naive(profiles);
        series.begin(TYPES, KEYS);
        const first = run(series, profiles.slice(0, cut));
        const carry = series.carry();
        series.begin(TYPES, KEYS, carry);
        const second = run(series, profiles.slice(cut));
        expect([...first, ...second]).toEqual(out);
        expect((series.carry() ?? carry)?.startNs).toBe(last?.startNs);
      }),
    );
  });

  it('counts a key of the carry that has no number as missing', () => {
    const series = new DeltaSeries();
    const columns = (...v: bigint[]): CarryRows['values'] =>
      [BigInt64Array.from(v), ...[1, 2, 3].map(() => new BigInt64Array(v.length))] as never;
    series.begin(['cumulative'], 2, {
      startNs: 1n,
      isDeleted: false,
      rowCount: 2,
      key: Int32Array.of(0, -1),
      values: columns(5n, 3n),
    });
    const out = series.next({
      startNs: 2n,
      isIncomplete: false,
      firstRow: 0,
      rowCount: 1,
      key: Int32Array.of(0),
      values: columns(7n),
    });
    expect([out.rowCount, out.values[0][0], out.restartedColumns]).toEqual([1, 7n, 1]);
  });
});

describe('key order', () => {
  it('sorts distinct keys like a comparison sort', () => {
    const sorter = new KeyOrder();
    fc.assert(
      fc.property(
        fc
          .integer({ min: 1, max: 5000 })
          .chain((count) =>
            fc.tuple(fc.constant(count), fc.uniqueArray(fc.nat(count - 1), { maxLength: 300 })),
          ),
        ([keyCount, keys]) => {
          const order = new Int32Array(keys.length);
          sorter.sort(Int32Array.from(keys), keys.length, keyCount, order);
          expect(Array.from(order, (r) => keys[r])).toEqual([...keys].sort((a, b) => a - b));
        },
      ),
    );
  });
});
