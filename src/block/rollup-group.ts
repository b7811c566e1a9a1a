/** The profiles of one profile name of a service as rollups see them: which bucket and which rollup series each is of. */
import type { BlockSeries } from './types.js';
import { ROLLUP_WIDTHS, ROLLUP_WIDTH_NS, type RollupWidth } from '../model/rollup-width.js';

/** Parallel arrays, in the order of the block: (series, start, id). */
export interface GroupProfiles {
  readonly count: number;
  /** Number in the block. */
  readonly series: Int32Array;
  readonly startNs: BigInt64Array;
  readonly durationNs: BigInt64Array;
  readonly period: BigInt64Array;
  readonly totals: readonly BigInt64Array[];
  readonly rowCount: Int32Array;
  readonly firstRow: Float64Array;
  /** As in BlockProfiles. */
  readonly profileCounts?: Int32Array | undefined;
}

export interface RollupGroup {
  readonly profiles: GroupProfiles;
  /** Number of the finest bucket of each profile. */
  readonly bucket: Int32Array;
  /** The rollup series of the group, ascending, each with its profiles in the order of (finest bucket, position). */
  readonly units: readonly RollupUnit[];
  readonly rows: number;
}

export interface RollupUnit {
  /** Number of the rollup series. */
  readonly number: number;
  readonly order: Int32Array;
}

const FINEST_NS = ROLLUP_WIDTH_NS[ROLLUP_WIDTHS[0]];

/** How many of the finest buckets one of `width` holds. */
export function finestBuckets(width: RollupWidth): number {
  return Number(ROLLUP_WIDTH_NS[width] / FINEST_NS);
}

/** The bucket of `width` in which finest bucket `bucket` lies. */
export function coarser(bucket: number, width: RollupWidth): number {
  return Math.floor(bucket / finestBuckets(width));
}

export function bucketStartNs(bucket: number, width: RollupWidth): bigint {
  return BigInt(bucket) * ROLLUP_WIDTH_NS[width];
}

export function floorDivide(value: bigint, by: bigint): bigint {
  const quotient = value / by;
  return value % by < 0n ? quotient - 1n : quotient;
}

export function rollupGroup(profiles: GroupProfiles, series: readonly BlockSeries[]): RollupGroup {
  const bucket = Int32Array.from(profiles.startNs, (ns) => Number(floorDivide(ns, FINEST_NS)));
  const byUnit = new Map<number, number[]>();
  let rows = 0;
  for (let p = 0; p < profiles.count; p++) {
    rows += profiles.rowCount[p]!;
    const number = series[profiles.series[p]!]!.rollupSeries;
    const own = byUnit.get(number);
    if (own === undefined) byUnit.set(number, [p]);
    else own.push(p);
  }
  const units = [...byUnit]
    .sort(([a], [b]) => a - b)
    .map(([number, list]) => ({
      number,
      // A sort by bucket keeps the order of positions within one.
      order: Int32Array.from(list.sort((a, b) => bucket[a]! - bucket[b]!)),
    }));
  return { profiles, bucket, units, rows };
}

/** Calls `visit` for each run of `order` whose profiles are of one bucket of `width`. */
export function forEachBucket(
  { bucket }: RollupGroup,
  order: Int32Array,
  width: RollupWidth,
  visit: (bucket: number, start: number, end: number) => void,
): void {
  for (let start = 0; start < order.length; ) {
    const own = coarser(bucket[order[start]!]!, width);
    let end = start + 1;
    while (end < order.length && coarser(bucket[order[end]!]!, width) === own) end++;
    visit(own, start, end);
    start = end;
  }
}
