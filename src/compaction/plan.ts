/**
 * Decides what to compact: a pure function from a manifest, the log and the time to a list of compactions that touch
 * disjoint inputs. Nothing here does I/O; the executors decide nothing.
 *
 * - *Level zero*: for each log instance the sealed segments above the watermark, oldest first, up to the first that is
 *   still open, bounded in bytes. A sequence that the log no longer has held nothing for this tenant that is not in
 *   blocks: a segment is deleted only when every tenant in it consumed it.
 * - *Merges*: blocks of one aligned window (an hour, a day, a week since 1970), smallest windows first. A block belongs
 *   to a window when all its profile starts lie in it. Of an open window, blocks of one level are merged when there are
 *   `mergeCountMin` of them, so that each row is rewritten a bounded number of times while data comes in; a window of
 *   the past into which data came lately, as in a backfill, counts as open. Of a closed one, everything is merged,
 *   except that a block which outweighs all the others together `lateFactor` times waits: late profiles do not make a
 *   whole day be rewritten again and again.
 * - A block of half the greatest size or more has been merged enough, in bytes, in rows, or in symbols: where nearly every
 *   sample has a stack or labels of its own, merging saves nothing and takes the memory of all of them.
 *
 * - *Deletions*: a block that a series tombstone marks is rewritten alone when no merge takes it, at once; a carry an hour
 *   after the deletion.
 * - *Ages*: a block of which everything is past its age is dropped; one whose newest profile is past some rule's age is
 *   rewritten, once for each rule.
 *
 * `full` merges whatever can be merged within a week.
 */
import { assert } from '../base/assert.js';
import type { LogPosition, SegmentPosition } from '../log/segment-view.js';
import type { Retention } from '../manifest/retention.js';
import type { CarryRef, Manifest, ManifestBlock } from '../manifest/types.js';

export interface CompactionSettings {
  /** Bytes of segments that one level-zero compaction holds in memory; one larger segment is taken alone. */
  readonly levelZeroBytesMax: number;
  /** Blocks that one merge reads at once: each holds a row group in memory. */
  readonly mergeInputsMax: number;
  /** Blocks of one level in a window that is still open before they are merged. */
  readonly mergeCountMin: number;
  /** How long after its end a window counts as open. */
  readonly windowGraceMs: number;
  /** How long no data may have come into a window of the past before it counts as closed. */
  readonly quietMs: number;
  readonly lateFactor: number;
  /** Size of all objects of a merged block. */
  readonly blockBytesMax: number;
  readonly blockRowsMax: number;
  /** Memory that the symbols of a merge's inputs take, estimated: a merge holds those of one service whole. */
  readonly blockSymbolBytesMax: number;
  /**
   * How long a deleted profile of a cumulative series is remembered, so that the one after it adds what came since. Its
   * stacks are there as content ids only.
   */
  readonly deletedCarryMs: number;
}

export const COMPACTION_SETTINGS: CompactionSettings = {
  levelZeroBytesMax: 36 << 20,
  mergeInputsMax: 16,
  mergeCountMin: 4,
  windowGraceMs: 30 * 60_000,
  quietMs: 5 * 60_000,
  lateFactor: 8,
  blockBytesMax: 1 << 30,
  blockRowsMax: 2 ** 30,
  blockSymbolBytesMax: 256 << 20,
  deletedCarryMs: 3_600_000,
};

export interface LevelZeroSpec {
  readonly kind: 'level-zero';
  readonly tenantId: string;
  readonly instance: string;
  /** Ascending in sequence, all sealed; the last one becomes the watermark. */
  readonly segments: readonly SegmentPosition[];
}

export interface MergeSpec {
  readonly kind: 'merge';
  readonly tenantId: string;
  /** Ascending by (least start, id). One alone is rewritten for its deletions, or for what is past its age. */
  readonly blocks: readonly ManifestBlock[];
}

/** Takes last profiles that were deleted out of a carry. */
export interface CarrySpec {
  readonly kind: 'carry';
  readonly tenantId: string;
  readonly carry: CarryRef;
}

/** Drops blocks of which everything is past its age. */
export interface DropSpec {
  readonly kind: 'drop';
  readonly tenantId: string;
  readonly blocks: readonly ManifestBlock[];
}

export type BlockSpec = MergeSpec | CarrySpec | DropSpec;
export type CompactionSpec = LevelZeroSpec | BlockSpec;

export interface PlanInput {
  readonly manifest: Manifest;
  readonly log: LogPosition;
  readonly nowMs: number;
  readonly settings: CompactionSettings;
  readonly isFull: boolean;
  readonly retention: Retention;
  /** Blocks that cannot be read: nothing is made of them. Default: none. */
  readonly damaged?: ReadonlySet<string>;
}

