import type { LogPosition } from '../log/segment-view.js';
import type { Bucket } from '../objstore/bucket.js';
import type { DataLayout } from './layout.js';
import type { Environment } from './options.js';

/** A store as a reader finds it: no lock is needed, everything it names is immutable or only grows. */
export interface Place {
  readonly layout: DataLayout;
  readonly bucket: Bucket;
  readonly environment: Environment;
  readonly position: LogPosition;
}
