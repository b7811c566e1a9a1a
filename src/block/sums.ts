/**
 * Rows of `profiles` that stand for all profiles of a rolled-up series in one bucket. Two bits of their flags say how wide
 * the bucket is; `profile_count` says how many profiles they are. A block may have none.
 */
import { type BlockTable, PROFILES, PROFILES_WITH_SUMS } from './schemas.js';
import type { BlockMeta, BlockSums } from './types.js';
import { ROLLUP_WIDTHS, ROLLUP_WIDTH_NS, type RollupWidth } from '../model/rollup-width.js';

/** Above the flags of a profile as it was sent (log/segment-view.ts). */
const WIDTH_SHIFT = 2;
const WIDTH_MASK = 3;

/** Undefined for a profile as it was sent. */
export function sumWidthOf(flags: number): RollupWidth | undefined {
  return ROLLUP_WIDTHS[((flags >>> WIDTH_SHIFT) & WIDTH_MASK) - 1];
}

/** For a sum of profiles with these flags, or of sums. */
export function sumFlags(flags: number, width: RollupWidth): number {
  const number = ROLLUP_WIDTHS.indexOf(width) + 1;
  return (flags & ~(WIDTH_MASK << WIDTH_SHIFT)) | (number << WIDTH_SHIFT);
}

export function isWider(a: RollupWidth, b: RollupWidth | undefined): boolean {
  return b === undefined || ROLLUP_WIDTH_NS[a] > ROLLUP_WIDTH_NS[b];
}

/** What holds for a block that is made from others. */
export function mergedSums(inputs: readonly Pick<BlockMeta, 'sums'>[]): BlockSums | undefined {
  const dropped = new Set<string>();
  let widest: RollupWidth | undefined;
  for (const { sums } of inputs) {
    if (sums === undefined) continue;
    if (isWider(sums.width, widest)) widest = sums.width;
    for (const name of sums.droppedLabels) dropped.add(name);
  }
  if (widest === undefined) return undefined;
  return { width: widest, droppedLabels: [...dropped].sort() };
}

export function profilesTable({ sums }: Pick<BlockMeta, 'sums'>): BlockTable {
  return sums === undefined ? PROFILES : PROFILES_WITH_SUMS;
}