const HOUR_NS = 3_600_000_000_000n;
const WINDOWS_NS: readonly bigint[] = [HOUR_NS, 24n * HOUR_NS, 7n * 24n * HOUR_NS];

export function planLevelZero({ manifest, log, settings }: PlanInput): LevelZeroSpec[] {
  const byInstance = new Map<string, SegmentPosition[]>();
  for (const segment of log.segments) {
    const list = byInstance.get(segment.instance);
    if (list === undefined) byInstance.set(segment.instance, [segment]);
    else list.push(segment);
  }
  const specs: LevelZeroSpec[] = [];
  for (const [instance, list] of [...byInstance].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const watermark = manifest.watermarks.find((w) => w.instance === instance)?.sequence ?? 0;
    const segments: SegmentPosition[] = [];
    let sizeBytes = 0;
    for (const segment of list.sort((a, b) => a.sequence - b.sequence)) {
      if (segment.sequence <= watermark) continue;
      if (!segment.sealed) break;
      sizeBytes += segment.committedBytes;
      if (segments.length > 0 && sizeBytes > settings.levelZeroBytesMax) break;
      segments.push(segment);
    }
    if (segments.length > 0) {
      specs.push({ kind: 'level-zero', tenantId: manifest.tenantId, instance, segments });
    }
  }
  return specs;
}

export function planMerges(input: PlanInput): MergeSpec[] {
  const { manifest, settings, isFull } = input;
  assert(settings.mergeInputsMax >= 2, 'a merge has two inputs or more');
  const specs: MergeSpec[] = [];
  const taken = new Set<string>();
  const windows = isFull ? WINDOWS_NS.slice(-1) : WINDOWS_NS;
  for (const windowNs of windows) {
    for (const [index, blocks] of byWindow(manifest.blocks, windowNs)) {
      // A smaller window's merge changes what this one would merge: its turn comes after.
      if (blocks.some((block) => taken.has(block.blockId))) {
        for (const block of blocks) taken.add(block.blockId);
        continue;
      }
      const endMs = Number(((index + 1n) * windowNs) / 1_000_000n);
      const isPast = input.nowMs >= endMs + settings.windowGraceMs;
      const isClosed = isPast && isQuiet(blocks, input);
      for (const group of groupsOf(blocks, isClosed, input)) {
        for (const block of group) taken.add(block.blockId);
        specs.push({ kind: 'merge', tenantId: manifest.tenantId, blocks: group });
      }
    }
  }
  return specs;
}

/** Nothing came from level 0 lately. */
function isQuiet(blocks: readonly ManifestBlock[], { nowMs, settings }: PlanInput): boolean {
  return blocks.every(({ level, createdMs }) => level > 1 || createdMs + settings.quietMs <= nowMs);
}

/** Drops what is past its age, merges, then rewrites what deletions and ages touch and no merge takes. */
export function planBlocks(given: PlanInput): BlockSpec[] {
  const { nowMs, settings, isFull, retention, damaged } = given;
  const { tenantId } = given.manifest;
  const ageMs = (block: ManifestBlock): number => newestAgeMs(block, nowMs);
  const lastAgeMs = retention.lastAgeMs(tenantId);
  const old = given.manifest.blocks.filter((b) => lastAgeMs !== undefined && ageMs(b) > lastAgeMs);
  if (old.length > 0) return [{ kind: 'drop', tenantId, blocks: old }];
  const readable = given.manifest.blocks.filter((b) => damaged?.has(b.blockId) !== true);
  const manifest = { ...given.manifest, blocks: readable };
  const input = { ...given, manifest };
  const isDueByAge = (block: ManifestBlock): boolean => {
    const stamp = retention.stamp(tenantId, ageMs(block));
    return stamp !== '' && stamp !== block.retentionStamp;
  };
  const merges = planMerges(input);
  const taken = new Set(merges.flatMap((spec) => spec.blocks.map((block) => block.blockId)));
  const rewrites = manifest.blocks
    .filter((block) => block.seriesTombstones.length > 0 || isDueByAge(block))
    .filter((block) => !taken.has(block.blockId))
    .sort(compareBlocks)
    .map((block): MergeSpec => ({ kind: 'merge', tenantId, blocks: [block] }));
  const createdMs = new Map(manifest.seriesTombstones.map((t) => [t.id, t.createdMs]));
  const isDue = ({ seriesTombstones, deletedSinceMs }: CarryRef): boolean =>
    [...seriesTombstones.map((id) => createdMs.get(id) ?? 0), deletedSinceMs].some(
      (sinceMs) => sinceMs > 0 && (isFull || sinceMs + settings.deletedCarryMs <= nowMs),
    );
  const carries = manifest.carries
    .filter(isDue)
    .map((carry): CarrySpec => ({ kind: 'carry', tenantId, carry }));
  return [...merges, ...rewrites, ...carries];
}

