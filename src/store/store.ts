/** The embedded store: opening, writing, querying, compacting and closing one data directory. */
import { isKind, StoreError } from '../base/errors.js';
import type { MetricsRegistry } from '../base/metrics.js';
import type { CompactionProgress, CompactionReport } from '../compaction/report.js';
import type { FileLock } from '../env/files.js';
import type { IngestApi, WriteRequest, WriteResult } from '../ingest/api.js';
import type { Bucket } from '../objstore/bucket.js';
import { TENANT_DEFAULT } from '../model/tenant-id.js';
import type { QueryApi } from '../query/api.js';
import { BackgroundCompaction } from './background-compaction.js';
import type { Inspection } from './inspect.js';
import type { IngestReport } from './ingest-part.js';
import type { DeleteRequest, Deletion, DeletionResult } from './deletion.js';
import { dataLayout, openStoreBucket } from './layout.js';
import {
  checkRollupLabels,
  type Environment,
  type PartSettings,
  type StoreOptions,
} from './options.js';
import type { InlineOptions, StoreParts } from './parts.js';
import { registerStoreMetrics } from './store-metrics.js';
import { closedStore } from './thread-slot.js';
import { systemEnvironment } from './threads/settings.js';
import type { Finding } from './verify.js';

const COMPACTION_INTERVAL_MS = 5_000;

export interface CompactOptions {
  /** Until nothing is left to do, and collect what is dead at once. Default false: what is due. */
  readonly full?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: CompactionProgress) => void;
}

export type StoreStatus = 'open' | 'failed' | 'closing' | 'closed';

