/**
 * The schema message of an Arrow IPC stream for a table schema. Field numbers and union members are those of
 * https://github.com/apache/arrow/blob/main/format/Schema.fbs and Message.fbs.
 *
 * Written here because the apache-arrow package takes a fifth of a second to load and 19 MB of memory, in each thread.
 */
import { encodeFlatbuffer, type FlatTable, type Scalar } from './flatbuffer-write.js';
import { CONTINUATION, HEADER_SCHEMA, METADATA_V5, PREFIX_BYTES } from './ipc-message.js';
import {
  BOOL,
  FIELD_ID,
  FLOAT,
  INT,
  LIST,
  MAP,
  PRECISION_DOUBLE,
  STRUCT,
  TIMESTAMP,
  UNIT_NANOSECOND,
  UTF8,
} from './ipc-schema.js';
import type { ColumnField, TableSchema } from './table.js';

/** Ids of the parts of a nested column: its own id times this, plus 1, 2, 3, ... */
const NESTED_ID_FACTOR = 1_000;

/** A type: its number in the union, its table, and the fields of its parts. */
interface ArrowType {
  readonly number: number;
  readonly table: FlatTable;
  readonly children?: readonly FlatTable[];
  readonly dictionary?: FlatTable;
}

function byte(value: number): Scalar {
  return { bytes: 1, value };
}

function short(value: number): Scalar {
  return { bytes: 2, value };
}

function table(...fields: FlatTable['fields']): FlatTable {
  return { fields };
}

const TRUE = byte(1);
const FALSE = byte(0);

function intType(bits: number): ArrowType {
  return { number: INT, table: table({ bytes: 4, value: bits }, TRUE) };
}

const UTF8_TYPE: ArrowType = { number: UTF8, table: table() };

function nested(number: number, ...children: readonly FlatTable[]): ArrowType {
  return { number, table: number === MAP ? table(FALSE) : table(), children };
}

/** Its field id is what arrow-rs writes as the Parquet field id. */
function arrowField(name: string, type: ArrowType, id: number): FlatTable {
  const metadata = table(FIELD_ID, String(id));
  const { number, table: details, children = [], dictionary } = type;
  return table(name, FALSE, byte(number), details, dictionary, children, [metadata]);
}

function stringMapType(id: number): ArrowType {
  const key = arrowField('key', UTF8_TYPE, id + 2);
  const value = arrowField('value', UTF8_TYPE, id + 3);
  // `key_value` is the name that Parquet's specification gives the repeated group of a map.
  return nested(MAP, arrowField('key_value', nested(STRUCT, key, value), id + 1));
}

function numericListType(id: number): ArrowType {
  const parts = [
    arrowField('name', UTF8_TYPE, id + 2),
    arrowField('value', intType(64), id + 3),
    arrowField('unit', UTF8_TYPE, id + 4),
  ];
  return nested(LIST, arrowField('element', nested(STRUCT, ...parts), id + 1));
}

/** Dictionary `number` of the stream, with 32-bit indices. */
function dictionaryType(number: number): ArrowType {
  return { ...UTF8_TYPE, dictionary: table({ bytes: 8, value: number }, intType(32).table, FALSE) };
}

function arrowTypeOf(field: ColumnField, dictionaryId: number): ArrowType {
  const nestedId = field.id * NESTED_ID_FACTOR;
  switch (field.type) {
    case 'int32':
      return intType(32);
    case 'int64':
      return intType(64);
    case 'float64':
      return { number: FLOAT, table: table(short(PRECISION_DOUBLE)) };
    case 'bool':
      return { number: BOOL, table: table() };
    case 'utf8':
      return UTF8_TYPE;
    case 'dictionary':
      return dictionaryType(dictionaryId);
    case 'list-utf8':
      return nested(LIST, arrowField('element', UTF8_TYPE, nestedId + 1));
    case 'map':
      return stringMapType(nestedId);
    case 'list-numeric':
      return numericListType(nestedId);
    case 'timestamp':
      return { number: TIMESTAMP, table: table(short(UNIT_NANOSECOND), 'UTC') };
  }
}

/** The IPC message that opens a stream of this schema, prefix and padding included. */
export function schemaMessageOf(schema: TableSchema): Uint8Array {
  const fields = schema.fields.map((field, index) =>
    arrowField(field.name, arrowTypeOf(field, index), field.id),
  );
  const littleEndian = short(0);
  const header = table(littleEndian, fields);
  const bodyBytes: Scalar = { bytes: 8, value: 0 };
  const message = table(short(METADATA_V5), byte(HEADER_SCHEMA), header, bodyBytes);
  const metadata = encodeFlatbuffer(message);
  const bytes = new Uint8Array(PREFIX_BYTES + metadata.length);
  const prefix = new DataView(bytes.buffer);
  prefix.setUint32(0, CONTINUATION, true);
  prefix.setInt32(4, metadata.length, true);
  bytes.set(metadata, PREFIX_BYTES);
  return bytes;
}
