/**
 * Pure planning of rollups: which buckets of a block stand in for its profiles. A bucket does if all of it lies in the
 * range, as far as the block has profiles there, if nothing of it was deleted or is past its age, and if all series that
 * are rolled up together answer the request alike.
 * What buckets do not cover is read as it was sent.
 */
import type { BlockSeries, RollupMeta, ServiceMeta } from '../block/types.js';
import type { Removals, SeriesRemoval } from '../manifest/series-removal.js';
import { deferredKey, seriesLabel } from '../symbols/select.js';
import { aggregationOf } from './aggregate.js';
import type { Aggregation } from './api.js';
import type { BlockRequest, MatchedSeries, TimeRange } from './plan.js';
import { ROLLUP_WIDTH_NS } from '../model/rollup-width.js';

/** What a request does with profiles, as far as it decides whether sums of them are enough. */
export type TileUse =
  /** One value for each stack; series that differ in `labels` are told apart. */
  | {
      readonly kind: 'merge';
      readonly aggregation: Aggregation | undefined;
      readonly labels: readonly string[];
    }
  /** One value for each step, from totals. */
  | {
      readonly kind: 'steps';
      readonly aggregation: Aggregation | undefined;
      readonly labels: readonly string[];
      readonly startNs: bigint;
      readonly stepNs: bigint;
    };

/** Buckets whose starts lie in [startNs, endNs). */
export interface TileRun {
  readonly rollup: RollupMeta;
  readonly startNs: bigint;
  readonly endNs: bigint;
}

/** What is read of one series: buckets, and profiles as they were sent. Each sorted by time. */
export interface SeriesCover {
  readonly tiles: readonly TileRun[];
  readonly raw: readonly TimeRange[];
}

export interface TileRequest extends BlockRequest {
  readonly use: TileUse;
}

export interface TileBlock {
  readonly services: readonly ServiceMeta[];
  readonly series: readonly BlockSeries[];
  readonly removals: Removals;
}

/** By number of the series; what is not in it is read as it was sent. */
export function planTiles(
  block: TileBlock,
  matched: readonly MatchedSeries[],
  request: TileRequest,
): ReadonlyMap<number, SeriesCover> {
  const covers = new Map<number, SeriesCover>();
  const services = new Map(block.services.map((s) => [s.service, s.rollups]));
  const byNumber = new Map(matched.map((m) => [m.number, m]));
  for (const members of unitsOf(block.series, byNumber)) {
    const { service, profileName } = block.series[members[0]!]!.series;
    const own = (services.get(service) ?? []).filter((r) => r.profileName === profileName);
    const rollups = usableRollups(own, request.use);
    if (rollups.length === 0) continue;
    const groups = request.use.kind === 'merge' ? [members] : members.map((number) => [number]);
    for (const group of groups) {
      const there = group.filter((number) => overlaps(block.series[number]!, request.range));
      const asked = there.flatMap((number) => byNumber.get(number) ?? []);
      if (!areAlike(block, { there, asked }, request)) continue;
      const removals = there.map((number) => block.removals.of(block.series[number]!.series));
      const extent = extentOf(block.series, group);
      const cover = coverKept(request.range, removals, { extent, rollups });
      for (const { number } of asked) covers.set(number, cover);
    }
  }
  return covers;
}

/** The series of each rollup series that has a selected one. */
function unitsOf(
  series: readonly BlockSeries[],
  matched: ReadonlyMap<number, MatchedSeries>,
): Iterable<readonly number[]> {
  const units = new Map<number, number[]>();
  for (const number of matched.keys()) units.set(series[number]!.rollupSeries, []);
  for (const [number, { rollupSeries }] of series.entries()) units.get(rollupSeries)?.push(number);
  return units.values();
}

function overlaps({ startNsMin, startNsMax }: BlockSeries, range: TimeRange): boolean {
  return startNsMin < range.endNs && startNsMax >= range.startNs;
}

function usableRollups(rollups: readonly RollupMeta[], use: TileUse): readonly RollupMeta[] {
  return rollups
    .filter(({ width, hasRows }) => {
      if (use.kind === 'merge') return hasRows;
      const widthNs = ROLLUP_WIDTH_NS[width];
      return use.stepNs % widthNs === 0n && use.startNs % widthNs === 0n;
    })
    .sort((a, b) => (ROLLUP_WIDTH_NS[a.width] > ROLLUP_WIDTH_NS[b.width] ? -1 : 1));
}

