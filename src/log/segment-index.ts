/**
 * What de-duplication and deletion must know of a segment: its series, and start and id of each profile. It grows with
 * the commits, is written as the footer when the segment is sealed, and is built again from the commits when a crash
 * came first.
 */
import { corrupt } from '../base/errors.js';
import { int32Values, timestampValues, utf8Values, type ColumnTable } from '../columnar/table.js';
import { encodePayload, findTable, splitPayload } from './commit-codec.js';
import {
  DATA_TABLES,
  FOOTER_TABLES,
  INDEX_COMMITS,
  INDEX_PROFILES,
  INDEX_SERIES,
  PROFILES,
  SAMPLES,
  SERIES,
} from './commit-schema.js';

/** A series as the log names it: `key` is `seriesKey`'s text. */
export interface IndexSeries {
  readonly tenantId: string;
  readonly key: string;
}

/** A commit as the footer's directory lists it. */
export interface IndexCommit {
  readonly offset: number;
  readonly sizeBytes: number;
  readonly profiles: number;
  readonly rows: number;
}

/** What one commit adds. Series are numbered on from those of the segment. */
export interface IndexAddition {
  readonly series: readonly IndexSeries[];
  readonly profileSeries: readonly number[];
  readonly profileStartNs: readonly bigint[];
  readonly profileId: readonly string[];
  readonly profileFlags: readonly number[];
  readonly rows: number;
}

export class SegmentIndex {
  readonly series: IndexSeries[] = [];
  readonly commits: IndexCommit[] = [];
  readonly profileSeries: number[] = [];
  readonly profileStartNs: bigint[] = [];
  readonly profileId: string[] = [];
  readonly profileFlags: number[] = [];
  readonly #tenants = new Set<string>();

  get tenants(): ReadonlySet<string> {
    return this.#tenants;
  }

  get profileCount(): number {
    return this.profileSeries.length;
  }

  add(addition: IndexAddition, offset: number, sizeBytes: number): void {
    for (const series of addition.series) {
      this.series.push(series);
      this.#tenants.add(series.tenantId);
    }
    const { profileSeries, profileStartNs, profileId, profileFlags, rows } = addition;
    for (let p = 0; p < profileSeries.length; p++) {
      this.profileSeries.push(profileSeries[p]!);
      this.profileStartNs.push(profileStartNs[p]!);
      this.profileId.push(profileId[p]!);
      this.profileFlags.push(profileFlags[p]!);
    }
    this.commits.push({ offset, sizeBytes, profiles: profileSeries.length, rows });
  }

  /** The payload of the footer. */
  encode(): Uint8Array[] {
    const { series, commits } = this;
    return encodePayload([
      {
        table: INDEX_SERIES,
        rowCount: series.length,
        fixed: [
          { type: 'utf8', values: series.map((s) => s.tenantId) },
          { type: 'utf8', values: series.map((s) => s.key) },
        ],
      },
      {
        table: INDEX_PROFILES,
        rowCount: this.profileCount,
        fixed: [
          { type: 'int32', values: Int32Array.from(this.profileSeries) },
          { type: 'timestamp', values: BigInt64Array.from(this.profileStartNs) },
          { type: 'utf8', values: this.profileId },
          { type: 'int32', values: Int32Array.from(this.profileFlags) },
        ],
      },
      {
        table: INDEX_COMMITS,
        rowCount: commits.length,
        fixed: [
          { type: 'int64', values: BigInt64Array.from(commits, (c) => BigInt(c.offset)) },
          { type: 'int64', values: BigInt64Array.from(commits, (c) => BigInt(c.sizeBytes)) },
          { type: 'int32', values: Int32Array.from(commits, (c) => c.profiles) },
          { type: 'int32', values: Int32Array.from(commits, (c) => c.rows) },
        ],
      },
    ]);
  }
}

/** Replaces what `index` holds by a footer's content. Throws `corrupt`. */
export function decodeFooter(payload: Uint8Array): IndexAddition {
  const tables = splitPayload(payload, FOOTER_TABLES);
  const addition = additionOf({
    series: findTable(tables, INDEX_SERIES)?.content,
    profiles: findTable(tables, INDEX_PROFILES)?.content,
    knownSeries: 0,
  });
  const rows = findTable(tables, INDEX_COMMITS)?.content;
  let total = 0;
  if (rows !== undefined) for (const count of int32Values(rows, 'rows')) total += count;
  return { ...addition, rows: total };
}

/** What a data commit adds to the index of a segment that has `knownSeries` series. Samples are not decoded. Throws `corrupt`. */
export function decodeAddition(payload: Uint8Array, knownSeries: number): IndexAddition {
  const tables = splitPayload(payload, DATA_TABLES);
  const profiles = findTable(tables, PROFILES)?.content;
  const addition = additionOf({
    series: findTable(tables, SERIES)?.content,
    profiles,
    knownSeries,
  });
  let rows = 0;
  if (profiles !== undefined && tables.some((t) => t.table === SAMPLES)) {
    for (const count of int32Values(profiles, 'rows')) rows += count;
  }
  return { ...addition, rows };
}

function additionOf(source: {
  readonly series: ColumnTable | undefined;
  readonly profiles: ColumnTable | undefined;
  readonly knownSeries: number;
}): Omit<IndexAddition, 'rows'> {
  const { series, profiles, knownSeries } = source;
  const tenants = series === undefined ? [] : utf8Values(series, 'tenant');
  const keys = series === undefined ? [] : utf8Values(series, 'key');
  const seriesEnd = knownSeries + keys.length;
  const profileSeries = profiles === undefined ? [] : Array.from(int32Values(profiles, 'series'));
  for (const number of profileSeries) {
    if (number < 0 || number >= seriesEnd) {
      throw corrupt(
        'PS_SEGMENT_REFERENCE',
        `cannot read profiles of a segment: got series ${number}; want less than ${seriesEnd}`,
      );
    }
  }
  return {
    series: keys.map((key, i) => ({ tenantId: tenants[i]!, key })),
    profileSeries,
    profileStartNs: profiles === undefined ? [] : Array.from(timestampValues(profiles, 'start')),
    profileId: profiles === undefined ? [] : utf8Values(profiles, 'id'),
    profileFlags: profiles === undefined ? [] : Array.from(int32Values(profiles, 'flags')),
  };
}
