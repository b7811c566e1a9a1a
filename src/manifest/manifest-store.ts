/**
 * Manifests as numbered objects that are created if absent and never changed: version n + 1 follows n, and whoever
 * creates it has won the race for it.
 *
 * Three hazards, and what meets them:
 *
 * - The reply to a create is lost. Each version carries its committer's nonce: finding one's own nonce in the slot is
 *   success. While the outcome is unknown the same bytes are sent again.
 * - Old versions are collected, so a committer that slept on an old base could create a slot anew that was taken and
 *   deleted. Before anything is deleted the *boundary* object moves up; a committer reads it after its create and has
 *   lost if its version is not above it.
 * - A cached version may be so old that its successors are gone. So a look-up trusts "there is no n + 1" only while n
 *   itself is still there; otherwise it lists.
 */
import { assert } from '../base/assert.js';
import { corrupt, isKind, StoreError } from '../base/errors.js';
import type { Clock } from '../env/clock.js';
import { randomHex, type Rng } from '../env/rng.js';
import type { Bucket, CallOptions } from '../objstore/bucket.js';
import { copyObject } from '../objstore/copy-object.js';
import {
  decodeBoundary,
  decodeManifest,
  emptyManifest,
  encodeBoundary,
  encodeManifest,
} from './manifest-codec.js';
import {
  boundaryKey,
  MANIFEST_PREFIX,
  manifestKey,
  manifestPrefix,
  tenantFromPathPart,
  versionFromKey,
} from './object-keys.js';
import { quarantineKey } from './quarantine-keys.js';
import type { Manifest } from './types.js';

export interface ManifestStoreDependencies {
  readonly bucket: Bucket;
  readonly clock: Clock;
  readonly rng: Rng;
}

export interface ManifestStoreSettings {
  /** Versions kept behind the newest. Default 64; lower: a stalled reader has to list sooner. */
  readonly versionsKept?: number;
}

/** The next state, without what the store itself fills in. */
export type ManifestChange = (
  base: Manifest,
) => Omit<Manifest, 'version' | 'recentNonces' | 'formatVersion' | 'tenantId'>;

const VERSIONS_KEPT = 64;
/** Nonces that a manifest remembers: a commit whose reply was lost is found while fewer commits than this followed. */
const NONCES_KEPT = 32;
const PUT_ATTEMPTS = 4;
const RETRY_DELAY_MS = 50;
/** More commits than anyone can have made since the objects that a restored manifest is made from. */
const RESTORE_STEP = 2 ** 20;

export class ManifestStore {
  readonly #bucket: Bucket;
  readonly #clock: Clock;
  readonly #rng: Rng;
  readonly #versionsKept: number;
  readonly #newest = new Map<string, Manifest>();

