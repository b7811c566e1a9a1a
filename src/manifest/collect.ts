/**
 * Deletes what tombstones name, once their time has come, and old manifest versions.
 *
 * The time between tombstone and deletion is what a query may take that planned before the tombstone was set. Nothing
 * is deleted on the word of a manifest that cannot be right: a tombstone over something live, or far more at once
 * than compaction can have left, stops the collection instead.
 */
import { isKind, StoreError } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import type { Clock } from '../env/clock.js';
import type { Bucket } from '../objstore/bucket.js';
import type { ManifestStore } from './manifest-store.js';
import type { BlockTombstone, Manifest } from './types.js';

export interface CollectDependencies {
  readonly bucket: Bucket;
  readonly manifests: ManifestStore;
  readonly clock: Clock;
  /** The prefix of a live block's objects, as its tombstone will name it. */
  readonly blockPrefix: (tenantId: string, blockId: string) => string;
}

export interface CollectOptions {
  /** Deletes tombstoned objects at once: only where nothing else reads the store (offline `compact --full`). */
  readonly isImmediate?: boolean;
  /** Tombstones due at once that are still believed. Default LIMITS.collectTombstonesMax; ignored by `isImmediate`. */
  readonly tombstonesMax?: number;
  /** Only says what it would delete. */
  readonly isDryRun?: boolean;
  readonly signal?: AbortSignal;
}

export interface CollectResult {
  readonly tombstones: number;
  readonly objects: number;
  readonly bytes: number;
  readonly manifestVersions: number;
}

const COMMIT_ATTEMPTS = 8;

/** Throws `limit` PS_COLLECT_TOO_MANY, `corrupt` PS_COLLECT_LIVE, and what the bucket throws. */
export async function collectTenant(
  dependencies: CollectDependencies,
  tenantId: string,
  options: CollectOptions = {},
): Promise<CollectResult> {
  const { bucket, manifests, clock } = dependencies;
  const callOptions = options.signal === undefined ? {} : { signal: options.signal };
  const manifest = await manifests.load(tenantId, callOptions);
  const isImmediate = options.isImmediate === true;
  const nowMs = clock.nowMs();
  const due = manifest.tombstones.filter((t) => isImmediate || t.deleteAfterMs <= nowMs);
  const tombstonesMax = isImmediate
    ? Number.POSITIVE_INFINITY
    : (options.tombstonesMax ?? LIMITS.collectTombstonesMax);
  checkDue(manifest, due, tombstonesMax, dependencies.blockPrefix);
  let objects = 0;
  let bytes = 0;
  for (const { objectPrefix } of due) {
    const keys: string[] = [];
    for await (const object of bucket.list({ prefix: objectPrefix }, callOptions)) {
      keys.push(object.key);
      bytes += object.sizeBytes;
    }
    objects += keys.length;
    if (options.isDryRun === true) continue;
    for (const key of keys) await bucket.delete(key, callOptions);
  }
  const done = { tombstones: due.length, objects, bytes, manifestVersions: 0 };
  if (options.isDryRun === true) return done;
  if (due.length > 0) await forget(manifests, tenantId, due);
  const manifestVersions = await manifests.collectVersions(tenantId, callOptions);
  return { ...done, manifestVersions };
}

function checkDue(
  manifest: Manifest,
  due: readonly BlockTombstone[],
  tombstonesMax: number,
  blockPrefix: CollectDependencies['blockPrefix'],
): void {
  if (due.length > tombstonesMax) {
    throw new StoreError({
      kind: 'limit',
      code: 'PS_COLLECT_TOO_MANY',
      message: `cannot collect tenant ${manifest.tenantId}: got ${due.length} tombstones due; want at most ${tombstonesMax} (look with basalt gc --dry-run, then basalt gc --force)`,
    });
  }
  const live = [
    ...manifest.blocks.map((block) => blockPrefix(manifest.tenantId, block.blockId)),
    ...manifest.carries.map((carry) => carry.objectKey),
  ];
  const liveSet = new Set(live);
  for (const { objectPrefix } of due) {
    // Equality finds the honest mistake; a prefix that reaches wider can only come from damage.
    const isWide = objectPrefix.split('/').filter((part) => part !== '').length < 3;
    if (isWide || liveSet.has(objectPrefix)) {
      throw new StoreError({
        kind: 'corrupt',
        code: 'PS_COLLECT_LIVE',
        message: `cannot collect tenant ${manifest.tenantId}: got a tombstone for ${objectPrefix}; want nothing that is live`,
      });
    }
  }
}

/** Takes the tombstones whose objects are gone out of the manifest. */
async function forget(
  manifests: ManifestStore,
  tenantId: string,
  gone: readonly BlockTombstone[],
): Promise<void> {
  const prefixes = new Set(gone.map((t) => t.objectPrefix));
  for (let attempt = 1; ; attempt++) {
    const base = await manifests.load(tenantId);
    try {
      await manifests.commit(base, (m) => ({
        ...m,
        tombstones: m.tombstones.filter((t) => !prefixes.has(t.objectPrefix)),
      }));
      return;
    } catch (error) {
      if (!isKind(error, 'conflict') || attempt >= COMMIT_ATTEMPTS) throw error;
    }
  }
}
