/** One live block, with what a planner needs before it opens the block's meta. */
export interface ManifestBlock {
  readonly blockId: string;
  readonly level: number;
  /** Least and greatest profile start, both inclusive, unix nanoseconds. */
  readonly startNsMin: bigint;
  readonly startNsMax: bigint;
  readonly profileCount: number;
  readonly sampleCount: number;
  /** All objects of the block. */
  readonly sizeBytes: number;
  /** Memory that the symbols of its widest service take in a merge, estimated; 0 where it is not known. */
  readonly symbolBytes: number;
  readonly createdMs: number;
  /** Ids of the series tombstones that its rows are to be read through; a rewrite applies them. Ascending. */
  readonly seriesTombstones: readonly number[];
  /** The retention rules that were applied to all of it (`Retention.stamp`); '' for none. */
  readonly retentionStamp: string;
}

/**
 * A deletion: what `selector` takes among profile starts [startMs, endMs), as far as it was committed before. In blocks
 * that is what each block's own list says; in level 0 the segments that `covered` reaches.
 */
export interface SeriesTombstone {
  /** The manifest version that brought it. */
  readonly id: number;
  readonly selector: string;
  readonly startMs: number;
  /** Exclusive. */
  readonly endMs: number;
  readonly createdMs: number;
  /** One for each log instance: the last segment, sealed, that it covers. */
  readonly covered: readonly Watermark[];
}

/** A block (or carry object) that is no longer live; its objects are deleted when `deleteAfterMs` has passed. */
export interface BlockTombstone {
  readonly objectPrefix: string;
  readonly sizeBytes: number;
  readonly deleteAfterMs: number;
}

/** Highest segment of a log instance whose profiles of this tenant are in blocks. */
export interface Watermark {
  readonly instance: string;
  readonly sequence: number;
}

/** The last consumed profile of each cumulative series of one service, as one object. */
export interface CarryRef {
  readonly service: string;
  readonly objectKey: string;
  readonly sizeBytes: number;
  /** As of a block. */
  readonly seriesTombstones: readonly number[];
  /** Since when it holds last profiles that are deleted, unix milliseconds; 0 when it holds none. */
  readonly deletedSinceMs: number;
}

/** What is live for one tenant. Version n is the object `manifest/<n>`, created if absent and never changed. */
export interface Manifest {
  readonly formatVersion: number;
  readonly tenantId: string;
  /** 0 for a tenant that has nothing yet. */
  readonly version: number;
  /** Sorted by blockId. */
  readonly blocks: readonly ManifestBlock[];
  readonly watermarks: readonly Watermark[];
  readonly carries: readonly CarryRef[];
  readonly tombstones: readonly BlockTombstone[];
  /**
   * The version of the newest orphan sweep, 0 before the first: a change that names objects which were written for a
   * base before it is void, since they may have been swept.
   */
  readonly fenceVersion: number;
  /** Ascending by id. One is there as long as a block, a carry or a segment may hold what it covers. */
  readonly seriesTombstones: readonly SeriesTombstone[];
  /** Nonces of the newest commits: a commit that timed out finds its own success here. */
  readonly recentNonces: readonly string[];
}