/** At most the age of a block's newest profile: less than a millisecond short of it. */
export function newestAgeMs(
  { startNsMax }: { readonly startNsMax: bigint },
  nowMs: number,
): number {
  return nowMs - Number(startNsMax / 1_000_000n) - 1;
}

/** Blocks that lie in one window each, by the window's number, both ascending. */
function byWindow(blocks: readonly ManifestBlock[], windowNs: bigint): [bigint, ManifestBlock[]][] {
  const windows = new Map<bigint, ManifestBlock[]>();
  for (const block of blocks) {
    const index = floorDivide(block.startNsMin, windowNs);
    if (floorDivide(block.startNsMax, windowNs) !== index) continue;
    const list = windows.get(index);
    if (list === undefined) windows.set(index, [block]);
    else list.push(block);
  }
  for (const list of windows.values()) list.sort(compareBlocks);
  return [...windows].sort(([a], [b]) => (a < b ? -1 : 1));
}

function floorDivide(value: bigint, by: bigint): bigint {
  const quotient = value / by;
  return value % by < 0n ? quotient - 1n : quotient;
}

function compareBlocks(a: ManifestBlock, b: ManifestBlock): number {
  if (a.startNsMin !== b.startNsMin) return a.startNsMin < b.startNsMin ? -1 : 1;
  return a.blockId < b.blockId ? -1 : a.blockId > b.blockId ? 1 : 0;
}

/** The merges of one window's blocks. */
function groupsOf(
  blocks: readonly ManifestBlock[],
  isClosed: boolean,
  { settings, isFull }: PlanInput,
): ManifestBlock[][] {
  if (isFull) return bounded(blocks, settings).filter((group) => group.length >= 2);
  const small = blocks.filter(
    (block) =>
      block.sizeBytes * 2 < settings.blockBytesMax &&
      block.sampleCount * 2 < settings.blockRowsMax &&
      block.symbolBytes * 2 < settings.blockSymbolBytesMax,
  );
  if (isClosed) {
    return bounded(withoutGiants(small, settings), settings).filter((group) => group.length >= 2);
  }
  const groups: ManifestBlock[][] = [];
  for (const level of new Set(small.map((block) => block.level))) {
    const equals = small.filter((block) => block.level === level);
    if (equals.length < settings.mergeCountMin) continue;
    groups.push(...bounded(equals, settings).filter((g) => g.length >= settings.mergeCountMin));
  }
  return groups;
}

/** Drops the largest block while it outweighs the others together `lateFactor` times. */
function withoutGiants(
  blocks: readonly ManifestBlock[],
  { lateFactor }: CompactionSettings,
): ManifestBlock[] {
  const bySize = [...blocks].sort((a, b) => a.sizeBytes - b.sizeBytes);
  let restBytes = bySize.reduce((sum, block) => sum + block.sizeBytes, 0);
  for (let last = bySize.at(-1); last !== undefined; last = bySize.at(-1)) {
    restBytes -= last.sizeBytes;
    if (last.sizeBytes <= restBytes * lateFactor) break;
    bySize.pop();
  }
  return bySize.sort(compareBlocks);
}

/** Cuts `blocks` into runs that one merge can read and whose output keeps to the greatest size. */
function bounded(
  blocks: readonly ManifestBlock[],
  settings: CompactionSettings,
): ManifestBlock[][] {
  const groups: ManifestBlock[][] = [];
  let group: ManifestBlock[] = [];
  let sizeBytes = 0;
  let rows = 0;
  let symbolBytes = 0;
  for (const block of blocks) {
    const isFull =
      group.length >= settings.mergeInputsMax ||
      sizeBytes + block.sizeBytes > settings.blockBytesMax ||
      rows + block.sampleCount > settings.blockRowsMax ||
      symbolBytes + block.symbolBytes > settings.blockSymbolBytesMax;
    if (isFull && group.length > 0) {
      groups.push(group);
      group = [];
      sizeBytes = 0;
      rows = 0;
      symbolBytes = 0;
    }
    group.push(block);
    sizeBytes += block.sizeBytes;
    rows += block.sampleCount;
    symbolBytes += block.symbolBytes;
  }
  if (group.length > 0) groups.push(group);
  return groups;
}

/** Runs of segments of at most `bytesMax` in all, or of one that is larger. */
export function batchesOf(
  segments: readonly SegmentPosition[],
  bytesMax: number,
): SegmentPosition[][] {
  const batches: SegmentPosition[][] = [];
  let sizeBytes = 0;
  for (const segment of segments) {
    sizeBytes += segment.committedBytes;
    const batch = batches.at(-1);
    if (batch !== undefined && sizeBytes <= bytesMax) batch.push(segment);
    else {
      batches.push([segment]);
      sizeBytes = segment.committedBytes;
    }
  }
  return batches;
}
