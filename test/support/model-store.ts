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

type Labels = Readonly<Record<string, string>>;

interface Entry {
  readonly profile: ModelProfile;
  readonly order: string;
  /** One for each type: what the profile adds, once that is settled. */
  settled?: readonly Rows[];
  /** Deleted whole. Stays for the deltas until it is settled. */
  isDeleted: boolean;
  /** Past its age: hidden for good, but no reason to forget what the next delta is from. */
  isExpired: boolean;
  /** Deletions of samples. */
  cuts: ((labels: Labels) => boolean)[];
}

/** What the next profile is compared with: `deleted`, which starts after `live`, if it starts after that too. */
interface Carry {
  readonly live?: ModelProfile | undefined;
  readonly deleted?: { readonly profile: ModelProfile; readonly isErased: boolean } | undefined;
}

interface SeriesState {
  entries: Entry[];
  carry: Carry;
}

export interface ModelDeletion {
  /** Names that the selector is about. */
  readonly names: readonly string[];
  readonly matches: (labels: Labels) => boolean;
  readonly startMs: number;
  readonly endMs: number;
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

  /** How many sample types were new: a profile is stored by four of them at a time. */
  write(profile: ModelProfile): number {
    let count = 0;
    for (let first = 0; first < profile.types.length; first += 4) {
      const types = profile.types.slice(first, first + 4);
      const samples = profile.samples.map((sample) => ({
        ...sample,
        values: sample.values.slice(first, first + 4),
      }));
      if (this.#write({ ...profile, types, samples })) count += types.length;
    }
    return count;
  }

  #write(profile: ModelProfile): boolean {
    const key = JSON.stringify([
      profile.name,
      Object.entries(profile.labels).sort(),
      profile.types,
      profile.periodType,
      profile.periodUnit,
    ]);
    const state = this.#series.get(key) ?? { entries: [], carry: {} };
    this.#series.set(key, state);
    const order = `${String(profile.startMs).padStart(15, '0')}/${profile.id}`;
    if (state.entries.some((entry) => entry.order === order && !entry.isDeleted)) return false;
    state.entries.push({ profile, order, isDeleted: false, isExpired: false, cuts: [] });
    const rank = (entry: Entry): string => `${entry.order} ${entry.isDeleted ? 1 : 0}`;
    state.entries.sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
    return true;
  }

  delete(deletion: ModelDeletion): void {
    const { names, matches } = deletion;
    const isIn = ({ startMs }: ModelProfile): boolean =>
      startMs >= deletion.startMs && startMs < deletion.endMs;
    for (const state of this.#series.values()) {
      const { entries, carry } = state;
      const first = entries[0]?.profile ?? carry.live ?? carry.deleted?.profile;
      if (first === undefined) continue;
      const own = labelsOf(first);
      const isWhole = names.every((name) => name in own);
      if (isWhole && !matches(own)) continue;
      for (const entry of entries.filter((e) => isIn(e.profile))) {
        if (isWhole) entry.isDeleted = true;
        else entry.cuts.push(matches);
      }
      if (isWhole && carry.live !== undefined && isIn(carry.live)) {
        const { deleted = { profile: carry.live, isErased: false } } = carry;
        state.carry = { deleted };
      }
    }
  }

  /** Time passes: what `isPast` is gone. It must not come back. */
  expire(isPast: (profile: ModelProfile) => boolean): void {
    for (const { entries } of this.#series.values()) {
      for (const entry of entries) entry.isExpired ||= isPast(entry.profile);
    }
  }

  /** What compaction does to the meaning of the data: deltas are settled, the last profiles become the carry. */
  compact({ isFull }: { readonly isFull: boolean }): void {
    for (const state of this.#series.values()) {
      const { settled, carry } = settle(state);
      for (const [entry, rows] of settled) entry.settled = rows;
      state.carry = isFull ? erased(carry) : carry;
      state.entries = state.entries.filter(
        (entry) => entry.settled !== undefined && isLive(entry, entry.settled),
      );
      for (const entry of state.entries) {
        entry.settled = (entry.settled as readonly Rows[]).map((rows) => cutRows(rows, entry));
        entry.cuts = [];
      }
    }
  }

  /** Services that have a profile. */
  services(): string[] {
    const out = new Set<string>();
    for (const state of this.#series.values()) {
      for (const entry of state.entries) {
        if (!isGone(entry)) out.add(entry.profile.labels['service_name'] as string);
      }
    }
    return [...out].sort();
  }

