/**
 * The obvious store: arrays and maps of whole profiles, deltas by definition, sums of bigints. The property test
 * compares the real store with it.
 */
import type { Aggregation } from '../../src/query/api.js';
import type { Temporality } from '../../src/model/series.js';

export interface ModelType {
  readonly type: string;
  readonly unit: string;
  readonly temporality: Temporality;
}

/** A sample as a test writes it: functions root first, labels as name → value, one value for each type. */
export interface ModelSample {
  readonly functions: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly values: readonly bigint[];
}

export interface ModelProfile {
  /** Labels of the series with `service_name`, without `__name__`. */
  readonly labels: Readonly<Record<string, string>>;
  readonly name: string;
  readonly types: readonly ModelType[];
  readonly periodType: string;
  readonly periodUnit: string;
  readonly startMs: number;
  readonly id: string;
  readonly samples: readonly ModelSample[];
}

/** Value by stack, the stack as its functions joined; what a merge answers. */
export type ModelAnswer = Map<string, bigint>;

type Rows = Map<string, { stack: string; labels: Readonly<Record<string, string>>; value: bigint }>;

interface Entry {
  readonly profile: ModelProfile;
  readonly order: string;
  /** One for each type: what the profile adds, once that is settled. */
  settled?: readonly Rows[];
}

interface SeriesState {
  entries: Entry[];
  carry?: Entry;
}

export interface ModelQuery {
  readonly typeId: string;
  readonly aggregation: Aggregation;
  readonly startMs: number;
  readonly endMs: number;
  readonly matches: (labels: Readonly<Record<string, string>>) => boolean;
}

/** The sum of one series over its profiles, to be divided by their count. */
interface Fraction {
  readonly key: string;
  readonly stack: string;
  readonly sum: bigint;
  readonly count: bigint;
}

const STACK_SEPARATOR = '\u0001';
export const stackText = (functions: readonly string[]): string => functions.join(STACK_SEPARATOR);

export class ModelStore {
  readonly #series = new Map<string, SeriesState>();

  /** True if it was new. */
  write(profile: ModelProfile): boolean {
    const key = JSON.stringify([
      profile.name,
      Object.entries(profile.labels).sort(),
      profile.types,
      profile.periodType,
      profile.periodUnit,
    ]);
    const state = this.#series.get(key) ?? { entries: [] };
    this.#series.set(key, state);
    const order = `${String(profile.startMs).padStart(15, '0')}/${profile.id}`;
    if (state.entries.some((entry) => entry.order === order)) return false;
    state.entries.push({ profile, order });
    state.entries.sort((a, b) => (a.order < b.order ? -1 : 1));
    return true;
  }

  /** What compaction does to the meaning of the data: deltas are settled, the last profile becomes the carry. */
  compact(): void {
    for (const state of this.#series.values()) {
      const { settled, carry } = settle(state);
      for (const [entry, rows] of settled) entry.settled = rows;
      if (carry !== undefined) state.carry = carry;
    }
  }

  merge(query: ModelQuery): ModelAnswer {
    const out: ModelAnswer = new Map();
    const fractions: Fraction[] = [];
    for (const state of this.#series.values()) {
      const open = settle(state).settled;
      const inRange = state.entries.filter(
        ({ profile }) => profile.startMs >= query.startMs && profile.startMs < query.endMs,
      );
      for (let t = 0; t < (inRange[0]?.profile.types.length ?? 0); t++) {
        const first = inRange[0]?.profile as ModelProfile;
        const type = first.types[t] as ModelType;
        const id = [first.name, type.type, type.unit, first.periodType, first.periodUnit].join(':');
        if (id !== query.typeId) continue;
        const rows = inRange.map((entry) => (entry.settled ?? open.get(entry))?.[t] as Rows);
        const kept = rows.map((r) => onlyMatching(r, first, query));
        aggregate(kept, query.aggregation, out, fractions);
      }
    }
    if (query.aggregation === 'avg') addAverages(fractions, out);
    for (const [stack, value] of out) if (value === 0n) out.delete(stack);
    return out;
  }
}

