import type { ProfileMetadata } from '../log/segment-view.js';
import type { BlockLineage } from '../manifest/lineage.js';
import type { Labels } from '../model/labels.js';
import type { Series } from '../model/series.js';
import type { FrameTable, LabelSetTable, SymbolSource } from '../symbols/source.js';
import type { RollupWidth } from '../model/rollup-width.js';

/** The tables of a block; each is one Parquet file `<table>.parquet` (docs/format/block.md). */
export type TableName = BaseTableName | `rollup_${RollupWidth}` | `tiles_${RollupWidth}`;

/** The tables that every block has. */
export type BaseTableName = 'profiles' | 'samples' | 'keys' | 'nodes' | 'frames' | 'series';

/** One column of one row group: what a reader fetches, verifies and decodes as a unit. */
export interface ColumnChunkMeta {
  readonly column: string;
  readonly offset: number;
  readonly sizeBytes: number;
  readonly crc32c: number;
}

export interface RowGroupMeta {
  readonly firstRow: number;
  readonly rowCount: number;
  readonly columns: readonly ColumnChunkMeta[];
}

export interface TableMeta {
  readonly table: TableName;
  readonly sizeBytes: number;
  readonly rowCount: number;
  /** Page indexes, Parquet footer, its length and magic: everything after the last row group. */
  readonly footer: Uint8Array;
  readonly rowGroups: readonly RowGroupMeta[];
}

/** Where one service's symbols lie, and what a planner must know of it. */
export interface ServiceMeta {
  readonly service: string;
  readonly firstKeyRow: number;
  readonly keyCount: number;
  readonly firstNodeRow: number;
  readonly nodeCount: number;
  /** Label sets of its keys, the empty one included; 0 in blocks that do not say. */
  readonly labelSetCount: number;
  /** Profile type ids of its series, sorted. */
  readonly profileTypes: readonly string[];
  /** What is rolled up, by (profile name, width); what is not here does not save enough. */
  readonly rollups: readonly RollupMeta[];
}

/** The rollup of one profile name of a service to buckets of one width. */
export interface RollupMeta {
  readonly profileName: string;
  readonly width: RollupWidth;
  /** Rows of `tiles_<width>`. */
  readonly firstTile: number;
  readonly tileCount: number;
  /** Whether `rollup_<width>` has the values by key; else there are the tiles' totals only. */
  readonly hasRows: boolean;
  /** Rows of `rollup_<width>`. */
  readonly firstRow: number;
  readonly rowCount: number;
}

/** Of a block in which rows of `profiles` stand for many profiles (manifest/retention.ts). */
export interface BlockSums {
  /** The widest. */
  readonly width: RollupWidth;
  /** Labels of series that sums do not tell apart, sorted. */
  readonly droppedLabels: readonly string[];
}

/** The `meta` object of a block: one read opens it. */
export interface BlockMeta {
  readonly formatVersion: number;
  readonly blockId: string;
  readonly tenantId: string;
  /** 1 when made from segments, one more than the highest input when merged. */
  readonly level: number;
  readonly createdMs: number;
  /** Least and greatest profile start, both inclusive. */
  readonly startNsMin: bigint;
  readonly startNsMax: bigint;
  readonly profileCount: number;
  readonly sampleCount: number;
  /** Largest absolute value in each of v1 ... v4: decides which sum kernel is exact. */
  readonly valueMagnitudeMax: readonly [bigint, bigint, bigint, bigint];
  readonly services: readonly ServiceMeta[];
  readonly tables: readonly TableMeta[];
  readonly lineage: BlockLineage;
  /** Absent where each row of `profiles` is a profile as it was sent. */
  readonly sums?: BlockSums | undefined;
}

/** One series of a block; its position in `BlockReader.series()` is its number in the block. */
export interface BlockSeries {
  readonly series: Series;
  readonly profileCount: number;
  /** Least and greatest start, both inclusive. */
  readonly startNsMin: bigint;
  readonly startNsMax: bigint;
  /** The series that this one is rolled up into, named by the first series of the block that is. */
  readonly rollupSeries: number;
  /** The labels that a rollup keeps of it. */
  readonly rollupLabels: Labels;
}

/** Profiles of a block in the order of the samples: (service, profile name, series, start, id). Parallel arrays. */
export interface BlockProfiles {
  readonly count: number;
  readonly series: Int32Array;
  readonly startNs: BigInt64Array;
  readonly durationNs: BigInt64Array;
  readonly period: BigInt64Array;
  readonly flags: Uint8Array;
  /** Profiles behind each, in a block with sums; one each when absent. */
  readonly profileCounts?: Int32Array | undefined;
  /** Sum of each value column, modulo 2^64 is never needed: writing one that overflows is refused. */
  readonly totals: readonly [BigInt64Array, BigInt64Array, BigInt64Array, BigInt64Array];
  /** Rows [firstRow, firstRow + rowCount) of `samples`. */
  readonly firstRow: Float64Array;
  readonly rowCount: Int32Array;
}

/** Everything of the profiles of one row group. Parallel arrays. */
export interface ProfileGroup extends BlockProfiles {
  readonly id: readonly string[];
  readonly metadata: readonly ProfileMetadata[];
}

