/**
 * Collects rows of `profiles` into whole row groups, as columns: an object for each profile would outlive the young
 * generation, and be garbage that only a whole collection takes.
 */
import { assert } from '../base/assert.js';
import { constantColumn } from '../columnar/slice.js';
import type { Column } from '../columnar/table.js';
import { TextColumn } from '../columnar/text-column.js';
import type { TableRows } from './table-writer.js';
import type { ProfileRows } from './types.js';

/** One row of `profiles`. */
export interface ProfileRecord {
  readonly service: string;
  readonly profileName: string;
  readonly series: number;
  readonly firstRow: number;
  readonly totals: readonly bigint[];
  readonly rows: Omit<ProfileRows, 'key' | 'values'>;
}

/** One row group of profiles under construction. */
export class ProfileBuffer {
  readonly #blockId: string;
  readonly #capacity: number;
  readonly #service: TextColumn;
  readonly #profileName: TextColumn;
  readonly #profile: Int32Array;
  readonly #series: Int32Array;
  readonly #start: BigInt64Array;
  readonly #durationNs: BigInt64Array;
  readonly #period: BigInt64Array;
  readonly #flags: Int32Array;
  readonly #totals: readonly BigInt64Array[];
  readonly #sampleCount: Int32Array;
  readonly #firstRow: BigInt64Array;
  readonly #dropFrames: TextColumn;
  readonly #keepFrames: TextColumn;
  readonly #defaultSampleType: TextColumn;
  readonly #docUrl: TextColumn;
  /** In a block with sums. */
  readonly #profileCount: Int32Array | undefined;
  #profileId: string[] = [];
  #comments: (readonly string[])[] = [];
  /** Number of the first row. */
  #first = 0;
  #rowCount = 0;

  constructor(blockId: string, capacity: number, hasSums: boolean) {
    const int32 = (): Int32Array => new Int32Array(capacity);
    const int64 = (): BigInt64Array => new BigInt64Array(capacity);
    const text = (): TextColumn => new TextColumn(capacity);
    this.#blockId = blockId;
    this.#capacity = capacity;
    this.#service = text();
    this.#profileName = text();
    this.#profile = int32();
    this.#series = int32();
    this.#start = int64();
    this.#durationNs = int64();
    this.#period = int64();
    this.#flags = int32();
    this.#totals = [0, 1, 2, 3].map(int64);
    this.#sampleCount = int32();
    this.#firstRow = int64();
    this.#dropFrames = text();
    this.#keepFrames = text();
    this.#defaultSampleType = text();
    this.#docUrl = text();
    this.#profileCount = hasSums ? int32() : undefined;
  }

  get rowCount(): number {
    return this.#rowCount;
  }

  get isFull(): boolean {
    return this.#rowCount === this.#capacity;
  }

  add({ service, profileName, series, firstRow, totals, rows }: ProfileRecord): void {
    assert(!this.isFull, 'profiles must fit their row group');
    const at = this.#rowCount++;
    this.#service.set(at, service);
    this.#profileName.set(at, profileName);
    this.#profile[at] = this.#first + at;
    this.#series[at] = series;
    this.#start[at] = rows.startNs;
    this.#durationNs[at] = rows.durationNs;
    this.#period[at] = rows.period;
    this.#flags[at] = rows.flags;
    this.#totals.forEach((column, c) => {
      column[at] = totals[c] as bigint;
    });
    this.#sampleCount[at] = rows.rowCount;
    this.#firstRow[at] = BigInt(firstRow);
    this.#profileId.push(rows.profileId);
    this.#comments.push(rows.metadata.comments);
    this.#dropFrames.set(at, rows.metadata.dropFrames);
    this.#keepFrames.set(at, rows.metadata.keepFrames);
    this.#defaultSampleType.set(at, rows.metadata.defaultSampleType);
    this.#docUrl.set(at, rows.metadata.docUrl);
    if (this.#profileCount !== undefined) this.#profileCount[at] = rows.profileCount ?? 1;
  }

  /** The rows, which the buffer then forgets; its arrays are reused, so the result is valid until the next `add`. */
  take(): TableRows {
    const rowCount = this.#rowCount;
    const int32 = (values: Int32Array): Column => ({ type: 'int32', values });
    const int64 = (values: BigInt64Array): Column => ({ type: 'int64', values });
    const columns: Column[] = [
      constantColumn(this.#blockId, rowCount),
      this.#service.take(),
      this.#profileName.take(),
      int32(this.#profile),
      int32(this.#series),
      { type: 'timestamp', values: this.#start },
      int64(this.#durationNs),
      int64(this.#period),
      int32(this.#flags),
      ...this.#totals.map(int64),
      int32(this.#sampleCount),
      int64(this.#firstRow),
      { type: 'utf8', values: this.#profileId },
      { type: 'list-utf8', values: this.#comments },
      this.#dropFrames.take(),
      this.#keepFrames.take(),
      this.#defaultSampleType.take(),
      this.#docUrl.take(),
      ...(this.#profileCount === undefined ? [] : [int32(this.#profileCount)]),
    ];
    this.#profileId = [];
    this.#comments = [];
    this.#first += rowCount;
    this.#rowCount = 0;
    return { rowCount, columns };
  }
}