function onlyMatching(rows: Rows, profile: ModelProfile, query: ModelQuery): Rows {
  const out: Rows = new Map();
  for (const [key, row] of rows) {
    const labels = { ...row.labels, ...profile.labels, __name__: profile.name };
    if (query.matches(labels)) out.set(key, row);
  }
  return out;
}

function aggregate(
  profiles: readonly Rows[],
  aggregation: Aggregation,
  out: ModelAnswer,
  fractions: Fraction[],
): void {
  const add = (stack: string, value: bigint): void => {
    out.set(stack, (out.get(stack) ?? 0n) + value);
  };
  if (aggregation === 'last') {
    for (const row of profiles.at(-1)?.values() ?? []) add(row.stack, row.value);
    return;
  }
  const byKey = new Map<string, { stack: string; values: bigint[] }>();
  for (const rows of profiles) {
    for (const [key, row] of rows) {
      const entry = byKey.get(key) ?? { stack: row.stack, values: [] };
      entry.values.push(row.value);
      byKey.set(key, entry);
    }
  }
  for (const [key, { stack, values }] of byKey) {
    const sum = values.reduce((a, b) => a + b, 0n);
    if (aggregation === 'sum') add(stack, sum);
    else if (aggregation === 'avg')
      fractions.push({ key, stack, sum, count: BigInt(profiles.length) });
    else {
      const greatest = values.reduce((a, b) => (b > a ? b : a));
      add(stack, greatest);
    }
  }
}

/** Exact rationals, rounded once for each key (stack and sample labels), half up. */
function addAverages(fractions: readonly Fraction[], out: ModelAnswer): void {
  const exact = new Map<string, { stack: string; numerator: bigint; denominator: bigint }>();
  for (const { key, stack, sum, count } of fractions) {
    const old = exact.get(key) ?? { stack, numerator: 0n, denominator: 1n };
    exact.set(key, {
      stack,
      numerator: old.numerator * count + sum * old.denominator,
      denominator: old.denominator * count,
    });
  }
  for (const { stack, numerator, denominator } of exact.values()) {
    const rounded = floorDiv(numerator * 2n + denominator, denominator * 2n);
    out.set(stack, (out.get(stack) ?? 0n) + rounded);
  }
}

function floorDiv(a: bigint, b: bigint): bigint {
  const q = a / b;
  return a % b < 0n ? q - 1n : q;
}

/** The deltas of a series' entries that are not settled yet, in time order from the carry (design: cumulative to delta). */
function settle(state: SeriesState): { settled: Map<Entry, readonly Rows[]>; carry?: Entry } {
  const settled = new Map<Entry, readonly Rows[]>();
  let carry = state.carry;
  for (const entry of state.entries) {
    if (entry.settled !== undefined) continue;
    const before = carry;
    const usable = before === undefined || entry.profile.startMs > before.profile.startMs;
    settled.set(
      entry,
      entry.profile.types.map((type, t) => {
        const now = rowsOf(entry.profile, t);
        if (type.temporality !== 'cumulative') return now;
        if (before === undefined || !usable) return new Map();
        return difference(rowsOf(before.profile, t), now);
      }),
    );
    if (usable) carry = entry;
  }
  return carry === undefined ? { settled } : { settled, carry };
}

function rowsOf(profile: ModelProfile, t: number): Rows {
  const rows: Rows = new Map();
  for (const sample of profile.samples) {
    const stack = stackText(sample.functions);
    const key = JSON.stringify([stack, Object.entries(sample.labels).sort()]);
    const old = rows.get(key)?.value ?? 0n;
    rows.set(key, { stack, labels: sample.labels, value: old + (sample.values[t] as bigint) });
  }
  return rows;
}

function difference(before: Rows, now: Rows): Rows {
  for (const [key, { value }] of before) {
    if ((now.get(key)?.value ?? 0n) < value) return now;
  }
  const out: Rows = new Map();
  for (const [key, row] of now) {
    const value = row.value - (before.get(key)?.value ?? 0n);
    if (value !== 0n) out.set(key, { ...row, value });
  }
  return out;
}
