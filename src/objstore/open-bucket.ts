import { isAbsolute, normalize } from 'node:path';
import { invalid } from '../base/errors.js';
import type { Clock } from '../env/clock.js';
import type { FileSystem } from '../env/files.js';
import type { Rng } from '../env/rng.js';
import type { Bucket } from './bucket.js';
import { checkConditionalPuts } from './conditional-puts.js';
import { openDirBucket } from './dir-bucket.js';
import { checkKey } from './keys.js';
import { MemoryBucket } from './memory-bucket.js';
import { Retrier, type RetryPolicy } from './retrier.js';
import { RetryingBucket } from './retrying-bucket.js';
import { openS3Bucket, type S3BucketOptions } from './s3-bucket.js';

/** Settings of `s3://` buckets, plain values. docs/s3.md explains them. */
export interface S3Settings extends Omit<S3BucketOptions, 'bucket' | 'prefix'> {
  readonly retry?: Partial<RetryPolicy>;
  /**
   * Default true: when opened, try whether the server keeps conditional puts, and refuse one that does not. Some
   * ignore the condition in silence, and then two writers lose each other's data.
   */
  readonly selfTest?: boolean;
}

export interface OpenBucketParts {
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly s3?: S3Settings;
  /** Around the bucket that talks to the network, under the retries: a MeteredBucket, for example. */
  readonly wrap?: (bucket: Bucket) => Bucket;
}

/** Opens `s3://bucket[/prefix]`, an absolute directory, or `memory:`. `invalid` PS_BUCKET_LOCATION for all else. */
export async function openBucket(location: string, parts: OpenBucketParts): Promise<Bucket> {
  const wrap = parts.wrap ?? ((bucket: Bucket) => bucket);
  if (location === 'memory:') return wrap(new MemoryBucket({ nowMs: () => parts.clock.nowMs() }));
  if (isAbsolute(location)) {
    const dir = normalize(location).replace(/(?<=.)\/+$/, '');
    return wrap(await openDirBucket({ ...parts, dir }));
  }
  const { bucket, prefix } = parseS3Location(location);
  const { retry, selfTest, ...settings } = parts.s3 ?? {};
  const retrier = new Retrier({
    clock: parts.clock,
    rng: parts.rng,
    ...(retry === undefined ? {} : { policy: retry }),
  });
  const s3 = await openS3Bucket({ ...settings, bucket, prefix }, { rng: parts.rng, retrier });
  const opened = new RetryingBucket(wrap(s3), retrier);
  if (selfTest === false) return opened;
  try {
    await checkConditionalPuts(opened, parts.rng);
  } catch (error) {
    await opened.close();
    throw error;
  }
  return opened;
}

export function parseS3Location(location: string): { bucket: string; prefix: string } {
  // https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html, and upper case for other servers.
  const match = /^s3:\/\/([A-Za-z0-9][A-Za-z0-9._-]{1,254})(?:\/(.*))?$/s.exec(location);
  if (match?.[1] === undefined) {
    throw invalid(
      'PS_BUCKET_LOCATION',
      `cannot open bucket ${JSON.stringify(location)}: got neither; want s3://bucket/prefix or an absolute directory`,
    );
  }
  const prefix = (match[2] ?? '').replace(/\/$/, '');
  if (prefix !== '') checkKey(prefix);
  return { bucket: match[1], prefix };
}
