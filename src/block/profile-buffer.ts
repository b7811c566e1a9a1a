import type { Column } from '../columnar/table.js';
import { constantColumn, dictionaryColumn } from '../columnar/slice.js';
import type { ProfileRows } from './types.js';
import type { TableRows } from './table-writer.js';

/** One row of `profiles`. */
export interface ProfileRecord {
  readonly service: string;
  readonly profileName: string;
  readonly series: number;
  readonly firstRow: number;
  readonly totals: readonly bigint[];
  readonly rows: Omit<ProfileRows, 'key' | 'values'>;
}

/** Profiles as columns; `firstProfile` is the number of the first of them. */
export function profileColumns(
  blockId: string,
  firstProfile: number,
  records: readonly ProfileRecord[],
): TableRows {
  const int32 = (value: (record: ProfileRecord) => number): Column => ({
    type: 'int32',
    values: Int32Array.from(records, value),
  });
  const int64 = (value: (record: ProfileRecord) => bigint): Column => ({
    type: 'int64',
    values: BigInt64Array.from(records, value),
  });
  const text = (value: (record: ProfileRecord) => string): Column =>
    dictionaryColumn(records.map(value));
  const columns: Column[] = [
    constantColumn(blockId, records.length),
    text((r) => r.service),
    text((r) => r.profileName),
    { type: 'int32', values: Int32Array.from(records, (_, i) => firstProfile + i) },
    int32((r) => r.series),
    { type: 'timestamp', values: BigInt64Array.from(records, (r) => r.rows.startNs) },
    int64((r) => r.rows.durationNs),
    int64((r) => r.rows.period),
    int32((r) => r.rows.flags),
    ...[0, 1, 2, 3].map((c) => int64((r) => r.totals[c] as bigint)),
    int32((r) => r.rows.rowCount),
    int64((r) => BigInt(r.firstRow)),
    { type: 'utf8', values: records.map((r) => r.rows.profileId) },
    { type: 'list-utf8', values: records.map((r) => r.rows.metadata.comments) },
    text((r) => r.rows.metadata.dropFrames),
    text((r) => r.rows.metadata.keepFrames),
    text((r) => r.rows.metadata.defaultSampleType),
    text((r) => r.rows.metadata.docUrl),
  ];
  return { rowCount: records.length, columns };
}
