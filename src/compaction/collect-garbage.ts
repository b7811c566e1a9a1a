/** What compaction deletes of one tenant: what is dead for long enough, and orphans when it is their turn. */
import { isKind } from '../base/errors.js';
import { collectTenant } from '../manifest/collect.js';
import type { BlockOrigin } from '../manifest/only-copies.js';
import { sweepTenant } from '../manifest/sweep.js';
import type { CompactionDependencies } from './dependencies.js';

export interface GarbageOptions {
  /** At once, whatever its age: nothing else may use the store. */
  readonly isFull: boolean;
  /** Looks for orphans; a full collection always does. */
  readonly isSweep: boolean;
  /** Profiles that start before are past every age; undefined where some are kept for ever. */
  readonly expiredNs: bigint | undefined;
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
  { isFull, isSweep, expiredNs, signal }: GarbageOptions,
): Promise<CollectedGarbage> {
  const { bucket, manifests, clock, blocks, segments } = dependencies;
  const blockPrefix = (t: string, b: string): string => blocks.prefix(t, b);
  const dead = await collectTenant({ bucket, manifests, clock, blockPrefix }, tenantId, {
    isImmediate: isFull,
    signal,
  });
  if (!isFull && !isSweep) {
    return { objects: dead.objects, bytes: dead.bytes, orphans: 0, orphansKept: 0 };
  }
  const logged = (await segments.position()).segments;
  const swept = await sweepTenant({ bucket, manifests, clock, originOf, logged }, tenantId, {
    ...(isFull ? { graceMs: 0 } : {}),
    expiredNs,
    signal,
  });
  return {
    objects: dead.objects + swept.objects,
    bytes: dead.bytes + swept.bytes,
    orphans: swept.orphans.length,
    orphansKept: swept.kept.length,
  };

  async function originOf(tenant: string, blockId: string): Promise<BlockOrigin | undefined> {
    try {
      return (await blocks.open(tenant, blockId, signal)).meta;
    } catch (error) {
      // Its meta is written last.
      if (isKind(error, 'not-found')) return undefined;
      throw error;
    }
  }
}
