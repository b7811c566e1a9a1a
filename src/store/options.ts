import { invalid } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import type { MetricsRegistry } from '../base/metrics.js';
import type { Clock } from '../env/clock.js';
import type { FileSystem } from '../env/files.js';
import type { Rng } from '../env/rng.js';
import type { RetentionRule } from '../manifest/retention.js';
import type { QueryBudgetRule } from '../query/budgets.js';
import type { Bucket } from '../objstore/bucket.js';
import type { S3Settings } from '../objstore/open-bucket.js';

/** Time, randomness and disk of a store; the real ones unless a test says otherwise. */
export interface Environment {
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly rng: Rng;
}

/** Where a store lies. */
export interface StoreLocation {
  /** Directory of the log and the lock, and of the blocks too where no bucket is given. Made if missing. */
  readonly dir: string;
  /** `s3://bucket/prefix`, an absolute directory, or an opened bucket (then without threads). */
  readonly bucket?: string | Bucket;
  /** For `s3://` only; credentials come from the usual chain. */
  readonly s3?: S3Settings;
}

export interface StoreOptions extends StoreLocation {
  /**
   * Run ingest, queries and compaction each in a worker thread. Default true. False keeps everything on the caller's
   * thread: simplest to reason about, but a query then waits for a compaction.
   */
  readonly threads?: boolean;
  /** `auto` (default) compacts in the background; `manual` only when `compact` is called. */
  readonly compaction?: 'auto' | 'manual';
  /** How often the background compaction looks for work. Default 5 s; raised: level 0 grows, and queries over it slow down. */
  readonly compactionIntervalMs?: number;
  /** An open segment is sealed at this size. Default 32 MiB; raised: more level 0 for each query to read. */
  readonly segmentBytesMax?: number;
  /**
   * Labels that rollups keep; the others (pod, instance, ...) are dropped there, and queries that ask for them read samples.
   * Default: service_name, namespace, version, environment, region. More: rollups save less.
   */
  readonly rollupLabels?: readonly string[];
  /** How long profiles are kept; the first rule that fits a series decides. Default: all for ever. */
  readonly retention?: readonly RetentionRule[];
  /** Answers over blocks alone that are kept in memory for whoever asks again. Default 16 MB a query thread; 0: none. */
  readonly resultCacheBytes?: number;
  /** What one query may spend, by tenant. Default: LIMITS for all. */
  readonly queryBudgets?: readonly QueryBudgetRule[];
  /** Counters and gauges of the store are registered here. */
  readonly metrics?: MetricsRegistry;
  /** For tests: forces `threads: false`. */
  readonly environment?: Environment;
}

/** The part of the options that a worker thread needs, as plain values. */
export interface PartSettings {
  readonly dir: string;
  readonly bucket?: string;
  readonly s3?: S3Settings;
  readonly segmentBytesMax?: number;
  readonly rollupLabels?: readonly string[];
  readonly retention?: readonly RetentionRule[];
  readonly resultCacheBytes?: number;
  readonly queryBudgets?: readonly QueryBudgetRule[];
}

/** Throws `invalid` PS_ROLLUP_LABELS. */
export function checkRollupLabels(names: readonly string[] = []): void {
  if (names.length <= LIMITS.rollupLabelsMax && !names.includes('')) return;
  throw invalid(
    'PS_ROLLUP_LABELS',
    `cannot open store: got ${names.length} labels for rollups to keep; want at most ${LIMITS.rollupLabelsMax}, none of them empty`,
  );
}
