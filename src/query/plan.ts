/** Pure planning: which blocks and segments a query reads, and which profiles of a block. No I/O. */
import type { BlockProfiles, BlockSeries, RowRange } from '../block/types.js';
import type { LogPosition, SegmentPosition } from '../log/segment-view.js';
import {
  NOTHING_REMOVED,
  type Removals,
  type SampleRemoval,
  type SeriesRemoval,
} from '../manifest/series-removal.js';
import type { Manifest, ManifestBlock } from '../manifest/types.js';
import { type CompiledSelector, matchSeries, typeIdsOf } from '../symbols/select.js';
import { type SummedSeries, withoutSums } from './block-sums.js';
import { profileCount, type SeriesRegistry, type Slice } from './source.js';

/** Half-open, unix nanoseconds. */
export interface TimeRange {
  readonly startNs: bigint;
  readonly endNs: bigint;
}

/** Starts of a first and a last profile: both ends included. */
export interface TimeBounds {
  readonly firstNs: bigint;
  readonly lastNs: bigint;
}

/** Bounds of what either holds. */
export function widenedBounds(
  a: TimeBounds | undefined,
  b: TimeBounds | undefined,
): TimeBounds | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return {
    firstNs: a.firstNs < b.firstNs ? a.firstNs : b.firstNs,
    lastNs: a.lastNs > b.lastNs ? a.lastNs : b.lastNs,
  };
}

const NS_PER_MS = 1_000_000n;

export function timeRange(startMs: number, endMs: number): TimeRange {
  return { startNs: BigInt(startMs) * NS_PER_MS, endNs: BigInt(endMs) * NS_PER_MS };
}

export interface PlannedParts {
  readonly blocks: readonly ManifestBlock[];
  readonly segments: readonly SegmentPosition[];
}

/** Blocks that overlap the range, and the segments that no block covers yet (their times are known only when read). */
export function planParts(
  manifest: Manifest,
  position: LogPosition,
  range: TimeRange,
): PlannedParts {
  const consumed = new Map(manifest.watermarks.map((w) => [w.instance, w.sequence]));
  return {
    blocks: manifest.blocks.filter(
      (b) => b.startNsMin < range.endNs && b.startNsMax >= range.startNs,
    ),
    segments: position.segments.filter((s) => s.sequence > (consumed.get(s.instance) ?? 0)),
  };
}

export interface BlockRequest {
  readonly selector: CompiledSelector;
  readonly typeId: string;
  readonly range: TimeRange;
}

export interface BlockTables {
  readonly series: readonly BlockSeries[];
  readonly profiles: BlockProfiles;
}

/** A series of a block that a request takes. */
export interface MatchedSeries {
  /** In the block. */
  readonly number: number;
  readonly column: number;
  readonly deferred: CompiledSelector;
}

/** The series that have profiles near the range and match, in the order of the block. */
export function matchBlock(
  list: readonly BlockSeries[],
  { selector, typeId, range }: BlockRequest,
): readonly MatchedSeries[] {
  return list.flatMap(({ series, startNsMin, startNsMax }, number) => {
    if (startNsMin >= range.endNs || startNsMax < range.startNs) return [];
    const column = typeIdsOf(series).indexOf(typeId);
    if (column < 0) return [];
    const deferred = matchSeries(selector, series, typeId);
    return deferred === undefined ? [] : [{ number, column, deferred }];
  });
}

/** The selected slices of a block by service, in the order of the block. */
export function planBlock(
  tables: BlockTables,
  request: BlockRequest,
  parts: {
    readonly registry: SeriesRegistry;
    readonly removals: Removals;
    /** What is read of a series that rollups cover in part, by its number. */
    readonly rawOf?: ReadonlyMap<number, { readonly raw: readonly TimeRange[] }>;
    /** Of which series sums do not count. */
    readonly leavesSumsOut?: ((series: SummedSeries) => boolean) | undefined;
    /** Told how many profiles such sums stand for. */
    readonly onLeftOut?: (profiles: number) => void;
  },
): ReadonlyMap<string, readonly Slice[]> {
  const { profiles } = tables;
  const byService = new Map<string, Slice[]>();
  for (const { number, column, deferred } of matchBlock(tables.series, request)) {
    const { series } = tables.series[number]!;
    for (const range of parts.rawOf?.get(number)?.raw ?? [request.range]) {
      const { first, end } = profilesInRange(profiles, number, range);
      if (first === end) continue;
      const live = keptRanges(profiles.startNs, { first, end }, parts.removals.of(series));
      const own = { series, typeId: request.typeId, column, deferred };
      const kept = parts.leavesSumsOut?.(own) === true ? sentRanges(profiles, live, parts) : live;
      if (kept.length === 0) continue;
      const querySeries = parts.registry.of(series, column, request.typeId);
      const slices = byService.get(series.service) ?? [];
      byService.set(series.service, slices);
      for (const part of kept) {
        querySeries.profileCount += profileCount(profiles, part);
        slices.push({ series: querySeries, column, deferred, ...part });
      }
    }
  }
  return byService;
}

