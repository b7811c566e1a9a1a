import { type Field, tableFromIPC, tableToIPC } from 'apache-arrow';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isKind } from '../../src/base/errors.js';
import { decodeIpcStream } from '../../src/columnar/ipc-decode.js';
import { encodeIpcStream } from '../../src/columnar/ipc-encode.js';
import type { ColumnTable } from '../../src/columnar/table.js';
import { ALL_TYPES_SCHEMA, plainRows, tableArbitrary } from '../support/tables.js';

/** A value as apache-arrow shows it, as our plain value. */
function fromArrow(value: unknown): unknown {
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (value === null || typeof value !== 'object') return value;
  const rows = Array.from(value as Iterable<unknown>, (item) => {
    if (item === null || typeof item !== 'object') return item;
    if (Array.isArray(item)) return { name: item[0] as string, value: item[1] as string };
    return (item as { toJSON(): unknown }).toJSON();
  });
  return rows;
}

describe('Arrow IPC streams', () => {
  it('come back equal, by the known schema and by the stream alone', async () => {
    await fc.assert(
      fc.property(tableArbitrary(ALL_TYPES_SCHEMA, 20), (table) => {
        const bytes = encodeIpcStream(table);
        const rows = plainRows(table);
        const known = decodeIpcStream(bytes, ALL_TYPES_SCHEMA);
        expect(plainRows(known)).toEqual(rows);
        expect(known.schema).toBe(ALL_TYPES_SCHEMA);
        const alone = decodeIpcStream(bytes);
        expect(plainRows(alone)).toEqual(rows);
        expect(alone.schema).toEqual(ALL_TYPES_SCHEMA);
      }),
      { numRuns: 60 },
    );
  });

  it('are what apache-arrow reads', async () => {
    await fc.assert(
      fc.property(tableArbitrary(ALL_TYPES_SCHEMA, 8), (table) => {
        const arrow = tableFromIPC(encodeIpcStream(table));
        expect(arrow.numRows).toBe(table.rowCount);
        const rows = plainRows(table);
        for (let row = 0; row < table.rowCount; row++) {
          ALL_TYPES_SCHEMA.fields.forEach((field, c) => {
            if (field.type === 'timestamp') return;
            expect(fromArrow(arrow.getChildAt(c)?.get(row))).toEqual((rows[row] as unknown[])[c]);
          });
        }
      }),
      { numRuns: 40 },
    );
  });

  it('have the schema that apache-arrow would write', () => {
    const [table] = fc.sample(tableArbitrary(ALL_TYPES_SCHEMA, 1), 1);
    const arrow = tableFromIPC(encodeIpcStream(table as ColumnTable)).schema;
    const plain = (field: Field): unknown[] => [
      field.name,
      String(field.type),
      field.nullable,
      [...field.metadata],
      (field.type.children ?? []).map(plain),
    ];
    const field = (name: string, type: string, id: number, ...children: unknown[]): unknown[] => {
      return [name, type, false, [['PARQUET:field_id', `${id}`]], children];
    };
    const numeric = 'Struct<{name:Utf8, value:Int64, unit:Utf8}>';
    expect(arrow.fields.map(plain)).toEqual([
      field('c_int32', 'Int32', 1),
      field('c_int64', 'Int64', 2),
      field('c_float64', 'Float64', 3),
      field('c_bool', 'Bool', 4),
      field('c_utf8', 'Utf8', 5),
      field('c_dictionary', 'Dictionary<Int32, Utf8>', 6),
      field('c_list-utf8', 'List<Utf8>', 7, field('element', 'Utf8', 7001)),
      field(
        'c_map',
        'Map<{key:Utf8, value:Utf8}>',
        8,
        // What apache-arrow calls it, whatever the message says.
        field(
          'entries',
          'Struct<{key:Utf8, value:Utf8}>',
          8001,
          field('key', 'Utf8', 8002),
          field('value', 'Utf8', 8003),
        ),
      ),
      field(
        'c_list-numeric',
        `List<${numeric}>`,
        9,
        field(
          'element',
          numeric,
          9001,
          field('name', 'Utf8', 9002),
          field('value', 'Int64', 9003),
          field('unit', 'Utf8', 9004),
        ),
      ),
      field('c_timestamp', 'Timestamp<NANOSECOND, UTC>', 10),
    ]);
  });

  it('are read as apache-arrow writes them', async () => {
    await fc.assert(
      fc.property(tableArbitrary(ALL_TYPES_SCHEMA, 8), (table) => {
        fc.pre(table.rowCount > 0);
        const rewritten = tableToIPC(tableFromIPC(encodeIpcStream(table)), 'stream');
        const back = decodeIpcStream(rewritten, ALL_TYPES_SCHEMA);
        expect(plainRows(back)).toEqual(plainRows(table));
      }),
      { numRuns: 40 },
    );
  });

  it('are views of aligned input and read from unaligned input', () => {
    const values = Int32Array.from({ length: 100 }, (_, i) => i * 3);
    const schema = { fields: [{ name: 'a', type: 'int32' as const, id: 1 }] };
    const bytes = encodeIpcStream({
      schema,
      rowCount: 100,
      columns: [{ type: 'int32', values }],
    });
    const column = decodeIpcStream(bytes, schema).columns[0];
    expect(column?.type === 'int32' && column.values.buffer).toBe(bytes.buffer);
    const shifted = new Uint8Array(bytes.length + 3);
    shifted.set(bytes, 3);
    expect(decodeIpcStream(shifted.subarray(3), schema).columns[0]).toEqual({
      type: 'int32',
      values,
    });
  });

  it('fail as corrupt when cut or changed, or still decode to some table', async () => {
    await fc.assert(
      fc.property(
        tableArbitrary(ALL_TYPES_SCHEMA, 6),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        fc.boolean(),
        (table, place, flip, cut) => {
          const bytes = encodeIpcStream(table);
          const at = place % bytes.length;
          const damaged = cut ? bytes.slice(0, at) : bytes.slice();
          if (!cut) damaged[at] = (damaged[at] as number) ^ flip;
          try {
            decodeIpcStream(damaged, ALL_TYPES_SCHEMA);
          } catch (error) {
            expect(isKind(error, 'corrupt'), String(error)).toBe(true);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
