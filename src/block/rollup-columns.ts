/** Rows of `rollup_<width>` and `tiles_<width>` as columns. */
import { constantColumn } from '../columnar/slice.js';
import type { Column } from '../columnar/table.js';
import { NO_METADATA } from '../log/profile-metadata.js';
import type { ProfileMetadata } from '../log/segment-view.js';
import type { RolledRows } from './rollup-accumulator.js';
import { bucketStartNs, coarser, type RollupGroup } from './rollup-group.js';

import type { TableRows } from './table-writer.js';
import type { BlockSeries, BlockTiles } from './types.js';
import type { RollupWidth } from '../model/rollup-width.js';

export interface RollupPlace {
  readonly blockId: string;
  readonly service: string;
  readonly profileName: string;
}

/** The rows of one bucket of one rollup series. */
export interface RolledBucket {
  readonly unit: number;
  readonly bucketNs: bigint;
  readonly rows: RolledRows;
}

function placeColumns(place: RollupPlace, rowCount: number): Column[] {
  return [place.blockId, place.service, place.profileName].map((text) =>
    constantColumn(text, rowCount),
  );
}

export function rolledColumns(place: RollupPlace, buckets: readonly RolledBucket[]): TableRows {
  const rowCount = buckets.reduce((sum, { rows }) => sum + rows.rowCount, 0);
  const unit = new Int32Array(rowCount);
  const bucket = new BigInt64Array(rowCount);
  const key = new Int32Array(rowCount);
  const count = new Int32Array(rowCount);
  const sums = [0, 1, 2, 3].map(() => new BigInt64Array(rowCount));
  const squares = [0, 1, 2, 3].map(() => new Float64Array(rowCount));
  let at = 0;
  for (const { unit: number, bucketNs, rows } of buckets) {
    const end = at + rows.rowCount;
    unit.fill(number, at, end);
    bucket.fill(bucketNs, at, end);
    key.set(rows.key, at);
    count.set(rows.count, at);
    for (let c = 0; c < 4; c++) {
      const own = rows.sums[c];
      if (own !== undefined) sums[c]!.set(own, at);
      const squared = rows.squares[c];
      if (squared !== undefined) squares[c]!.set(squared, at);
    }
    at = end;
  }
  const columns: Column[] = [
    ...placeColumns(place, rowCount),
    { type: 'int32', values: unit },
    { type: 'timestamp', values: bucket },
    { type: 'int32', values: key },
    { type: 'int32', values: count },
    ...sums.map((values): Column => ({ type: 'int64', values })),
    ...squares.map((values): Column => ({ type: 'float64', values })),
  ];
  return { rowCount, columns };
}

/** Tiles, with what the profiles of each said in `metadata`. */
export interface GroupTiles extends BlockTiles {
  readonly metadata: readonly (readonly string[])[];
}

/** Distinct metadata of the profiles of a group, as text; -1 where a profile said nothing. */
export interface GroupMetadata {
  readonly texts: readonly string[];
  readonly textOf: Int32Array;
}

export type RowsOfBucket = (
  unit: number,
  bucket: number,
) => { readonly firstRow: number; readonly rowCount: number };

/** One tile for each (series, bucket) of the group. */
export function groupTiles(
  group: RollupGroup,
  width: RollupWidth,
  of: {
    readonly series: readonly BlockSeries[];
    readonly metadata: GroupMetadata;
    readonly rows: RowsOfBucket;
  },
): GroupTiles {
  const { profiles, bucket } = group;
  const starts: number[] = [];
  for (let p = 0; p < profiles.count; p++) {
    const isSame =
      p > 0 &&
      profiles.series[p] === profiles.series[p - 1] &&
      coarser(bucket[p]!, width) === coarser(bucket[p - 1]!, width);
    if (!isSame) starts.push(p);
  }
  const count = starts.length;
  const int64 = (): BigInt64Array => new BigInt64Array(count);
  const tiles = {
    count,
    series: Int32Array.from(starts, (p) => profiles.series[p]!),
    bucketNs: BigInt64Array.from(starts, (p) => bucketStartNs(coarser(bucket[p]!, width), width)),
    profileCount: new Int32Array(count),
    // Profiles of a series are sorted by start.
    startNsMin: BigInt64Array.from(starts, (p) => profiles.startNs[p]!),
    durationNs: int64(),
    periodMax: int64(),
    totals: [int64(), int64(), int64(), int64()] as const,
    firstRow: new Float64Array(count),
    rowCount: new Int32Array(count),
    metadata: [] as (readonly string[])[],
  };
  starts.forEach((start, t) => {
    const end = starts[t + 1] ?? profiles.count;
    const texts = new Set<string>();
    let periodMax = profiles.period[start]!;
    for (let p = start; p < end; p++) {
      tiles.profileCount[t]! += profiles.profileCounts?.[p] ?? 1;
      tiles.durationNs[t]! += profiles.durationNs[p]!;
      if (profiles.period[p]! > periodMax) periodMax = profiles.period[p]!;
      tiles.totals.forEach((column, c) => {
        column[t]! += profiles.totals[c]![p]!;
      });
      const text = of.metadata.textOf[p]!;
      if (text >= 0) texts.add(of.metadata.texts[text]!);
    }
    tiles.periodMax[t] = periodMax;
    tiles.metadata.push([...texts].sort());
    const unit = of.series[profiles.series[start]!]!.rollupSeries;
    const rows = of.rows(unit, coarser(bucket[start]!, width));
    tiles.firstRow[t] = rows.firstRow;
    tiles.rowCount[t] = rows.rowCount;
  });
  return tiles;
}

export function tileColumns(place: RollupPlace, tiles: GroupTiles): TableRows {
  const int64 = (values: BigInt64Array): Column => ({ type: 'int64', values });
  const columns: Column[] = [
    ...placeColumns(place, tiles.count),
    { type: 'int32', values: tiles.series },
    { type: 'timestamp', values: tiles.bucketNs },
    { type: 'int32', values: tiles.profileCount },
    { type: 'timestamp', values: tiles.startNsMin },
    int64(tiles.durationNs),
    int64(tiles.periodMax),
    ...tiles.totals.map(int64),
    int64(BigInt64Array.from(tiles.firstRow, BigInt)),
    { type: 'int32', values: tiles.rowCount },
    { type: 'list-utf8', values: tiles.metadata },
  ];
  return { rowCount: tiles.count, columns };
}

export function metadataFromText(text: string): ProfileMetadata {
  if (text === '') return NO_METADATA;
  const [comments, dropFrames, keepFrames, defaultSampleType, docUrl] = JSON.parse(text) as [
    string[],
    string,
    string,
    string,
    string,
  ];
  return { comments, dropFrames, keepFrames, defaultSampleType, docUrl };
}
