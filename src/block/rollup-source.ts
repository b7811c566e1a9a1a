/** A block as its rollups are made from it: the series and profiles of one profile name at a time, and samples. */
import { LIMITS } from '../base/limits.js';
import { metadataText } from '../log/profile-metadata.js';
import type { ProfileMetadata } from '../log/segment-view.js';
import type { Bucket } from '../objstore/bucket.js';
import { readNumbers, readTableParts } from './read-rows.js';
import { blockReader, METADATA_COLUMNS, metadataOf, openTable } from './reader.js';
import type { GroupMetadata } from './rollup-columns.js';
import type { GroupProfiles } from './rollup-group.js';
import { ProfileWalk } from './rollup-walk.js';
import type { BlockMeta, BlockSeries, RowRange } from './types.js';

export interface RolledBlock {
  readonly meta: BlockMeta;
  readonly series: readonly BlockSeries[];
  /** By row of the table `profiles`. */
  profiles(range: RowRange): Promise<GroupProfiles>;
  /** In the order of the rows, a row group of the table at a time. */
  metadata(range: RowRange, visit: (part: readonly ProfileMetadata[]) => void): Promise<void>;
  readonly walk: ProfileWalk;
}

/** The series of one profile name of a service. */
export interface SeriesGroup {
  readonly service: string;
  readonly profileName: string;
  /** Rows of the table `profiles`. */
  readonly profiles: { readonly start: number; end: number };
}

/** Series and profiles are sorted alike, so that a group's profiles lie together. */
export function seriesGroups(series: readonly BlockSeries[]): readonly SeriesGroup[] {
  const groups: SeriesGroup[] = [];
  let profile = 0;
  for (const { series: own, profileCount } of series) {
    const { service, profileName } = own;
    let group = groups.at(-1);
    if (group === undefined || group.service !== service || group.profileName !== profileName) {
      group = { service, profileName, profiles: { start: profile, end: profile } };
      groups.push(group);
    }
    profile += profileCount;
    group.profiles.end = profile;
  }
  return groups;
}

const PROFILE_COLUMNS = [
  'series',
  'start',
  'duration_ns',
  'period',
  'total_1',
  'total_2',
  'total_3',
  'total_4',
  'sample_count',
  'first_row',
];

function profileColumns({ sums }: BlockMeta): readonly string[] {
  return sums === undefined ? PROFILE_COLUMNS : [...PROFILE_COLUMNS, 'profile_count'];
}

/** Reads the tables that every block has, which must be there. */
export async function rolledBlock(bucket: Bucket, meta: BlockMeta): Promise<RolledBlock> {
  const reader = blockReader(bucket, meta);
  const open = openTable(bucket, meta, 'profiles');
  return {
    meta,
    series: await reader.series(),
    walk: new ProfileWalk((request, visit) => reader.scan(request, visit)),
    profiles: async (range) => {
      const names = profileColumns(meta);
      const columns = await readNumbers(open, range, names);
      const int32 = (name: string) => columns[names.indexOf(name)] as Int32Array;
      const int64 = (name: string) => columns[names.indexOf(name)] as BigInt64Array;
      return {
        count: range.end - range.start,
        series: int32('series'),
        startNs: int64('start'),
        durationNs: int64('duration_ns'),
        period: int64('period'),
        totals: [int64('total_1'), int64('total_2'), int64('total_3'), int64('total_4')],
        rowCount: int32('sample_count'),
        firstRow: Float64Array.from(int64('first_row'), Number),
        ...(meta.sums === undefined ? {} : { profileCounts: int32('profile_count') }),
      };
    },
    metadata: async (range, visit) => {
      for (const { firstRow, rowCount } of open.meta.rowGroups) {
        const start = Math.max(range.start, firstRow);
        const end = Math.min(range.end, firstRow + rowCount);
        if (start >= end) continue;
        const parts = await readTableParts(open, { start, end }, METADATA_COLUMNS);
        for (const { table, from, to } of parts) visit(metadataOf(table).slice(from, to));
      }
    },
  };
}

/** Value columns that are not 0 all over the block. */
export function usedColumns(meta: BlockMeta): readonly number[] {
  return [0, 1, 2, 3].filter((c) => meta.valueMagnitudeMax[c] !== 0n);
}

/** Undefined when there is too much of it. */
export async function groupMetadata(
  block: RolledBlock,
  range: RowRange,
): Promise<GroupMetadata | undefined> {
  const numbers = new Map<string, number>();
  const textOf = new Int32Array(range.end - range.start).fill(-1);
  let p = 0;
  let last: ProfileMetadata | undefined;
  let text = '';
  await block.metadata(range, (part) => {
    for (const metadata of part) {
      if (metadata !== last) text = metadataText(metadata);
      last = metadata;
      if (text !== '' && numbers.size <= LIMITS.rollupMetadataMax) {
        const number = numbers.get(text) ?? numbers.size;
        numbers.set(text, number);
        textOf[p] = number;
      }
      p++;
    }
  });
  if (numbers.size > LIMITS.rollupMetadataMax) return undefined;
  return { texts: [...numbers.keys()], textOf };
}
