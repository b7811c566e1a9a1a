/** The obvious query engine: every profile, one after another, with bigints and maps. */
import { sampleLabelsFromKey } from '../../src/model/sample-labels.js';
import { formatProfileType, profileTypesOf } from '../../src/model/profile-type.js';
import type { Matcher } from '../../src/model/matcher.js';
import { type Series, seriesKey } from '../../src/model/series.js';
import type { Aggregation } from '../../src/query/api.js';
import { blockOrder, type PlainProfile, type PlainSample } from './plain-store.js';

export interface PlainQuery {
  readonly profileType: string;
  readonly matchers: readonly Matcher[];
  readonly startMs: number;
  readonly endMs: number;
  readonly aggregation: Aggregation | undefined;
}

const textOf = (s: PlainSample): string => JSON.stringify([s.functions, s.labelSet]);

/** The profiles of each series in time order, repeated ones dropped, cumulative values as deltas. */
export function plainDeltas(profiles: readonly PlainProfile[]): PlainProfile[] {
  const out: PlainProfile[] = [];
  const sorted = [...profiles].sort(blockOrder);
  const bySeries = groupBy(sorted);
  for (const own of bySeries.values()) {
    let last: PlainProfile | undefined;
    let seen = '';
    for (const p of own) {
      const identity = `${p.startNs}/${p.id}`;
      if (identity === seen) continue;
      seen = identity;
      const counts = (last === undefined || p.startNs > last.startNs) && p.flags === 0;
      const samples = p.samples.map((s) => ({
        ...s,
        values: s.values.map((v, c) => {
          if (p.series.sampleTypes[c]?.temporality !== 'cumulative') return v;
          if (!counts || last === undefined) return 0n;
          return v - (startedAnew(last, p, c) ? 0n : columnValue(last, textOf(s), c));
        }),
      }));
      out.push({ ...p, samples: samples.filter((s) => s.values.some((v) => v !== 0n)) });
      if (counts) last = p;
    }
  }
  return out;
}

function groupBy(profiles: readonly PlainProfile[]): Map<string, PlainProfile[]> {
  const out = new Map<string, PlainProfile[]>();
  for (const p of profiles) {
    const key = seriesKey(p.series);
    out.set(key, [...(out.get(key) ?? []), p]);
  }
  return out;
}

function columnValue(profile: PlainProfile, text: string, column: number): bigint {
  return profile.samples.find((s) => textOf(s) === text)?.values[column] ?? 0n;
}

function startedAnew(before: PlainProfile, now: PlainProfile, column: number): boolean {
  return before.samples.some((s) => (s.values[column] ?? 0n) > columnValue(now, textOf(s), column));
}

function seriesValue(series: Series, typeId: string, name: string): string | undefined {
  if (name === 'service_name') return series.service;
  if (name === '__name__') return series.profileName;
  if (name === '__profile_type__') return typeId;
  return series.labels.find((l) => l.name === name)?.value;
}

function holds({ operator, value }: Matcher, text: string): boolean {
  if (operator === '=') return text === value;
  if (operator === '!=') return text !== value;
  const matches = new RegExp(`^(?:${value})$`, 's').test(text);
  return operator === '=~' ? matches : !matches;
}

export interface PlainRow {
  readonly profile: PlainProfile;
  /** Of the queried type, of the samples that match. */
  readonly values: readonly { readonly sample: PlainSample; readonly value: bigint }[];
}

