/**
 * Where blocks and carries come from, written into each of them, so that a lost manifest can be made anew from what
 * lies in the bucket (store/rebuild.ts) and the orphan sweep knows the only copy of something from garbage.
 *
 * A *claim* is a rectangle of one log instance: segments (after, to] by profile starts [start, end). A block that claims
 * it holds every profile of its tenant in there, save what was deleted since. Blocks that are live together claim
 * disjoint parts; a merged block claims what its inputs did.
 */
import type { Watermark } from './types.js';

export interface LogClaim {
  readonly instance: string;
  /** Exclusive. */
  readonly afterSequence: number;
  /** Inclusive. */
  readonly sequence: number;
  /** Unix nanoseconds, half-open. */
  readonly startNs: bigint;
  readonly endNs: bigint;
}

export interface BlockLineage {
  /** Version of the manifest that the block was made on. */
  readonly baseVersion: number;
  /** Watermarks of that version: what was in blocks for certain when this one was made. */
  readonly watermarks: readonly Watermark[];
  readonly claims: readonly LogClaim[];
  /** Level 1: the first segment that it was made from; 0 above. */
  readonly firstSequence: number;
  /** Level 1: no other block of its compaction was written after it. */
  readonly isLast: boolean;
}

export interface CarryLineage {
  readonly baseVersion: number;
  /** Watermarks of the version that makes the carry live. */
  readonly consumed: readonly Watermark[];
}

/** That of a block which nobody recorded: a rebuild leaves it out. */
export const NO_LINEAGE: BlockLineage = {
  baseVersion: 0,
  watermarks: [],
  claims: [],
  firstSequence: 0,
  isLast: false,
};

/** The lineage of a block made from `inputs` on the version with these watermarks. */
export function mergedLineage(
  base: { readonly version: number; readonly watermarks: readonly Watermark[] },
  inputs: readonly BlockLineage[],
): BlockLineage {
  return {
    baseVersion: base.version,
    watermarks: base.watermarks,
    claims: joinClaims(inputs.flatMap((input) => input.claims)),
    firstSequence: 0,
    isLast: false,
  };
}

/** Disjoint claims with neighbours joined: first along the log, then along time. Sorted. */
export function joinClaims(claims: readonly LogClaim[]): LogClaim[] {
  const alongLog = joinNeighbours(
    [...claims].sort(
      (a, b) =>
        compareText(a.instance, b.instance) ||
        compare(a.startNs, b.startNs) ||
        compare(a.endNs, b.endNs) ||
        a.afterSequence - b.afterSequence,
    ),
    (a, b) => a.startNs === b.startNs && a.endNs === b.endNs && a.sequence === b.afterSequence,
    (a, b) => ({ ...a, sequence: b.sequence }),
  );
  return joinNeighbours(
    alongLog.sort(
      (a, b) =>
        compareText(a.instance, b.instance) ||
        a.afterSequence - b.afterSequence ||
        a.sequence - b.sequence ||
        compare(a.startNs, b.startNs),
    ),
    (a, b) =>
      a.afterSequence === b.afterSequence && a.sequence === b.sequence && a.endNs === b.startNs,
    (a, b) => ({ ...a, endNs: b.endNs }),
  );
}

function joinNeighbours(
  sorted: readonly LogClaim[],
  isNext: (a: LogClaim, b: LogClaim) => boolean,
  join: (a: LogClaim, b: LogClaim) => LogClaim,
): LogClaim[] {
  const out: LogClaim[] = [];
  for (const claim of sorted) {
    const last = out.at(-1);
    if (last !== undefined && last.instance === claim.instance && isNext(last, claim)) {
      out[out.length - 1] = join(last, claim);
    } else out.push(claim);
  }
  return out;
}

export function claimsOverlap(a: LogClaim, b: LogClaim): boolean {
  return (
    a.instance === b.instance &&
    a.afterSequence < b.sequence &&
    b.afterSequence < a.sequence &&
    a.startNs < b.endNs &&
    b.startNs < a.endNs
  );
}

/** What of `claim` none of `others` claims, as disjoint claims. */
export function claimRest(claim: LogClaim, others: readonly LogClaim[]): LogClaim[] {
  let rest = [claim];
  for (const other of others) rest = rest.flatMap((part) => subtract(part, other));
  return rest;
}

/** Up to four rectangles around the hole. */
function subtract(claim: LogClaim, hole: LogClaim): LogClaim[] {
  if (!claimsOverlap(claim, hole)) return [claim];
  const out: LogClaim[] = [];
  const afterSequence = Math.max(claim.afterSequence, hole.afterSequence);
  const sequence = Math.min(claim.sequence, hole.sequence);
  if (claim.afterSequence < afterSequence) out.push({ ...claim, sequence: afterSequence });
  if (sequence < claim.sequence) out.push({ ...claim, afterSequence: sequence });
  const middle = { ...claim, afterSequence, sequence };
  if (claim.startNs < hole.startNs) out.push({ ...middle, endNs: hole.startNs });
  if (hole.endNs < claim.endNs) out.push({ ...middle, startNs: hole.endNs });
  return out;
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
