/**
 * Writes one Parquet file as a stream of row groups. Each group goes to parquet-wasm as one record batch, comes back
 * as bytes, gets a checksum for each column chunk and goes to the sink: about one row group is in memory at a time.
 *
 * Three facts of the library shape this file. It writes a row group when it has `rowGroupRows` rows or at the end, so
 * every group but the last must be full. It keeps small outputs back, so a group's bytes may come long after its rows
 * were taken: a pump moves output on its own, and giving rows waits for the library to ask for more. And it hides
 * errors that happen between groups, so the footer that comes out is compared with what went in.
 */
import {
  Compression,
  EnabledStatistics,
  Encoding,
  type RecordBatch,
  Table,
  type WriterProperties,
  WriterPropertiesBuilder,
  transformParquetStream,
} from 'parquet-wasm';
import { assert } from '../base/assert.js';
import { crc32c } from '../base/crc32c.js';
import { StoreError } from '../base/errors.js';
import { encodeIpcStream } from '../columnar/ipc-encode.js';
import type { ColumnTable, TableSchema } from '../columnar/table.js';
import type { ColumnChunkInfo, ParquetFileInfo, RowGroupInfo } from './file-info.js';
import { readFooter } from './footer.js';
import { chunkEnds, leafValueCounts } from './page-walk.js';
import { parquetError } from './wasm.js';

export type ColumnEncoding = 'dictionary' | 'delta' | 'plain' | 'delta-length';
export type ParquetCompression = 'zstd' | 'lz4' | 'none';

/** Takes the file's bytes in order; has copied or sent them when it resolves. */
export interface ByteSink {
  write(bytes: Uint8Array): Promise<void>;
}

export interface ParquetWriterOptions {
  readonly schema: TableSchema;
  readonly sink: ByteSink;
  readonly rowGroupRows: number;
  /** By column; those not named are `dictionary`, which falls back to plain where it does not pay. */
  readonly encodings: Readonly<Record<string, ColumnEncoding>>;
  readonly compression: ParquetCompression;
}

export interface ParquetWriter {
  /**
   * Writes one row group: `rowGroupRows` rows, fewer only in the last one. The table's arrays may be reused when it
   * resolves.
   */
  writeRowGroup(table: ColumnTable): Promise<void>;
  /** Ends the file. A file may have no row group at all. */
  finish(): Promise<ParquetFileInfo>;
  /** Frees what is held; safe after a failure or twice. */
  abort(): Promise<void>;
}

export const CREATED_BY = 'basalt';
const MAGIC_BYTES = 4;

const CODECS: Readonly<Record<ParquetCompression, Compression>> = {
  zstd: Compression.ZSTD,
  lz4: Compression.LZ4_RAW,
  none: Compression.UNCOMPRESSED,
};

const ENCODINGS: Readonly<Record<Exclude<ColumnEncoding, 'dictionary'>, Encoding>> = {
  delta: Encoding.DELTA_BINARY_PACKED,
  plain: Encoding.PLAIN,
  'delta-length': Encoding.DELTA_LENGTH_BYTE_ARRAY,
};

function writerProperties(options: ParquetWriterOptions): WriterProperties {
  let builder = new WriterPropertiesBuilder()
    .setCompression(CODECS[options.compression])
    .setStatisticsEnabled(EnabledStatistics.Chunk)
    .setMaxRowGroupSize(options.rowGroupRows)
    .setCreatedBy(CREATED_BY);
  for (const [column, encoding] of Object.entries(options.encodings)) {
    if (encoding === 'dictionary') continue;
    builder = builder
      .setColumnDictionaryEnabled(column, false)
      .setColumnEncoding(column, ENCODINGS[encoding]);
  }
  return builder.build();
}

export function createParquetWriter(options: ParquetWriterOptions): ParquetWriter {
  return new StreamingParquetWriter(options);
}

/** Row groups are encoded one after another and copied at once: one buffer of this thread serves them all. */
let scratch = new Uint8Array(0);
const SCRATCH_BYTES_MAX = 16 << 20;

function scratchOf(sizeBytes: number): Uint8Array {
  if (sizeBytes > SCRATCH_BYTES_MAX) return new Uint8Array(sizeBytes);
  if (scratch.length < sizeBytes) scratch = new Uint8Array(sizeBytes + (sizeBytes >>> 2));
  return scratch.subarray(0, sizeBytes).fill(0);
}

interface AwaitedRowGroup {
  readonly firstRow: number;
  readonly rowCount: number;
  /** Values of each leaf column. */
  readonly counts: readonly number[];
}

