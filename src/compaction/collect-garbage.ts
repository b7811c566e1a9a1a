/** What compaction deletes of one tenant: what is dead for long enough, and orphans when it is their turn. */
import { isKind } from '../base/errors.js';
import type { BlockLineage } from '../manifest/lineage.js';
import { collectTenant } from '../manifest/collect.js';
import { sweepTenant } from '../manifest/sweep.js';
import type { CompactionDependencies } from './dependencies.js';

export interface GarbageOptions {
  /** At once, whatever its age: nothing else may use the store. */
  readonly isFull: boolean;
  /** Looks for orphans; a full collection always does. */
  readonly isSweep: boolean;
  readonly signal: AbortSignal;
}

export interface CollectedGarbage {
  readonly objects: number;
  readonly bytes: number;
  readonly orphans: number;
  /** Orphans left alone because they may be the only copy of something: `basalt gc --dry-run` says which. */
  readonly orphansKept: number;
}

export async function collectGarbage(
  dependencies: CompactionDependencies,
  tenantId: string,
  { isFull, isSweep, signal }: GarbageOptions,
): Promise<CollectedGarbage> {
  const { bucket, manifests, clock, blocks } = dependencies;
  const blockPrefix = (t: string, b: string): string => blocks.prefix(t, b);
  const dead = await collectTenant({ bucket, manifests, clock, blockPrefix }, tenantId, {
    isImmediate: isFull,
    signal,
  });
  if (!isFull && !isSweep) {
    return { objects: dead.objects, bytes: dead.bytes, orphans: 0, orphansKept: 0 };
  }
  const swept = await sweepTenant({ bucket, manifests, clock, lineageOf }, tenantId, {
    ...(isFull ? { graceMs: 0 } : {}),
    signal,
  });
  return {
    objects: dead.objects + swept.objects,
    bytes: dead.bytes + swept.bytes,
    orphans: swept.orphans.length,
    orphansKept: swept.kept.length,
  };

  async function lineageOf(tenant: string, blockId: string): Promise<BlockLineage | undefined> {
    try {
      return (await blocks.open(tenant, blockId, signal)).meta.lineage;
    } catch (error) {
      // Its meta is written last.
      if (isKind(error, 'not-found')) return undefined;
      throw error;
    }
  }
}
