import type { Series } from '../model/series.js';
import type { SymbolSource } from '../symbols/source.js';

/** A segment of one log instance. Sequences count from 1 without gaps. */
export interface SegmentRef {
  readonly instance: string;
  readonly sequence: number;
}

/** How far a segment is durable: what a reader may look at. */
export interface SegmentPosition extends SegmentRef {
  readonly sealed: boolean;
  /** Bytes from the start of the file that are fsynced and acked. */
  readonly committedBytes: number;
}

/** All segments that the log still has, oldest first. Taken before the manifest is read (ARCHITECTURE.md, "Reading without counting twice"). */
export interface LogPosition {
  readonly segments: readonly SegmentPosition[];
}

/** A series as a segment names it. */
export interface SegmentSeries {
  readonly tenantId: string;
  readonly series: Series;
}

/** What a profile carries beside numbers; the same for all groups of one pprof. */
export interface ProfileMetadata {
  readonly comments: readonly string[];
  readonly dropFrames: string;
  readonly keepFrames: string;
  readonly defaultSampleType: string;
  readonly docUrl: string;
}

/** Set when the profile was cut by a limit or had damaged elements: it never becomes a carry (design: cumulative to delta). */
export const PROFILE_INCOMPLETE = 1;

/** Set when the sender gave no time, so that the start is the time of receipt and says nothing about a retry. */
export const PROFILE_RECEIPT_TIME = 2;

/** Profiles of a segment, in the order of arrival, as parallel arrays of length `count`. */
export interface SegmentProfiles {
  readonly count: number;
  /** Number into `SegmentView.series`. */
  readonly series: Int32Array;
  readonly startNs: BigInt64Array;
  readonly durationNs: BigInt64Array;
  readonly period: BigInt64Array;
  /** Bit set of PROFILE_*. */
  readonly flags: Uint8Array;
  readonly id: readonly string[];
  /** Rows [firstRow, firstRow + rowCount) of batch `batch`. */
  readonly batch: Int32Array;
  readonly firstRow: Int32Array;
  readonly rowCount: Int32Array;
  readonly metadata: readonly ProfileMetadata[];
}

/** A value column as the log stores it: absent when every value is 0, 32 bits wide when all fit. */
export type StoredColumn = Int32Array | BigInt64Array | undefined;

/**
 * The samples of one commit. `key` counts into the segment's keys; a profile has at most one row for a key; a series
 * with fewer than four sample types leaves the last value columns 0.
 */
export interface SampleBatch {
  readonly rowCount: number;
  readonly key: Int32Array;
  /** v1 ... v4, each of length `rowCount`; not widened, because a segment may be as large as memory allows. */
  readonly values: readonly [StoredColumn, StoredColumn, StoredColumn, StoredColumn];
}

/** A decoded segment up to some position. Values are as sent: cumulative ones are not yet deltas. */
export interface SegmentView {
  readonly position: SegmentPosition;
  readonly symbols: SymbolSource;
  readonly series: readonly SegmentSeries[];
  readonly profiles: SegmentProfiles;
  readonly batches: readonly SampleBatch[];
}
