/**
 * Tables to Arrow IPC streams (https://arrow.apache.org/docs/format/Columnar.html). The schema message is made once for
 * each schema.
 */
import { assert } from '../base/assert.js';
import type { NumericLabel, StringLabel } from '../model/sample-labels.js';
import { schemaMessageOf } from './arrow-schema.js';
import {
  CONTINUATION,
  END_OF_STREAM_BYTES,
  type MessageTemplate,
  dictionaryTemplate,
  recordBatchTemplate,
} from './ipc-message.js';
import {
  type Column,
  type ColumnField,
  type ColumnTable,
  type TableSchema,
  columnLength,
} from './table.js';
import { encodeUtf8Run } from './utf8.js';

interface StreamLayout {
  readonly schemaMessage: Uint8Array;
  readonly recordBatch: MessageTemplate;
  /** By column; undefined where the column has no dictionary. */
  readonly dictionaries: readonly (MessageTemplate | undefined)[];
}

const layouts = new WeakMap<TableSchema, StreamLayout>();
const NOTHING = new Uint8Array(0);

/** Nodes and buffers that a column of a type takes in a record batch. */
export function columnShape(type: ColumnField['type']): { nodes: number; buffers: number } {
  switch (type) {
    case 'int32':
    case 'int64':
    case 'timestamp':
    case 'float64':
    case 'bool':
    case 'dictionary':
      return { nodes: 1, buffers: 2 };
    case 'utf8':
      return { nodes: 1, buffers: 3 };
    case 'list-utf8':
      return { nodes: 2, buffers: 5 };
    case 'map':
      return { nodes: 4, buffers: 9 };
    case 'list-numeric':
      return { nodes: 5, buffers: 11 };
  }
}

function layoutOf(schema: TableSchema): StreamLayout {
  const known = layouts.get(schema);
  if (known !== undefined) return known;
  const shapes = schema.fields.map((field) => columnShape(field.type));
  const layout = {
    schemaMessage: schemaMessageOf(schema),
    recordBatch: recordBatchTemplate(
      shapes.reduce((sum, shape) => sum + shape.nodes, 0),
      shapes.reduce((sum, shape) => sum + shape.buffers, 0),
    ),
    dictionaries: schema.fields.map((field, index) =>
      field.type === 'dictionary' ? dictionaryTemplate(index) : undefined,
    ),
  };
  layouts.set(schema, layout);
  return layout;
}

/** The schema message of streams of this schema: a reader that knows it need not parse it. */
export function schemaMessage(schema: TableSchema): Uint8Array {
  return layoutOf(schema).schemaMessage;
}

/** The buffers of one batch in order, and the length of each node. */
interface BatchBody {
  readonly rowCount: number;
  readonly nodes: number[];
  readonly parts: Uint8Array[];
}

function bytesOf(values: ArrayBufferView, count: number, width: number): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, count * width);
}

function addStrings(body: BatchBody, texts: readonly string[], count: number): void {
  const { offsets, bytes } = encodeUtf8Run(texts, count);
  body.nodes.push(count);
  body.parts.push(NOTHING, bytesOf(offsets, count + 1, 4), bytes);
}

/** Adds a list's offsets and returns all its elements. */
function addLists<T>(body: BatchBody, lists: readonly (readonly T[])[], count: number): T[] {
  const offsets = new Int32Array(count + 1);
  const elements: T[] = [];
  for (let i = 0; i < count; i++) {
    for (const element of lists[i]!) elements.push(element);
    offsets[i + 1] = elements.length;
  }
  body.nodes.push(count);
  body.parts.push(NOTHING, bytesOf(offsets, count + 1, 4));
  return elements;
}

function addStruct(body: BatchBody, count: number): void {
  body.nodes.push(count);
  body.parts.push(NOTHING);
}

function addMaps(body: BatchBody, maps: readonly (readonly StringLabel[])[], count: number): void {
  const entries = addLists(body, maps, count);
  addStruct(body, entries.length);
  addStrings(
    body,
    entries.map((entry) => entry.name),
    entries.length,
  );
  addStrings(
    body,
    entries.map((entry) => entry.value),
    entries.length,
  );
}

function addNumericLists(
  body: BatchBody,
  lists: readonly (readonly NumericLabel[])[],
  count: number,
): void {
  const elements = addLists(body, lists, count);
  addStruct(body, elements.length);
  addStrings(
    body,
    elements.map((element) => element.name),
    elements.length,
  );
  const values = BigInt64Array.from(elements, (element) => element.value);
  body.nodes.push(elements.length);
  body.parts.push(NOTHING, bytesOf(values, elements.length, 8));
  addStrings(
    body,
    elements.map((element) => element.unit),
    elements.length,
  );
}

