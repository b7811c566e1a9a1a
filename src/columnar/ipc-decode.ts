/**
 * Arrow IPC streams to tables. Typed arrays are views of the input; every length, offset and index is checked against
 * it, so damaged input gives `corrupt`, never a crash or a large allocation. A stream whose schema message is the
 * expected one, byte for byte, need not have it parsed.
 */
import { StoreError, corrupt } from '../base/errors.js';
import type { NumericLabel, StringLabel } from '../model/sample-labels.js';
import { concatenate } from './concatenate.js';
import { columnShape, schemaMessage } from './ipc-encode.js';
import {
  type BatchHeader,
  CONTINUATION,
  HEADER_DICTIONARY_BATCH,
  PREFIX_BYTES,
  readBatchHeader,
} from './ipc-message.js';
import { type StreamSchema, readSchemaMessage } from './ipc-schema.js';
import type { Column, ColumnField, ColumnTable, TableSchema } from './table.js';
import { checkIndices, checkOffsets, decodeUtf8Run } from './utf8.js';

/**
 * Decodes one stream, of one or several record batches. With `schema`, the table must have just those fields (else
 * `corrupt` PS_COLUMN_SCHEMA), and the result carries that very schema. Numbers are views of `bytes` where there is
 * one batch and `bytes` is aligned to 8, else copies. Throws `corrupt` PS_COLUMN_*.
 */