  merge(query: ModelQuery): ModelAnswer {
    const out: ModelAnswer = new Map();
    const fractions: Fraction[] = [];
    for (const state of this.#series.values()) {
      const open = settle(state).settled;
      const rowsOfEntry = (entry: Entry): readonly Rows[] =>
        entry.settled ?? (open.get(entry) as readonly Rows[]);
      const inRange = state.entries.filter(
        (entry) =>
          entry.profile.startMs >= query.startMs &&
          entry.profile.startMs < query.endMs &&
          !isGone(entry) &&
          isLive(entry, rowsOfEntry(entry)),
      );
      for (let t = 0; t < (inRange[0]?.profile.types.length ?? 0); t++) {
        const first = inRange[0]?.profile as ModelProfile;
        const type = first.types[t] as ModelType;
        const id = [first.name, type.type, type.unit, first.periodType, first.periodUnit].join(':');
        if (id !== query.typeId) continue;
        const rows = inRange.map((entry) => cutRows(rowsOfEntry(entry)[t] as Rows, entry));
        const kept = rows.map((r) => onlyMatching(r, first, query));
        aggregate(kept, query.aggregation, out, fractions);
      }
    }
    if (query.aggregation === 'avg') addAverages(fractions, out);
    for (const [stack, value] of out) if (value === 0n) out.delete(stack);
    return out;
  }
}

function labelsOf(profile: ModelProfile): Labels {
  return { ...profile.labels, __name__: profile.name };
}

function isCut(entry: Entry, labels: Labels): boolean {
  return entry.cuts.some((cut) => cut({ ...labels, ...labelsOf(entry.profile) }));
}

function cutRows(rows: Rows, entry: Entry): Rows {
  return new Map([...rows].filter(([, row]) => !isCut(entry, row.labels)));
}

function isGone({ isDeleted, isExpired }: Entry): boolean {
  return isDeleted || isExpired;
}

/** A profile is gone with its last sample; one that never had any, if a sample without labels would be. */
function isLive(entry: Entry, rows: readonly Rows[]): boolean {
  if (isGone(entry)) return false;
  const sampled = rows.flatMap((r) => [...r.values()]).filter((row) => row.value !== 0n);
  if (sampled.length === 0) return !isCut(entry, {});
  return sampled.some((row) => !isCut(entry, row.labels));
}

function onlyMatching(rows: Rows, profile: ModelProfile, query: ModelQuery): Rows {
  const out: Rows = new Map();
  for (const [key, row] of rows) {
    if (query.matches({ ...row.labels, ...labelsOf(profile) })) out.set(key, row);
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
function settle(state: SeriesState): {
  settled: Map<Entry, readonly Rows[]>;
  carry: Carry;
} {
  const settled = new Map<Entry, readonly Rows[]>();
  let { carry } = state;
  let order = '';
  for (const entry of state.entries) {
    if (entry.settled !== undefined) continue;
    // Sent again after its deletion: the first of the two counts.
    if (entry.order === order) continue;
    order = entry.order;
    const { startMs } = entry.profile;
    const { live, deleted } = carry;
    const isAfter = deleted !== undefined && startMs > deleted.profile.startMs;
    const before = isAfter ? (deleted.isErased ? undefined : deleted.profile) : live;
    const isRepeated = !isAfter && live !== undefined && startMs <= live.startMs;
    const usable = !isRepeated && (isAfter || deleted === undefined || !entry.isDeleted);
    settled.set(
      entry,
      entry.profile.types.map((type, t) => {
        const now = rowsOf(entry.profile, t);
        if (type.temporality !== 'cumulative') return now;
        if (before === undefined || !usable) return new Map();
        return difference(rowsOf(before, t), now);
      }),
    );
    if (!usable) continue;
    const { profile } = entry;
    if (entry.isDeleted) carry = { live, deleted: { profile, isErased: false } };
    else if (deleted !== undefined && startMs < deleted.profile.startMs) {
      carry = { live: profile, deleted };
    } else carry = { live: profile };
  }
  return { settled, carry };
}

/** An hour after the deletion its values are gone. */
function erased({ live, deleted }: Carry): Carry {
  if (deleted === undefined) return { live };
  return live === undefined ? {} : { live, deleted: { ...deleted, isErased: true } };
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
