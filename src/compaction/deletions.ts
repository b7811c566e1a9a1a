/**
 * Series tombstones across a compaction. One that was committed on the way is not applied to the outputs: they carry its
 * mark on, as their inputs did, or the compaction is planned anew.
 */
import { ulid } from '../env/rng.js';
import type { SegmentPosition } from '../log/segment-view.js';
import { CarryBuilder, decodeCarry, decodeCarryOrigin, withDeletions } from '../manifest/carry.js';
import { carryKey } from '../manifest/object-keys.js';
import { coversSegment, Removals, tombstonesOf } from '../manifest/series-removal.js';
import type {
  CarryRef,
  Manifest,
  ManifestBlock,
  SeriesTombstone,
  Watermark,
} from '../manifest/types.js';
import { sequenceOf } from '../manifest/watermarks.js';
import type { CompactionDependencies } from './dependencies.js';
import type { Undo } from './level-zero.js';
import type { CarrySpec, LevelZeroSpec } from './plan.js';

/** The tombstone's id among those of `block`, if a profile of it may start in the range. */
export function markBlock(block: ManifestBlock, { id, ...range }: SeriesTombstone): ManifestBlock {
  const startNs = BigInt(range.startMs) * 1_000_000n;
  const endNs = BigInt(range.endMs) * 1_000_000n;
  if (block.startNsMax < startNs || block.startNsMin >= endNs) return block;
  return { ...block, seriesTombstones: [...block.seriesTombstones, id] };
}

/**
 * The tombstones that came after `base` and cover all of the segments that were compacted; undefined when one covers
 * some of them, or none while carries of before it were taken over.
 */
export function tombstonesSince(
  base: Manifest,
  now: Manifest,
  { spec, hasCarries }: { readonly spec: LevelZeroSpec; readonly hasCarries: boolean },
): readonly SeriesTombstone[] | undefined {
  const known = new Set(base.seriesTombstones.map((t) => t.id));
  const out: SeriesTombstone[] = [];
  for (const tombstone of now.seriesTombstones) {
    if (known.has(tombstone.id)) continue;
    const covered = spec.segments.filter((segment) => coversSegment(tombstone, segment)).length;
    if (covered === spec.segments.length) out.push(tombstone);
    else if (covered > 0 || hasCarries) return undefined;
  }
  return out;
}

/** Marks that the inputs of a merge got after `base`: for its output. */
export function marksSince(
  base: Manifest,
  now: Manifest,
  blockIds: ReadonlySet<string>,
): readonly number[] {
  const marksOf = (manifest: Manifest): readonly number[] =>
    manifest.blocks.filter((b) => blockIds.has(b.blockId)).flatMap((b) => b.seriesTombstones);
  const known = new Set(marksOf(base));
  return [...new Set(marksOf(now))].filter((id) => !known.has(id)).sort((a, b) => a - b);
}

/** The carry without deleted profiles; undefined when nothing is left of it. */
export async function compactCarry(
  { bucket, clock, rng }: CompactionDependencies,
  base: Manifest,
  { spec, undo }: { readonly spec: CarrySpec; readonly undo: Undo },
): Promise<CarryRef | undefined> {
  const { service, objectKey: oldKey } = spec.carry;
  const { body } = await bucket.get(oldKey);
  const removals = new Removals(tombstonesOf(base, spec.carry));
  const old = withDeletions(decodeCarry(spec.carry, body), removals);
  const builder = new CarryBuilder(service);
  for (const [seriesKey, rows] of old.series) builder.set(seriesKey, rows, old.ids);
  builder.dropDeleted();
  if (builder.seriesCount === 0) return undefined;
  const { lineage } = decodeCarryOrigin(body);
  const objectKey = carryKey(spec.tenantId, ulid(clock.nowMs(), rng));
  const { bytes } = builder.encode(objectKey, { ...lineage, baseVersion: base.version });
  undo.push(() => bucket.delete(objectKey));
  await bucket.put(objectKey, bytes);
  return { service, objectKey, sizeBytes: bytes.length, seriesTombstones: [], deletedSinceMs: 0 };
}

/**
 * The tombstones that nothing is to be read through any more: no block, no carry, and no segment that still has
 * something of the tenant (`own`) above its watermark. `known` are all segments that the caller has heard of: a tombstone
 * that covers later ones came after that, and stays.
 */
export function idleTombstones(
  manifest: Manifest,
  known: readonly SegmentPosition[],
  own: readonly SegmentPosition[],
): readonly SeriesTombstone[] {
  const marked = new Set(
    [...manifest.blocks, ...manifest.carries].flatMap((m) => m.seriesTombstones),
  );
  const open = own.filter((s) => s.sequence > sequenceOf(manifest.watermarks, s.instance));
  const isHeardOf = ({ instance, sequence }: Watermark): boolean =>
    sequence <= sequenceOf(manifest.watermarks, instance) ||
    known.some((segment) => segment.instance === instance && segment.sequence >= sequence);
  return manifest.seriesTombstones.filter(
    (t) =>
      !marked.has(t.id) &&
      t.covered.every(isHeardOf) &&
      !open.some((segment) => coversSegment(t, segment)),
  );
}