/** The selected profiles (deltas already) in order of (series, start, id). */
export function plainRows(deltas: readonly PlainProfile[], query: PlainQuery): PlainRow[] {
  return deltas.flatMap((profile) => {
    const { series, startNs } = profile;
    const column = profileTypesOf(series).map(formatProfileType).indexOf(query.profileType);
    const inRange =
      startNs >= BigInt(query.startMs) * 1_000_000n && startNs < BigInt(query.endMs) * 1_000_000n;
    if (column < 0 || !inRange) return [];
    const own = query.matchers.map((m) => ({
      m,
      v: seriesValue(series, query.profileType, m.name),
    }));
    if (own.some(({ m, v }) => v !== undefined && !holds(m, v))) return [];
    const deferred = own.filter(({ v }) => v === undefined).map(({ m }) => m);
    const values = profile.samples
      .filter((s) =>
        deferred.every((m) => {
          const labels = sampleLabelsFromKey(s.labelSet).strings.filter((l) => l.name === m.name);
          return labels.length === 0 ? holds(m, '') : labels.some((l) => holds(m, l.value));
        }),
      )
      .map((sample) => ({ sample, value: sample.values[column] ?? 0n }));
    return [{ profile, values }];
  });
}

/** A sum of exact fractions, rounded half up. */
export class Fraction {
  #numerator = 0n;
  #denominator = 1n;

  add(numerator: bigint, denominator: bigint): void {
    this.#numerator = this.#numerator * denominator + numerator * this.#denominator;
    this.#denominator *= denominator;
  }

  round(): bigint {
    const n = this.#numerator * 2n + this.#denominator;
    const d = this.#denominator * 2n;
    const quotient = n / d;
    return n % d < 0n ? quotient - 1n : quotient;
  }
}

/** One number from the values of one series' profiles in time order; a profile that lacks the thing has 0. */
function addSeries(into: Fraction, values: readonly bigint[], aggregation: Aggregation): void {
  const sum = values.reduce((a, b) => a + b, 0n);
  if (aggregation === 'sum') into.add(sum, 1n);
  else if (aggregation === 'avg') into.add(sum, BigInt(values.length));
  else if (aggregation === 'last') into.add(values.at(-1) ?? 0n, 1n);
  else
    into.add(
      values.reduce((a, b) => (b > a ? b : a)),
      1n,
    );
}

function aggregationOf(series: Series, query: PlainQuery): Aggregation {
  if (query.aggregation !== undefined) return query.aggregation;
  const column = profileTypesOf(series).map(formatProfileType).indexOf(query.profileType);
  return series.sampleTypes[column]?.temporality === 'gauge' ? 'avg' : 'sum';
}

/** Value of each stack of functions, by JSON; only those that are not 0. */
export function plainMerge(
  deltas: readonly PlainProfile[],
  query: PlainQuery,
): Map<string, bigint> {
  const rows = plainRows(deltas, query);
  const byKey = new Map<string, Fraction>();
  const stackOf = new Map<string, string>();
  for (const own of bySeries(rows).values()) {
    const keys = new Set(own.flatMap((r) => r.values.map((v) => textOf(v.sample))));
    for (const key of keys) {
      const values = own.map((r) => r.values.find((v) => textOf(v.sample) === key)?.value ?? 0n);
      const sum = byKey.get(key) ?? new Fraction();
      byKey.set(key, sum);
      addSeries(sum, values, aggregationOf(own[0]!.profile.series, query));
      stackOf.set(key, JSON.stringify((JSON.parse(key) as [string[], string])[0]));
    }
  }
  const out = new Map<string, bigint>();
  for (const [key, sum] of byKey) {
    const stack = stackOf.get(key)!;
    out.set(stack, (out.get(stack) ?? 0n) + sum.round());
  }
  for (const [stack, value] of out) if (value === 0n) out.delete(stack);
  return out;
}

function bySeries(rows: readonly PlainRow[]): Map<string, PlainRow[]> {
  const out = new Map<string, PlainRow[]>();
  for (const row of rows) {
    const key = seriesKey(row.profile.series);
    out.set(key, [...(out.get(key) ?? []), row]);
  }
  return out;
}

