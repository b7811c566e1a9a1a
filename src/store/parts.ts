import type { CompactionProgress, CompactionReport } from '../compaction/report.js';
import type { IngestApi } from '../ingest/api.js';
import type { LogPosition } from '../log/segment-view.js';
import type { RetentionRule } from '../manifest/retention.js';
import type { Bucket } from '../objstore/bucket.js';
import type { QueryApi } from '../query/api.js';
import type { QueryBudgetRule } from '../query/budgets.js';
import { openCompactionPart } from './compaction-part.js';
import { type IngestReport, openIngestPart, reportOf } from './ingest-part.js';
import type { DataLayout } from './layout.js';
import type { Environment } from './options.js';
import { openQueryPart } from './query-part.js';

export interface CompactRun {
  readonly position: LogPosition;
  readonly isFull: boolean;
  /** Also looks for orphans, which a full run always does. */
  readonly isSweep?: boolean;
  /** Tenants that are left out. */
  readonly except?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: CompactionProgress) => void) | undefined;
}

/** What a store is made of, the same with threads (threaded-parts.ts) and without. */
export interface StoreParts {
  readonly ingest: IngestApi;
  readonly query: QueryApi;
  /** Counters of the write side, and what its start found in the log. */
  report(): Promise<IngestReport>;
  compact(run: CompactRun): Promise<CompactionReport>;
  /** Gives back memory that only compaction needs. */
  rest(): Promise<void>;
  close(): Promise<void>;
}

export interface InlineOptions {
  readonly layout: DataLayout;
  readonly bucket: Bucket;
  readonly environment: Environment;
  readonly segmentBytesMax?: number;
  readonly rollupLabels?: readonly string[];
  readonly retention?: readonly RetentionRule[];
  readonly resultCacheBytes?: number;
  readonly queryBudgets?: readonly QueryBudgetRule[];
}

/** All parts on the caller's thread. */
export async function openInlineParts(options: InlineOptions): Promise<StoreParts> {
  const { api, ingest } = await openIngestPart(options);
  let run: CompactRun | undefined;
  const compactor = openCompactionPart({
    ...options,
    position: async () => run?.position ?? { segments: [] },
    consumed: (tenantId, sequence) => api.consumed(tenantId, sequence),
  });
  return {
    ingest: api,
    query: openQueryPart({ ...options, position: () => api.position() }),
    report: async () => reportOf(ingest),
    compact: async (given) => {
      run = given;
      const callOptions = {
        isSweep: given.isSweep === true,
        except: given.except,
        ...(given.signal === undefined ? {} : { signal: given.signal }),
        ...(given.onProgress === undefined ? {} : { onProgress: given.onProgress }),
      };
      return given.isFull ? compactor.runFull(callOptions) : compactor.runOnce(callOptions);
    },
    rest: async () => undefined,
    close: async () => {
      await compactor.close();
      await api.close();
    },
  };
}
