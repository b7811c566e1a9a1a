/**
 * Work on a store that no process serves from this directory: collecting garbage, repairing, making manifests anew.
 * Holds the lock of the directory, where there is one, so that no server starts meanwhile.
 */
import { isKind } from '../base/errors.js';
import type { FileLock } from '../env/files.js';
import { ManifestStore } from '../manifest/manifest-store.js';
import type { Bucket } from '../objstore/bucket.js';
import { collectStore, type GarbageReport, type CollectStoreOptions } from './collect-store.js';
import { dataLayout, openStoreBucket } from './layout.js';
import type { MaintenancePlace } from './maintenance-place.js';
import { rebuildManifests, type RebuiltManifest } from './rebuild-manifest.js';
import { type RepairReport, repairStore } from './repair.js';
import type { Environment, StoreLocation } from './options.js';
import { systemEnvironment } from './threads/settings.js';

export interface Maintenance {
  /** Deletes what is dead for long enough, old manifest versions and orphans. */
  collect(options?: CollectStoreOptions): Promise<readonly GarbageReport[]>;
  /** Puts aside what is damaged and says what was lost. */
  repair(): Promise<RepairReport>;
  /** Makes lost and damaged manifests anew from blocks and carries. Nothing else may use the bucket. */
  rebuildManifests(): Promise<readonly RebuiltManifest[]>;
  close(): Promise<void>;
}

export interface MaintenanceOptions extends StoreLocation {
  readonly environment?: Environment;
  /** Nothing will be changed, so that no lock is needed: also beside a running server. */
  readonly isReadOnly?: boolean;
}

/** Throws `conflict` PS_DIR_LOCKED beside a running server, `not-found` when there is no such place. */
export async function openMaintenance(options: MaintenanceOptions): Promise<Maintenance> {
  const environment = options.environment ?? systemEnvironment;
  const layout = dataLayout(options.dir);
  const hasDir = await isThere(environment, layout.dir);
  // With a bucket the directory may well be on another machine.
  if (!hasDir && options.bucket === undefined) await environment.files.list(layout.dir);
  let lock: FileLock | undefined;
  if (hasDir && options.isReadOnly !== true) lock = await environment.files.lock(layout.lockPath);
  let bucket: Bucket;
  try {
    bucket = await openStoreBucket(layout, options, environment);
  } catch (error) {
    await lock?.release();
    throw error;
  }
  const { clock, rng } = environment;
  const manifests = new ManifestStore({ bucket, clock, rng });
  const place: MaintenancePlace = { layout, bucket, environment, manifests };
  return {
    collect: (given = {}) => collectStore(place, given),
    repair: () => repairStore(place),
    rebuildManifests: () => rebuildManifests(place),
    close: async () => {
      await bucket.close();
      await lock?.release();
    },
  };
}

async function isThere({ files }: Environment, dir: string): Promise<boolean> {
  try {
    return (await files.stat(dir)).isDirectory;
  } catch (error) {
    if (isKind(error, 'not-found')) return false;
    throw error;
  }
}
