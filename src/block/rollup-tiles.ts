/** Reads `tiles_<width>`. */
import { corrupt } from '../base/errors.js';
import { listUtf8Values } from '../columnar/table.js';
import type { ProfileMetadata } from '../log/segment-view.js';
import { type OpenTable, readNumbers, readTableParts } from './read-rows.js';
import { metadataFromText } from './rollup-columns.js';
import type { BlockMeta, BlockTiles, RollupMeta } from './types.js';

const COLUMNS = [
  'series',
  'bucket',
  'profile_count',
  'start_min',
  'duration_ns',
  'period_max',
  'total_1',
  'total_2',
  'total_3',
  'total_4',
  'first_row',
  'row_count',
];

export async function readTiles(
  open: OpenTable,
  rollup: RollupMeta,
  meta: BlockMeta,
  signal?: AbortSignal,
): Promise<BlockTiles> {
  const start = rollup.firstTile;
  const range = { start, end: start + rollup.tileCount };
  const columns = await readNumbers(open, range, COLUMNS, signal);
  const int32 = (name: string): Int32Array => columns[COLUMNS.indexOf(name)] as Int32Array;
  const int64 = (name: string): BigInt64Array => columns[COLUMNS.indexOf(name)] as BigInt64Array;
  const tiles: BlockTiles = {
    count: rollup.tileCount,
    series: int32('series'),
    bucketNs: int64('bucket'),
    profileCount: int32('profile_count'),
    startNsMin: int64('start_min'),
    durationNs: int64('duration_ns'),
    periodMax: int64('period_max'),
    totals: [int64('total_1'), int64('total_2'), int64('total_3'), int64('total_4')],
    firstRow: Float64Array.from(int64('first_row'), Number),
    rowCount: int32('row_count'),
  };
  checkTiles(tiles, rollup, meta);
  return tiles;
}

function checkTiles(tiles: BlockTiles, rollup: RollupMeta, meta: BlockMeta): void {
  const seriesCount = meta.tables.find((t) => t.table === 'series')?.rowCount ?? 0;
  const end = rollup.firstRow + rollup.rowCount;
  for (let t = 0; t < tiles.count; t++) {
    const series = tiles.series[t]!;
    const first = tiles.firstRow[t]!;
    const rows = tiles.rowCount[t]!;
    const isInside = rows === 0 || (first >= rollup.firstRow && first + rows <= end);
    const isAfter =
      t === 0 ||
      series > tiles.series[t - 1]! ||
      (series === tiles.series[t - 1] && tiles.bucketNs[t]! > tiles.bucketNs[t - 1]!);
    if (series >= 0 && series < seriesCount && rows >= 0 && isInside && isAfter) continue;
    throw corrupt(
      'PS_BLOCK_TILES',
      `cannot read tiles of block ${meta.blockId}: got series ${series} with ${rows} rows at ${first}; want known series in order, and rows of the rollup`,
    );
  }
}

export async function readTileMetadata(
  open: OpenTable,
  rollup: RollupMeta,
  signal?: AbortSignal,
): Promise<readonly (readonly ProfileMetadata[])[]> {
  const start = rollup.firstTile;
  const range = { start, end: start + rollup.tileCount };
  const parts = await readTableParts(open, range, ['metadata'], signal);
  const known = new Map<string, ProfileMetadata>();
  const read = (text: string): ProfileMetadata => {
    const metadata = known.get(text) ?? metadataFromText(text);
    known.set(text, metadata);
    return metadata;
  };
  return parts.flatMap(({ table, from, to }) =>
    listUtf8Values(table, 'metadata')
      .slice(from, to)
      .map((texts) => texts.map(read)),
  );
}
