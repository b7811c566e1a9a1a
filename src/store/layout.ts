import { isAbsolute, join, resolve } from 'node:path';
import type { FileSystem } from '../env/files.js';
import type { Clock } from '../env/clock.js';
import type { Rng } from '../env/rng.js';
import type { Bucket } from '../objstore/bucket.js';
import { openBucket, type S3Settings } from '../objstore/open-bucket.js';

/** Paths inside a data directory. The log and the lock are always local; objects only where no bucket is given. */
export interface DataLayout {
  readonly dir: string;
  readonly logDir: string;
  readonly objectsDir: string;
  readonly lockPath: string;
}

export function dataLayout(dir: string): DataLayout {
  const absolute = isAbsolute(dir) ? dir : resolve(dir);
  return {
    dir: absolute,
    logDir: join(absolute, 'log'),
    objectsDir: join(absolute, 'objects'),
    lockPath: join(absolute, 'lock'),
  };
}

export interface BucketChoice {
  readonly bucket?: string | Bucket;
  readonly s3?: S3Settings;
}

/** The bucket of a store: the one given, or the objects folder of its directory. */
export async function openStoreBucket(
  layout: DataLayout,
  choice: BucketChoice,
  environment: { readonly files: FileSystem; readonly clock: Clock; readonly rng: Rng },
): Promise<Bucket> {
  if (choice.bucket !== undefined && typeof choice.bucket !== 'string') return choice.bucket;
  return openBucket(choice.bucket ?? layout.objectsDir, {
    ...environment,
    ...(choice.s3 === undefined ? {} : { s3: choice.s3 }),
  });
}
