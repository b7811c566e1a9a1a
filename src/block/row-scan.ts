/** Visits rows of `samples`, or of a rollup, which have the same shape. */
import { corrupt, invalid } from '../base/errors.js';
import type { ColumnViews } from '../parquet/reader.js';
import { type OpenTable, rowGroupsOf } from './read-rows.js';
import { RowOrder, scatter32, scatter64 } from './row-order.js';
import { BY_KEY_FORMAT_VERSION } from './schemas.js';
import type { BlockMeta, RowGroupMeta, RowRange, SampleRows, ScanRequest } from './types.js';

const VALUE_NAMES = ['v1', 'v2', 'v3', 'v4'] as const;
/** Columns of `rollup_<width>` by value column. */
const SUM_NAMES = ['sum_1', 'sum_2', 'sum_3', 'sum_4'] as const;

export interface RowScan {
  /** See `liesByKey`. */
  readonly isByKey: boolean;
  readonly visit: (rows: SampleRows) => void;
}

/** Whether the rows of a row group come in another order than they lie in (row-order.ts). */
export function liesByKey(
  { formatVersion }: Pick<BlockMeta, 'formatVersion'>,
  { rollup }: Pick<ScanRequest, 'rollup'> = {},
): boolean {
  return rollup === undefined && formatVersion >= BY_KEY_FORMAT_VERSION;
}

/** Throws `corrupt`; `invalid` PS_BLOCK_ROWS, PS_BLOCK_COLUMN. */
export async function scanRows(
  open: OpenTable,
  request: ScanRequest,
  { isByKey, visit }: RowScan,
): Promise<void> {
  checkScan(request, open.meta.rowCount);
  if (!isByKey) {
    await scanRanges(open, request, { ranges: request.ranges, isByKey: false, visit });
    return;
  }
  const { whole, rest } = split(open.meta.rowGroups, request);
  await scanRanges(open, request, { ranges: whole, isByKey: false, visit });
  await scanRanges(open, request, { ranges: rest, isByKey: true, visit });
}

function checkScan({ ranges, valueColumns }: ScanRequest, rowCount: number): void {
  let last = 0;
  for (const { start, end } of ranges) {
    if (start < last || end < start || end > rowCount) {
      throw invalid(
        'PS_BLOCK_ROWS',
        `cannot scan block: got rows [${start}, ${end}); want sorted ranges in ${rowCount}`,
      );
    }
    last = end;
  }
  if (valueColumns.some((c) => VALUE_NAMES[c] === undefined)) {
    throw invalid('PS_BLOCK_COLUMN', `cannot scan block: got columns ${valueColumns}; want 0 to 3`);
  }
}

/** Row groups whose rows may come in any order, and what is left of the ranges. */
function split(
  groups: readonly RowGroupMeta[],
  { ranges, isUnordered = false }: ScanRequest,
): { readonly whole: readonly RowRange[]; readonly rest: readonly RowRange[] } {
  if (!isUnordered) return { whole: [], rest: ranges };
  const whole: RowRange[] = [];
  const rest: RowRange[] = [];
  let g = 0;
  for (const { start, end } of ranges) {
    while (g < groups.length && groups[g]!.firstRow < start) g++;
    let from = start;
    for (; g < groups.length && endOf(groups[g]!) <= end; g++) {
      const group = { start: groups[g]!.firstRow, end: endOf(groups[g]!) };
      if (group.start > from) rest.push({ start: from, end: group.start });
      whole.push(group);
      from = group.end;
    }
    if (end > from) rest.push({ start: from, end });
  }
  return { whole, rest };
}

function endOf({ firstRow, rowCount }: RowGroupMeta): number {
  return firstRow + rowCount;
}

/** Rows of one row group, in order. */
interface GroupRows {
  readonly key: Int32Array;
  readonly values: readonly BigInt64Array[];
}

async function scanRanges(
  open: OpenTable,
  { rollup, valueColumns, signal }: ScanRequest,
  { ranges, isByKey, visit }: RowScan & { readonly ranges: readonly RowRange[] },
): Promise<void> {
  const { meta, reader } = open;
  const names = rollup === undefined ? VALUE_NAMES : SUM_NAMES;
  // The library gives each column once, however often it is asked for.
  const distinct = [...new Set(valueColumns)];
  const columns = [
    'key',
    ...distinct.map((c) => names[c] as string),
    ...(isByKey ? ['profile'] : []),
  ];
  const rowGroups = rowGroupsOf(meta.rowGroups, ranges);
  const read = { rowGroups, columns, ...(signal === undefined ? {} : { signal }) };
  let r = 0;
  await reader.scan(read, (views) => {
    const viewEnd = views.firstRow + views.rowCount;
    while (r < ranges.length && (ranges[r] as RowRange).end <= views.firstRow) r++;
    const { key, values } = isByKey ? inOrder(open, views) : asStored(views);
    for (let i = r; i < ranges.length; i++) {
      const range = ranges[i] as RowRange;
      if (range.start >= viewEnd) break;
      const firstRow = Math.max(range.start, views.firstRow);
      const end = Math.min(range.end, viewEnd);
      const from = firstRow - views.firstRow;
      const to = end - views.firstRow;
      if (to <= from) continue;
      visit({
        firstRow,
        rowCount: to - from,
        key: key.subarray(from, to),
        values: valueColumns.map((c) => values[distinct.indexOf(c)]!.subarray(from, to)),
      });
    }
  });
}

function asStored({ columns }: ColumnViews): GroupRows {
  return { key: columns[0] as Int32Array, values: columns.slice(1) as BigInt64Array[] };
}

/** One for a thread: a row group is put in order and visited without a pause. */
const ORDER = new RowOrder();
const ORDERED: { key: Int32Array; values: BigInt64Array[] } = {
  key: new Int32Array(0),
  values: [],
};

/** `columns`: key, values, profile. The result is valid until the next call. */
function inOrder(
  { meta, table }: OpenTable,
  { rowGroup, rowCount, columns }: ColumnViews,
): GroupRows {
  const want = meta.rowGroups[rowGroup]?.rowCount;
  if (rowCount !== want) {
    throw corrupt(
      'PS_PARQUET_ROWS',
      `cannot read ${table.name}: got ${rowCount} rows of a row group at once; want its ${want}`,
    );
  }
  if (ORDERED.key.length < rowCount) {
    ORDERED.key = new Int32Array(rowCount);
    ORDERED.values = [];
  }
  const places = ORDER.places(columns.at(-1) as Int32Array, rowCount);
  scatter32(columns[0] as Int32Array, places, ORDERED.key);
  const values = columns.slice(1, -1) as BigInt64Array[];
  values.forEach((column, v) => {
    ORDERED.values[v] ??= new BigInt64Array(ORDERED.key.length);
    scatter64(column, places, ORDERED.values[v]!);
  });
  return ORDERED;
}