/** Whether sums over the series that are `there` say what is asked of those that are `asked`. */
function areAlike(
  { series }: TileBlock,
  { there, asked }: { readonly there: readonly number[]; readonly asked: readonly MatchedSeries[] },
  { use, selector, typeId }: TileRequest,
): boolean {
  const [first] = asked;
  if (first === undefined || asked.length !== there.length) return false;
  const own = series[first.number]!.series;
  const temporality = own.sampleTypes[first.column]?.temporality ?? 'delta';
  const aggregation = aggregationOf({ temporality }, use.aggregation);
  if (aggregation === 'last' || aggregation === 'max') return false;
  // An average is one of each series over its own profiles.
  if (aggregation === 'avg' && there.length > 1) return false;
  const valuesOf = (number: number): readonly (string | undefined)[] =>
    use.labels.map((name) => seriesLabel(series[number]!.series, typeId, name));
  if (use.kind === 'steps') {
    return first.deferred.length === 0 && !valuesOf(first.number).includes(undefined);
  }
  const textOf = ({ number, deferred }: MatchedSeries): string =>
    JSON.stringify([deferredKey(selector, deferred), valuesOf(number)]);
  return asked.every((other) => textOf(other) === textOf(first));
}

/** Least and greatest start, both inclusive. */
interface Extent {
  readonly minNs: bigint;
  readonly maxNs: bigint;
}

function extentOf(series: readonly BlockSeries[], group: readonly number[]): Extent {
  let { startNsMin: minNs, startNsMax: maxNs } = series[group[0]!]!;
  for (const number of group) {
    const { startNsMin, startNsMax } = series[number]!;
    if (startNsMin < minNs) minNs = startNsMin;
    if (startNsMax > maxNs) maxNs = startNsMax;
  }
  return { minNs, maxNs };
}

/** As `coverRange` where nothing is taken from any of the series; elsewhere profiles as they were sent. */
function coverKept(
  range: TimeRange,
  removals: readonly (SeriesRemoval | undefined)[],
  { extent, rollups }: { readonly extent: Extent; readonly rollups: readonly RollupMeta[] },
): SeriesCover {
  const cuts = removals
    .flatMap((removal) => removal?.boundariesNs() ?? [])
    .filter((ns) => ns > range.startNs && ns < range.endNs)
    .sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const tiles: TileRun[] = [];
  const raw: TimeRange[] = [];
  let startNs = range.startNs;
  for (const endNs of [...cuts, range.endNs]) {
    const isKept = removals.every(
      (removal) => removal === undefined || removal.at(startNs).length === 0,
    );
    const part = { startNs, endNs };
    const cover = isKept ? coverRange(part, extent, rollups) : { tiles: [], raw: [part] };
    tiles.push(...cover.tiles);
    raw.push(...cover.raw);
    startNs = endNs;
  }
  return { tiles, raw };
}

/**
 * The range by the coarsest buckets that lie in it, and finer ones at their edges. A bucket that reaches beyond the range
 * counts as inside where nothing starts in that part of it. `rollups` are sorted from coarse to fine.
 */
export function coverRange(
  range: TimeRange,
  extent: Extent,
  rollups: readonly RollupMeta[],
): SeriesCover {
  const [rollup, ...finer] = rollups;
  if (range.startNs >= range.endNs) return { tiles: [], raw: [] };
  if (rollup === undefined) return { tiles: [], raw: [range] };
  const widthNs = ROLLUP_WIDTH_NS[rollup.width];
  const isFirst = range.startNs <= extent.minNs;
  const isLast = range.endNs > extent.maxNs;
  const startNs = isFirst ? floorTo(extent.minNs, widthNs) : ceilTo(range.startNs, widthNs);
  const endNs = isLast ? floorTo(extent.maxNs, widthNs) + widthNs : floorTo(range.endNs, widthNs);
  if (startNs >= endNs) return coverRange(range, extent, finer);
  const empty: SeriesCover = { tiles: [], raw: [] };
  const left = isFirst
    ? empty
    : coverRange({ startNs: range.startNs, endNs: startNs }, extent, finer);
  const right = isLast ? empty : coverRange({ startNs: endNs, endNs: range.endNs }, extent, finer);
  return {
    tiles: [...left.tiles, { rollup, startNs, endNs }, ...right.tiles],
    raw: [...left.raw, ...right.raw],
  };
}

function floorTo(ns: bigint, widthNs: bigint): bigint {
  const rest = ((ns % widthNs) + widthNs) % widthNs;
  return ns - rest;
}

function ceilTo(ns: bigint, widthNs: bigint): bigint {
  const floor = floorTo(ns, widthNs);
  return floor === ns ? ns : floor + widthNs;
}
