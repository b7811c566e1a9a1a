/**
 * Reads columns of a Parquet file through parquet-wasm. Bytes are fetched here in few ranged reads, every column
 * chunk is checked against its checksum, and only then does the library see it: it asks a Blob that answers from the
 * fetched ranges and the footer.
 */
import { ParquetFile, type Table } from 'parquet-wasm';
import { assert } from '../base/assert.js';
import { crc32c } from '../base/crc32c.js';
import { StoreError, corrupt } from '../base/errors.js';
import { decodeIpcStream } from '../columnar/ipc-decode.js';
import type { ColumnTable, TableSchema } from '../columnar/table.js';
import { type FetchWindow, planFetch } from './fetch-plan.js';
import type { ParquetFileInfo } from './file-info.js';
import { batchColumns, parquetError, schemaColumns } from './wasm.js';

/** One file: what is known of it, and how to get bytes [start, end). */
export interface ParquetSource {
  /** For messages. */
  readonly name: string;
  readonly info: ParquetFileInfo;
  fetch(start: number, end: number, signal?: AbortSignal): Promise<Uint8Array>;
}

export interface ReadRequest {
  /** Indexes of row groups, ascending. */
  readonly rowGroups: readonly number[];
  /** Top-level columns, in the order of the file. */
  readonly columns: readonly string[];
  readonly signal?: AbortSignal;
}

/** One batch of a row group; arrays are views of WebAssembly memory, valid until the visitor returns. */
export interface ColumnViews {
  readonly rowGroup: number;
  /** Row of the file. */
  readonly firstRow: number;
  readonly rowCount: number;
  /** In the order of `ReadRequest.columns`. */
  readonly columns: readonly (Int32Array | BigInt64Array)[];
}

/** Rows of a batch, no fewer than a row group of a block has: each comes as one. */
const BATCH_ROWS = 131_072;
/** Windows that are being fetched while one is decoded. */
const WINDOWS_AHEAD = 2;

interface BlobSlice {
  readonly size: number;
  arrayBuffer(): Promise<ArrayBufferLike>;
}

interface FetchedRange {
  readonly start: number;
  readonly bytes: Uint8Array;
}

/** The part of a Blob that parquet-wasm uses; it answers from memory only. */
class FetchedBlob {
  readonly #info: ParquetFileInfo;
  readonly #ranges = new Set<FetchedRange>();

  constructor(info: ParquetFileInfo) {
    this.#info = info;
    this.#ranges.add({ start: info.sizeBytes - info.footer.length, bytes: info.footer });
  }

  add(ranges: readonly FetchedRange[]): void {
    for (const range of ranges) this.#ranges.add(range);
  }

  remove(ranges: readonly FetchedRange[]): void {
    for (const range of ranges) this.#ranges.delete(range);
  }

  get size(): number {
    return this.#info.sizeBytes;
  }

  slice(start = 0, end = this.size): BlobSlice {
    const from = start < 0 ? this.size + start : start;
    const to = end < 0 ? this.size + end : Math.min(end, this.size);
    for (const range of this.#ranges) {
      if (from >= range.start && to <= range.start + range.bytes.length) {
        return sliceOf(range.bytes.subarray(from - range.start, to - range.start));
      }
    }
    throw new StoreError({
      kind: 'internal',
      code: 'PS_PARQUET_RANGE',
      message: `cannot read Parquet file: got a read of [${from}, ${to}); want one of the fetched ranges`,
    });
  }
}

function sliceOf(bytes: Uint8Array): BlobSlice {
  const { buffer, byteOffset, byteLength } = bytes;
  return {
    size: byteLength,
    arrayBuffer: async () => buffer.slice(byteOffset, byteOffset + byteLength),
  };
}

/** Reads one file. Safe for concurrent reads, which share the opened file; it holds nothing between them. */
export class ParquetReader {
  readonly #source: ParquetSource;
  readonly #blob: FetchedBlob;
  #opening: Promise<ParquetFile> | undefined;
  #users = 0;

  constructor(source: ParquetSource) {
    this.#source = source;
    this.#blob = new FetchedBlob(source.info);
  }

