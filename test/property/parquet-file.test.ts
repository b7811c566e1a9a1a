import * as fc from 'fast-check';
import { parquetMetadata, parquetReadObjects } from 'hyparquet';
import { describe, expect, it } from 'vitest';
import { isKind } from '../../src/base/errors.js';
import type { ColumnTable } from '../../src/columnar/table.js';
import { type ParquetCompression, createParquetWriter } from '../../src/parquet/writer.js';
import type { ParquetFileInfo } from '../../src/parquet/file-info.js';
import { ParquetReader } from '../../src/parquet/reader.js';
import { ALL_TYPES_SCHEMA, plainRows, tableArbitrary } from '../support/tables.js';

interface File {
  readonly bytes: Uint8Array;
  readonly info: ParquetFileInfo;
}

async function write(
  tables: readonly ColumnTable[],
  rowGroupRows: number,
  compression: ParquetCompression = 'zstd',
): Promise<File> {
  const parts: Uint8Array[] = [];
  const writer = createParquetWriter({
    schema: ALL_TYPES_SCHEMA,
    sink: {
      write: async (bytes) => {
        parts.push(bytes.slice());
      },
    },
    rowGroupRows,
    encodings: { c_int32: 'delta', c_timestamp: 'delta', c_utf8: 'plain' },
    compression,
  });
  for (const table of tables) await writer.writeRowGroup(table);
  const info = await writer.finish();
  return { bytes: new Uint8Array(Buffer.concat(parts)), info };
}

function open({ bytes, info }: File): ParquetReader {
  return new ParquetReader({
    name: 'test.parquet',
    info,
    fetch: async (start, end) => bytes.slice(start, end),
  });
}

const ALL_COLUMNS = ALL_TYPES_SCHEMA.fields.map((field) => field.name);

/** The first `rows` rows of a table. */
function head(table: ColumnTable, rowCount: number): ColumnTable {
  return { ...table, rowCount };
}

describe('Parquet files', () => {
  it('come back equal, whatever the row groups and the codec', async () => {
    await fc.assert(
      fc.asyncProperty(
        tableArbitrary(ALL_TYPES_SCHEMA, 12),
        fc.nat(2),
        fc.constantFrom<ParquetCompression>('zstd', 'lz4', 'none'),
        async (table, full, compression) => {
          fc.pre(table.rowCount > 0);
          const tables = [...Array.from({ length: full }, () => table), head(table, 1)];
          const file = await write(tables, table.rowCount, compression);
          expect(file.info.sizeBytes).toBe(file.bytes.length);
          const reader = open(file);
          const back = await reader.tables(
            { rowGroups: file.info.rowGroups.map((_, g) => g), columns: ALL_COLUMNS },
            ALL_TYPES_SCHEMA,
          );
          expect(back.map(plainRows)).toEqual(tables.map(plainRows));
        },
      ),
      { numRuns: 40 },
    );
  });

  it('are read in place, any columns in any order', async () => {
    await fc.assert(
      fc.asyncProperty(
        tableArbitrary(ALL_TYPES_SCHEMA, 12),
        fc.shuffledSubarray(['c_int32', 'c_int64', 'c_timestamp'], { minLength: 1 }),
        async (table, names) => {
          fc.pre(table.rowCount > 0);
          const file = await write([table, table, table], table.rowCount);
          const reader = open(file);
          const seen: unknown[] = [];
          const firstRows: number[] = [];
          await reader.scan({ rowGroups: [0, 2], columns: names }, (views) => {
            firstRows.push(views.firstRow);
            seen.push(views.columns.map((column) => [...column]));
          });
          const wanted = names.map((name) => {
            const column = table.columns[ALL_COLUMNS.indexOf(name)];
            return column?.type === 'dictionary' ? [] : [...(column?.values ?? [])];
          });
          expect(seen).toEqual([wanted, wanted]);
          expect(firstRows).toEqual([0, table.rowCount * 2]);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('may be empty', async () => {
    const file = await write([], 10);
    expect(file.info).toMatchObject({ rowCount: 0, rowGroups: [] });
    const tables = await open(file).tables(
      { rowGroups: [], columns: ALL_COLUMNS },
      ALL_TYPES_SCHEMA,
    );
    expect(tables).toEqual([]);
  });

  it('are detected as damaged wherever a row group is changed', async () => {
    const [table] = fc.sample(tableArbitrary(ALL_TYPES_SCHEMA, 12), { numRuns: 1, seed: 7 });
    const file = await write([table as ColumnTable], (table as ColumnTable).rowCount);
    const end = file.info.sizeBytes - file.info.footer.length;
    for (let at = 4; at < end; at += 7) {
      const damaged = file.bytes.slice();
      damaged[at] = (damaged[at] as number) ^ 0x10;
      const reading = open({ ...file, bytes: damaged }).tables(
        { rowGroups: [0], columns: ALL_COLUMNS },
        ALL_TYPES_SCHEMA,
      );
      await expect(reading).rejects.toSatisfy((error) => isKind(error, 'corrupt'));
    }
  });

  it('are what hyparquet reads', async () => {
    const [table] = fc.sample(tableArbitrary(ALL_TYPES_SCHEMA, 12), { numRuns: 1, seed: 7 });
    const wanted = table as ColumnTable;
    const { bytes } = await write([wanted], wanted.rowCount, 'none');
    const file = {
      byteLength: bytes.length,
      slice: (start: number, end?: number) => bytes.slice(start, end).buffer,
    };
    const names = parquetMetadata(await file.slice(0)).schema.map((element) => element.name);
    // The names of Parquet's specification for maps and lists.
    expect(names).toEqual(expect.arrayContaining(['key_value', 'list', 'element']));
    const rows = await parquetReadObjects({ file, columns: ['c_int32', 'c_int64', 'c_utf8'] });
    const plain = plainRows(wanted);
    expect(rows.map((row) => [row['c_int32'], row['c_int64'], row['c_utf8']])).toEqual(
      plain.map((row) => [row[0], row[1], row[4]]),
    );
  });
});