interface WrittenRowGroup {
  readonly firstRow: number;
  readonly rowCount: number;
  readonly chunks: readonly Omit<ColumnChunkInfo, 'column'>[];
}

interface Resolver {
  readonly promise: Promise<void>;
  resolve(): void;
}

function withResolver(): Resolver {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve: () => resolve() };
}

async function readOutput(
  output: ReadableStreamDefaultReader<Uint8Array>,
): Promise<{ readonly done: false; readonly value: Uint8Array } | { readonly done: true }> {
  try {
    const { done, value } = await output.read();
    return done ? { done } : { done, value };
  } catch (error) {
    throw parquetError(error, 'write row group');
  }
}

class StreamingParquetWriter implements ParquetWriter {
  readonly #options: ParquetWriterOptions;
  readonly #batches: ReadableStream<RecordBatch>;
  #controller: ReadableStreamDefaultController<RecordBatch> | undefined;
  /** Resolves when the library wants the next batch, which means that it is done with the one before. */
  #demand = withResolver();
  /** Moves bytes from the library to the sink; settles when the library's output ends. */
  #pump: Promise<void> | undefined;
  #output: ReadableStreamDefaultReader<Uint8Array> | undefined;
  /** Bytes that came out and are not yet written: of the current row group, or the file's tail. */
  #pending: Uint8Array = new Uint8Array(0);
  #writtenBytes = 0;
  #rowCount = 0;
  #isLastGiven = false;
  /** Row groups given to the library whose bytes did not all come out yet. */
  readonly #awaited: AwaitedRowGroup[] = [];
  readonly #rowGroups: WrittenRowGroup[] = [];
  #status: 'open' | 'finished' | 'aborted' = 'open';

