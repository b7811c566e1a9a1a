import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Temporality } from '../../src/model/series.js';
import { type CarryRows, DeltaSeries } from '../../src/symbols/deltas.js';
import { carryEndNs } from '../../src/manifest/carry.js';
import { KeyOrder } from '../../src/symbols/key-order.js';

/** One profile as a map: key → four values. */
type Plain = Map<number, bigint[]>;

interface PlainProfile {
  readonly startNs: bigint;
  readonly isIncomplete: boolean;
  readonly isDeleted: boolean;
  readonly rows: Plain;
}

const KEYS = 12;
const TYPES: readonly Temporality[] = ['cumulative', 'cumulative', 'gauge', 'delta'];

/** The definition, per column, over maps: every profile looks for the one before it among all that came. */
function naive(profiles: readonly PlainProfile[]): {
  out: Plain[];
  last: PlainProfile | undefined;
} {
  const latest = (all: readonly PlainProfile[]): PlainProfile | undefined =>
    all.reduce<PlainProfile | undefined>(
      (last, p) => (last === undefined || p.startNs > last.startNs ? p : last),
      undefined,
    );
  const live: PlainProfile[] = [];
  const deleted: PlainProfile[] = [];
  const out = profiles.map((profile) => {
    const ahead = latest(deleted);
    const isAhead = ahead !== undefined && ahead.startNs > (latest(live)?.startNs ?? -1n);
    const before = isAhead && profile.startNs > ahead.startNs ? ahead : latest(live);
    const isLate =
      (before !== undefined && profile.startNs <= before.startNs) ||
      (profile.isDeleted && isAhead && profile.startNs <= ahead.startNs);
    const isConsumed = !profile.isIncomplete && !isLate;
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
    if (isConsumed) (profile.isDeleted ? deleted : live).push(profile);
    return rows;
  });
  return { out, last: latest([...live, ...deleted]) };
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
    fc.record({
      step: fc.integer({ min: -1, max: 2 }),
      cut: fc.boolean(),
      isDeleted: fc.nat(3).map((n) => n === 0),
      kind: fc.nat(9),
      rows,
    }),
    { maxLength: 12 },
  )
  .map((steps) => {
    let startNs = 20n;
    let held: Plain = new Map();
    return steps.map(({ step, cut, isDeleted, kind, rows: random }): PlainProfile => {
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
      return { startNs, isIncomplete: cut && kind === 3, isDeleted, rows: next };
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
    const { startNs, isIncomplete, isDeleted } = profile;
    const raw = { startNs, isIncomplete, isDeleted, firstRow, rowCount: size, key, values };
    const out = series.next(raw);
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
        const end = series.carry() ?? carry;
        expect(end && carryEndNs(end)).toBe(last?.startNs);
      }),
    );
  });

  const columns = (...v: bigint[]): CarryRows['values'] =>
    [BigInt64Array.from(v), ...[1, 2, 3].map(() => new BigInt64Array(v.length))] as never;

  it('counts a key of the carry that no profile has as missing', () => {
    const series = new DeltaSeries();
    const live = {
      startNs: 1n,
      rowCount: 2,
      key: Int32Array.of(0, 1),
      values: columns(5n, 3n),
    };
    series.begin(['cumulative'], 2, { live, deleted: undefined });
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

  it('starts anew behind a deleted profile whose values are gone, and goes on where it was before it', () => {
    const series = new DeltaSeries();
    const profile = (startNs: bigint, v: bigint): Parameters<DeltaSeries['next']>[0] => ({
      startNs,
      isIncomplete: false,
      firstRow: 0,
      rowCount: 1,
      key: Int32Array.of(0),
      values: columns(v),
    });
    const live = { startNs: 1n, rowCount: 1, key: Int32Array.of(0), values: columns(5n) };
    const carry = { live, deleted: { startNs: 4n, rows: undefined } };
    series.begin(['cumulative'], 1, carry);
    expect(series.next(profile(5n, 100n)).rowCount).toBe(0);
    expect(series.next(profile(6n, 103n)).values[0][0]).toBe(3n);
    series.begin(['cumulative'], 1, carry);
    expect(series.next(profile(3n, 9n)).values[0][0]).toBe(4n);
    expect(series.carry()).toMatchObject({ live: { startNs: 3n }, deleted: carry.deleted });
    expect(series.next(profile(4n, 10n)).values[0][0]).toBe(1n);
    expect(series.next(profile(5n, 100n)).values[0][0]).toBe(90n);
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
