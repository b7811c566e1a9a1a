/**
 * Finds and deletes orphans: blocks and carries that a crash, a lost race or an unknown outcome left behind, which no
 * manifest and no tombstone names.
 *
 * 1. List the tenant's blocks and carries; those that the newest manifest does not name and that are older than the
 *    grace age, by the store's own times, are orphans.
 * 2. Keep those that may be the only copy of something: made on a version that this manifest never had, or from
 *    segments that neither a live block claims nor a log at hand has. A manifest that forgot its blocks looks like that.
 *    What is past every age is nobody's only copy.
 * 3. Commit the *fence*: whoever wrote objects for an older base cannot commit them any more (types.ts). A compaction
 *    that slept through its own sweep is void, whatever any clock said; the grace age only keeps it from being for
 *    nothing.
 * 4. Delete.
 */
import { isKind, StoreError } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import type { Clock } from '../env/clock.js';
import type { Bucket, ObjectInfo } from '../objstore/bucket.js';
import type { ManifestStore } from './manifest-store.js';
import { blocksPrefix, carryPrefix, manifestKey } from './object-keys.js';
import { OnlyCopies, type OnlyCopyEvidence } from './only-copies.js';
import type { Manifest } from './types.js';

export interface SweepDependencies extends OnlyCopyEvidence {
  readonly bucket: Bucket;
  readonly manifests: ManifestStore;
  readonly clock: Clock;
}

export interface SweepOptions {
  /** Age from which on what nothing names is an orphan. Default SWEEP_GRACE_MS. */
  readonly graceMs?: number;
  /** Only says what it would delete. */
  readonly isDryRun?: boolean;
  /** Also more than LIMITS.sweepOrphansMax, and what may be the only copy of something. */
  readonly isForced?: boolean;
  /** Profiles that start before are past every age: nobody misses the only copy of them. */
  readonly expiredNs?: bigint | undefined;
  readonly signal?: AbortSignal;
}

export interface Orphan {
  /** A block's prefix or a carry's key. */
  readonly prefix: string;
  readonly keys: readonly string[];
  readonly bytes: number;
}

export interface SweepResult {
  readonly orphans: readonly Orphan[];
  readonly objects: number;
  readonly bytes: number;
  /** Orphans that were kept because they may be the only copy of something, or because nobody can tell. */
  readonly kept: readonly KeptOrphan[];
}

export interface KeptOrphan {
  readonly prefix: string;
  readonly bytes: number;
  readonly reason: string;
}

/** Longer than any compaction takes. */
export const SWEEP_GRACE_MS = 24 * 3_600_000;
const COMMIT_ATTEMPTS = 8;
const ULID = /^[0-9a-hjkmnp-tv-z]{26}$/;
const NOTHING: SweepResult = { orphans: [], objects: 0, bytes: 0, kept: [] };

/** Throws `limit` PS_SWEEP_TOO_MANY and what the bucket throws. */
export async function sweepTenant(
  dependencies: SweepDependencies,
  tenantId: string,
  options: SweepOptions = {},
): Promise<SweepResult> {
  const { bucket, manifests } = dependencies;
  const callOptions = options.signal === undefined ? {} : { signal: options.signal };
  let manifest = await manifests.load(tenantId, callOptions);
  // Without a manifest nobody can say what is live: unfinished, or lost and to be made anew.
  if (manifest.version === 0) return NOTHING;
  const aged = await agedUnits(dependencies, manifest, options);
  for (let attempt = 1; ; attempt++) {
    const named = namedBy(manifest);
    const found = aged.filter(({ prefix }) => !named.has(prefix));
    const { orphans, kept } = await separate(dependencies, manifest, found, options);
    const objects = orphans.reduce((sum, o) => sum + o.keys.length, 0);
    const bytes = orphans.reduce((sum, o) => sum + o.bytes, 0);
    const result: SweepResult = { orphans, objects, bytes, kept };
    if (orphans.length === 0 || options.isDryRun === true) return result;
    try {
      // On this very manifest: what was not named then can never be named again.
      await manifests.commit(manifest, (m) => ({ ...m, fenceVersion: m.version + 1 }));
    } catch (error) {
      if (!isKind(error, 'conflict') || attempt >= COMMIT_ATTEMPTS) throw error;
      manifest = await manifests.load(tenantId, callOptions);
      continue;
    }
    for (const key of orphans.flatMap((orphan) => orphan.keys)) {
      options.signal?.throwIfAborted();
      await bucket.delete(key, callOptions);
    }
    return result;
  }
}

