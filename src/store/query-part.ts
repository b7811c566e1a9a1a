import { openBlock } from '../block/reader.js';
import { SegmentReader } from '../head/segment-reader.js';
import type { LogPosition } from '../log/segment-view.js';
import { ManifestStore } from '../manifest/manifest-store.js';
import type { RetentionRule } from '../manifest/retention.js';
import type { Bucket } from '../objstore/bucket.js';
import { meteredReads } from '../objstore/metered-reads.js';
import type { QueryBudgetRule } from '../query/budgets.js';
import { openQueryEngine, type QueryEngine } from '../query/engine.js';
import type { ScanHelpers } from '../query/shared-scan.js';
import type { DataLayout } from './layout.js';
import type { Environment } from './options.js';

export interface QueryPartOptions {
  readonly layout: DataLayout;
  readonly bucket: Bucket;
  readonly environment: Environment;
  /** How far the log is durable right now. */
  readonly position: () => Promise<LogPosition>;
  readonly retention?: readonly RetentionRule[];
  readonly resultCacheBytes?: number;
  readonly queryBudgets?: readonly QueryBudgetRule[];
  readonly helpers?: ScanHelpers;
}

/** The read side over the bucket and the log's files. */
export function openQueryPart(options: QueryPartOptions): QueryEngine {
  const { layout, environment, position } = options;
  const bucket = meteredReads(options.bucket);
  const { files, clock, rng } = environment;
  return openQueryEngine(
    {
      bucket,
      manifests: new ManifestStore({ bucket, clock, rng }),
      blocks: { open: (tenantId, blockId) => openBlock(bucket, tenantId, blockId) },
      segments: new SegmentReader({ files, dir: layout.logDir }),
      position,
      clock,
      helpers: options.helpers,
    },
    {
      retention: options.retention ?? [],
      budgets: options.queryBudgets ?? [],
      ...(options.resultCacheBytes === undefined ? {} : { resultBytes: options.resultCacheBytes }),
    },
  );
}