  /** Opens the file for the first of several readers at once. */
  async #acquire(): Promise<ParquetFile> {
    this.#users++;
    this.#opening ??= ParquetFile.fromFile(this.#blob as unknown as Blob);
    try {
      return await this.#opening;
    } catch (error) {
      this.#users--;
      this.#opening = undefined;
      throw parquetError(error, `open ${this.#source.name}`);
    }
  }

  /** Frees the library's part with the last of them: its memory never shrinks. */
  #release(file: ParquetFile): void {
    this.#users--;
    if (this.#users > 0) return;
    this.#opening = undefined;
    file.free();
  }

  async #fetchWindow(window: FetchWindow, signal?: AbortSignal): Promise<FetchedRange[]> {
    return await Promise.all(
      window.ranges.map(async ({ start, end, chunks }) => {
        const bytes = await this.#source.fetch(start, end, signal);
        if (bytes.length !== end - start) {
          throw corrupt(
            'PS_BLOCK_SHORT',
            `cannot read ${this.#source.name}: got ${bytes.length} bytes at ${start}; want ${end - start}`,
          );
        }
        for (const chunk of chunks) {
          const at = chunk.offset - start;
          const got = crc32c(bytes.subarray(at, at + chunk.sizeBytes));
          if (got !== chunk.crc32c) throw this.#damaged(chunk, got);
        }
        return { start, bytes };
      }),
    );
  }

  #damaged(chunk: { column: string; offset: number; crc32c: number }, got: number): StoreError {
    const { name } = this.#source;
    return corrupt(
      'PS_BLOCK_CHECKSUM',
      `cannot read column ${chunk.column} of ${name} at ${chunk.offset}: got checksum ${got}; want ${chunk.crc32c}`,
      { object: name, column: chunk.column, offset: chunk.offset },
    );
  }

  /**
   * Reads the row groups one after another; `use` gets each as a table in WebAssembly memory, and frees it. Windows
   * of bounded size are fetched ahead.
   */
  async #readEach(
    request: ReadRequest,
    use: (table: Table, rowGroup: number) => void,
  ): Promise<void> {
    const { columns, rowGroups, signal } = request;
    const windows = planFetch(this.#source.info.rowGroups, rowGroups, columns);
    const file = await this.#acquire();
    const fetching: Promise<FetchedRange[]>[] = [];
    try {
      for (let w = 0; w < windows.length; w++) {
        while (fetching.length <= w + WINDOWS_AHEAD && fetching.length < windows.length) {
          const fetched = this.#fetchWindow(windows[fetching.length]!, signal);
          // A failure is thrown where the window is awaited, not as an unhandled rejection before that.
          fetched.catch(() => undefined);
          fetching.push(fetched);
        }
        const ranges = await fetching[w]!;
        fetching[w] = Promise.resolve([]);
        this.#blob.add(ranges);
        try {
          for (const rowGroup of windows[w]!.rowGroups) {
            signal?.throwIfAborted();
            use(await this.#readGroup(file, rowGroup, columns), rowGroup);
          }
        } finally {
          this.#blob.remove(ranges);
        }
      }
    } catch (error) {
      if (signal?.aborted === true) throw cancelled(error);
      throw error;
    } finally {
      this.#release(file);
    }
  }

  async #readGroup(
    file: ParquetFile,
    rowGroup: number,
    columns: readonly string[],
  ): Promise<Table> {
    try {
      return await file.read({
        rowGroups: [rowGroup],
        columns: [...columns],
        batchSize: BATCH_ROWS,
      });
    } catch (error) {
      throw parquetError(error, `read row group ${rowGroup} of ${this.#source.name}`);
    }
  }

  /** Visits int32, int64 and timestamp columns in place. The visitor must not read Parquet itself. */
  async scan(request: ReadRequest, visit: (views: ColumnViews) => void): Promise<void> {
    await this.#readEach(request, (table, rowGroup) => {
      const group = this.#source.info.rowGroups[rowGroup]!;
      const stream = table.intoFFI();
      try {
        const found = schemaColumns(stream.schemaAddr());
        const order = request.columns.map((name) => found.findIndex((c) => c.name === name));
        assert(
          found.length === order.length && !order.includes(-1),
          'the library must return the columns asked for',
        );
        const formats = found.map((column) => column.format);
        let firstRow = group.firstRow;
        for (const address of stream.arrayAddrs()) {
          const { rowCount, columns } = batchColumns(address, formats);
          visit({ rowGroup, firstRow, rowCount, columns: order.map((at) => columns[at]!) });
          firstRow += rowCount;
        }
        checkRows(firstRow - group.firstRow, group.rowCount, this.#source.name);
      } finally {
        stream.free();
      }
    });
  }

  /** Reads columns of any type as tables of JavaScript memory, one for each row group. */
  async tables(request: ReadRequest, schema: TableSchema): Promise<ColumnTable[]> {
    const tables: ColumnTable[] = [];
    await this.#readEach(request, (wasmTable, rowGroup) => {
      const table = decodeIpcStream(wasmTable.intoIPCStream(), schema);
      const group = this.#source.info.rowGroups[rowGroup]!;
      checkRows(table.rowCount, group.rowCount, this.#source.name);
      tables.push(table);
    });
    return tables;
  }
}

function checkRows(got: number, want: number, name: string): void {
  if (got !== want) {
    throw corrupt(
      'PS_PARQUET_ROWS',
      `cannot read ${name}: got ${got} rows in a row group; want ${want}`,
    );
  }
}

function cancelled(cause: unknown): StoreError {
  return new StoreError({
    kind: 'cancelled',
    code: 'PS_CANCELLED',
    message: 'the read was cancelled',
    cause,
  });
}