  constructor(dependencies: ManifestStoreDependencies, settings: ManifestStoreSettings = {}) {
    this.#bucket = dependencies.bucket;
    this.#clock = dependencies.clock;
    this.#rng = dependencies.rng;
    this.#versionsKept = settings.versionsKept ?? VERSIONS_KEPT;
    assert(this.#versionsKept >= 1, 'the newest version is always kept');
  }

  /** The newest committed state, that of version 0 for a tenant without one. Throws `corrupt` PS_ENVELOPE_*, PS_MANIFEST_*. */
  async load(tenantId: string, options: CallOptions = {}): Promise<Manifest> {
    let manifest = this.#newest.get(tenantId) ?? (await this.#find(tenantId, options));
    for (;;) {
      const [next, isAlive] = await Promise.all([
        this.#get(tenantId, manifest.version + 1, options),
        this.#exists(tenantId, manifest.version, options),
      ]);
      if (!isAlive) manifest = await this.#find(tenantId, options);
      else if (next === undefined) break;
      else manifest = next;
    }
    this.#remember(manifest);
    return manifest;
  }

  /**
   * Makes `change(base)` the next version and returns it. Throws `conflict` PS_MANIFEST_RACE when another commit took
   * the version, `unavailable` PS_MANIFEST_UNCERTAIN when it cannot be known whether the commit happened: objects that
   * it names must then be left alone.
   */
  async commit(
    base: Manifest,
    change: ManifestChange,
    options: CallOptions = {},
  ): Promise<Manifest> {
    const nonce = randomHex(this.#rng, 16);
    const next: Manifest = {
      ...emptyManifest(base.tenantId),
      ...sorted(change(base)),
      version: base.version + 1,
      recentNonces: [...base.recentNonces, nonce].slice(-NONCES_KEPT),
    };
    checkManifest(next);
    const bytes = encodeManifest(next);
    options.signal?.throwIfAborted();
    await this.#create(next, nonce, bytes);
    if (next.version <= (await this.#boundaryAfter(next))) {
      await this.#bucket.delete(manifestKey(next.tenantId, next.version));
      throw race(next);
    }
    this.#remember(next);
    return next;
  }

  /** Tenants that have a manifest, sorted. */
  async tenants(options: CallOptions = {}): Promise<readonly string[]> {
    const parts = await this.#bucket.listFolders(MANIFEST_PREFIX, options);
    return parts
      .map(tenantFromPathPart)
      .filter((tenant) => tenant !== undefined)
      .sort();
  }

  /** Deletes versions that are more than `versionsKept` behind the newest; returns how many. */
  async collectVersions(tenantId: string, options: CallOptions = {}): Promise<number> {
    const newest = await this.load(tenantId, options);
    const last = newest.version - this.#versionsKept;
    if (last <= 0) return 0;
    const dead: string[] = [];
    for await (const { key } of this.#bucket.list({ prefix: manifestPrefix(tenantId) }, options)) {
      const version = versionFromKey(key);
      if (version === undefined || version > last) break;
      dead.push(key);
    }
    if (dead.length === 0) return 0;
    await this.#advanceBoundary(tenantId, last);
    // Ascending: while a version is there, so are all after it, which is what `load` relies on.
    for (const key of dead) {
      options.signal?.throwIfAborted();
      await this.#bucket.delete(key, options);
    }
    return dead.length;
  }

  /**
   * Makes `state` the newest version of a tenant whose manifest is lost or damaged, far above `versionMax` and all that is
   * there: what a stalled writer still commits on an older one is void. The older versions, damaged as they may be, go to
   * the quarantine, so that no reader goes on from one of them.
   */
  async restore(
    tenantId: string,
    versionMax: number,
    state: ReturnType<ManifestChange>,
  ): Promise<Manifest> {
    const older: string[] = [];
    for await (const { key } of this.#bucket.list({ prefix: manifestPrefix(tenantId) })) {
      older.push(key);
    }
    const known = older.map((key) => versionFromKey(key) ?? 0);
    const boundary = await this.#boundary(tenantId).catch((error: unknown) => {
      // It may be damaged too.
      if (isKind(error, 'corrupt')) return 0;
      throw error;
    });
    const version = Math.max(versionMax, boundary, ...known) + RESTORE_STEP;
    const next: Manifest = {
      ...emptyManifest(tenantId),
      ...sorted(state),
      version,
      fenceVersion: version,
      recentNonces: [randomHex(this.#rng, 16)],
    };
    checkManifest(next);
    await this.#bucket.put(boundaryKey(tenantId), encodeBoundary(version - 1));
    await this.#bucket.putIfAbsent(manifestKey(tenantId, version), encodeManifest(next));
    for (const source of older) {
      await copyObject(this.#bucket, { source, target: quarantineKey(tenantId, source) });
      await this.#bucket.delete(source);
    }
    this.#newest.set(tenantId, next);
    return next;
  }

  #remember(manifest: Manifest): void {
    const known = this.#newest.get(manifest.tenantId);
    if (known === undefined || known.version < manifest.version) {
      this.#newest.set(manifest.tenantId, manifest);
    }
  }

  /** The newest version by listing. */
  async #find(tenantId: string, options: CallOptions): Promise<Manifest> {
    let version = 0;
    for await (const { key } of this.#bucket.list({ prefix: manifestPrefix(tenantId) }, options)) {
      version = versionFromKey(key) ?? version;
    }
    if (version === 0) return await this.#none(tenantId);
    const manifest = await this.#get(tenantId, version, options);
    if (manifest !== undefined) return manifest;
    // Collected between the two calls: then newer ones exist.
    throw new StoreError({
      kind: 'unavailable',
      code: 'PS_MANIFEST_VANISHED',
      message: `cannot read manifest: got no version ${version}, which was there a moment ago; want to be asked again`,
    });
  }

  /** No version is there: right for a new tenant, and damage for one of which versions were collected once. */
  async #none(tenantId: string): Promise<Manifest> {
    const boundary = await this.#boundary(tenantId);
    if (boundary === 0) return emptyManifest(tenantId);
    throw corrupt(
      'PS_MANIFEST_LOST',
      `cannot read manifest of tenant ${tenantId}: got none; want a version after ${boundary} (basalt verify --rebuild-manifest makes one from the blocks)`,
    );
  }

  async #get(
    tenantId: string,
    version: number,
    options: CallOptions,
  ): Promise<Manifest | undefined> {
    try {
      const { body } = await this.#bucket.get(manifestKey(tenantId, version), options);
      return decodeManifest(tenantId, version, body);
    } catch (error) {
      if (isKind(error, 'not-found')) return undefined;
      throw error;
    }
  }

  async #exists(tenantId: string, version: number, options: CallOptions): Promise<boolean> {
    // Version 0 has no object; it is the truth as long as there is a version 1 or none at all.
    if (version === 0) return (await this.#boundary(tenantId)) === 0;
    try {
      await this.#bucket.head(manifestKey(tenantId, version), options);
      return true;
    } catch (error) {
      if (isKind(error, 'not-found')) return false;
      throw error;
    }
  }

