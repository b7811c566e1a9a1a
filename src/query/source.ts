/**
 * Where rows come from, blocks and level 0 alike: profiles at positions 0 ... count - 1, those of one series next to
 * one another in the order of (start, id), and a scan over the rows of some of them.
 */
import type { ProfileMetadata } from '../log/segment-view.js';
import type { SampleRemoval } from '../manifest/series-removal.js';
import type { Series, Temporality } from '../model/series.js';
import type { SymbolSource } from '../symbols/source.js';
import type { RowRun } from './block-handle.js';
import type { CompiledSelector } from '../symbols/select.js';
import { keyOfSeries } from '../symbols/select.js';
import { addTo, type SumTarget } from './sum-kernel.js';
import type { RollupWidth } from '../model/rollup-width.js';

/** One series with one of its value columns, wherever its profiles lie. */
export interface QuerySeries {
  readonly series: Series;
  readonly typeId: string;
  readonly temporality: Temporality;
  /** Profiles in the range, over all sources. Final once all sources are planned. */
  profileCount: number;
}

/** The selected profiles of one series in one source: positions [first, end). */
export interface Slice {
  readonly series: QuerySeries;
  readonly column: number;
  /** Matchers left for the samples' own labels. */
  readonly deferred: CompiledSelector;
  /** Deletions of samples; those of whole profiles are not in a slice. */
  readonly removed: readonly SampleRemoval[];
  readonly first: number;
  readonly end: number;
}

/** By position. */
export interface SourceProfiles {
  readonly startNs: BigInt64Array;
  readonly durationNs: BigInt64Array;
  readonly period: BigInt64Array;
  /** Profiles behind each position, of which `startNs` is the first and the others are sums; one each when absent. */
  readonly profileCounts?: Int32Array | undefined;
}

export interface ScanCall {
  /** Sorted, disjoint, of one value column. */
  readonly slices: readonly Pick<Slice, 'first' | 'end'>[];
  readonly column: number;
  readonly signal: AbortSignal;
}

export interface ProfileSource {
  /** Present for buckets of a rollup: how many of them stand for the selected profiles. */
  readonly rolledUp?: { readonly tiles: number; readonly width: RollupWidth } | undefined;
  /** Present where the block has sums: the widest. */
  readonly sums?: RollupWidth | undefined;
  /** For people, and for `QueryStats.missing`. */
  readonly part: string;
  readonly profiles: SourceProfiles;
  /** Sorted by `first`, disjoint. */
  readonly slices: readonly Slice[];
  symbols(): Promise<SymbolSource>;
  /** The same keys, all without labels: for answers that do not tell samples apart by them. */
  stacks(): Promise<SymbolSource>;
  /** Profile ids by position. */
  ids(signal: AbortSignal): Promise<readonly string[]>;
  /** What the profiles at a position said. */
  metadata(): Promise<(position: number) => readonly ProfileMetadata[]>;
  /** Rows that a scan of the slice reads; of slices that share rows one has them. */
  rowCount(slice: Slice): number;
  /** Bound of |value| in a value column. */
  magnitude(column: number): number;
  /** Sums of a value column, by position, as words. */
  totals(column: number): Int32Array;
  /** The rows in any order. */
  scan(call: ScanCall, visit: (run: RowRun) => void): Promise<void>;
  /** Adds the rows by key. Absent: there is no better way than a scan; see `sumRows`. */
  sum?(call: ScanCall, into: SumTarget): Promise<void>;
  /** As `scan`, but in order, and each run lies within the profile at `position`; a profile may come in several runs. */
  scanProfiles(call: ScanCall, visit: (position: number, run: RowRun) => void): Promise<void>;
}

/** Adds the rows of some slices by key. */
export function sumRows(source: ProfileSource, call: ScanCall, into: SumTarget): Promise<void> {
  return source.sum?.(call, into) ?? source.scan(call, addTo(into));
}

/** Profiles of the positions [first, end). */
export function profileCount(
  { profileCounts }: Pick<SourceProfiles, 'profileCounts'>,
  { first, end }: { readonly first: number; readonly end: number },
): number {
  if (profileCounts === undefined) return end - first;
  let profiles = 0;
  for (let p = first; p < end; p++) profiles += profileCounts[p]!;
  return profiles;
}

/** Of all selected profiles together, in nanoseconds; 0 where they do not say. */
export function totalDuration(sources: readonly ProfileSource[]): bigint {
  let durationNs = 0n;
  for (const { slices, profiles } of sources) {
    for (const { first, end } of slices) {
      for (let p = first; p < end; p++) durationNs += profiles.durationNs[p]!;
    }
  }
  return durationNs;
}

/** The series of one query, each once. */
export class SeriesRegistry {
  readonly #known = new Map<string, QuerySeries>();

  get count(): number {
    return this.#known.size;
  }

  of(series: Series, column: number, typeId: string): QuerySeries {
    const key = keyOfSeries(series);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const temporality = series.sampleTypes[column]?.temporality ?? 'delta';
    const made: QuerySeries = { series, typeId, temporality, profileCount: 0 };
    this.#known.set(key, made);
    return made;
  }

  /** In the order of their keys, which does not depend on where they are stored. */
  sorted(): readonly QuerySeries[] {
    return [...this.#known.entries()]
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
      .map(([, series]) => series);
  }
}
