/** What compaction needs of others, as narrow as it needs it. The real ones are wired in `src/store`. */
import type { Clock } from '../env/clock.js';
import type { Rng } from '../env/rng.js';
import type { BlockReader, BlockSums, BlockWriter } from '../block/types.js';
import type { LogPosition, SegmentPosition, SegmentView } from '../log/segment-view.js';
import type { BlockLineage } from '../manifest/lineage.js';
import type { ManifestStore } from '../manifest/manifest-store.js';
import type { Bucket } from '../objstore/bucket.js';

export interface NewBlock {
  readonly blockId: string;
  readonly tenantId: string;
  readonly level: number;
  readonly createdMs: number;
  readonly lineage: BlockLineage;
  /** Needed where a profile is a sum. */
  readonly sums?: BlockSums | undefined;
}

/** Blocks in the bucket. */
export interface BlockStore {
  createWriter(block: NewBlock): BlockWriter;
  open(tenantId: string, blockId: string, signal?: AbortSignal): Promise<BlockReader>;
  /** The prefix of all objects of a block; ends in `/`. */
  prefix(tenantId: string, blockId: string): string;
}

/** The log as compaction sees it. */
export interface SegmentSource {
  position(): Promise<LogPosition>;
  /** All of a sealed segment. `not-found` when it has been deleted since. */
  read(segment: SegmentPosition, signal?: AbortSignal): Promise<SegmentView>;
  /** Tenants with profiles in a sealed segment. */
  tenants(segment: SegmentPosition, signal?: AbortSignal): Promise<readonly string[]>;
  /** Nothing decoded is wanted any more: the log has been gone through. */
  release(): void;
  /** A manifest says that the tenant's part of the instance's segments up to `sequence` is in blocks. */
  consumed(tenantId: string, instance: string, sequence: number): Promise<void>;
}

export interface CompactionDependencies {
  readonly bucket: Bucket;
  readonly manifests: ManifestStore;
  readonly blocks: BlockStore;
  readonly segments: SegmentSource;
  readonly clock: Clock;
  readonly rng: Rng;
}
