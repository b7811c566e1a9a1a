/**
 * Reads the rows of one block front to back, one row group in memory at a time. Profiles come in the order of the
 * block, so each row group is fetched once, unless the merge returns to it for a profile that began in it.
 */
import { assert } from '../base/assert.js';
import { corrupt } from '../base/errors.js';
import type { BlockProfiles, BlockReader, BlockSeries, RowGroupMeta } from '../block/types.js';
import type { ProfileMetadata } from '../log/segment-view.js';
import { type FourColumns, fourColumns } from './sorted-rows.js';

/** One block with the small tables that its merge needs all along. */
export interface CursorTables {
  readonly series: readonly BlockSeries[];
  readonly profiles: BlockProfiles;
  readonly profileIds: readonly string[];
  readonly metadata: readonly ProfileMetadata[];
}

export async function readCursorTables(
  reader: BlockReader,
  signal?: AbortSignal,
): Promise<CursorTables> {
  const series = await reader.series(signal);
  const profiles = await reader.profiles(signal);
  const profileIds = await reader.profileIds(signal);
  const metadata = await reader.profileMetadata(signal);
  return { series, profiles, profileIds, metadata };
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
  #group: RowGroupMeta | undefined;
  #key = new Int32Array(0);
  #values = fourColumns(0);
  #outKey = new Int32Array(0);
  #outValues = fourColumns(0);

  constructor(reader: BlockReader, signal?: AbortSignal) {
    this.#reader = reader;
    this.#signal = signal;
    this.#groups = reader.meta.tables.find((t) => t.table === 'samples')?.rowGroups ?? [];
    this.#columns = [0, 1, 2, 3].filter((c) => reader.meta.valueMagnitudeMax[c] !== 0n);
  }

  /** Rows [firstRow, firstRow + rowCount). */
  async rows(firstRow: number, rowCount: number): Promise<CursorRows> {
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
