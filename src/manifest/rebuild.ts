/**
 * What was live, judged by the blocks and carries alone: pure. Nothing is counted twice and nothing is taken that is
 * still to be made from the log.
 *
 * - A block of level 1 counts if its compaction was committed. Proof is a block made later (the watermarks that it saw)
 *   or a log that has deleted its first segment. Without proof it is left out where the log still has the segments, which
 *   are then compacted again; where the log is not at hand it counts if its compaction wrote all of its blocks.
 * - A block made from blocks always may count: its inputs were live.
 * - Of blocks whose claims overlap, the one made on the highest version counts: what is made from others is made later.
 * - The watermark of an instance is the highest segment that a counting block claims, or that a block saw as consumed.
 * - The carry of a service is that of the highest version that is not ahead of the watermarks.
 */
import { type BlockLineage, type CarryLineage, claimsOverlap, type LogClaim } from './lineage.js';
import type { Watermark } from './types.js';

export interface FoundBlock {
  readonly blockId: string;
  readonly lineage: BlockLineage;
}

export interface FoundCarry {
  readonly objectKey: string;
  readonly service: string;
  readonly lineage: CarryLineage;
}

/** The log at hand; segments that its newest one does not follow were deleted. */
export interface FoundLog {
  readonly instance: string;
  /** The oldest segment there is; 0 for none. */
  readonly firstSequence: number;
}

export interface RebuildPlan {
  readonly blocks: readonly string[];
  readonly watermarks: readonly Watermark[];
  readonly carries: readonly FoundCarry[];
  readonly leftOut: readonly { readonly blockId: string; readonly reason: string }[];
  /** No version is above it that any of this was made on. */
  readonly baseVersionMax: number;
}

export function planRebuild(
  found: readonly FoundBlock[],
  foundCarries: readonly FoundCarry[],
  log: FoundLog | undefined,
): RebuildPlan {
  const seen = seenWatermarks(found);
  const leftOut: { blockId: string; reason: string }[] = [];
  const candidates = found.filter((block) => {
    const reason = whyUncommitted(block, found, { seen, log });
    if (reason !== undefined) leftOut.push({ blockId: block.blockId, reason });
    return reason === undefined;
  });
  const taken: FoundBlock[] = [];
  for (const block of candidates.sort(newestFirst)) {
    const other = taken.find(({ lineage }) => overlaps(lineage.claims, block.lineage.claims));
    if (other === undefined) taken.push(block);
    else leftOut.push({ blockId: block.blockId, reason: `its profiles are in ${other.blockId}` });
  }
  const consumed = new Map(seen);
  for (const { instance, sequence } of taken.flatMap(({ lineage }) => lineage.claims)) {
    consumed.set(instance, Math.max(consumed.get(instance) ?? 0, sequence));
  }
  const versions = [...found, ...foundCarries].map(({ lineage }) => lineage.baseVersion);
  return {
    blocks: taken.map(({ blockId }) => blockId).sort(),
    watermarks: [...consumed]
      .map(([instance, sequence]) => ({ instance, sequence }))
      .sort((a, b) => (a.instance < b.instance ? -1 : 1)),
    carries: newestCarries(foundCarries, consumed),
    leftOut,
    baseVersionMax: Math.max(0, ...versions),
  };
}

function newestFirst(a: FoundBlock, b: FoundBlock): number {
  const byVersion = b.lineage.baseVersion - a.lineage.baseVersion;
  return byVersion !== 0 ? byVersion : a.blockId < b.blockId ? 1 : -1;
}

function overlaps(a: readonly LogClaim[], b: readonly LogClaim[]): boolean {
  return a.some((x) => b.some((y) => claimsOverlap(x, y)));
}

/** Made from segments, not from blocks. */
function isLevelOne({ lineage }: FoundBlock): boolean {
  return lineage.firstSequence > 0;
}

/** Per instance the highest segment that certainly was consumed: as a later block saw it, or as its inputs claim. */
function seenWatermarks(found: readonly FoundBlock[]): Map<string, number> {
  const seen = new Map<string, number>();
  const raise = ({ instance, sequence }: Watermark): void => {
    seen.set(instance, Math.max(seen.get(instance) ?? 0, sequence));
  };
  for (const block of found) {
    block.lineage.watermarks.forEach(raise);
    if (!isLevelOne(block)) block.lineage.claims.forEach(raise);
  }
  return seen;
}

function whyUncommitted(
  block: FoundBlock,
  found: readonly FoundBlock[],
  evidence: { readonly seen: ReadonlyMap<string, number>; readonly log: FoundLog | undefined },
): string | undefined {
  const { lineage } = block;
  const [claim] = lineage.claims;
  if (claim === undefined) return 'it does not say where it comes from';
  if (!isLevelOne(block)) return undefined;
  if ((evidence.seen.get(claim.instance) ?? 0) >= claim.sequence) return undefined;
  const { log } = evidence;
  if (log?.instance === claim.instance) {
    return log.firstSequence > lineage.firstSequence ? undefined : 'the log still has its segments';
  }
  const isWhole = found.some(
    (other) =>
      other.lineage.isLast &&
      other.lineage.baseVersion === lineage.baseVersion &&
      other.lineage.claims.some(
        (c) =>
          c.instance === claim.instance &&
          c.afterSequence === claim.afterSequence &&
          c.sequence === claim.sequence,
      ),
  );
  return isWhole ? undefined : 'its compaction was cut off';
}

function newestCarries(
  found: readonly FoundCarry[],
  consumed: ReadonlyMap<string, number>,
): FoundCarry[] {
  const byService = new Map<string, FoundCarry>();
  for (const carry of found) {
    const isAhead = carry.lineage.consumed.some(
      ({ instance, sequence }) => sequence > (consumed.get(instance) ?? 0),
    );
    if (isAhead) continue;
    const other = byService.get(carry.service);
    const isNewer =
      other === undefined ||
      carry.lineage.baseVersion > other.lineage.baseVersion ||
      (carry.lineage.baseVersion === other.lineage.baseVersion &&
        carry.objectKey > other.objectKey);
    if (isNewer) byService.set(carry.service, carry);
  }
  return [...byService.values()].sort((a, b) => (a.service < b.service ? -1 : 1));
}
