import { blockPrefix, openBlock } from '../block/reader.js';
import { ROLLUP_SETTINGS } from '../block/rollup-series.js';
import { createBlockWriter } from '../block/writer.js';
import { Compactor } from '../compaction/compactor.js';
import { SegmentReader } from '../head/segment-reader.js';
import type { LogPosition } from '../log/segment-view.js';
import { ManifestStore } from '../manifest/manifest-store.js';
import type { RetentionRule } from '../manifest/retention.js';
import type { Bucket } from '../objstore/bucket.js';
import type { DataLayout } from './layout.js';
import type { Environment } from './options.js';

export interface CompactionPartOptions {
  readonly layout: DataLayout;
  readonly bucket: Bucket;
  readonly environment: Environment;
  readonly position: () => Promise<LogPosition>;
  readonly consumed: (tenantId: string, sequence: number) => Promise<void>;
  /** Default: ROLLUP_SETTINGS. */
  readonly rollupLabels?: readonly string[];
  readonly retention?: readonly RetentionRule[];
}

/** Segments are looked at for their tenants before they are compacted: kept so long, one at the default size. */
const SEGMENT_CACHE_BYTES = 36 << 20;

export function openCompactionPart(options: CompactionPartOptions): Compactor {
  const { layout, bucket, environment } = options;
  const { files, clock, rng } = environment;
  const { rollupLabels: keptLabels = ROLLUP_SETTINGS.keptLabels } = options;
  const rollups = { ...ROLLUP_SETTINGS, keptLabels };
  const reader = new SegmentReader({
    files,
    dir: layout.logDir,
    cacheBytesMax: SEGMENT_CACHE_BYTES,
  });
  return new Compactor(
    {
      bucket,
      manifests: new ManifestStore({ bucket, clock, rng }),
      blocks: {
        createWriter: (block) => createBlockWriter({ bucket, rollups, ...block }),
        open: (tenantId, blockId) => openBlock(bucket, tenantId, blockId),
        prefix: blockPrefix,
      },
      segments: {
        position: options.position,
        read: (segment) => reader.view(segment),
        release: () => reader.clear(),
        tenants: async (segment) => {
          const { series } = await reader.view(segment);
          return [...new Set(series.map((s) => s.tenantId))];
        },
        consumed: (tenantId, _instance, sequence) => options.consumed(tenantId, sequence),
      },
      clock,
      rng,
    },
    { retention: options.retention ?? [] },
  );
}