export function decodeIpcStream(bytes: Uint8Array, schema?: TableSchema): ColumnTable {
  try {
    const aligned = (bytes.byteOffset & 7) === 0 ? bytes : Uint8Array.from(bytes);
    if (schema !== undefined) {
      const opening = schemaMessage(schema);
      if (equalBytes(bytes.subarray(0, opening.length), opening)) {
        const dictionaryIds = schema.fields.map((_, index) => index);
        return decodeBatches(aligned, opening.length, { schema, dictionaryIds });
      }
    }
    const { metadata, bodyStart } = metadataAt(aligned, 0);
    const found = readSchemaMessage(metadata);
    const table = decodeBatches(aligned, bodyStart, found);
    return schema === undefined ? table : withSchema(table, schema);
  } catch (error) {
    if (error instanceof StoreError) throw error;
    throw new StoreError({
      kind: 'corrupt',
      code: 'PS_COLUMN_MESSAGE',
      message: `cannot read record batch: got ${String(error)}; want an Arrow IPC stream`,
      cause: error,
    });
  }
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function withSchema(table: ColumnTable, schema: TableSchema): ColumnTable {
  const shape = (fields: readonly ColumnField[]): string =>
    fields.map((field) => `${field.name}:${field.type}`).join(' ');
  const got = shape(table.schema.fields);
  const want = shape(schema.fields);
  if (got !== want) {
    throw corrupt('PS_COLUMN_SCHEMA', `cannot read record batch: got columns ${got}; want ${want}`);
  }
  return { ...table, schema };
}

/** The buffers of one message, handed out in order. */
class BodyReader {
  readonly #bytes: Uint8Array;
  readonly #header: BatchHeader;
  #node = 0;
  #buffer = 0;

  constructor(bytes: Uint8Array, header: BatchHeader) {
    this.#bytes = bytes;
    this.#header = header;
    if (header.nullCounts !== 0) {
      throw corrupt('PS_COLUMN_NULL', 'cannot read record batch: got nulls; want none');
    }
  }

  /** Length of the next node, which must be `want` unless that is -1. */
  node(want: number): number {
    const length = this.#header.nodes[this.#node++]!;
    if ((want >= 0 && length !== want) || length > 0x7fffffff) {
      throw corrupt('PS_COLUMN_LENGTH', `cannot read column: got ${length} rows; want ${want}`);
    }
    return length;
  }

  #next(): { start: number; sizeBytes: number } {
    const at = 2 * this.#buffer++;
    const start = this.#header.buffers[at]!;
    const sizeBytes = this.#header.buffers[at + 1]!;
    if (start + sizeBytes > this.#bytes.length || (start & 7) !== 0) {
      throw corrupt(
        'PS_COLUMN_LENGTH',
        `cannot read column: got a buffer of ${sizeBytes} bytes at ${start}; want it inside ${this.#bytes.length}`,
      );
    }
    return { start, sizeBytes };
  }

  skip(): void {
    this.#next();
  }

  /** The next buffer, at least `neededBytes` long. */
  buffer(neededBytes: number): { start: number; sizeBytes: number } {
    const { start, sizeBytes } = this.#next();
    if (sizeBytes < neededBytes) {
      throw corrupt(
        'PS_COLUMN_LENGTH',
        `cannot read column: got ${sizeBytes} bytes; want ${neededBytes}`,
      );
    }
    return { start: this.#bytes.byteOffset + start, sizeBytes };
  }

  int32(count: number): Int32Array {
    this.skip();
    return new Int32Array(this.#bytes.buffer, this.buffer(count * 4).start, count);
  }

  /** count + 1 offsets; some writers leave the buffer empty where there are no rows. */
  offsets(count: number): Int32Array {
    if (count > 0) return this.int32(count + 1);
    this.skip();
    this.skip();
    return new Int32Array(1);
  }

  int64(count: number): BigInt64Array {
    this.skip();
    return new BigInt64Array(this.#bytes.buffer, this.buffer(count * 8).start, count);
  }

  float64(count: number): Float64Array {
    this.skip();
    return new Float64Array(this.#bytes.buffer, this.buffer(count * 8).start, count);
  }

  bits(count: number): Uint8Array {
    this.skip();
    const { start } = this.buffer((count + 7) >> 3);
    const bits = new Uint8Array(this.#bytes.buffer, start, (count + 7) >> 3);
    const values = new Uint8Array(count);
    for (let i = 0; i < count; i++) values[i] = (bits[i >> 3]! >> (i & 7)) & 1;
    return values;
  }

  strings(count: number): string[] {
    const offsets = this.offsets(count);
    const { start, sizeBytes } = this.buffer(0);
    return decodeUtf8Run(offsets, new Uint8Array(this.#bytes.buffer, start, sizeBytes), count);
  }
}

function readStrings(reader: BodyReader, want: number): string[] {
  return reader.strings(reader.node(want));
}

/** Cuts `elements` into lists. */
function intoLists<T>(offsets: Int32Array, elements: readonly T[], count: number): T[][] {
  checkOffsets(offsets, count, elements.length);
  const lists = new Array<T[]>(count);
  // Most lists have nothing, and nobody writes to one: they share it.
  const empty: T[] = [];
  for (let i = 0; i < count; i++) {
    const start = offsets[i]!;
    const end = offsets[i + 1]!;
    lists[i] = start === end ? empty : elements.slice(start, end);
  }
  return lists;
}

function readMaps(reader: BodyReader, count: number): StringLabel[][] {
  const offsets = reader.offsets(count);
  const entryCount = reader.node(-1);
  reader.skip();
  const names = readStrings(reader, entryCount);
  const values = readStrings(reader, entryCount);
  return intoLists(
    offsets,
    names.map((name, i) => ({ name, value: values[i]! })),
    count,
  );
}

function readNumericLists(reader: BodyReader, count: number): NumericLabel[][] {
  const offsets = reader.offsets(count);
  const elementCount = reader.node(-1);
  reader.skip();
  const names = readStrings(reader, elementCount);
  const values = reader.int64(reader.node(elementCount));
  const units = readStrings(reader, elementCount);
  return intoLists(
    offsets,
    names.map((name, i) => ({ name, value: values[i]!, unit: units[i]! })),
    count,
  );
}

function readColumn(
  reader: BodyReader,
  field: ColumnField,
  rowCount: number,
  dictionary: readonly string[],
): Column {
  const count = reader.node(rowCount);
  switch (field.type) {
    case 'int32':
      return { type: 'int32', values: reader.int32(count) };
    case 'int64':
    case 'timestamp':
      return { type: field.type, values: reader.int64(count) };
    case 'float64':
      return { type: 'float64', values: reader.float64(count) };
    case 'bool':
      return { type: 'bool', values: reader.bits(count) };
    case 'utf8':
      return { type: 'utf8', values: reader.strings(count) };
    case 'dictionary': {
      const indices = reader.int32(count);
      checkIndices(indices, count, dictionary.length);
      return { type: 'dictionary', indices, dictionary };
    }
    case 'list-utf8': {
      const offsets = reader.offsets(count);
      return { type: 'list-utf8', values: intoLists(offsets, readStrings(reader, -1), count) };
    }
    case 'map':
      return { type: 'map', values: readMaps(reader, count) };
    case 'list-numeric':
      return { type: 'list-numeric', values: readNumericLists(reader, count) };
  }
}

function checkShape(header: BatchHeader, schema: TableSchema): void {
  let nodes = 0;
  let buffers = 0;
  for (const field of schema.fields) {
    const shape = columnShape(field.type);
    nodes += shape.nodes;
    buffers += shape.buffers;
  }
  if (header.nodes.length !== nodes || header.buffers.length !== buffers * 2) {
    throw corrupt(
      'PS_COLUMN_SCHEMA',
      `cannot read record batch: got ${header.nodes.length} nodes; want ${nodes}`,
    );
  }
}

interface Message {
  readonly header: BatchHeader;
  readonly body: Uint8Array;
  readonly end: number;
}

/** The metadata of the message at `start`; empty at the end of the stream. */
function metadataAt(bytes: Uint8Array, start: number): { metadata: DataView; bodyStart: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(start, true) !== CONTINUATION) {
    throw corrupt(
      'PS_COLUMN_MESSAGE',
      `cannot read record batch: got no message at ${start}; want one`,
    );
  }
  const sizeBytes = view.getInt32(start + 4, true);
  const metadataStart = start + PREFIX_BYTES;
  const bodyStart = metadataStart + sizeBytes;
  if (sizeBytes < 0 || (sizeBytes & 7) !== 0 || bodyStart > bytes.length) {
    throw corrupt(
      'PS_COLUMN_MESSAGE',
      `cannot read record batch: got ${sizeBytes} bytes of metadata at ${start}; want it inside`,
    );
  }
  const metadata = new DataView(bytes.buffer, bytes.byteOffset + metadataStart, sizeBytes);
  return { metadata, bodyStart };
}

/** The message at `start`, or undefined at the end of the stream. */
function readMessage(bytes: Uint8Array, start: number): Message | undefined {
  const { metadata, bodyStart } = metadataAt(bytes, start);
  if (metadata.byteLength === 0) return undefined;
  const header = readBatchHeader(metadata);
  const end = bodyStart + header.bodyBytes;
  if (end > bytes.length) {
    throw corrupt(
      'PS_COLUMN_MESSAGE',
      `cannot read record batch: got ${bytes.length} bytes; want ${end}`,
    );
  }
  return { header, body: bytes.subarray(bodyStart, end), end };
}

function decodeBatches(bytes: Uint8Array, start: number, stream: StreamSchema): ColumnTable {
  const { schema, dictionaryIds } = stream;
  const dictionaries = new Map<number, readonly string[]>();
  const batches: Column[][] = [];
  let rowCount = 0;
  let message = readMessage(bytes, start);
  for (; message !== undefined; message = readMessage(bytes, message.end)) {
    const { header, body } = message;
    const reader = new BodyReader(body, header);
    if (header.headerType === HEADER_DICTIONARY_BATCH) {
      if (header.nodes.length !== 1 || header.buffers.length !== 6) {
        throw corrupt('PS_COLUMN_SCHEMA', 'cannot read dictionary: got another type; want strings');
      }
      dictionaries.set(header.dictionaryId, readStrings(reader, header.rowCount));
      continue;
    }
    checkShape(header, schema);
    rowCount += header.rowCount;
    batches.push(
      schema.fields.map((field, index) => {
        const dictionary = dictionaries.get(dictionaryIds[index]!) ?? [];
        return readColumn(reader, field, header.rowCount, dictionary);
      }),
    );
  }
  if (batches.length === 1) return { schema, rowCount, columns: batches[0]! };
  const columns = schema.fields.map((field, index) =>
    concatenate(
      field.type,
      batches.map((batch) => batch[index]!),
    ),
  );
  return { schema, rowCount, columns };
}
