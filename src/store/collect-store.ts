/** `basalt gc`: garbage of all tenants, at the pace of one delete after the other. */
import { StoreError } from '../base/errors.js';
import { blockPrefix } from '../block/reader.js';
import { collectTenant } from '../manifest/collect.js';
import { listLogPosition } from '../head/log-position.js';
import {
  BLOCKS_PREFIX,
  CARRY_PREFIX,
  MANIFEST_PREFIX,
  tenantFromPathPart,
} from '../manifest/object-keys.js';
import { type KeptOrphan, sweepTenant } from '../manifest/sweep.js';
import type { Bucket } from '../objstore/bucket.js';
import type { MaintenancePlace } from './maintenance-place.js';
import { originOf } from './only-copies.js';

export interface CollectStoreOptions {
  /** Only says what it would delete. */
  readonly isDryRun?: boolean;
  /** Also suspiciously much, and what may be the only copy of something. */
  readonly isForced?: boolean;
  /** Age from which on what nothing names is an orphan. Default 24 h. */
  readonly graceMs?: number;
  readonly signal?: AbortSignal;
}

/** What was (or would be) deleted of one tenant. */
export interface GarbageReport {
  readonly tenantId: string;
  readonly dead: { readonly objects: number; readonly bytes: number };
  readonly manifestVersions: number;
  readonly orphans: { readonly count: number; readonly objects: number; readonly bytes: number };
  readonly orphanPrefixes: readonly string[];
  readonly kept: readonly KeptOrphan[];
  /** It has objects and no manifest: never finished its first compaction, or it lost the manifest. Nothing is deleted. */
  readonly hasManifest: boolean;
  /** `limit` PS_COLLECT_TOO_MANY, PS_SWEEP_TOO_MANY, `corrupt` for a damaged manifest. The other tenants are done all the same. */
  readonly error?: StoreError;
}

/** Throws what says nothing about one tenant: the bucket's failures, and `cancelled`. */
export async function collectStore(
  place: MaintenancePlace,
  options: CollectStoreOptions,
): Promise<readonly GarbageReport[]> {
  const reports: GarbageReport[] = [];
  for (const tenantId of await tenantsOf(place.bucket)) {
    options.signal?.throwIfAborted();
    try {
      reports.push(await collectOne(place, tenantId, options));
    } catch (thrown) {
      const error = StoreError.from(thrown);
      if (error.kind !== 'limit' && error.kind !== 'corrupt') throw error;
      reports.push({ ...NOTHING, tenantId, error });
    }
  }
  return reports;
}

const NOTHING: Omit<GarbageReport, 'tenantId'> = {
  dead: { objects: 0, bytes: 0 },
  manifestVersions: 0,
  orphans: { count: 0, objects: 0, bytes: 0 },
  orphanPrefixes: [],
  kept: [],
  hasManifest: true,
};

async function collectOne(
  { bucket, manifests, environment, layout }: MaintenancePlace,
  tenantId: string,
  { isDryRun = false, isForced = false, graceMs, signal }: CollectStoreOptions,
): Promise<GarbageReport> {
  const { clock } = environment;
  const shared = { isDryRun, ...(signal === undefined ? {} : { signal }) };
  if ((await manifests.load(tenantId)).version === 0) {
    return { ...NOTHING, tenantId, hasManifest: false };
  }
  const dead = await collectTenant({ bucket, manifests, clock, blockPrefix }, tenantId, {
    ...shared,
    ...(isForced ? { tombstonesMax: Number.POSITIVE_INFINITY } : {}),
  });
  const { segments: logged } = await listLogPosition(environment.files, layout.logDir);
  const swept = await sweepTenant(
    { bucket, manifests, clock, originOf: (t, b) => originOf(bucket, t, b), logged },
    tenantId,
    { ...shared, isForced, ...(graceMs === undefined ? {} : { graceMs }) },
  );
  return {
    ...NOTHING,
    tenantId,
    dead: { objects: dead.objects, bytes: dead.bytes },
    manifestVersions: dead.manifestVersions,
    orphans: { count: swept.orphans.length, objects: swept.objects, bytes: swept.bytes },
    orphanPrefixes: swept.orphans.map((orphan) => orphan.prefix),
    kept: swept.kept,
  };
}

/** Tenants that have objects of any kind, sorted. */
export async function tenantsOf(bucket: Bucket): Promise<string[]> {
  const tenants = new Set<string>();
  for (const prefix of [MANIFEST_PREFIX, BLOCKS_PREFIX, CARRY_PREFIX]) {
    for (const part of await bucket.listFolders(prefix)) {
      const tenantId = tenantFromPathPart(part);
      if (tenantId !== undefined) tenants.add(tenantId);
    }
  }
  return [...tenants].sort();
}
