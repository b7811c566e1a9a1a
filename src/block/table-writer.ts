import { assert } from '../base/assert.js';
import { concatenate } from '../columnar/concatenate.js';
import { sliceColumn } from '../columnar/slice.js';
import type { Column } from '../columnar/table.js';
import type { Bucket, Upload } from '../objstore/bucket.js';
import { type ParquetWriter, createParquetWriter } from '../parquet/writer.js';
import { PARQUET_MAGIC_BYTES } from './meta-codec.js';
import { tableKey } from './object-keys.js';
import type { BlockTable } from './schemas.js';
import type { TableMeta } from './types.js';

export interface TableWriterOptions {
  readonly bucket: Bucket;
  readonly tenantId: string;
  readonly blockId: string;
  readonly table: BlockTable;
}

/** Some rows of a table, columns in the order of its schema. */
export interface TableRows {
  readonly rowCount: number;
  readonly columns: readonly Column[];
}

/** Writes one table of a block: cuts what comes into row groups and uploads them. */
export class TableWriter {
  readonly #options: TableWriterOptions;
  readonly #parquet: ParquetWriter;
  #upload: Upload | undefined;
  /** Less than one row group. */
  #pending: TableRows[] = [];
  #pendingRows = 0;
  #rowCount = 0;

  constructor(options: TableWriterOptions) {
    this.#options = options;
    const { schema, rowGroupRows, encodings } = options.table;
    const sink = {
      write: async (bytes: Uint8Array): Promise<void> => {
        const { bucket, tenantId, blockId, table } = options;
        this.#upload ??= await bucket.startUpload(tableKey(tenantId, blockId, table.name));
        await this.#upload.write(bytes);
      },
    };
    this.#parquet = createParquetWriter({
      schema,
      sink,
      rowGroupRows,
      encodings,
      compression: 'zstd',
    });
  }

  /** Rows given so far: the number of the next row. */
  get rowCount(): number {
    return this.#rowCount;
  }

  /** The caller must not change the arrays any more. */
  async append(rows: TableRows): Promise<void> {
    const { rowGroupRows } = this.#options.table;
    this.#rowCount += rows.rowCount;
    let start = 0;
    while (start < rows.rowCount) {
      const end = Math.min(rows.rowCount, start + rowGroupRows - this.#pendingRows);
      this.#pending.push({
        rowCount: end - start,
        columns: rows.columns.map((column) => sliceColumn(column, start, end)),
      });
      this.#pendingRows += end - start;
      start = end;
      if (this.#pendingRows === rowGroupRows) await this.#flush();
    }
  }

  async #flush(): Promise<void> {
    const { schema } = this.#options.table;
    const pending = this.#pending;
    const rowCount = this.#pendingRows;
    this.#pending = [];
    this.#pendingRows = 0;
    const columns = schema.fields.map((field, c) =>
      concatenate(
        field.type,
        pending.map((rows) => rows.columns[c] as Column),
      ),
    );
    await this.#parquet.writeRowGroup({ schema, rowCount, columns });
  }

  async finish(): Promise<TableMeta> {
    if (this.#pendingRows > 0) await this.#flush();
    const info = await this.#parquet.finish();
    assert(info.rowCount === this.#rowCount, 'a file must have the rows that were written');
    let offset = PARQUET_MAGIC_BYTES;
    for (const chunk of info.rowGroups.flatMap((group) => group.columns)) {
      assert(chunk.offset === offset, 'column chunks must lie without gaps');
      offset += chunk.sizeBytes;
    }
    await this.#upload?.finish();
    return { table: this.#options.table.name, ...info };
  }

  async abort(): Promise<void> {
    this.#pending = [];
    await this.#parquet.abort();
    await this.#upload?.abort();
  }
}