function packBits(values: Uint8Array, count: number): Uint8Array {
  const bits = new Uint8Array((count + 7) >> 3);
  for (let i = 0; i < count; i++) if (values[i] !== 0) bits[i >> 3]! |= 1 << (i & 7);
  return bits;
}

function addFixed(body: BatchBody, bytes: Uint8Array, count: number): void {
  body.nodes.push(count);
  body.parts.push(NOTHING, bytes);
}

function addColumn(body: BatchBody, column: Column, count: number): void {
  switch (column.type) {
    case 'int32':
      addFixed(body, bytesOf(column.values, count, 4), count);
      return;
    case 'int64':
    case 'timestamp':
    case 'float64':
      addFixed(body, bytesOf(column.values, count, 8), count);
      return;
    case 'dictionary':
      addFixed(body, bytesOf(column.indices, count, 4), count);
      return;
    case 'bool':
      addFixed(body, packBits(column.values, count), count);
      return;
    case 'utf8':
      addStrings(body, column.values, count);
      return;
    case 'list-utf8': {
      const elements = addLists(body, column.values, count);
      addStrings(body, elements, elements.length);
      return;
    }
    case 'map':
      addMaps(body, column.values, count);
      return;
    case 'list-numeric':
      addNumericLists(body, column.values, count);
      return;
  }
}

function paddedBytes(sizeBytes: number): number {
  return (sizeBytes + 7) & ~7;
}

function messageBytes(template: MessageTemplate, body: BatchBody): number {
  let sizeBytes = template.bytes.length;
  for (const part of body.parts) sizeBytes += paddedBytes(part.length);
  return sizeBytes;
}

/** Writes a batch message to `out[start..)`, which is zero there, and returns its end. */
function putMessage(
  out: Uint8Array,
  start: number,
  template: MessageTemplate,
  body: BatchBody,
): number {
  const view = new DataView(out.buffer, out.byteOffset + start);
  out.set(template.bytes, start);
  const bodyStart = start + template.bytes.length;
  view.setUint32(template.rowCountAt, body.rowCount, true);
  for (let i = 0; i < body.nodes.length; i++) {
    view.setUint32(template.nodesAt + i * 16, body.nodes[i]!, true);
  }
  let end = 0;
  for (let i = 0; i < body.parts.length; i++) {
    const part = body.parts[i]!;
    view.setUint32(template.buffersAt + i * 16, end, true);
    view.setUint32(template.buffersAt + i * 16 + 8, part.length, true);
    out.set(part, bodyStart + end);
    end += paddedBytes(part.length);
  }
  view.setUint32(template.bodyLengthAt, end, true);
  return bodyStart + end;
}

/** A stream may not exceed this: sizes and offsets inside are 32-bit. */
const STREAM_BYTES_MAX = 2 ** 31 - 1;

/**
 * The table as one Arrow IPC stream: schema, dictionaries, one record batch, end. The result lies in what `allocate`
 * gives for its size, which must be zero; the caller may keep it as long as that.
 */
export function encodeIpcStream(
  table: ColumnTable,
  allocate: (sizeBytes: number) => Uint8Array = (sizeBytes) => new Uint8Array(sizeBytes),
): Uint8Array {
  const { schema, rowCount, columns } = table;
  const layout = layoutOf(schema);
  assert(columns.length === schema.fields.length, 'a table must have one column for each field');
  const body: BatchBody = { rowCount, nodes: [], parts: [] };
  const messages: { template: MessageTemplate; body: BatchBody }[] = [];
  let sizeBytes = layout.schemaMessage.length + END_OF_STREAM_BYTES;
  for (let c = 0; c < columns.length; c++) {
    const column = columns[c]!;
    assert(column.type === schema.fields[c]!.type, 'a column must have the type of its field');
    assert(columnLength(column) >= rowCount, 'a column must have a value for each row');
    if (column.type === 'dictionary') {
      const count = column.dictionary.length;
      const strings: BatchBody = { rowCount: count, nodes: [], parts: [] };
      addStrings(strings, column.dictionary, count);
      messages.push({ template: layout.dictionaries[c]!, body: strings });
    }
    addColumn(body, column, rowCount);
  }
  messages.push({ template: layout.recordBatch, body });
  for (const message of messages) sizeBytes += messageBytes(message.template, message.body);
  assert(sizeBytes <= STREAM_BYTES_MAX, 'a stream must stay below 2 GiB');
  const out = allocate(sizeBytes);
  assert(out.length === sizeBytes, 'a stream fills its buffer');
  out.set(layout.schemaMessage);
  let end = layout.schemaMessage.length;
  for (const message of messages) end = putMessage(out, end, message.template, message.body);
  new DataView(out.buffer, out.byteOffset).setUint32(end, CONTINUATION, true);
  return out;
}