/**
 * Opens the store in `options.dir`, making it if there is none. Throws `conflict` PS_DIR_LOCKED when another process
 * (or another store of this one) has it open, `invalid` PS_BUCKET_LOCATION, and whatever the disk or bucket says.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const environment = options.environment ?? systemEnvironment;
  const layout = dataLayout(options.dir);
  const { files } = environment;
  await files.makeDir(layout.dir);
  const lock = await files.lock(layout.lockPath);
  const opened: (() => Promise<void>)[] = [() => lock.release()];
  try {
    await files.makeDir(layout.logDir);
    const bucket = await openStoreBucket(layout, options, environment);
    opened.unshift(() => bucket.close());
    const store = new Store({ options, environment, bucket, lock });
    await store.start();
    return store;
  } catch (error) {
    for (const close of opened) await close().catch(() => undefined);
    throw error;
  }
}

interface StorePlace {
  readonly options: StoreOptions;
  readonly environment: Environment;
  readonly bucket: Bucket;
  readonly lock: FileLock;
}

export class Store implements AsyncDisposable {
  readonly #place: StorePlace;
  #status: StoreStatus = 'open';
  #failure: StoreError | undefined;
  #parts: StoreParts | undefined;
  #background: BackgroundCompaction | undefined;
  #closing: Promise<void> | undefined;
  #reporting: Promise<void> | undefined;
  readonly #ended = new AbortController();

  /** @internal Use `openStore`. */
  constructor(place: StorePlace) {
    this.#place = place;
  }

  /** @internal */
  async start(): Promise<void> {
    const { options, environment, bucket } = this.#place;
    const layout = dataLayout(options.dir);
    const { segmentBytesMax, rollupLabels, resultCacheBytes } = options;
    const { retention = [], queryBudgets = [] } = options;
    checkRollupLabels(rollupLabels);
    // Here, so that a wrong rule is told at once and not by the first query.
    if (retention.length > 0) {
      const { Retention } = await import('../manifest/retention.js');
      new Retention(retention).stamp(TENANT_DEFAULT, 0);
    }
    if (queryBudgets.length > 0) {
      const { QueryBudgets } = await import('../query/budgets.js');
      new QueryBudgets({}, queryBudgets).of(TENANT_DEFAULT);
    }
    const settings = {
      retention,
      queryBudgets,
      ...(segmentBytesMax === undefined ? {} : { segmentBytesMax }),
      ...(resultCacheBytes === undefined ? {} : { resultCacheBytes }),
      ...(rollupLabels === undefined ? {} : { rollupLabels: [...rollupLabels] }),
    };
    const isThreaded =
      options.threads !== false &&
      options.environment === undefined &&
      typeof options.bucket !== 'object';
    this.#parts = isThreaded
      ? await this.#openThreads(settings)
      : await this.#openInline({ layout, bucket, environment, ...settings });
    if (options.metrics !== undefined) this.#register(options.metrics);
    if (options.compaction !== 'manual') {
      this.#background = new BackgroundCompaction({
        parts: this.#parts,
        clock: environment.clock,
        intervalMs: options.compactionIntervalMs ?? COMPACTION_INTERVAL_MS,
      });
    }
  }

  // Each way loads its own code only: an owner of threads has no use for the engine in its own.
  async #openThreads(settings: Omit<PartSettings, 'dir' | 'bucket' | 's3'>): Promise<StoreParts> {
    const { dir, bucket, s3 } = this.#place.options;
    const { openThreadedParts } = await import('./threaded-parts.js');
    return openThreadedParts(
      {
        dir: dataLayout(dir).dir,
        ...(typeof bucket === 'string' ? { bucket } : {}),
        ...(s3 === undefined ? {} : { s3 }),
        ...settings,
      },
      (error) => this.#fail(error),
    );
  }

  async #openInline(options: InlineOptions): Promise<StoreParts> {
    const { openInlineParts } = await import('./parts.js');
    return openInlineParts(options);
  }

  /** `failed` when the write side died: everything throws `unavailable`, and the process should be started anew. */
  get status(): StoreStatus {
    return this.#status;
  }

  /** The write side, as servers use it. */
  get ingest(): IngestApi {
    return this.#open().ingest;
  }

  /** Every kind of query. */
  get query(): QueryApi {
    return this.#open().query;
  }

  /** Resolves when the profile is durable (fsynced) and readable. */
  async write(request: WriteRequest, tenantId: string = TENANT_DEFAULT): Promise<WriteResult> {
    return this.#open().ingest.write(tenantId, request);
  }

  /** Seals the open segment, so that the next compaction takes what was written so far. Nothing is lost without it. */
  async flush(): Promise<void> {
    await this.#open().ingest.seal();
  }

  /** Compacts what was written so far. Throws what the first tenant's compaction failed with; the others are done then. */
  async compact(options: CompactOptions = {}): Promise<CompactionReport> {
    const parts = this.#open();
    const position = await parts.ingest.seal();
    const report = await this.#exclusive(() =>
      parts.compact({
        position,
        isFull: options.full === true,
        signal: options.signal,
        onProgress: options.onProgress,
      }),
    );
    const [failure] = report.failures;
    if (failure !== undefined) throw failure.error;
    return report;
  }

  /**
   * Deletes what `selector` takes in a range, as far as it was written before: at once for queries, for good when
   * compaction has passed. The same data may be written again afterwards, and is there then.
   */
  async delete(request: DeleteRequest): Promise<DeletionResult> {
    const { ingest } = this.#open();
    const { deleteProfiles } = await import('./deletion.js');
    return deleteProfiles({ ...this.#where(), ingest }, request);
  }

  /** Deletions that compaction has not applied everywhere yet. */
  async deletions(tenantId: string = TENANT_DEFAULT): Promise<readonly Deletion[]> {
    this.#open();
    const { listDeletions } = await import('./deletion.js');
    return listDeletions(this.#where(), tenantId);
  }

  /** Counters of the write side since the start, and what that start found torn or damaged in the log. */
  async report(): Promise<IngestReport> {
    return this.#open().report();
  }

  /** What the store holds and what it costs on disk, by block, table and column. */
  async inspect(): Promise<Inspection> {
    const { ingest } = this.#open();
    const { inspectPlace } = await import('./inspect.js');
    return inspectPlace(async () => ({ ...this.#where(), position: await ingest.position() }));
  }

  /** Checks every checksum and invariant. Empty when all is well. */
  async verify(): Promise<readonly Finding[]> {
    const { ingest } = this.#open();
    const { verifyPlace } = await import('./verify.js');
    return verifyPlace(async () => ({ ...this.#where(), position: await ingest.position() }));
  }

  /** Waits for what is running, then lets go of the directory. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    this.#status = 'closing';
    this.#ended.abort();
    try {
      await this.#reporting;
      await this.#background?.close();
      await this.#parts?.close();
    } finally {
      await this.#place.bucket.close();
      await this.#place.lock.release();
      this.#status = 'closed';
    }
  }

  #open(): StoreParts {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#status !== 'open' || this.#parts === undefined) throw closedStore();
    return this.#parts;
  }

  #where() {
    const { options, environment, bucket } = this.#place;
    return { layout: dataLayout(options.dir), bucket, environment };
  }

  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    return this.#background === undefined ? work() : this.#background.exclusive(work);
  }

  #register(metrics: MetricsRegistry): void {
    const parts = this.#open();
    const sources = {
      report: () => parts.report(),
      compaction: () => this.#background?.totals,
    };
    const { clock } = this.#place.environment;
    this.#reporting = registerStoreMetrics(metrics, sources, { clock, signal: this.#ended.signal });
  }

  #fail(error: StoreError): void {
    if (this.#status !== 'open') return;
    this.#status = 'failed';
    this.#failure = isKind(error, 'unavailable')
      ? error
      : new StoreError({
          kind: 'unavailable',
          code: 'PS_STORE_FAILED',
          message: `cannot go on: got a dead write side (${error.message}); want a new start of the process`,
          cause: error,
        });
  }
}
