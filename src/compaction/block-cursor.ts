/**
 * Reads the profiles of one block and their rows front to back: one row group of each in memory at a time, however
 * large the block is.
 */
import { assert } from '../base/assert.js';
import { corrupt, type StoreError } from '../base/errors.js';
import type { BlockReader, ProfileGroup, RowGroupMeta } from '../block/types.js';
import type { ProfileMetadata } from '../log/segment-view.js';
import { type FourColumns, fourColumns } from './sorted-rows.js';

/** The profile that a cursor stands at. */
export interface CursorProfile {
  /** Number of its series in the block. */
  readonly series: number;
  readonly startNs: bigint;
  readonly id: string;
  readonly durationNs: bigint;
  readonly period: bigint;
  readonly flags: number;
  readonly profileCount: number;
  readonly metadata: ProfileMetadata;
  readonly firstRow: number;
  readonly rowCount: number;
}

/** Rows of one profile; valid until the cursor's next call. */
export interface CursorRows {
  readonly rowCount: number;
  readonly key: Int32Array;
  readonly values: Readonly<FourColumns>;
}

export class BlockCursor {
  readonly #reader: BlockReader;
  readonly #groups: readonly RowGroupMeta[];
  /** Value columns that are not 0 all over the block. */
  readonly #columns: readonly number[];
  readonly #signal: AbortSignal | undefined;
  readonly #profileGroups: number;
  #profiles: ProfileGroup | undefined;
  #nextProfileGroup = 0;
  /** Within `#profiles`. */
  #profile = 0;
  /** Row that the next profile must begin with: their rows lie without gaps. */
  #nextRow = 0;
  #current: CursorProfile | undefined;
  #group: RowGroupMeta | undefined;
  #key = new Int32Array(0);
  #values = fourColumns(0);
  #outKey = new Int32Array(0);
  #outValues = fourColumns(0);

  constructor(reader: BlockReader, signal?: AbortSignal) {
    this.#reader = reader;
    this.#signal = signal;
    this.#groups = reader.meta.tables.find((t) => t.table === 'samples')?.rowGroups ?? [];
    this.#profileGroups =
      reader.meta.tables.find((t) => t.table === 'profiles')?.rowGroups.length ?? 0;
    this.#columns = [0, 1, 2, 3].filter((c) => reader.meta.valueMagnitudeMax[c] !== 0n);
  }

  /** The profile at which the cursor stands; undefined before the first `advance` and after the last. */
  get current(): CursorProfile | undefined {
    return this.#current;
  }

  /** Goes on to the next profile. */
  async advance(): Promise<void> {
    this.#profile++;
    if (this.#profiles === undefined || this.#profile >= this.#profiles.count) {
      this.#current = undefined;
      if (this.#nextProfileGroup >= this.#profileGroups) {
        this.#checkEnd();
        return;
      }
      this.#profiles = undefined;
      this.#profiles = await this.#reader.profileGroup(this.#nextProfileGroup++, this.#signal);
      this.#profile = 0;
    }
    const profiles = this.#profiles;
    const p = this.#profile;
    const firstRow = profiles.firstRow[p]!;
    const rowCount = profiles.rowCount[p]!;
    if (firstRow !== this.#nextRow || rowCount < 0) throw this.#gap(firstRow, this.#nextRow);
    this.#nextRow = firstRow + rowCount;
    this.#current = {
      series: profiles.series[p]!,
      startNs: profiles.startNs[p]!,
      id: profiles.id[p]!,
      durationNs: profiles.durationNs[p]!,
      period: profiles.period[p]!,
      flags: profiles.flags[p]!,
      profileCount: profiles.profileCounts?.[p] ?? 1,
      metadata: profiles.metadata[p]!,
      firstRow,
      rowCount,
    };
  }

  #checkEnd(): void {
    const { sampleCount } = this.#reader.meta;
    if (this.#nextRow !== sampleCount) throw this.#gap(this.#nextRow, sampleCount);
  }

  #gap(got: number, want: number): StoreError {
    return corrupt(
      'PS_BLOCK_PROFILES',
      `cannot merge block ${this.#reader.meta.blockId}: got profiles whose rows go on at ${got}; want ${want}`,
    );
  }

  /** Rows of the current profile. */
  async rows(): Promise<CursorRows> {
    assert(this.#current !== undefined, 'a cursor past the end has no rows');
    const { firstRow, rowCount } = this.#current;
    this.#reserve(rowCount);
    let at = firstRow;
    const end = firstRow + rowCount;
    while (at < end) {
      if (!isIn(this.#group, at)) await this.#load(at);
      const group = this.#group as RowGroupMeta;
      const stop = Math.min(end, group.firstRow + group.rowCount);
      const from = at - group.firstRow;
      const to = stop - group.firstRow;
      this.#outKey.set(this.#key.subarray(from, to), at - firstRow);
      for (const c of this.#columns) {
        this.#outValues[c]!.set(this.#values[c]!.subarray(from, to), at - firstRow);
      }
      at = stop;
    }
    return { rowCount, key: this.#outKey, values: this.#outValues };
  }

  async #load(row: number): Promise<void> {
    const group = this.#groups.find((g) => isIn(g, row));
    if (group === undefined) {
      throw corrupt(
        'PS_BLOCK_ROWS',
        `cannot merge block ${this.#reader.meta.blockId}: got a profile with row ${row}; want a row group that has it`,
      );
    }
    this.#group = undefined;
    if (this.#key.length < group.rowCount) {
      this.#key = new Int32Array(group.rowCount);
      for (const c of this.#columns) this.#values[c] = new BigInt64Array(group.rowCount);
    }
    let filled = 0;
    await this.#reader.scan(
      {
        ranges: [{ start: group.firstRow, end: group.firstRow + group.rowCount }],
        valueColumns: this.#columns,
        ...(this.#signal === undefined ? {} : { signal: this.#signal }),
      },
      (rows) => {
        const target = rows.firstRow - group.firstRow;
        this.#key.set(rows.key.subarray(0, rows.rowCount), target);
        this.#columns.forEach((c, i) => {
          this.#values[c]!.set(rows.values[i]!.subarray(0, rows.rowCount), target);
        });
        filled += rows.rowCount;
      },
    );
    assert(filled === group.rowCount, 'a scan visits every row of its ranges');
    this.#group = group;
  }

  #reserve(rowCount: number): void {
    if (this.#outKey.length >= rowCount) return;
    const size = Math.max(1024, rowCount + (rowCount >>> 1));
    this.#outKey = new Int32Array(size);
    this.#outValues = fourColumns(size);
  }
}

function isIn(group: RowGroupMeta | undefined, row: number): boolean {
  return group !== undefined && row >= group.firstRow && row < group.firstRow + group.rowCount;
}
