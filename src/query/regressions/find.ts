/**
 * Functions whose share rose and stayed: a change point for each, above a threshold, not gone again, and not a cost that
 * only moved between the callees of one caller. Pure.
 */
import { discoveries } from '../diff/statistics.js';
import { type ChangePoint, findRise, isSteady, isThere } from './change-point.js';
import type { StepShares } from './step-shares.js';

export interface FindSettings {
  /** Rise of the share in all that is worth a look. */
  readonly changeMin: number;
  readonly rate: number;
}

export interface Rise extends ChangePoint {
  /** Number of the function. */
  readonly f: number;
  readonly kind: 'self' | 'total';
  /** Index of the step with the first point after the change. */
  readonly step: number;
}

export interface Found {
  /** By rise, descending. */
  readonly rises: readonly Rise[];
  /** Significant ones that were left out, by reason. */
  readonly goneAway: number;
  readonly shifted: number;
}

export function findRises(shares: StepShares, settings: FindSettings): Found {
  const { steps } = shares;
  const rises: Rise[] = [];
  let goneAway = 0;
  let shifted = 0;
  for (const kind of ['self', 'total'] as const) {
    const tried: (Rise & { readonly values: Float64Array })[] = [];
    for (let f = 0; f < shares.functionCount; f++) {
      const values = shares.shareOf(kind, f, steps);
      // What never has the threshold cannot rise by it; it is no hypothesis.
      if (values.every((value) => value < settings.changeMin)) continue;
      const rise = findRise(values);
      if (rise === undefined) continue;
      tried.push({ ...rise, f, kind, step: steps[rise.at]!, values });
    }
    const isFound = discoveries(
      tried.map(({ p }) => p),
      settings.rate,
    );
    tried.forEach(({ values, ...rise }, i) => {
      if (isFound[i] !== true || rise.after - rise.before < settings.changeMin) return;
      if (!isSteady(values, rise)) return;
      if (!isThere(values, rise)) goneAway++;
      else if (isShift(shares, rise, steps) || isNewcomer(shares, rise, steps)) shifted++;
      else rises.push(rise);
    });
  }
  rises.sort((a, b) => b.after - b.before - (a.after - a.before) || a.f - b.f);
  return { rises, goneAway, shifted };
}

/** A caller that has most of the function, and is itself not nearly all there is. */
const CALLER_SHARE_MIN = 0.5;
const CALLER_SHARE_MAX = 0.8;
/** Of the function's rise: a caller that rose by less did not get slower. */
const SHIFT_MAX = 0.25;

/** Of what a newcomer has after the change, at most, was it there before. */
const NEWCOMER_MAX = 0.1;

/**
 * Whether a function that was hardly there before took the place of others: the whole takes no more than before. It was renamed or
 * moved, or a frame came in between.
 */
function isNewcomer(shares: StepShares, rise: Rise, steps: readonly number[]): boolean {
  const { f, kind, at, before, after } = rise;
  if (before > after * NEWCOMER_MAX) return false;
  const change = (values: Float64Array): number => changeOf(perProfile(shares, values, steps), at);
  return change(shares.sums) < change(shares[kind].of(f)) * SHIFT_MAX;
}

function perProfile(
  shares: StepShares,
  values: Float64Array,
  steps: readonly number[],
): Float64Array {
  return Float64Array.from(steps, (step) => values[step]! / shares.profiles[step]!);
}

function mean(values: Float64Array, from: number, to: number): number {
  return values.subarray(from, to).reduce((sum, value) => sum + value, 0) / (to - from);
}

function changeOf(values: Float64Array, at: number): number {
  return mean(values, at, values.length) - mean(values, 0, at);
}

/** Whether the caller of a function takes no more than before: then its other callees take less. */
function isShift(
  shares: StepShares,
  { f, kind, at, before, after }: Rise,
  steps: readonly number[],
): boolean {
  if (kind === 'total') return false;
  const callers = [...(shares.callers.get(f) ?? [])];
  const all = callers.reduce((sum, [, value]) => sum + value, 0);
  const [caller] = callers.sort((a, b) => b[1] - a[1]);
  if (caller === undefined || caller[1] < all * CALLER_SHARE_MIN) return false;
  const own = shares.shareOf('total', caller[0], steps);
  const share = mean(own, 0, at);
  if (share > CALLER_SHARE_MAX) return false;
  const rise = mean(own, at, own.length) - share;
  // As values a profile, too: a share may stand still because everything got slower.
  const change = (values: Float64Array): number => changeOf(perProfile(shares, values, steps), at);
  const callerChange = change(shares.total.of(caller[0]));
  const ownChange = change(shares.self.of(f));
  return rise < (after - before) * SHIFT_MAX && callerChange < ownChange * SHIFT_MAX;
}
