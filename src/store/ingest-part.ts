import { ManifestLookup } from '../ingest/manifest-lookup.js';
import type { IngestApi } from '../ingest/api.js';
import {
  type Ingest,
  type IngestCounters,
  type IngestGauges,
  openIngest,
} from '../ingest/ingest.js';
import type { LogRecovery } from '../log/recover.js';
import type { Retention, RetentionRule } from '../manifest/retention.js';
import { ManifestStore } from '../manifest/manifest-store.js';
import type { Bucket } from '../objstore/bucket.js';
import type { DataLayout } from './layout.js';
import type { Environment } from './options.js';

export interface IngestPartOptions {
  readonly layout: DataLayout;
  readonly bucket: Bucket;
  readonly environment: Environment;
  readonly segmentBytesMax?: number;
  readonly retention?: readonly RetentionRule[];
}

/** Figures of the write side, and what its start found in the log. */
export interface IngestReport {
  readonly counters: IngestCounters;
  readonly gauges: IngestGauges;
  readonly recovery: LogRecovery;
}

export function reportOf(ingest: Ingest): IngestReport {
  const { counters } = ingest;
  const rejections = new Map(counters.rejections);
  return {
    counters: { ...counters, rejections },
    gauges: ingest.gauges(),
    recovery: ingest.recovery,
  };
}

/** The write side wired to the blocks that it de-duplicates against. */
export async function openIngestPart(
  options: IngestPartOptions,
): Promise<{ api: IngestApi; ingest: Ingest }> {
  const { layout, bucket, environment } = options;
  const { files, clock, rng } = environment;
  const manifests = new ManifestStore({ bucket, clock, rng });
  const lookup = new ManifestLookup({
    manifests,
    // The reader brings parquet-wasm, a tenth of a second and 17 MB, which most stores' write sides never need.
    openBlock: async (tenantId, blockId) => {
      const { openBlock } = await import('../block/reader.js');
      return openBlock(bucket, tenantId, blockId);
    },
  });
  const ingest = await openIngest({
    files,
    clock,
    rng,
    logDir: layout.logDir,
    store: lookup,
    retention: await retentionOf(options.retention),
    settings:
      options.segmentBytesMax === undefined ? {} : { segmentBytesMax: options.segmentBytesMax },
  });
  const api: IngestApi = {
    write: (tenantId, request) => ingest.write(tenantId, request),
    writeEncoded: (tenantId, request) => ingest.writeEncoded(tenantId, request),
    writeForeign: (tenantId, body) => ingest.writeForeign(tenantId, body),
    position: () => ingest.position(),
    seal: () => ingest.seal(),
    // The look-up must see the blocks before ingest forgets what they cover.
    consumed: async (tenantId, sequence) => {
      lookup.invalidate(tenantId);
      await ingest.consumed(tenantId, sequence);
    },
    deleted: async (tenantId) => {
      lookup.invalidate(tenantId);
      await ingest.deleted(tenantId);
    },
    close: () => ingest.close(),
  };
  return { api, ingest };
}

/** Selectors bring the engine of regular expressions, which a store without rules has no use for. */
async function retentionOf(rules: readonly RetentionRule[] = []): Promise<Retention | undefined> {
  if (rules.length === 0) return undefined;
  const { Retention } = await import('../manifest/retention.js');
  return new Retention(rules);
}
