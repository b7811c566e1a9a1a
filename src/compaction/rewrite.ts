/** What stands for blocks that a merge takes: the block that they become, or one of them as it is. */
import type { BlockMeta } from '../block/types.js';
import type { Retention } from '../manifest/retention.js';
import type { Manifest, ManifestBlock } from '../manifest/types.js';
import type { CompactionDependencies } from './dependencies.js';
import { marksSince } from './deletions.js';
import type { Undo } from './level-zero.js';
import { manifestBlock } from './manifest-block.js';
import { isTouched, mergeBlocks } from './merge-blocks.js';
import { type MergeSpec, newestAgeMs } from './plan.js';
import { sumBlock } from './sum-block.js';

export interface RewriteOptions {
  readonly retention: Retention;
  readonly nowMs: number;
  readonly undo: Undo;
  readonly signal: AbortSignal;
  readonly onProfiles: (count: number) => void;
}

export interface Rewritten {
  /** `kept`: nothing of the only input was to be changed. */
  readonly kind: 'kept' | 'merged' | 'summed';
  /** Undefined when deletions and ages left nothing. */
  readonly block: ManifestBlock | undefined;
  readonly duplicateCount: number;
  /** Of the newest profile, for which the ages were applied: a sum is older than the profiles that it stands for. */
  readonly ageMs: number;
}

/**
 * Deletions, and what is past its age, go in every merge. Sums are made of one block, in a step of their own: when
 * nothing else of it is to be changed.
 */
export async function rewrite(
  dependencies: CompactionDependencies,
  base: Manifest,
  spec: MergeSpec,
  options: RewriteOptions,
): Promise<Rewritten> {
  const { bucket, blocks } = dependencies;
  const line = (meta: BlockMeta): Promise<ManifestBlock> =>
    manifestBlock(bucket, meta, blocks.prefix(meta.tenantId, meta.blockId));
  const { retention, nowMs } = options;
  const cutoffOf = retention.cutoffOf(spec.tenantId, nowMs);
  const [only] = spec.blocks;
  if (spec.blocks.length === 1 && only !== undefined) {
    if (!(await isTouched(dependencies, base, { block: only, cutoffOf }))) {
      const ageMs = newestAgeMs(only, nowMs);
      const widthOf = retention.widthOf(spec.tenantId, ageMs);
      const meta =
        widthOf === undefined
          ? undefined
          : await sumBlock(dependencies, base, only, { ...options, widthOf });
      if (meta === undefined) return { kind: 'kept', block: only, duplicateCount: 0, ageMs };
      return { kind: 'summed', block: await line(meta), duplicateCount: 0, ageMs };
    }
  }
  const output = await mergeBlocks(dependencies, base, spec, { ...options, cutoffOf });
  const block = output.block === undefined ? undefined : await line(output.block);
  const ageMs = block === undefined ? 0 : newestAgeMs(block, nowMs);
  return { kind: 'merged', block, duplicateCount: output.duplicateCount, ageMs };
}

/** Whether its inputs are still what they were. A deletion that came since cannot be applied to sums. */
export function isRewriteValid(
  base: Manifest,
  now: Manifest,
  { kind }: Rewritten,
  inputs: ReadonlySet<string>,
): boolean {
  if (kind === 'summed' && marksSince(base, now, inputs).length > 0) return false;
  return now.blocks.filter((live) => inputs.has(live.blockId)).length === inputs.size;
}

/** Marks what stands for the inputs with the deletions that came since, and with the ages that were applied. */
export function markRewritten(
  base: Manifest,
  now: Manifest,
  { kind, block, ageMs }: Rewritten,
  { retention, inputs }: { readonly retention: Retention; readonly inputs: ReadonlySet<string> },
): readonly ManifestBlock[] {
  if (block === undefined) return [];
  const { tenantId } = base;
  // What is due to become sums is looked at once more.
  const isDone = kind !== 'merged' || retention.widthOf(tenantId, ageMs) === undefined;
  const retentionStamp = isDone ? retention.stamp(tenantId, ageMs) : '';
  return [{ ...block, seriesTombstones: marksSince(base, now, inputs), retentionStamp }];
}
