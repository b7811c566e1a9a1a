import * as fc from 'fast-check';
import type { Column, ColumnTable, ColumnType, TableSchema } from '../../src/columnar/table.js';

export const ALL_TYPES: readonly ColumnType[] = [
  'int32',
  'int64',
  'float64',
  'bool',
  'utf8',
  'dictionary',
  'list-utf8',
  'map',
  'list-numeric',
  'timestamp',
];

export const ALL_TYPES_SCHEMA: TableSchema = {
  fields: ALL_TYPES.map((type, index) => ({ name: `c_${type}`, type, id: index + 1 })),
};

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const text = fc.oneof(fc.string({ maxLength: 6 }), fc.string({ unit: 'grapheme', maxLength: 6 }));

function arrayOf<T>(item: fc.Arbitrary<T>, length: number): fc.Arbitrary<T[]> {
  return fc.array(item, { minLength: length, maxLength: length });
}

/** A random column of `type` with `rows` values. */
export function columnArbitrary(type: ColumnType, rows: number): fc.Arbitrary<Column> {
  switch (type) {
    case 'int32':
      return arrayOf(fc.integer(), rows).map((v) => ({ type, values: Int32Array.from(v) }));
    case 'int64':
    case 'timestamp':
      return arrayOf(int64, rows).map((v) => ({ type, values: BigInt64Array.from(v) }));
    case 'float64':
      return arrayOf(fc.double(), rows).map((v) => ({ type, values: Float64Array.from(v) }));
    case 'bool':
      return arrayOf(fc.nat(1), rows).map((v) => ({ type, values: Uint8Array.from(v) }));
    case 'utf8':
      return arrayOf(text, rows).map((values) => ({ type, values }));
    case 'dictionary':
      return fc.uniqueArray(text, { minLength: 1, maxLength: 5 }).chain((dictionary) =>
        arrayOf(fc.nat(dictionary.length - 1), rows).map((v) => ({
          type,
          indices: Int32Array.from(v),
          dictionary,
        })),
      );
    case 'list-utf8':
      return arrayOf(fc.array(text, { maxLength: 3 }), rows).map((values) => ({ type, values }));
    case 'map':
      return arrayOf(fc.array(fc.record({ name: text, value: text }), { maxLength: 3 }), rows).map(
        (values) => ({ type, values }),
      );
    case 'list-numeric':
      return arrayOf(
        fc.array(fc.record({ name: text, value: int64, unit: text }), { maxLength: 3 }),
        rows,
      ).map((values) => ({ type, values }));
  }
}

export function tableArbitrary(schema: TableSchema, rowsMax: number): fc.Arbitrary<ColumnTable> {
  return fc
    .nat(rowsMax)
    .chain((rowCount) =>
      fc
        .tuple(...schema.fields.map((field) => columnArbitrary(field.type, rowCount)))
        .map((columns) => ({ schema, rowCount, columns })),
    );
}

/** The table's rows as plain values, for comparing. */
export function plainRows(table: ColumnTable): unknown[][] {
  return Array.from({ length: table.rowCount }, (_, row) =>
    table.columns.map((column) =>
      column.type === 'dictionary'
        ? column.dictionary[column.indices[row] as number]
        : (column.values[row] as unknown),
    ),
  );
}
