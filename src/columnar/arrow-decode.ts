/**
 * Any Arrow IPC stream with columns of our types to a table, through apache-arrow: what other writers (parquet-wasm)
 * make of a schema differs in its bytes, may come in several batches and with offsets into shared buffers.
 */
import { type Data, type DataType, RecordBatchReader, type Vector } from 'apache-arrow';
import { corrupt } from '../base/errors.js';
import { tableSchemaOf } from './arrow-schema.js';
import type { Column, ColumnTable, ColumnType } from './table.js';
import { checkIndices, checkOffsets, decodeUtf8Run } from './utf8.js';

/** Throws `corrupt` PS_COLUMN_*; errors of apache-arrow pass as they are. */
export function decodeAnyIpcStream(bytes: Uint8Array): ColumnTable {
  const reader = RecordBatchReader.from(bytes);
  reader.open();
  const schema = tableSchemaOf(reader.schema);
  const batches: Column[][] = [];
  let rowCount = 0;
  for (const batch of reader) {
    rowCount += batch.numRows;
    batches.push(
      schema.fields.map((field, index) => readColumn(field.type, batch.data.children[index])),
    );
  }
  const columns = schema.fields.map((field, index) =>
    concatenate(
      field.type,
      batches.map((batch) => batch[index] as Column),
    ),
  );
  return { schema, rowCount, columns };
}

function missing(): Error {
  return corrupt('PS_COLUMN_LENGTH', 'cannot read column: got no data; want some');
}

function checkData(data: Data | undefined): Data {
  if (data === undefined) throw missing();
  if (data.nullCount > 0) {
    throw corrupt('PS_COLUMN_NULL', `cannot read column: got ${data.nullCount} nulls; want none`);
  }
  return data;
}

/** The values of a column of fixed width; apache-arrow has applied the offset already. */
function fixedValues<
  T extends { readonly length: number; subarray(start: number, end: number): T },
>(data: Data): T {
  const values = data.values as T | undefined;
  if (values === undefined || values.length < data.length) throw missing();
  return values.subarray(0, data.length);
}

function offsetsOf(data: Data): Int32Array {
  if (data.length === 0) return new Int32Array(1);
  return data.valueOffsets;
}

function stringsOf(data: Data): string[] {
  if (data.length === 0) return [];
  return decodeUtf8Run(offsetsOf(data), data.values as Uint8Array, data.length);
}

function bitsOf(data: Data): Uint8Array {
  const bits = data.values as Uint8Array;
  if (bits.length * 8 < data.offset + data.length) throw missing();
  const values = new Uint8Array(data.length);
  for (let i = 0; i < values.length; i++) {
    const at = data.offset + i;
    values[i] = (bits[at >> 3]! >> (at & 7)) & 1;
  }
  return values;
}

function childrenOf(data: Data): Data[] {
  return data.children as Data[];
}

function listsOf<T>(data: Data, elements: readonly T[]): T[][] {
  const offsets = offsetsOf(data);
  checkOffsets(offsets, data.length, elements.length);
  const lists = new Array<T[]>(data.length);
  for (let i = 0; i < lists.length; i++) lists[i] = elements.slice(offsets[i]!, offsets[i + 1]!);
  return lists;
}

/** The children of the struct that a list's elements are. */
function elementParts(data: Data, count: number): { length: number; parts: Data[] } {
  const struct = checkData(childrenOf(data)[0]);
  const parts = childrenOf(struct).map(checkData);
  if (parts.length !== count || parts.some((part) => part.length < struct.length)) throw missing();
  return { length: struct.length, parts };
}

function readMaps(data: Data): Column {
  const { length, parts } = elementParts(data, 2);
  const names = stringsOf(parts[0]!);
  const values = stringsOf(parts[1]!);
  const entries = Array.from({ length }, (_, i) => ({ name: names[i]!, value: values[i]! }));
  return { type: 'map', values: listsOf(data, entries) };
}

function readNumericLists(data: Data): Column {
  const { length, parts } = elementParts(data, 3);
  const names = stringsOf(parts[0]!);
  const values = fixedValues<BigInt64Array>(parts[1]!);
  const units = stringsOf(parts[2]!);
  const elements = Array.from({ length }, (_, i) => ({
    name: names[i]!,
    value: values[i]!,
    unit: units[i]!,
  }));
  return { type: 'list-numeric', values: listsOf(data, elements) };
}

function readDictionary(data: Data): Column {
  const indices = fixedValues<Int32Array>(data);
  const strings = data.dictionary as Vector<DataType> | undefined;
  const dictionary = (strings?.data ?? []).flatMap((part) => stringsOf(checkData(part as Data)));
  checkIndices(indices, indices.length, dictionary.length);
  return { type: 'dictionary', indices, dictionary };
}

function readColumn(type: ColumnType, maybe: Data | undefined): Column {
  const data = checkData(maybe);
  switch (type) {
    case 'int32':
      return { type, values: fixedValues<Int32Array>(data) };
    case 'int64':
    case 'timestamp':
      return { type, values: fixedValues<BigInt64Array>(data) };
    case 'float64':
      return { type, values: fixedValues<Float64Array>(data) };
    case 'bool':
      return { type, values: bitsOf(data) };
    case 'utf8':
      return { type, values: stringsOf(data) };
    case 'dictionary':
      return readDictionary(data);
    case 'list-utf8':
      return { type, values: listsOf(data, stringsOf(checkData(childrenOf(data)[0]))) };
    case 'map':
      return readMaps(data);
    case 'list-numeric':
      return readNumericLists(data);
  }
}

function joinArrays<T extends Int32Array | BigInt64Array | Float64Array | Uint8Array>(
  parts: readonly T[],
  make: (length: number) => T,
): T {
  const out = make(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part as never, at);
    at += part.length;
  }
  return out;
}

/** Columns of one type, one after another; dictionaries are merged by content. */
export function concatenate(type: ColumnType, columns: readonly Column[]): Column {
  if (columns.length === 1) return columns[0]!;
  const all = <T>(): T[] => columns.map((column) => (column as { values: unknown }).values as T);
  switch (type) {
    case 'int32':
      return { type, values: joinArrays(all<Int32Array>(), (n) => new Int32Array(n)) };
    case 'int64':
    case 'timestamp':
      return { type, values: joinArrays(all<BigInt64Array>(), (n) => new BigInt64Array(n)) };
    case 'float64':
      return { type, values: joinArrays(all<Float64Array>(), (n) => new Float64Array(n)) };
    case 'bool':
      return { type, values: joinArrays(all<Uint8Array>(), (n) => new Uint8Array(n)) };
    case 'dictionary':
      return concatenateDictionaries(columns as readonly Extract<Column, { type: 'dictionary' }>[]);
    case 'utf8':
    case 'list-utf8':
    case 'map':
    case 'list-numeric':
      return { type, values: all<unknown[]>().flat() } as unknown as Column;
  }
}

function concatenateDictionaries(
  columns: readonly Extract<Column, { type: 'dictionary' }>[],
): Column {
  const numbers = new Map<string, number>();
  const parts = columns.map(({ indices, dictionary }) => {
    const remap = Int32Array.from(dictionary, (text) => {
      const known = numbers.get(text);
      if (known !== undefined) return known;
      numbers.set(text, numbers.size);
      return numbers.size - 1;
    });
    return indices.map((index) => remap[index]!);
  });
  const indices = joinArrays(parts, (n) => new Int32Array(n));
  return { type: 'dictionary', indices, dictionary: [...numbers.keys()] };
}