interface Unit extends Orphan {
  /** Empty for a carry. */
  readonly blockId: string;
}

/** Blocks and carries that are old enough and not named; things of another shape are not ours to delete. */
async function agedUnits(
  { bucket, clock }: SweepDependencies,
  manifest: Manifest,
  { graceMs = SWEEP_GRACE_MS, signal }: SweepOptions,
): Promise<Unit[]> {
  const { tenantId } = manifest;
  const callOptions = signal === undefined ? {} : { signal };
  const units = new Map<string, Unit & { keys: string[]; bytes: number; modifiedMs: number }>();
  const { modifiedMs } = await bucket.head(manifestKey(tenantId, manifest.version), callOptions);
  // The store's clock is not ours. Its newest object is a time that it has passed: at worst orphans wait for the next.
  let storeNowMs = modifiedMs;
  const named = namedBy(manifest);
  const add = (object: ObjectInfo, prefix: string, blockId: string): void => {
    storeNowMs = Math.max(storeNowMs, object.modifiedMs);
    if (named.has(prefix)) return;
    const unit = units.get(prefix) ?? { prefix, blockId, keys: [], bytes: 0, modifiedMs: 0 };
    unit.keys.push(object.key);
    unit.bytes += object.sizeBytes;
    unit.modifiedMs = Math.max(unit.modifiedMs, object.modifiedMs);
    units.set(prefix, unit);
  };
  const blocks = blocksPrefix(tenantId);
  for await (const object of bucket.list({ prefix: blocks }, callOptions)) {
    const [blockId, ...rest] = object.key.slice(blocks.length).split('/');
    if (blockId === undefined || rest.length === 0 || !ULID.test(blockId)) continue;
    add(object, `${blocks}${blockId}/`, blockId);
  }
  const carries = carryPrefix(tenantId);
  for await (const object of bucket.list({ prefix: carries }, callOptions)) {
    if (ULID.test(object.key.slice(carries.length))) add(object, object.key, '');
  }
  const nowMs = Math.min(storeNowMs, clock.nowMs());
  return [...units.values()].filter((unit) => graceMs === 0 || unit.modifiedMs + graceMs <= nowMs);
}

/** Prefixes of blocks and keys of carries that the manifest names, its tombstones included. */
export function namedBy(manifest: Manifest): Set<string> {
  const blocks = blocksPrefix(manifest.tenantId);
  return new Set([
    ...manifest.blocks.map(({ blockId }) => `${blocks}${blockId}/`),
    ...manifest.carries.map(({ objectKey }) => objectKey),
    ...manifest.tombstones.map(({ objectPrefix }) => objectPrefix),
  ]);
}

/** Throws `limit` PS_SWEEP_TOO_MANY. */
async function separate(
  dependencies: SweepDependencies,
  manifest: Manifest,
  found: readonly Unit[],
  { isForced, expiredNs }: SweepOptions,
): Promise<{ orphans: Unit[]; kept: KeptOrphan[] }> {
  if (isForced === true) return { orphans: [...found], kept: [] };
  if (found.length > LIMITS.sweepOrphansMax) {
    throw new StoreError({
      kind: 'limit',
      code: 'PS_SWEEP_TOO_MANY',
      message: `cannot sweep tenant ${manifest.tenantId}: got ${found.length} blocks and carries that nothing names; want at most ${LIMITS.sweepOrphansMax} (look with basalt gc --dry-run, then basalt gc --force)`,
    });
  }
  const orphans: Unit[] = [];
  const kept: KeptOrphan[] = [];
  const judge = new OnlyCopies(dependencies, manifest, expiredNs);
  for (const unit of found) {
    const reason = unit.blockId === '' ? undefined : await judge.reasonOf(unit.blockId);
    if (reason === undefined) orphans.push(unit);
    else kept.push({ prefix: unit.prefix, bytes: unit.bytes, reason: reason.text });
  }
  return { orphans, kept };
}
