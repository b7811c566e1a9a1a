/** Decides, for one profile name of a service, which rollups are worth their bytes. Pure but for the counting of rows. */
import { LIMITS } from '../base/limits.js';
import { accumulatorKeyBytes } from './rollup-accumulator.js';
import { coarser, forEachBucket, type RollupGroup } from './rollup-group.js';
import type { RollupSettings } from './rollup-series.js';
import type { VisitProfile } from './rollup-walk.js';
import { ROLLUP_WIDTHS, type RollupWidth } from '../model/rollup-width.js';

const INT64_MAX = 2n ** 63n - 1n;
const INT32_MAX = 2 ** 31 - 1;

/** Rollups of these profiles cannot overflow 64 bits, whatever is added up. */
export function fitsRollups(
  { profiles }: RollupGroup,
  magnitudeMax: readonly bigint[],
  keyCount: number,
): boolean {
  let durations = 0n;
  let counted = 0;
  const totals = [0n, 0n, 0n, 0n];
  for (let p = 0; p < profiles.count; p++) {
    const duration = profiles.durationNs[p]!;
    if (duration < 0n) return false;
    durations += duration;
    counted += profiles.profileCounts?.[p] ?? 1;
    profiles.totals.forEach((column, c) => {
      const total = column[p]!;
      totals[c]! += total < 0n ? -total : total;
    });
  }
  const values = magnitudeMax.map((most) => most * BigInt(profiles.count));
  if ([durations, ...totals, ...values].some((most) => most > INT64_MAX)) return false;
  if (counted > INT32_MAX) return false;
  const columns = magnitudeMax.filter((most) => most !== 0n).length;
  const bytes = keyCount * accumulatorKeyBytes(columns) * ROLLUP_WIDTHS.length;
  return bytes <= LIMITS.rollupAccumulatorBytesMax;
}

/** Widths whose rows could save enough: a bucket has at least the rows of its largest profile. */
export function promisingWidths(
  group: RollupGroup,
  { savingMin }: RollupSettings,
): readonly RollupWidth[] {
  const { rowCount } = group.profiles;
  return ROLLUP_WIDTHS.filter((width) => {
    let rows = 0;
    for (const { order } of group.units) {
      forEachBucket(group, order, width, (_, start, end) => {
        let most = 0;
        for (let i = start; i < end; i++) most = Math.max(most, rowCount[order[i]!]!);
        rows += most;
      });
    }
    return rows > 0 && rows * savingMin[width] <= group.rows;
  });
}

/** Counts the rows that rollups would have, from profiles visited in the order of their units. */
export class RollupRowCounter {
  readonly rows: Map<RollupWidth, number>;
  readonly #group: RollupGroup;
  readonly #unitOf: Int32Array;
  /** By width, the (unit, bucket) that each key was seen in last, as a number that rises with them. */
  readonly #seen: Map<RollupWidth, Int32Array>;
  readonly #bucket = new Map<RollupWidth, { unit: number; bucket: number; stamp: number }>();

  constructor(group: RollupGroup, widths: readonly RollupWidth[], keyCount: number) {
    this.#group = group;
    this.rows = new Map(widths.map((width) => [width, 0]));
    this.#seen = new Map(widths.map((width) => [width, new Int32Array(keyCount)]));
    this.#unitOf = new Int32Array(group.profiles.count);
    group.units.forEach(({ order }, unit) => {
      for (const p of order) this.#unitOf[p] = unit;
    });
  }

  readonly visit: VisitProfile = (profile, { key }, start, end) => {
    for (const [width, seen] of this.#seen) {
      const stamp = this.#stamp(width, profile);
      let fresh = 0;
      for (let i = start; i < end; i++) {
        const k = key[i]!;
        if (seen[k] === stamp) continue;
        seen[k] = stamp;
        fresh++;
      }
      this.rows.set(width, this.rows.get(width)! + fresh);
    }
  };

  #stamp(width: RollupWidth, profile: number): number {
    const unit = this.#unitOf[profile]!;
    const bucket = coarser(this.#group.bucket[profile]!, width);
    const last = this.#bucket.get(width);
    if (last?.unit === unit && last.bucket === bucket) return last.stamp;
    const stamp = (last?.stamp ?? 0) + 1;
    this.#bucket.set(width, { unit, bucket, stamp });
    return stamp;
  }
}

/**
 * The widths to write, from how many rows each would have: those that save enough beside the samples, and a coarser one
 * only if it has at most a third of the rows of the next finer one.
 */
export function worthwhileWidths(
  rows: ReadonlyMap<RollupWidth, number>,
  sampleRows: number,
  { savingMin }: RollupSettings,
): readonly RollupWidth[] {
  const out: RollupWidth[] = [];
  let finer = Number.POSITIVE_INFINITY;
  for (const width of ROLLUP_WIDTHS) {
    const own = rows.get(width);
    if (own === undefined || own * savingMin[width] > sampleRows || own * 3 > finer) continue;
    out.push(width);
    finer = own;
  }
  return out;
}