  /** Resolves when the slot holds `bytes`; sends them again while it is unknown whether they arrived. */
  async #create(next: Manifest, nonce: string, bytes: Uint8Array): Promise<void> {
    const key = manifestKey(next.tenantId, next.version);
    let cause: unknown;
    for (let attempt = 0; attempt < PUT_ATTEMPTS; attempt++) {
      if (attempt > 0) await this.#clock.sleep(RETRY_DELAY_MS << attempt);
      try {
        await this.#bucket.putIfAbsent(key, bytes);
        return;
      } catch (error) {
        // Not `isKind(..., 'conflict')` alone: any failure may hide a success, so the slot decides.
        cause = error;
      }
      const held = await this.#holder(next, nonce);
      if (held === 'own') return;
      if (held === 'other') throw race(next, cause);
    }
    throw uncertain(next, `no answer to ${PUT_ATTEMPTS} attempts`, cause);
  }

  /** The boundary, read after `next` was created: whatever goes wrong now, `next` may be what everybody reads. */
  async #boundaryAfter(next: Manifest): Promise<number> {
    try {
      return await this.#boundary(next.tenantId);
    } catch (cause) {
      throw uncertain(next, 'no answer to what was collected meanwhile', cause);
    }
  }

  /** Who holds the version that `next` wants. */
  async #holder(next: Manifest, nonce: string): Promise<'own' | 'other' | 'unknown'> {
    try {
      const held = await this.#get(next.tenantId, next.version, {});
      if (held !== undefined) return held.recentNonces.at(-1) === nonce ? 'own' : 'other';
      // Empty, or collected since: later versions remember who committed.
      if ((await this.#boundary(next.tenantId)) < next.version) return 'unknown';
      const newest = await this.#find(next.tenantId, {});
      return newest.recentNonces.includes(nonce) ? 'own' : 'other';
    } catch {
      // Of whatever kind: the create may have happened all the same.
      return 'unknown';
    }
  }

  async #boundary(tenantId: string): Promise<number> {
    try {
      return decodeBoundary((await this.#bucket.get(boundaryKey(tenantId))).body);
    } catch (error) {
      if (isKind(error, 'not-found')) return 0;
      throw error;
    }
  }

  /** Moves the boundary up to `version` or finds it there; it never goes back. */
  async #advanceBoundary(tenantId: string, version: number): Promise<void> {
    const key = boundaryKey(tenantId);
    const bytes = encodeBoundary(version);
    try {
      const { body, etag } = await this.#bucket.get(key);
      if (decodeBoundary(body) < version) await this.#bucket.putIfMatch(key, bytes, etag);
    } catch (error) {
      if (!isKind(error, 'not-found')) throw error;
      await this.#bucket.putIfAbsent(key, bytes);
    }
  }
}

function race(next: Manifest, cause?: unknown): StoreError {
  return new StoreError({
    kind: 'conflict',
    code: 'PS_MANIFEST_RACE',
    message: `cannot commit manifest version ${next.version}: got one by another process; want to be first`,
    cause,
  });
}

function uncertain(next: Manifest, got: string, cause: unknown): StoreError {
  return new StoreError({
    kind: 'unavailable',
    code: 'PS_MANIFEST_UNCERTAIN',
    message: `cannot commit manifest version ${next.version}: got ${got}; want one`,
    cause,
  });
}

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function sorted(next: ReturnType<ManifestChange>): ReturnType<ManifestChange> {
  return {
    blocks: [...next.blocks].sort((a, b) => byText(a.blockId, b.blockId)),
    watermarks: [...next.watermarks].sort((a, b) => byText(a.instance, b.instance)),
    carries: [...next.carries].sort((a, b) => byText(a.service, b.service)),
    tombstones: next.tombstones,
    fenceVersion: next.fenceVersion,
    seriesTombstones: [...next.seriesTombstones].sort((a, b) => a.id - b.id),
  };
}

/** Our own mistakes, caught before they are durable. */
function checkManifest(manifest: Manifest): void {
  const unique = (names: readonly string[]): boolean => new Set(names).size === names.length;
  assert(unique(manifest.blocks.map((b) => b.blockId)), 'a block is live once');
  assert(unique(manifest.watermarks.map((w) => w.instance)), 'one watermark for each instance');
  assert(unique(manifest.carries.map((c) => c.service)), 'one carry for each service');
  const deletions = new Set(manifest.seriesTombstones.map((t) => t.id));
  assert(deletions.size === manifest.seriesTombstones.length, 'a deletion is there once');
  for (const { seriesTombstones } of [...manifest.blocks, ...manifest.carries]) {
    assert(
      seriesTombstones.every((id) => deletions.has(id)),
      'a deletion stays while something is read through it',
    );
  }
  for (const { objectPrefix } of manifest.tombstones) {
    assert(objectPrefix.length > 0, 'a tombstone names something');
    assert(
      !manifest.carries.some((c) => c.objectKey.startsWith(objectPrefix)),
      'a live carry has no tombstone',
    );
  }
}
