/** Where a series rose, if it did: the split into before and after that tells the two apart best. */
import { studentP } from '../diff/statistics.js';

export interface ChangePoint {
  /** Index of the first point after the change. */
  readonly at: number;
  readonly before: number;
  readonly after: number;
  /** By chance, for the best of all splits that were tried. */
  readonly p: number;
}

/** Points on each side of a change, at least: a shorter rise is a peak. */
export const SIDE_POINTS_MIN = 6;

/** Fewer points have no split. */
export const STEPS_MIN = 2 * SIDE_POINTS_MIN;

/** Undefined for too few points, and where no split has a greater mean after it. One pass over sums. */
export function findRise(values: Float64Array): ChangePoint | undefined {
  const n = values.length;
  const sums = new Float64Array(n + 1);
  const squares = new Float64Array(n + 1);
  for (let i = 0; i < n; i++) {
    sums[i + 1] = sums[i]! + values[i]!;
    squares[i + 1] = squares[i]! + values[i]! * values[i]!;
  }
  const mean = (from: number, to: number): number => (sums[to]! - sums[from]!) / (to - from);
  const spread = (from: number, to: number): number =>
    Math.max(0, squares[to]! - squares[from]! - (to - from) * mean(from, to) ** 2);
  let best: ChangePoint | undefined;
  let greatest = 0;
  const splits = n - 2 * SIDE_POINTS_MIN + 1;
  for (let at = SIDE_POINTS_MIN; at <= n - SIDE_POINTS_MIN; at++) {
    const before = mean(0, at);
    const after = mean(at, n);
    if (after <= before) continue;
    // One variance for both sides: of few points that happen to be alike it would be far too small.
    const variance = ((spread(0, at) + spread(at, n)) / (n - 2)) * (1 / at + 1 / (n - at));
    const t = variance > 0 ? (after - before) / Math.sqrt(variance) : Infinity;
    if (t <= greatest) continue;
    greatest = t;
    best = { at, before, after, p: Math.min(1, studentP(t, n - 2) * splits) };
  }
  return best;
}

/**
 * Whether the rise is more than a few peaks: half of it shows in the median as well. Means of a function that runs now and then
 * differ by chance far more than their variance says.
 */
export function isSteady(values: Float64Array, { at, before, after }: ChangePoint): boolean {
  const rise = median(values.subarray(at)) - median(values.subarray(0, at));
  return rise >= (after - before) / 2;
}

/** Whether the rise is still there in the last points. */
export function isThere(values: Float64Array, { before, after }: ChangePoint): boolean {
  return median(values.subarray(values.length - LAST_POINTS)) >= before + (after - before) / 2;
}

const LAST_POINTS = 5;

function median(values: Float64Array): number {
  const sorted = values.slice().sort();
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