  constructor(options: ParquetWriterOptions) {
    this.#options = options;
    this.#batches = new ReadableStream<RecordBatch>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => this.#demand.resolve(),
      },
      // No read-ahead: `pull` means that the library waits.
      { highWaterMark: 0 },
    );
  }

  async writeRowGroup(table: ColumnTable): Promise<void> {
    const { rowGroupRows, schema } = this.#options;
    assert(this.#status === 'open', 'a finished writer takes no rows');
    assert(!this.#isLastGiven, 'only the last row group may have fewer rows');
    assert(table.schema === schema, 'rows must have the schema of the file');
    assert(table.rowCount > 0 && table.rowCount <= rowGroupRows, 'a row group must be filled');
    this.#isLastGiven = table.rowCount < rowGroupRows;
    this.#awaited.push({
      firstRow: this.#rowCount,
      rowCount: table.rowCount,
      counts: leafValueCounts(table),
    });
    this.#rowCount += table.rowCount;
    await this.#give(table);
  }

  /** Hands the rows to the library and waits until it has encoded them. */
  async #give(table: ColumnTable): Promise<void> {
    this.#pump ??= this.#start();
    await this.#untilDemand();
    this.#demand = withResolver();
    try {
      const copied = Table.fromIPCStream(encodeIpcStream(table, scratchOf));
      const batch = copied.recordBatch(0);
      copied.free();
      assert(batch !== undefined && batch.numRows === table.rowCount, 'a stream holds one batch');
      this.#controller?.enqueue(batch);
    } catch (error) {
      throw parquetError(error, 'write row group');
    }
    await this.#untilDemand();
  }

  async #untilDemand(): Promise<void> {
    const ended = (this.#pump as Promise<void>).then(() => {
      throw this.#cutShort();
    });
    await Promise.race([this.#demand.promise, ended]);
    ended.catch(() => undefined);
  }

  async #start(): Promise<void> {
    const pump = this.#pumpOutput();
    // Whoever gives rows or finishes sees the failure; this keeps it from counting as unhandled until then.
    pump.catch(() => undefined);
    await pump;
  }

  async #pumpOutput(): Promise<void> {
    let output: ReadableStreamDefaultReader<Uint8Array>;
    try {
      const stream = await transformParquetStream(this.#batches, writerProperties(this.#options));
      output = (stream as ReadableStream<Uint8Array>).getReader();
      this.#output = output;
    } catch (error) {
      throw parquetError(error, 'write row group');
    }
    for (;;) {
      const read = await readOutput(output);
      if (read.done) return;
      const { value } = read;
      this.#pending =
        this.#pending.length === 0 ? value : new Uint8Array(Buffer.concat([this.#pending, value]));
      while (await this.#takeRowGroup());
    }
  }

  /** Notes the chunks of the first awaited row group and writes it out, once all its bytes are there. */
  async #takeRowGroup(): Promise<boolean> {
    const awaited = this.#awaited[0];
    if (awaited === undefined) return false;
    const start = this.#writtenBytes === 0 ? MAGIC_BYTES : 0;
    const ends = chunkEnds(this.#pending, start, awaited.counts);
    if (ends === undefined) return false;
    this.#awaited.shift();
    const fileStart = this.#writtenBytes;
    let chunkStart = start;
    const chunks = ends.map((end) => {
      const bytes = this.#pending.subarray(chunkStart, end);
      const offset = fileStart + chunkStart;
      chunkStart = end;
      return { offset, sizeBytes: bytes.length, crc32c: crc32c(bytes) };
    });
    const { firstRow, rowCount } = awaited;
    this.#rowGroups.push({ firstRow, rowCount, chunks });
    await this.#write(this.#pending.subarray(0, chunkStart));
    this.#pending = this.#pending.subarray(chunkStart);
    return true;
  }

  async #write(bytes: Uint8Array): Promise<void> {
    await this.#options.sink.write(bytes);
    this.#writtenBytes += bytes.length;
  }

  #cutShort(): StoreError {
    return new StoreError({
      kind: 'internal',
      code: 'PS_PARQUET_SHORT',
      message: `cannot write row group: got ${this.#pending.length} bytes; want a whole row group`,
    });
  }

  async finish(): Promise<ParquetFileInfo> {
    assert(this.#status === 'open', 'a writer finishes once');
    if (this.#pump === undefined) await this.#give(emptyTable(this.#options.schema));
    this.#controller?.close();
    await this.#pump;
    if (this.#awaited.length > 0) throw this.#cutShort();
    const tailStart = this.#writtenBytes === 0 ? MAGIC_BYTES : 0;
    const footer = this.#pending.slice(tailStart);
    await this.#write(this.#pending);
    this.#pending = new Uint8Array(0);
    this.#status = 'finished';
    return this.#fileInfo(footer);
  }

  #fileInfo(footer: Uint8Array): ParquetFileInfo {
    const read = readFooter(footer, this.#writtenBytes);
    const matches =
      read.rowCount === this.#rowCount &&
      read.rowGroups.length === this.#rowGroups.length &&
      read.rowGroups.every((group, g) => {
        const written = this.#rowGroups[g]!;
        return (
          group.rowCount === written.rowCount &&
          group.columns.length === written.chunks.length &&
          group.columns.every((chunk, c) => {
            const { offset, sizeBytes } = written.chunks[c]!;
            return chunk.offset === offset && chunk.sizeBytes === sizeBytes;
          })
        );
      });
    if (!matches) {
      throw new StoreError({
        kind: 'internal',
        code: 'PS_PARQUET_FOOTER',
        message: `cannot finish Parquet file: got a footer of ${read.rowCount} rows; want the ${this.#rowCount} rows that were written`,
      });
    }
    const rowGroups: RowGroupInfo[] = this.#rowGroups.map((group, g) => ({
      firstRow: group.firstRow,
      rowCount: group.rowCount,
      columns: group.chunks.map((chunk, c) => ({
        column: read.rowGroups[g]!.columns[c]!.column,
        ...chunk,
      })),
    }));
    return { sizeBytes: this.#writtenBytes, rowCount: this.#rowCount, footer, rowGroups };
  }

  async abort(): Promise<void> {
    if (this.#status !== 'open') return;
    this.#status = 'aborted';
    this.#pending = new Uint8Array(0);
    try {
      this.#controller?.close();
      await this.#output?.cancel();
    } catch {
      // The stream may have failed already: that is why it is aborted.
    }
  }
}

function emptyTable(schema: TableSchema): ColumnTable {
  return { schema, rowCount: 0, columns: schema.fields.map((field) => emptyColumn(field.type)) };
}

function emptyColumn(type: TableSchema['fields'][number]['type']): ColumnTable['columns'][number] {
  switch (type) {
    case 'int32':
      return { type, values: new Int32Array(0) };
    case 'int64':
    case 'timestamp':
      return { type, values: new BigInt64Array(0) };
    case 'float64':
      return { type, values: new Float64Array(0) };
    case 'bool':
      return { type, values: new Uint8Array(0) };
    case 'dictionary':
      return { type, indices: new Int32Array(0), dictionary: [] };
    default:
      return { type, values: [] };
  }
}
