/**
 * Finds where column chunks end in the bytes of a row group while they stream by, so that each gets its checksum
 * without keeping the file: pages are walked by their headers until the values of each leaf column are complete.
 */
import { deserializeTCompactProtocol } from 'hyparquet/src/thrift.js';
import { StoreError } from '../base/errors.js';
import type { Column, ColumnTable } from '../columnar/table.js';

/** How many values (with levels, an empty list counts as one) each leaf column of a table has, in file order. */
export function leafValueCounts(table: ColumnTable): number[] {
  return table.columns.flatMap((column) => columnLeafCounts(column, table.rowCount));
}

function columnLeafCounts(column: Column, rowCount: number): number[] {
  switch (column.type) {
    case 'list-utf8':
      return [listValues(column.values, rowCount)];
    case 'map': {
      const count = listValues(column.values, rowCount);
      return [count, count];
    }
    case 'list-numeric': {
      const count = listValues(column.values, rowCount);
      return [count, count, count];
    }
    default:
      return [rowCount];
  }
}

function listValues(lists: readonly (readonly unknown[])[], rowCount: number): number {
  let count = 0;
  for (let i = 0; i < rowCount; i++) count += Math.max(1, lists[i]!.length);
  return count;
}

interface PageHeader {
  /** Values of a data page; 0 for a dictionary page. */
  readonly valueCount: number;
  readonly end: number;
}

/** The page whose header starts at `start`, or undefined when `bytes` end before it does. */
function pageAt(bytes: Uint8Array, start: number): PageHeader | undefined {
  const reader = {
    view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    offset: start,
  };
  let header: Readonly<Record<string, unknown>>;
  try {
    header = deserializeTCompactProtocol(reader);
  } catch {
    return undefined;
  }
  const data = (header['field_5'] ?? header['field_8']) as { field_1: number } | undefined;
  const end = reader.offset + (header['field_3'] as number);
  if (end > bytes.length) return undefined;
  return { valueCount: data === undefined ? 0 : data.field_1, end };
}

/**
 * Ends of the column chunks of a row group that starts at `start` of `bytes`, or undefined when more bytes are needed.
 * `counts` are the values of each leaf.
 */
export function chunkEnds(
  bytes: Uint8Array,
  start: number,
  counts: readonly number[],
): number[] | undefined {
  const ends: number[] = [];
  let at = start;
  for (const count of counts) {
    let values = 0;
    while (values < count) {
      const page = pageAt(bytes, at);
      if (page === undefined) return undefined;
      at = page.end;
      values += page.valueCount;
    }
    if (values !== count) {
      throw new StoreError({
        kind: 'internal',
        code: 'PS_PARQUET_PAGES',
        message: `cannot find column chunk: got ${values} values; want ${count}`,
      });
    }
    ends.push(at);
  }
  return ends;
}
