/**
 * Reading the schema message of an Arrow IPC stream (https://github.com/apache/arrow/blob/main/format/Schema.fbs).
 * Written here because apache-arrow's own reader allocates without bound on damaged input.
 */
import { corrupt } from '../base/errors.js';
import { damaged, fieldAt, follow, size64, stringAt, tableVector } from './flatbuffer.js';
import { HEADER_SCHEMA } from './ipc-message.js';
import type { ColumnType, TableSchema } from './table.js';

export const FIELD_ID = 'PARQUET:field_id';
const FIELDS_MAX = 1_000;
const METADATA_MAX = 64;

/** Members of Arrow's `Type` union. */
export const INT = 2;
export const FLOAT = 3;
export const UTF8 = 5;
export const BOOL = 6;
export const TIMESTAMP = 10;
export const LIST = 12;
export const STRUCT = 13;
export const MAP = 17;
export const PRECISION_DOUBLE = 2;
export const UNIT_NANOSECOND = 3;

export interface StreamSchema {
  readonly schema: TableSchema;
  /** By column; -1 where the column has none. */
  readonly dictionaryIds: readonly number[];
}

/** `view` covers the metadata of the stream's first message. Throws `corrupt` PS_COLUMN_TYPE, PS_COLUMN_MESSAGE. */
export function readSchemaMessage(view: DataView): StreamSchema {
  const message = view.getUint32(0, true);
  const typeAt = fieldAt(view, message, 1);
  if (typeAt === 0 || view.getUint8(typeAt) !== HEADER_SCHEMA) throw damaged('no schema first');
  const schema = follow(view, fieldAt(view, message, 2), 'schema');
  const fields = tableVector(view, fieldAt(view, schema, 1), FIELDS_MAX);
  return {
    schema: {
      fields: fields.map((field) => ({
        name: stringAt(view, fieldAt(view, field, 0)),
        type: columnTypeOf(view, field),
        id: fieldIdOf(view, field),
      })),
    },
    dictionaryIds: fields.map((field) => dictionaryIdOf(view, field)),
  };
}

function fieldIdOf(view: DataView, field: number): number {
  for (const pair of tableVector(view, fieldAt(view, field, 6), METADATA_MAX)) {
    if (stringAt(view, fieldAt(view, pair, 0)) !== FIELD_ID) continue;
    return Number.parseInt(stringAt(view, fieldAt(view, pair, 1)), 10) | 0;
  }
  return 0;
}

function dictionaryIdOf(view: DataView, field: number): number {
  const at = fieldAt(view, field, 4);
  if (at === 0) return -1;
  const encoding = follow(view, at, 'dictionary');
  const idAt = fieldAt(view, encoding, 0);
  const indexAt = fieldAt(view, encoding, 1);
  if (indexAt !== 0 && intTypeOf(view, follow(view, indexAt, 'index type')) !== 'int32') {
    throw refused(view, field, 'a dictionary whose indices are not int32');
  }
  return idAt === 0 ? 0 : size64(view, idAt);
}

function intTypeOf(view: DataView, type: number): 'int32' | 'int64' | undefined {
  const widthAt = fieldAt(view, type, 0);
  const signedAt = fieldAt(view, type, 1);
  const width = widthAt === 0 ? 0 : view.getInt32(widthAt, true);
  if (signedAt === 0 || view.getUint8(signedAt) === 0) return undefined;
  return width === 32 ? 'int32' : width === 64 ? 'int64' : undefined;
}

function refused(view: DataView, field: number, what: string): Error {
  const name = JSON.stringify(stringAt(view, fieldAt(view, field, 0)).slice(0, 128));
  return corrupt(
    'PS_COLUMN_TYPE',
    `cannot read column ${name}: got ${what}; want one of our types`,
  );
}

function typeNumber(view: DataView, field: number): number {
  const at = fieldAt(view, field, 2);
  return at === 0 ? 0 : view.getUint8(at);
}

function childrenOf(view: DataView, field: number): number[] {
  return tableVector(view, fieldAt(view, field, 5), 8);
}

/** The types of the struct that the elements of `field` are, as `type,type,...`; empty if they are none. */
function elementTypes(view: DataView, field: number): string {
  const element = childrenOf(view, field)[0];
  if (element === undefined || typeNumber(view, element) !== STRUCT) return '';
  return childrenOf(view, element)
    .map((child) => columnTypeOf(view, child))
    .join();
}

function int16At(view: DataView, table: number, index: number): number {
  const at = fieldAt(view, table, index);
  return at === 0 ? 0 : view.getInt16(at, true);
}

function columnTypeOf(view: DataView, field: number): ColumnType {
  const number = typeNumber(view, field);
  if (fieldAt(view, field, 4) !== 0 && number === UTF8) return 'dictionary';
  const found = number === LIST ? listTypeOf(view, field) : plainTypeOf(view, field, number);
  if (found === undefined) throw refused(view, field, `Arrow type ${number}`);
  return found;
}

function listTypeOf(view: DataView, field: number): ColumnType | undefined {
  const element = childrenOf(view, field)[0];
  if (element !== undefined && typeNumber(view, element) === UTF8) return 'list-utf8';
  return elementTypes(view, field) === 'utf8,int64,utf8' ? 'list-numeric' : undefined;
}

function plainTypeOf(view: DataView, field: number, number: number): ColumnType | undefined {
  const type = follow(view, fieldAt(view, field, 3), 'type');
  switch (number) {
    case INT:
      return intTypeOf(view, type);
    case FLOAT:
      return int16At(view, type, 0) === PRECISION_DOUBLE ? 'float64' : undefined;
    case UTF8:
      return 'utf8';
    case BOOL:
      return 'bool';
    case TIMESTAMP:
      return int16At(view, type, 0) === UNIT_NANOSECOND ? 'timestamp' : undefined;
    case MAP:
      return elementTypes(view, field) === 'utf8,utf8' ? 'map' : undefined;
    default:
      return undefined;
  }
}
