/** Checks the rollups of a block against its profiles and samples: everything is rolled up anew and compared. */
import { type StoreError, corrupt } from '../base/errors.js';
import {
  columnOf,
  int32Values,
  int64Values,
  listUtf8Values,
  timestampValues,
} from '../columnar/table.js';
import type { Bucket } from '../objstore/bucket.js';
import { readTableParts } from './read-rows.js';
import { openTable } from './reader.js';
import { type GroupTiles, groupTiles, type RolledBucket } from './rollup-columns.js';
import { rollupGroup } from './rollup-group.js';
import { rollGroup } from './rollup-roll.js';
import { groupMetadata, rolledBlock, seriesGroups, usedColumns } from './rollup-source.js';
import type { RolledBlock, SeriesGroup } from './rollup-source.js';
import { WrittenRows } from './rollup-written.js';
import { ROLLUPS } from './schemas.js';
import { readTiles } from './rollup-tiles.js';
import type { BlockMeta, RollupMeta, TableName } from './types.js';
import type { RollupWidth } from '../model/rollup-width.js';

function wrong(what: string, got: string, want: string): StoreError {
  return corrupt('PS_BLOCK_ROLLUP', `cannot accept ${what}: got ${got}; want ${want}`);
}

/** Throws `corrupt` PS_BLOCK_ROLLUP for the first thing that is wrong. */
export async function verifyRollups(bucket: Bucket, meta: BlockMeta): Promise<void> {
  checkExtents(meta);
  if (meta.services.every((service) => service.rollups.length === 0)) return;
  const block = await rolledBlock(bucket, meta);
  const groups = seriesGroups(block.series);
  for (const { service, rollups } of meta.services) {
    for (const profileName of new Set(rollups.map((r) => r.profileName))) {
      const group = groups.find((g) => g.service === service && g.profileName === profileName);
      if (group === undefined) throw wrong('a rollup', `one of ${profileName}`, 'a known one');
      const own = rollups.filter((r) => r.profileName === profileName);
      await verifyGroup(bucket, block, { group, rollups: own });
    }
  }
}

/** The rollups of a table lie one after another and fill it. */
function checkExtents(meta: BlockMeta): void {
  const next = new Map<TableName, number>();
  const take = (table: TableName, first: number, count: number): void => {
    const at = next.get(table) ?? 0;
    if (first !== at) throw wrong(`${table}`, `rows from ${first} on`, `them from ${at} on`);
    next.set(table, at + count);
  };
  for (const { rollups } of meta.services) {
    for (const { width, firstTile, tileCount, hasRows, firstRow, rowCount } of rollups) {
      take(ROLLUPS[width].tiles.name, firstTile, tileCount);
      if (hasRows) take(ROLLUPS[width].rows.name, firstRow, rowCount);
    }
  }
  for (const { table, rowCount } of meta.tables) {
    if (!table.startsWith('rollup_') && !table.startsWith('tiles_')) continue;
    const want = next.get(table) ?? 0;
    if (rowCount !== want) throw wrong(table, `${rowCount} rows`, `the ${want} of its rollups`);
  }
}

async function verifyGroup(
  bucket: Bucket,
  block: RolledBlock,
  of: { readonly group: SeriesGroup; readonly rollups: readonly RollupMeta[] },
): Promise<void> {
  const { meta, series } = block;
  const group = rollupGroup(await block.profiles(of.group.profiles), series);
  const metadata = await groupMetadata(block, of.group.profiles);
  if (metadata === undefined) throw wrong('a rollup', 'too many metadata', 'no rollup');
  const withRows = of.rollups.filter((r) => r.hasRows);
  const written = new WrittenRows();
  for (const { width, firstRow } of withRows) written.begin(width, firstRow);
  const { keyCount } = meta.services.find((s) => s.service === of.group.service) ?? { keyCount: 0 };
  if (withRows.length > 0) {
    const widths = withRows.map((r) => r.width);
    const columns = usedColumns(meta);
    await rollGroup({ group, widths, keyCount, columns, walk: block.walk }, async (width, own) => {
      const { firstRow, rowCount } = written.of(width);
      await compareRows(bucket, meta, { width, firstRow: firstRow + rowCount, buckets: own });
      written.add(width, own);
    });
  }
  for (const rollup of of.rollups) {
    const rows = written.of(rollup.width);
    if (rollup.hasRows && rows.rowCount !== rollup.rowCount) {
      throw wrong(`rollup_${rollup.width}`, `${rollup.rowCount} rows`, `${rows.rowCount}`);
    }
    const tiles = groupTiles(group, rollup.width, { series, metadata, rows: rows.rowsOf });
    await compareTiles(bucket, meta, { rollup, tiles });
  }
}