/** Points by JSON of the group's labels, then by timestamp. */
export function plainTimeSeries(
  deltas: readonly PlainProfile[],
  query: PlainQuery & { readonly stepMs: number; readonly groupBy: readonly string[] },
): Map<string, Map<number, bigint>> {
  const sums = new Map<string, Map<number, Fraction>>();
  for (const own of bySeries(plainRows(deltas, query)).values()) {
    const { series } = own[0]!.profile;
    const isSampleGroup = query.groupBy.some(
      (n) => seriesValue(series, query.profileType, n) === undefined,
    );
    const deferred = query.matchers.some(
      (m) => seriesValue(series, query.profileType, m.name) === undefined,
    );
    const stepOf = (row: PlainRow): number =>
      Number((row.profile.startNs / 1_000_000n - BigInt(query.startMs)) / BigInt(query.stepMs));
    const groupOf = (sample: PlainSample | undefined): string => {
      const strings = sample === undefined ? [] : sampleLabelsFromKey(sample.labelSet).strings;
      const entries = query.groupBy.map((n): [string, string] => [
        n,
        seriesValue(series, query.profileType, n) ??
          strings
            .filter((l) => l.name === n)
            .map((l) => l.value)
            .join(),
      ]);
      return JSON.stringify(entries.filter(([, v]) => v !== '').sort());
    };
    for (const step of new Set(own.map(stepOf))) {
      const inStep = own.filter((r) => stepOf(r) === step);
      const rows = aggregationOf(series, query) === 'last' ? inStep.slice(-1) : inStep;
      const groups = new Set(
        isSampleGroup || deferred
          ? rows.flatMap((r) =>
              r.values.filter((v) => v.value !== 0n).map((v) => groupOf(v.sample)),
            )
          : [groupOf(undefined)],
      );
      for (const group of groups) {
        const values = rows.map((r) =>
          r.values
            .filter((v) => !isSampleGroup || groupOf(v.sample) === group)
            .reduce((sum, v) => sum + v.value, 0n),
        );
        const points = sums.get(group) ?? new Map<number, Fraction>();
        sums.set(group, points);
        const sum = points.get(step) ?? new Fraction();
        points.set(step, sum);
        addSeries(sum, values, aggregationOf(series, query));
      }
    }
  }
  return new Map(
    [...sums].map(([group, points]) => [
      group,
      new Map([...points].map(([step, sum]) => [query.startMs + step * query.stepMs, sum.round()])),
    ]),
  );
}

/** How many samples or profiles there are, by JSON of the group's labels, then by timestamp. */
export function plainCounts(
  deltas: readonly PlainProfile[],
  query: PlainQuery & {
    readonly stepMs: number;
    readonly groupBy: readonly string[];
    readonly measure: 'samples' | 'profiles';
  },
): Map<string, Map<number, number>> {
  const counts = new Map<string, Map<number, number>>();
  for (const { profile, values } of plainRows(deltas, query)) {
    const labelOf = (name: string): string | undefined =>
      seriesValue(profile.series, query.profileType, name);
    const readsSamples =
      query.measure === 'samples' ||
      [...query.groupBy, ...query.matchers.map((m) => m.name)].some(
        (n) => labelOf(n) === undefined,
      );
    const groupOf = (strings: readonly { name: string; value: string }[]): string => {
      const ofSample = (name: string): string =>
        strings.flatMap((l) => (l.name === name ? [l.value] : [])).join();
      const entries = query.groupBy.map((n) => [n, labelOf(n) ?? ofSample(n)]);
      return JSON.stringify(entries.filter(([, v]) => v !== '').sort());
    };
    const groups = values
      .filter(({ value }) => value !== 0n)
      .map(({ sample }) => groupOf(sampleLabelsFromKey(sample.labelSet).strings));
    const own = !readsSamples
      ? [groupOf([])]
      : query.measure === 'samples'
        ? groups
        : new Set(groups);
    const sinceStart = profile.startNs / 1_000_000n - BigInt(query.startMs);
    const step = query.startMs + Number(sinceStart / BigInt(query.stepMs)) * query.stepMs;
    for (const group of own) {
      const points = counts.get(group) ?? new Map<number, number>();
      counts.set(group, points);
      points.set(step, (points.get(step) ?? 0) + 1);
    }
  }
  return counts;
}
