import type { ManifestStore } from '../manifest/manifest-store.js';
import type { Bucket } from '../objstore/bucket.js';
import type { DataLayout } from './layout.js';
import type { Environment } from './options.js';

/** What the kinds of maintenance work on (maintenance.ts). */
export interface MaintenancePlace {
  readonly layout: DataLayout;
  readonly bucket: Bucket;
  readonly environment: Environment;
  readonly manifests: ManifestStore;
}