/** `live` without sums. */
function sentRanges(
  profiles: BlockProfiles,
  live: readonly KeptRange[],
  { onLeftOut }: { readonly onLeftOut?: (profiles: number) => void },
): readonly KeptRange[] {
  return live.flatMap((range) => {
    const { runs, leftOut } = withoutSums(profiles, range);
    if (leftOut > 0) onLeftOut?.(leftOut);
    return runs.map((run) => ({ ...range, ...run }));
  });
}

export interface KeptRange {
  readonly first: number;
  readonly end: number;
  readonly removed: readonly SampleRemoval[];
}

/** What a removal leaves of the profiles [first, end), which are sorted by start. */
export function keptRanges(
  startNs: BigInt64Array,
  { first, end }: { readonly first: number; readonly end: number },
  removal: SeriesRemoval | undefined,
): readonly KeptRange[] {
  if (removal === undefined) return [{ first, end, removed: NOTHING_REMOVED }];
  const cuts = removal
    .boundariesNs()
    .map((boundary) => lowerBound(first, end, (p) => startNs[p]! >= boundary));
  const out: KeptRange[] = [];
  let from = first;
  for (const to of [...cuts, end]) {
    if (to === from) continue;
    const removed = removal.at(startNs[from]!);
    if (removed !== 'all') out.push({ first: from, end: to, removed });
    from = to;
  }
  return out;
}

/** First and last start of what removals leave of a block, but for profiles that only lost their samples. */
export function keptBounds(
  { series, profiles }: BlockTables,
  removals: Removals,
): TimeBounds | undefined {
  let bounds: TimeBounds | undefined;
  let first = 0;
  for (const { series: s, profileCount } of series) {
    const own = { first, end: first + profileCount };
    first = own.end;
    for (const kept of keptRanges(profiles.startNs, own, removals.of(s))) {
      const firstNs = profiles.startNs[kept.first]!;
      bounds = widenedBounds(bounds, { firstNs, lastNs: profiles.startNs[kept.end - 1]! });
    }
  }
  return bounds;
}

/** Profiles are sorted by (series, start): two searches for the series, two within it. */
export function profilesInRange(
  profiles: BlockProfiles,
  series: number,
  range: TimeRange,
): { first: number; end: number } {
  const seriesOf = profiles.series;
  const start = lowerBound(0, profiles.count, (p) => seriesOf[p]! >= series);
  const end = lowerBound(start, profiles.count, (p) => seriesOf[p]! > series);
  const { startNs } = profiles;
  const first = lowerBound(start, end, (p) => startNs[p]! >= range.startNs);
  return { first, end: lowerBound(first, end, (p) => startNs[p]! >= range.endNs) };
}

/** The first index of [start, end) for which `reached` holds, else `end`; once true it must stay true. */
export function lowerBound(
  start: number,
  end: number,
  reached: (index: number) => boolean,
): number {
  let low = start;
  let high = end;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (reached(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Sample rows of slices (sorted, disjoint) as ranges, adjacent ones joined. */
export function rowRanges(
  profiles: BlockProfiles,
  slices: readonly Pick<Slice, 'first' | 'end'>[],
): readonly RowRange[] {
  const out: { start: number; end: number }[] = [];
  for (const { first, end } of slices) {
    if (first === end) continue;
    const start = profiles.firstRow[first]!;
    const rowsEnd = profiles.firstRow[end - 1]! + profiles.rowCount[end - 1]!;
    const last = out.at(-1);
    if (last !== undefined && last.end === start) last.end = rowsEnd;
    else if (rowsEnd > start) out.push({ start, end: rowsEnd });
  }
  return out;
}
