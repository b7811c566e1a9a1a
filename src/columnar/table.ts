/**
 * A table as plain typed arrays: what record batches, Parquet row groups and the rest of the engine exchange. No
 * column holds nulls; an absent value is an empty string, an empty list or 0.
 */
import { corrupt } from '../base/errors.js';
import type { NumericLabel, StringLabel } from '../model/sample-labels.js';

export type ColumnType =
  | 'int32'
  | 'int64'
  | 'float64'
  | 'bool'
  | 'utf8'
  /** Strings by number: few distinct values, many rows. */
  | 'dictionary'
  | 'list-utf8'
  /** Name and value pairs in order; a name may come more than once. */
  | 'map'
  /** list<struct<name, value int64, unit>>. */
  | 'list-numeric'
  /** Unix nanoseconds, UTC. */
  | 'timestamp';

export interface ColumnField {
  readonly name: string;
  readonly type: ColumnType;
  /** Iceberg and Parquet field id, 1 to 999, unique in its table and never used again for something else. */
  readonly id: number;
}

/** Make one schema value and keep it: encoders cache what they derive from it by identity. */
export interface TableSchema {
  readonly fields: readonly ColumnField[];
}

export type Column =
  | { readonly type: 'int32'; readonly values: Int32Array }
  | { readonly type: 'int64' | 'timestamp'; readonly values: BigInt64Array }
  | { readonly type: 'float64'; readonly values: Float64Array }
  /** One byte a row, 0 or 1. */
  | { readonly type: 'bool'; readonly values: Uint8Array }
  | { readonly type: 'utf8'; readonly values: readonly string[] }
  | {
      readonly type: 'dictionary';
      readonly indices: Int32Array;
      readonly dictionary: readonly string[];
    }
  | { readonly type: 'list-utf8'; readonly values: readonly (readonly string[])[] }
  | { readonly type: 'map'; readonly values: readonly (readonly StringLabel[])[] }
  | { readonly type: 'list-numeric'; readonly values: readonly (readonly NumericLabel[])[] };

/** Columns in the order of the schema's fields. Arrays may be longer than `rowCount`; what is past it is ignored. */
export interface ColumnTable {
  readonly schema: TableSchema;
  readonly rowCount: number;
  readonly columns: readonly Column[];
}

/** The rows of a column as far as lengths go. */
export function columnLength(column: Column): number {
  return column.type === 'dictionary' ? column.indices.length : column.values.length;
}

/** The column called `name`, of type `type`. Throws `corrupt` PS_COLUMN_MISSING. */
export function columnOf<T extends ColumnType>(
  table: ColumnTable,
  name: string,
  type: T,
): Extract<Column, { type: T }> {
  const index = table.schema.fields.findIndex((field) => field.name === name);
  const column = table.columns[index];
  if (column === undefined || column.type !== type) {
    throw corrupt(
      'PS_COLUMN_MISSING',
      `cannot read column ${name}: got ${column === undefined ? 'none' : column.type}; want ${type}`,
    );
  }
  return column as Extract<Column, { type: T }>;
}

export function int32Values(table: ColumnTable, name: string): Int32Array {
  return columnOf(table, name, 'int32').values;
}

export function int64Values(table: ColumnTable, name: string): BigInt64Array {
  return (columnOf(table, name, 'int64') as { values: BigInt64Array }).values;
}

export function timestampValues(table: ColumnTable, name: string): BigInt64Array {
  return (columnOf(table, name, 'timestamp') as { values: BigInt64Array }).values;
}

export function boolValues(table: ColumnTable, name: string): Uint8Array {
  return columnOf(table, name, 'bool').values;
}

export function utf8Values(table: ColumnTable, name: string): readonly string[] {
  return columnOf(table, name, 'utf8').values;
}

export function listUtf8Values(table: ColumnTable, name: string): readonly (readonly string[])[] {
  return columnOf(table, name, 'list-utf8').values;
}

export function mapValues(table: ColumnTable, name: string): readonly (readonly StringLabel[])[] {
  return columnOf(table, name, 'map').values;
}

export function numericValues(
  table: ColumnTable,
  name: string,
): readonly (readonly NumericLabel[])[] {
  return columnOf(table, name, 'list-numeric').values;
}

/** A dictionary column as strings, one for each row. */
export function dictionaryValues(table: ColumnTable, name: string): readonly string[] {
  const { indices, dictionary } = columnOf(table, name, 'dictionary');
  const values = new Array<string>(indices.length);
  for (let i = 0; i < indices.length; i++) values[i] = dictionary[indices[i]!] as string;
  return values;
}