/** Tiles of one profile name of one service, sorted by (series, bucket). Parallel arrays. */
export interface BlockTiles {
  readonly count: number;
  /** Number in the block. */
  readonly series: Int32Array;
  /** Start of the bucket. */
  readonly bucketNs: BigInt64Array;
  readonly profileCount: Int32Array;
  readonly startNsMin: BigInt64Array;
  readonly durationNs: BigInt64Array;
  readonly periodMax: BigInt64Array;
  readonly totals: readonly [BigInt64Array, BigInt64Array, BigInt64Array, BigInt64Array];
  /** Rows of `rollup_<width>` of the bucket and the series that this one is rolled up into. */
  readonly firstRow: Float64Array;
  readonly rowCount: Int32Array;
}

/** A run of sample rows; arrays are valid until the visitor returns. */
export interface SampleRows {
  readonly firstRow: number;
  readonly rowCount: number;
  /** Key numbers within the row's service. */
  readonly key: Int32Array;
  /** One array for each requested value column, in the order asked for. */
  readonly values: readonly BigInt64Array[];
}

/** Half-open range of rows. */
export interface RowRange {
  readonly start: number;
  readonly end: number;
}

/** The frames of a block. `sizeBytes` is what they take in memory. */
export interface BlockFrames extends FrameTable {
  readonly sizeBytes: number;
}

/** Symbols of one service as far as stacks go: all keys have the empty label set. */
export type ServiceStacks = Omit<SymbolSource, 'frames'>;

/** `labelSet` by key. */
export interface ServiceLabels {
  readonly labelSet: Int32Array;
  readonly labelSets: LabelSetTable;
}

export interface BlockReader {
  readonly meta: BlockMeta;
  series(signal?: AbortSignal): Promise<readonly BlockSeries[]>;
  profiles(signal?: AbortSignal): Promise<BlockProfiles>;
  /** Ids of all profiles, in the order of `profiles()`. Kept apart: only de-duplication and listings need them. */
  profileIds(signal?: AbortSignal): Promise<readonly string[]>;
  profileMetadata(signal?: AbortSignal): Promise<readonly ProfileMetadata[]>;
  /** Profiles of one row group, 0 ... `meta` row groups of `profiles` - 1: for readers that cannot hold all at once. */
  profileGroup(group: number, signal?: AbortSignal): Promise<ProfileGroup>;
  tiles(rollup: RollupMeta, signal?: AbortSignal): Promise<BlockTiles>;
  /** What else the profiles of each tile said, each distinct one once; none where they said nothing. */
  tileMetadata(
    rollup: RollupMeta,
    signal?: AbortSignal,
  ): Promise<readonly (readonly ProfileMetadata[])[]>;
  /** Frames of all services. */
  frames(signal?: AbortSignal): Promise<BlockFrames>;
  /** Stacks of one service, key numbers as in `samples`, over `frames`. Keys are in depth-first order of the trie. */
  stacks(service: string, signal?: AbortSignal): Promise<ServiceStacks>;
  /** Label set of each key of one service, 0 for the empty one: says how many there are before `labels` reads them. */
  labelSetNumbers(service: string, signal?: AbortSignal): Promise<Int32Array>;
  /** Label sets by those numbers. Kept apart: few answers tell samples apart by them. */
  labels(service: string, numbers: Int32Array, signal?: AbortSignal): Promise<ServiceLabels>;
  /** Everything together. */
  symbols(service: string, signal?: AbortSignal): Promise<SymbolSource>;
  /**
   * Visits the rows of `ranges` (sorted, disjoint) in order (by profile, then key), in runs that never span two row
   * groups. Only the row groups touched and the columns asked for are fetched, each checked against its checksum (`corrupt`
   * PS_BLOCK_CHECKSUM).
   */
  scan(request: ScanRequest, visit: (rows: SampleRows) => void): Promise<void>;
}

export interface ScanRequest {
  /** Rows of samples when absent, else those of `rollup_<width>`, whose values are sums. */
  readonly rollup?: RollupWidth;
  readonly ranges: readonly RowRange[];
  /** Indexes of value columns, 0 for v1. */
  readonly valueColumns: readonly number[];
  /**
   * For sums: row groups that a range covers come first, each with its rows in any order, which spares reading and
   * restoring the order; then the others. Default: rows come in order.
   */
  readonly isUnordered?: boolean;
  readonly signal?: AbortSignal;
}

/** One profile for a block, its rows sorted by key, rows that are 0 in every column left out. */
export interface ProfileRows {
  /** Number of the series within the current service's `series`. */
  readonly series: number;
  readonly profileId: string;
  readonly startNs: bigint;
  readonly durationNs: bigint;
  readonly period: bigint;
  readonly flags: number;
  /** Profiles that it stands for. Default 1. */
  readonly profileCount?: number;
  readonly metadata: ProfileMetadata;
  readonly rowCount: number;
  /** First `rowCount` elements count; copied before the call returns. */
  readonly key: Int32Array;
  readonly values: readonly [BigInt64Array, BigInt64Array, BigInt64Array, BigInt64Array];
}

/**
 * Writes one block. Services come in sorted order, within one the series sorted by (profile name, seriesKey), within a
 * series the profiles by (start, id). Memory: one row group of samples, the current service's symbols, and the
 * profiles table. Nothing is visible to readers until a manifest names the block.
 */
export interface BlockWriter {
  beginService(service: string, symbols: SymbolSource, series: readonly Series[]): Promise<void>;
  writeProfile(rows: ProfileRows): Promise<void>;
  /** Writes what is left, then `meta`; the last call. */
  finish(): Promise<BlockMeta>;
  /** Removes what was uploaded. Safe to call after a failure. */
  abort(): Promise<void>;
}
