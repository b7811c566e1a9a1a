/** Opens a block with one read and reads its tables. Holds the meta and no more; callers cache what they want to keep. */
import { assert } from '../base/assert.js';
import { corrupt, StoreError } from '../base/errors.js';
import {
  type ColumnTable,
  columnOf,
  dictionaryValues,
  int32Values,
  int64Values,
  listUtf8Values,
  mapValues,
  timestampValues,
  utf8Values,
} from '../columnar/table.js';
import type { ProfileMetadata } from '../log/segment-view.js';
import type { SampleType, Temporality } from '../model/series.js';
import type { Bucket } from '../objstore/bucket.js';
import { ParquetReader } from '../parquet/reader.js';
import { labelled, type SymbolSource, withoutLabels } from '../symbols/source.js';
import { readKeyNodes, readLabels, readLabelSetNumbers, readNodes } from './block-symbols.js';
import { readFrames } from './frame-columns.js';
import { decodeBlockMeta } from './meta-codec.js';
import { blockObjects, metaKey, tableKey } from './object-keys.js';
import { type OpenTable, readNumbers, readTableParts } from './read-rows.js';
import { readTileMetadata, readTiles } from './rollup-tiles.js';
import { liesByKey, scanRows } from './row-scan.js';
import { BLOCK_TABLES, ROLLUP_TABLES, SAMPLES_WITH_TIME, type BlockTable } from './schemas.js';
import { profilesTable } from './sums.js';
import type {
  BaseTableName,
  BlockFrames,
  BlockMeta,
  BlockProfiles,
  BlockReader,
  BlockSeries,
  BlockTiles,
  ProfileGroup,
  RollupMeta,
  RowRange,
  SampleRows,
  ScanRequest,
  ServiceLabels,
  ServiceMeta,
  ServiceStacks,
  TableName,
} from './types.js';

/** The prefix of all objects of a block; ends in `/`. */
export function blockPrefix(tenantId: string, blockId: string): string {
  return blockObjects(tenantId, blockId);
}

/** Throws `not-found`, or `corrupt` PS_ENVELOPE_*, PS_BLOCK_META. */
export async function openBlock(
  bucket: Bucket,
  tenantId: string,
  blockId: string,
  signal?: AbortSignal,
): Promise<BlockReader> {
  const key = metaKey(tenantId, blockId);
  const { body } = await bucket.get(key, signal === undefined ? {} : { signal });
  const meta = namedMeta(key, body);
  if (meta.blockId !== blockId || meta.tenantId !== tenantId) {
    throw corrupt(
      'PS_BLOCK_META',
      `cannot open block ${blockId}: got the meta of ${meta.blockId}; want its own`,
    );
  }
  return blockReader(bucket, meta);
}

/** Says which object is damaged, or of a newer version. */
function namedMeta(key: string, body: Uint8Array): BlockMeta {
  try {
    return decodeBlockMeta(body);
  } catch (error) {
    const { kind, code, details, message } = StoreError.from(error);
    throw new StoreError({ kind, code, details, message: `${message} (${key})`, cause: error });
  }
}

/** A reader of a block whose meta is known; `series` and `profiles` of it need the tables that every block has. */
export function blockReader(bucket: Bucket, meta: BlockMeta): BlockReader {
  return new BucketBlockReader(bucket, meta);
}

const TEMPORALITIES: ReadonlySet<string> = new Set(['delta', 'gauge', 'cumulative']);
export const METADATA_COLUMNS = [
  'comments',
  'drop_frames',
  'keep_frames',
  'default_sample_type',
  'doc_url',
];

/** As the block's version has it. */
function tableOf(meta: BlockMeta, name: TableName): BlockTable | undefined {
  if (name === 'profiles') return profilesTable(meta);
  if (name === 'samples' && !liesByKey(meta)) return SAMPLES_WITH_TIME;
  return [...BLOCK_TABLES, ...ROLLUP_TABLES].find((table) => table.name === name);
}

