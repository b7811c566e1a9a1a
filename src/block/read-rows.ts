/** Row ranges of a table's number columns, copied into arrays of their own. */
import { corrupt } from '../base/errors.js';
import type { ColumnTable } from '../columnar/table.js';
import type { ParquetReader, ReadRequest } from '../parquet/reader.js';
import type { BlockTable } from './schemas.js';
import type { RowGroupMeta, RowRange, TableMeta } from './types.js';

/** One table of an open block. */
export interface OpenTable {
  readonly table: BlockTable;
  readonly meta: TableMeta;
  readonly reader: ParquetReader;
}

/** Indexes of the row groups that have rows of `ranges` (sorted, disjoint). */
export function rowGroupsOf(
  groups: readonly RowGroupMeta[],
  ranges: readonly RowRange[],
): number[] {
  const wanted: number[] = [];
  let r = 0;
  for (let g = 0; g < groups.length; g++) {
    const { firstRow, rowCount } = groups[g] as RowGroupMeta;
    const end = firstRow + rowCount;
    while (r < ranges.length && (ranges[r] as RowRange).end <= firstRow) r++;
    const range = ranges[r];
    if (range === undefined) break;
    if (range.start < end && range.end > firstRow) wanted.push(g);
  }
  return wanted;
}

function requestOf(
  open: OpenTable,
  range: RowRange,
  columns: readonly string[],
  signal?: AbortSignal,
): ReadRequest {
  const rowGroups = range.end > range.start ? rowGroupsOf(open.meta.rowGroups, [range]) : [];
  return { rowGroups, columns, ...(signal === undefined ? {} : { signal }) };
}

function checkRange(open: OpenTable, range: RowRange): void {
  const { rowCount } = open.meta;
  if (range.start < 0 || range.end < range.start || range.end > rowCount) {
    throw corrupt(
      'PS_BLOCK_ROWS',
      `cannot read table ${open.table.name}: got rows [${range.start}, ${range.end}); want them in ${rowCount}`,
    );
  }
}

/** Columns of int32, int64 and timestamp; the caller may keep the arrays. Throws `corrupt`. */
export async function readNumbers(
  open: OpenTable,
  range: RowRange,
  columns: readonly string[],
  signal?: AbortSignal,
): Promise<(Int32Array | BigInt64Array)[]> {
  checkRange(open, range);
  const count = range.end - range.start;
  const out = columns.map((name) =>
    open.table.schema.fields.find((field) => field.name === name)?.type === 'int32'
      ? new Int32Array(count)
      : new BigInt64Array(count),
  );
  await open.reader.scan(requestOf(open, range, columns, signal), (views) => {
    const start = Math.max(range.start, views.firstRow);
    const end = Math.min(range.end, views.firstRow + views.rowCount);
    if (end <= start) return;
    views.columns.forEach((view, c) => {
      const part = view.subarray(start - views.firstRow, end - views.firstRow);
      out[c]?.set(part as never, start - range.start);
    });
  });
  return out;
}

/** A row group of the wanted rows as a table of JavaScript memory: rows [from, to) of it are of the range. */
export interface TablePart {
  readonly table: ColumnTable;
  readonly from: number;
  readonly to: number;
}

/** Columns of any type. Throws `corrupt`. */
export async function readTableParts(
  open: OpenTable,
  range: RowRange,
  columns: readonly string[],
  signal?: AbortSignal,
): Promise<TablePart[]> {
  checkRange(open, range);
  const fields = open.table.schema.fields.filter((field) => columns.includes(field.name));
  const request = requestOf(open, range, columns, signal);
  const tables = await open.reader.tables(request, { fields });
  return tables.map((table, i) => {
    const group = open.meta.rowGroups[request.rowGroups[i] as number] as RowGroupMeta;
    return {
      table,
      from: Math.max(0, range.start - group.firstRow),
      to: Math.min(group.rowCount, range.end - group.firstRow),
    };
  });
}
