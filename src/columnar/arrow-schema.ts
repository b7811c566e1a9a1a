/** Arrow schemas for table schemas. */
import {
  Bool,
  type DataType,
  Dictionary,
  Field,
  Float64,
  Int32,
  Int64,
  List,
  Map_,
  RecordBatch,
  RecordBatchStreamWriter,
  Schema,
  Struct,
  TimestampNanosecond,
  Utf8,
  makeData,
} from 'apache-arrow';
import type { ColumnField, TableSchema } from './table.js';

/** arrow-rs writes this as the Parquet field id. */
const FIELD_ID = 'PARQUET:field_id';
/** Ids of the parts of a nested column: its own id times this, plus 1, 2, 3, ... */
const NESTED_ID_FACTOR = 1_000;

function arrowField(name: string, type: DataType, id: number): Field {
  return new Field(name, type, false, new Map([[FIELD_ID, String(id)]]));
}

function stringMapType(id: number): DataType {
  const entries = new Struct([
    arrowField('key', new Utf8(), id + 2),
    arrowField('value', new Utf8(), id + 3),
  ]);
  // `key_value` is the name that Parquet's specification gives the repeated group of a map.
  return new Map_(arrowField('key_value', entries, id + 1) as never);
}

function numericListType(id: number): DataType {
  const element = new Struct([
    arrowField('name', new Utf8(), id + 2),
    arrowField('value', new Int64(), id + 3),
    arrowField('unit', new Utf8(), id + 4),
  ]);
  return new List(arrowField('element', element, id + 1));
}

function arrowTypeOf(field: ColumnField, dictionaryId: number): DataType {
  const nestedId = field.id * NESTED_ID_FACTOR;
  switch (field.type) {
    case 'int32':
      return new Int32();
    case 'int64':
      return new Int64();
    case 'float64':
      return new Float64();
    case 'bool':
      return new Bool();
    case 'utf8':
      return new Utf8();
    case 'dictionary':
      return new Dictionary(new Utf8(), new Int32(), dictionaryId);
    case 'list-utf8':
      return new List(arrowField('element', new Utf8(), nestedId + 1));
    case 'map':
      return stringMapType(nestedId);
    case 'list-numeric':
      return numericListType(nestedId);
    case 'timestamp':
      return new TimestampNanosecond('UTC');
  }
}

export function arrowSchemaOf(schema: TableSchema): Schema {
  return new Schema(
    schema.fields.map((field, index) =>
      arrowField(field.name, arrowTypeOf(field, index), field.id),
    ),
  );
}

/** The IPC message that opens a stream of this schema, prefix and padding included. */
export function schemaMessageOf(schema: TableSchema): Uint8Array {
  const arrow = arrowSchemaOf(schema);
  const writer = new RecordBatchStreamWriter();
  writer.reset(undefined, arrow);
  writer.write(new RecordBatch(arrow, emptyData(arrow)));
  writer.finish();
  const bytes = writer.toUint8Array(true);
  const sizeBytes = 8 + new DataView(bytes.buffer, bytes.byteOffset).getInt32(4, true);
  return bytes.slice(0, sizeBytes);
}

function emptyData(arrow: Schema): never {
  return makeData({ type: new Struct(arrow.fields), length: 0, nullCount: 0 }) as never;
}