export function openTable(bucket: Bucket, meta: BlockMeta, name: TableName): OpenTable {
  const table = tableOf(meta, name);
  const tableMeta = meta.tables.find((t) => t.table === name);
  if (table === undefined || tableMeta === undefined) {
    throw corrupt('PS_BLOCK_META', `cannot open block ${meta.blockId}: got no ${name}; want it`);
  }
  const key = tableKey(meta.tenantId, meta.blockId, name);
  const reader = new ParquetReader({
    name: key,
    info: tableMeta,
    fetch: async (start, end, signal) => {
      try {
        return await bucket.getRange(key, { start, end }, signal === undefined ? {} : { signal });
      } catch (error) {
        if (!(error instanceof StoreError) || error.code !== 'PS_OBJECT_RANGE') throw error;
        // The meta says where the file ends: that it ends before is damage, not a wrong question.
        throw corrupt(
          'PS_BLOCK_SHORT',
          `cannot read ${key}: got a file that ends before byte ${start + 1}; want ${tableMeta.sizeBytes} bytes`,
          { object: key },
        );
      }
    },
  });
  return { table, meta: tableMeta, reader };
}

class BucketBlockReader implements BlockReader {
  readonly meta: BlockMeta;
  readonly #bucket: Bucket;
  readonly #tables: Readonly<Record<BaseTableName, OpenTable>>;
  readonly #rollups = new Map<TableName, OpenTable>();
  /** Services share the block's frames; a merge compares a shared table's frames once. */
  #frames: WeakRef<BlockFrames> | undefined;