const ROW_COLUMNS = [
  'rollup_series',
  'bucket',
  'key',
  'count',
  ...[1, 2, 3, 4].flatMap((n) => [`sum_${n}`, `squares_${n}`]),
];

async function compareRows(
  bucket: Bucket,
  meta: BlockMeta,
  want: {
    readonly width: RollupWidth;
    readonly firstRow: number;
    readonly buckets: readonly RolledBucket[];
  },
): Promise<void> {
  const name = ROLLUPS[want.width].rows.name;
  const open = openTable(bucket, meta, name);
  const rowCount = want.buckets.reduce((sum, { rows }) => sum + rows.rowCount, 0);
  const range = { start: want.firstRow, end: want.firstRow + rowCount };
  const expected = rowsOf(want.buckets);
  let row = want.firstRow;
  for (const { table, from, to } of await readTableParts(open, range, ROW_COLUMNS)) {
    const unit = int32Values(table, 'rollup_series');
    const bucketNs = timestampValues(table, 'bucket');
    const key = int32Values(table, 'key');
    const count = int32Values(table, 'count');
    const sums = [1, 2, 3, 4].map((n) => int64Values(table, `sum_${n}`));
    const squares = [1, 2, 3, 4].map((n) => columnOf(table, `squares_${n}`, 'float64').values);
    for (let i = from; i < to; i++, row++) {
      const { value } = expected.next();
      const isSame =
        value !== undefined &&
        unit[i] === value.unit &&
        bucketNs[i] === value.bucketNs &&
        key[i] === value.rows.key[value.row] &&
        count[i] === value.rows.count[value.row] &&
        sums.every((column, c) => column[i] === (value.rows.sums[c]?.[value.row] ?? 0n)) &&
        squares.every((column, c) => column[i] === (value.rows.squares[c]?.[value.row] ?? 0));
      if (!isSame) throw wrong(`row ${row} of ${name}`, 'another sum', 'that of the samples');
    }
  }
}

function* rowsOf(buckets: readonly RolledBucket[]): Generator<RolledBucket & { row: number }> {
  for (const bucket of buckets) {
    for (let row = 0; row < bucket.rows.rowCount; row++) yield { ...bucket, row };
  }
}

async function compareTiles(
  bucket: Bucket,
  meta: BlockMeta,
  { rollup, tiles }: { readonly rollup: RollupMeta; readonly tiles: GroupTiles },
): Promise<void> {
  const open = openTable(bucket, meta, ROLLUPS[rollup.width].tiles.name);
  if (rollup.tileCount !== tiles.count) {
    throw wrong(open.table.name, `${rollup.tileCount} tiles`, `${tiles.count}`);
  }
  const got = await readTiles(open, rollup, meta);
  const start = rollup.firstTile;
  const parts = await readTableParts(open, { start, end: start + tiles.count }, ['metadata']);
  const metadata = parts.flatMap(({ table, from, to }) =>
    listUtf8Values(table, 'metadata').slice(from, to),
  );
  for (let t = 0; t < tiles.count; t++) {
    const isSame =
      got.series[t] === tiles.series[t] &&
      got.bucketNs[t] === tiles.bucketNs[t] &&
      got.profileCount[t] === tiles.profileCount[t] &&
      got.startNsMin[t] === tiles.startNsMin[t] &&
      got.durationNs[t] === tiles.durationNs[t] &&
      got.periodMax[t] === tiles.periodMax[t] &&
      got.totals.every((column, c) => column[t] === tiles.totals[c]![t]) &&
      got.firstRow[t] === tiles.firstRow[t] &&
      got.rowCount[t] === tiles.rowCount[t] &&
      JSON.stringify(metadata[t]) === JSON.stringify(tiles.metadata[t]);
    if (!isSame) throw wrong(`tile ${start + t} of ${open.table.name}`, 'another', 'its profiles');
  }
}