  constructor(bucket: Bucket, meta: BlockMeta) {
    this.meta = meta;
    this.#bucket = bucket;
    const open = (name: TableName): OpenTable => openTable(bucket, meta, name);
    this.#tables = {
      series: open('series'),
      profiles: open('profiles'),
      samples: open('samples'),
      keys: open('keys'),
      nodes: open('nodes'),
      frames: open('frames'),
    };
  }

  async series(signal?: AbortSignal): Promise<readonly BlockSeries[]> {
    const open = this.#tables.series;
    const columns = open.table.schema.fields
      .map((field) => field.name)
      .filter((name) => name !== 'block_id' && name !== 'series');
    const range = { start: 0, end: open.meta.rowCount };
    const parts = await readTableParts(open, range, columns, signal);
    return parts.flatMap(({ table }) => seriesOf(table));
  }

  async profiles(signal?: AbortSignal): Promise<BlockProfiles> {
    const range = { start: 0, end: this.#tables.profiles.meta.rowCount };
    const profiles = await this.#profileNumbers(range, signal);
    this.#checkProfiles(profiles);
    return profiles;
  }

  async profileGroup(group: number, signal?: AbortSignal): Promise<ProfileGroup> {
    const meta = this.#tables.profiles.meta.rowGroups[group];
    assert(meta !== undefined, 'a row group is one of the table');
    const range = { start: meta.firstRow, end: meta.firstRow + meta.rowCount };
    const numbers = await this.#profileNumbers(range, signal);
    const names = ['profile_id', ...METADATA_COLUMNS];
    const [part] = await readTableParts(this.#tables.profiles, range, names, signal);
    assert(part !== undefined, 'a row group has a table');
    return {
      ...numbers,
      id: utf8Values(part.table, 'profile_id'),
      metadata: metadataOf(part.table),
    };
  }

  async #profileNumbers(range: RowRange, signal?: AbortSignal): Promise<BlockProfiles> {
    const names = [
      'series',
      'start',
      'duration_ns',
      'period',
      'flags',
      'total_1',
      'total_2',
      'total_3',
      'total_4',
      'sample_count',
      'first_row',
      ...(this.meta.sums === undefined ? [] : ['profile_count']),
    ];
    const columns = await readNumbers(this.#tables.profiles, range, names, signal);
    const int32 = (name: string): Int32Array => columns[names.indexOf(name)] as Int32Array;
    const int64 = (name: string): BigInt64Array => columns[names.indexOf(name)] as BigInt64Array;
    return {
      count: range.end - range.start,
      series: int32('series'),
      startNs: int64('start'),
      durationNs: int64('duration_ns'),
      period: int64('period'),
      flags: Uint8Array.from(int32('flags')),
      ...(this.meta.sums === undefined ? {} : { profileCounts: int32('profile_count') }),
      totals: [int64('total_1'), int64('total_2'), int64('total_3'), int64('total_4')],
      firstRow: Float64Array.from(int64('first_row'), Number),
      rowCount: int32('sample_count'),
    };
  }

  #checkProfiles({ count, series, firstRow, rowCount }: BlockProfiles): void {
    const seriesCount = this.#tables.series.meta.rowCount;
    let next = 0;
    let ok = true;
    for (let p = 0; p < count; p++) {
      const s = series[p] as number;
      const rows = rowCount[p] as number;
      if (firstRow[p] !== next || rows < 0 || s < 0 || s >= seriesCount) ok = false;
      next += rows;
    }
    if (!ok || next !== this.meta.sampleCount || count !== this.meta.profileCount) {
      throw corrupt(
        'PS_BLOCK_PROFILES',
        `cannot read profiles of block ${this.meta.blockId}: got rows that end at ${next}; want ${this.meta.sampleCount} without gaps`,
      );
    }
  }

  async profileIds(signal?: AbortSignal): Promise<readonly string[]> {
    const parts = await this.#profileParts(['profile_id'], signal);
    return parts.flatMap((table) => utf8Values(table, 'profile_id'));
  }

  async profileMetadata(signal?: AbortSignal): Promise<readonly ProfileMetadata[]> {
    const parts = await this.#profileParts(METADATA_COLUMNS, signal);
    return parts.flatMap(metadataOf);
  }

  async #profileParts(columns: readonly string[], signal?: AbortSignal): Promise<ColumnTable[]> {
    const open = this.#tables.profiles;
    const range = { start: 0, end: open.meta.rowCount };
    const parts = await readTableParts(open, range, columns, signal);
    return parts.map((part) => part.table);
  }

  #rollup(name: TableName): OpenTable {
    const known = this.#rollups.get(name);
    if (known !== undefined) return known;
    const open = openTable(this.#bucket, this.meta, name);
    this.#rollups.set(name, open);
    return open;
  }

  tiles(rollup: RollupMeta, signal?: AbortSignal): Promise<BlockTiles> {
    return readTiles(this.#rollup(`tiles_${rollup.width}`), rollup, this.meta, signal);
  }

  tileMetadata(
    rollup: RollupMeta,
    signal?: AbortSignal,
  ): Promise<readonly (readonly ProfileMetadata[])[]> {
    return readTileMetadata(this.#rollup(`tiles_${rollup.width}`), rollup, signal);
  }

  async symbols(service: string, signal?: AbortSignal): Promise<SymbolSource> {
    const frames = await this.frames(signal);
    const stacks = await this.stacks(service, signal);
    const numbers = await this.labelSetNumbers(service, signal);
    return { ...labelled(stacks, await this.labels(service, numbers, signal)), frames };
  }

  async stacks(service: string, signal?: AbortSignal): Promise<ServiceStacks> {
    const found = this.#service(service);
    const frameCount = this.#tables.frames.meta.rowCount;
    const nodes = await readNodes(this.#tables.nodes, found, frameCount, signal);
    const node = await readKeyNodes(this.#tables.keys, found, signal);
    return { nodes, ...withoutLabels(node) };
  }

  labelSetNumbers(service: string, signal?: AbortSignal): Promise<Int32Array> {
    return readLabelSetNumbers(this.#tables.keys, this.#service(service), signal);
  }

  labels(service: string, numbers: Int32Array, signal?: AbortSignal): Promise<ServiceLabels> {
    return readLabels(this.#tables.keys, this.#service(service), { numbers, signal });
  }

  #service(service: string): ServiceMeta {
    const found = this.meta.services.find((s) => s.service === service);
    if (found === undefined) {
      throw new StoreError({
        kind: 'not-found',
        code: 'PS_BLOCK_SERVICE',
        message: `cannot read symbols of block ${this.meta.blockId}: got service ${JSON.stringify(service)}; want one of the block's`,
      });
    }
    return found;
  }

  async frames(signal?: AbortSignal): Promise<BlockFrames> {
    const kept = this.#frames?.deref();
    if (kept !== undefined) return kept;
    const frames = await readFrames(this.#tables.frames, signal);
    this.#frames = new WeakRef(frames);
    return frames;
  }

  scan(request: ScanRequest, visit: (rows: SampleRows) => void): Promise<void> {
    const { rollup } = request;
    const open = rollup === undefined ? this.#tables.samples : this.#rollup(`rollup_${rollup}`);
    return scanRows(open, request, { isByKey: liesByKey(this.meta, request), visit });
  }
}

/** One object for a run of profiles with the same, as those of a series mostly are. */
export function metadataOf(table: ColumnTable): ProfileMetadata[] {
  const comments = listUtf8Values(table, 'comments');
  const texts = ['drop_frames', 'keep_frames', 'default_sample_type', 'doc_url'].map((name) =>
    columnOf(table, name, 'dictionary'),
  );
  const textOf = (column: number, row: number): string => {
    const { dictionary, indices } = texts[column] as (typeof texts)[number];
    return dictionary[indices[row] as number] as string;
  };
  const out: ProfileMetadata[] = [];
  for (let row = 0; row < table.rowCount; row++) {
    const last = out.at(-1);
    const own = comments[row] as readonly string[];
    let isSame = last !== undefined && areEqual(own, last.comments);
    for (const { indices } of texts) isSame &&= indices[row] === indices[row - 1];
    out.push(
      isSame && last !== undefined
        ? last
        : {
            comments: own,
            dropFrames: textOf(0, row),
            keepFrames: textOf(1, row),
            defaultSampleType: textOf(2, row),
            docUrl: textOf(3, row),
          },
    );
  }
  return out;
}

function areEqual(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, i) => text === b[i]);
}

function seriesOf(table: ColumnTable): BlockSeries[] {
  const text = (name: string): readonly string[] => dictionaryValues(table, name);
  const service = text('service');
  const profileName = text('profile_name');
  const periodType = text('period_type');
  const periodUnit = text('period_unit');
  const group = int32Values(table, 'value_group');
  const types = [1, 2, 3, 4].map((n) => ({
    type: text(`type_${n}`),
    unit: text(`unit_${n}`),
    temporality: text(`temporality_${n}`),
  }));
  const labels = mapValues(table, 'labels');
  const profileCount = int64Values(table, 'profile_count');
  const startMin = timestampValues(table, 'start_min');
  const startMax = timestampValues(table, 'start_max');
  const rollupSeries = int32Values(table, 'rollup_series');
  const rollupLabels = mapValues(table, 'rollup_labels');
  return Array.from({ length: table.rowCount }, (_, row) => ({
    series: {
      service: service[row] as string,
      profileName: profileName[row] as string,
      labels: labels[row] ?? [],
      periodType: periodType[row] as string,
      periodUnit: periodUnit[row] as string,
      sampleTypes: types.flatMap(({ type, unit, temporality }) =>
        sampleTypeOf(type[row] as string, unit[row] as string, temporality[row] as string),
      ),
      group: group[row] as number,
    },
    profileCount: Number(profileCount[row]),
    startNsMin: startMin[row] as bigint,
    startNsMax: startMax[row] as bigint,
    rollupSeries: rollupSeries[row] as number,
    rollupLabels: rollupLabels[row] ?? [],
  }));
}

/** A value column that the series does not have is marked by an empty temporality. */
function sampleTypeOf(type: string, unit: string, temporality: string): SampleType[] {
  if (temporality === '') return [];
  if (!TEMPORALITIES.has(temporality)) {
    throw corrupt(
      'PS_BLOCK_SERIES',
      `cannot read series: got temporality ${JSON.stringify(temporality.slice(0, 64))}; want delta, gauge or cumulative`,
    );
  }
  return [{ type, unit, temporality: temporality as Temporality }];
}
