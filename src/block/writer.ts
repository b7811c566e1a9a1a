/**
 * Writes the objects of one block. Everything is checked before it is written: a block that exists is sorted, its
 * numbers refer to something, and its totals are exact. `meta` is written last, so a block without it is garbage.
 */
import { assert } from '../base/assert.js';
import { StoreError, invalid } from '../base/errors.js';
import { type BlockLineage, NO_LINEAGE } from '../manifest/lineage.js';
import { formatProfileType, profileTypesOf } from '../model/profile-type.js';
import { type Series, seriesKey } from '../model/series.js';
import type { Bucket } from '../objstore/bucket.js';
import { FramePool } from '../symbols/frame-pool.js';
import type { SymbolSource } from '../symbols/source.js';
import { encodeBlockMeta } from './meta-codec.js';
import { metaKey, tableKey } from './object-keys.js';
import { ProfileBuffer } from './profile-buffer.js';
import {
  type RollupSeries,
  type RollupSettings,
  rollupSeriesOf,
  ROLLUP_SETTINGS,
} from './rollup-series.js';
import { rolledBlock } from './rollup-source.js';
import { RollupTables } from './rollup-writer.js';
import { SampleBuffer, summarize } from './sample-buffer.js';
import {
  BLOCK_FORMAT_VERSION,
  BLOCK_TABLES,
  type BlockTable,
  FRAMES,
  KEYS,
  NODES,
  PROFILE_ROW_GROUP_ROWS,
  ROLLUP_TABLES,
  SAMPLES,
  SAMPLE_ROW_GROUP_ROWS,
  SERIES,
} from './schemas.js';
import { profilesTable, sumWidthOf } from './sums.js';
import { frameColumns, keyColumns, nodeColumns, seriesColumns } from './symbol-columns.js';
import { TableWriter } from './table-writer.js';
import type {
  BaseTableName,
  BlockMeta,
  BlockSeries,
  BlockSums,
  BlockWriter,
  ProfileRows,
  ServiceMeta,
} from './types.js';

export interface BlockWriterOptions {
  readonly bucket: Bucket;
  readonly tenantId: string;
  /** ULID; no other block may have it. */
  readonly blockId: string;
  readonly level: number;
  readonly createdMs: number;
  /** Default: none, and then a rebuild of the manifest leaves the block out. */
  readonly lineage?: BlockLineage;
  /** What is rolled up; nothing when absent. */
  readonly rollups?: RollupSettings;
  /** Needed where a profile is a sum. */
  readonly sums?: BlockSums | undefined;
}

const INT64_MAX = 2n ** 63n - 1n;
const BASE_TABLES = BLOCK_TABLES.map((table) => table.name as BaseTableName);
const FRAME_BUFFER_ROWS = 4_096;
/** Their labels are objects while they are encoded. */
const KEYS_AT_ONCE = 1 << 16;
const INT32_MAX = 2 ** 31 - 1;

export function createBlockWriter(options: BlockWriterOptions): BlockWriter {
  return new BucketBlockWriter(options);
}

/** What is known of a series of the current service so far. */
interface SeriesProgress {
  readonly series: Series;
  profileCount: number;
  startNsMin: bigint;
  startNsMax: bigint;
}

class BucketBlockWriter implements BlockWriter {
  readonly #options: BlockWriterOptions;
  readonly #tables: Readonly<Record<BaseTableName, TableWriter>>;
  #rollups: RollupTables | undefined;
  #frames = new FramePool();
  #samples: SampleBuffer;
  #profiles: ProfileBuffer;
  readonly #services: ServiceMeta[] = [];
  #service: string | undefined;
  #keyCount = 0;
  #series: SeriesProgress[] = [];
  #firstSeries = 0;
  #profileCount = 0;
  #sampleCount = 0;
  #last: { series: number; startNs: bigint; profileId: string } | undefined;
  #startNsMin = INT64_MAX;
  #startNsMax = -INT64_MAX - 1n;
  readonly #magnitudeMax: [bigint, bigint, bigint, bigint] = [0n, 0n, 0n, 0n];
  #status: 'open' | 'failed' | 'finished' | 'aborted' = 'open';

  constructor(options: BlockWriterOptions) {
    this.#options = options;
    const { bucket, tenantId, blockId } = options;
    const writer = (table: BlockTable): TableWriter =>
      new TableWriter({ bucket, tenantId, blockId, table });
    this.#tables = {
      series: writer(SERIES),
      profiles: writer(profilesTable(options)),
      samples: writer(SAMPLES),
      keys: writer(KEYS),
      nodes: writer(NODES),
      frames: writer(FRAMES),
    };
    this.#samples = new SampleBuffer(blockId, SAMPLE_ROW_GROUP_ROWS);
    const hasSums = options.sums !== undefined;
    this.#profiles = new ProfileBuffer(blockId, PROFILE_ROW_GROUP_ROWS, hasSums);
  }

  /** After a failure some table lacks rows: only `abort` is left. */
  async #guard<T>(work: () => Promise<T>): Promise<T> {
    assert(this.#status === 'open', `a block writer that is ${this.#status} takes nothing`);
    try {
      return await work();
    } catch (error) {
      this.#status = 'failed';
      throw error;
    }
  }

  beginService(service: string, symbols: SymbolSource, series: readonly Series[]): Promise<void> {
    return this.#guard(async () => {
      await this.#endService();
      this.#checkService(service, series);
      const { blockId } = this.#options;
      const { keys, nodes } = this.#tables;
      const firstKeyRow = keys.rowCount;
      const firstNodeRow = nodes.rowCount;
      const frameOf = (frame: number): number => this.#frames.intern(symbols.frames, frame);
      await nodes.append(nodeColumns(blockId, service, symbols, frameOf));
      for (let start = 0; start < symbols.keys.count; start += KEYS_AT_ONCE) {
        const range = { start, end: Math.min(symbols.keys.count, start + KEYS_AT_ONCE) };
        await keys.append(keyColumns(blockId, service, symbols, range));
      }
      const types = series.flatMap((s) => profileTypesOf(s).map(formatProfileType));
      this.#services.push({
        service,
        firstKeyRow,
        keyCount: symbols.keys.count,
        firstNodeRow,
        nodeCount: symbols.nodes.count,
        labelSetCount: symbols.labelSets.count,
        profileTypes: [...new Set(types)].sort(),
        rollups: [],
      });
      this.#service = service;
      this.#keyCount = symbols.keys.count;
      this.#last = undefined;
      this.#series = series.map((s) => ({
        series: s,
        profileCount: 0,
        startNsMin: 0n,
        startNsMax: 0n,
      }));
    });
  }

  #checkService(service: string, series: readonly Series[]): void {
    const before = this.#services.at(-1);
    assert(before === undefined || before.service < service, 'services must come in order');
    let last: Series | undefined;
    for (const next of series) {
      assert(next.service === service, 'a series must belong to its service');
      assert(last === undefined || compareSeries(last, next) < 0, 'series must come in order');
      last = next;
    }
  }

  async #endService(): Promise<void> {
    if (this.#service === undefined) return;
    const rollups = rollupSeriesOf(
      this.#series.map((progress) => progress.series),
      this.#firstSeries,
      (this.#options.rollups ?? ROLLUP_SETTINGS).keptLabels,
    );
    const list = this.#series.map((progress, i): BlockSeries => {
      const { number, labels } = rollups[i] as RollupSeries;
      return { ...progress, rollupSeries: number, rollupLabels: labels };
    });
    await this.#tables.series.append(seriesColumns(this.#options.blockId, this.#firstSeries, list));
    this.#firstSeries += list.length;
    this.#series = [];
    this.#service = undefined;
  }

  writeProfile(rows: ProfileRows): Promise<void> {
    return this.#guard(async () => {
      const service = this.#service;
      const progress = this.#series[rows.series];
      assert(service !== undefined && progress !== undefined, 'a profile must have a series');
      this.#checkOrder(rows);
      this.#checkRows(rows);
      this.#checkSum(rows);
      const totals = this.#total(rows);
      const series = this.#firstSeries + rows.series;
      const { profileName } = progress.series;
      const firstRow = this.#sampleCount;
      const place = {
        service,
        profileName,
        series,
        profile: this.#profileCount,
      };
      let start = 0;
      while (start < rows.rowCount) {
        const end = Math.min(rows.rowCount, start + this.#samples.freeRows);
        this.#samples.add(place, rows, start, end);
        if (this.#samples.freeRows === 0) await this.#tables.samples.append(this.#samples.take());
        start = end;
      }
      this.#sampleCount += rows.rowCount;
      this.#profileCount++;
      assert(this.#profileCount <= INT32_MAX, 'a block must have fewer than 2^31 profiles');
      this.#noteStart(progress, rows.startNs);
      this.#profiles.add({ service, profileName, series, firstRow, totals, rows });
      if (this.#profiles.isFull) await this.#tables.profiles.append(this.#profiles.take());
    });
  }

  #noteStart(progress: SeriesProgress, startNs: bigint): void {
    // Profiles of a series come in order of start.
    if (progress.profileCount === 0) progress.startNsMin = startNs;
    progress.startNsMax = startNs;
    progress.profileCount++;
    if (startNs < this.#startNsMin) this.#startNsMin = startNs;
    if (startNs > this.#startNsMax) this.#startNsMax = startNs;
  }

  #checkOrder(rows: ProfileRows): void {
    const { series, startNs, profileId } = rows;
    const last = this.#last;
    const isAfter =
      last === undefined ||
      series > last.series ||
      (series === last.series &&
        (startNs > last.startNs || (startNs === last.startNs && profileId > last.profileId)));
    assert(isAfter, 'profiles must come in the order of (series, start, id)');
    this.#last = { series, startNs, profileId };
  }

  #checkRows({ key, values, rowCount }: ProfileRows): void {
    const [v1, v2, v3, v4] = values.map(
      (column) => new Int32Array(column.buffer, column.byteOffset, column.length * 2),
    ) as [Int32Array, Int32Array, Int32Array, Int32Array];
    let last = -1;
    let isSorted = key.length >= rowCount;
    let hasZero = false;
    for (let i = 0; i < rowCount; i++) {
      const next = key[i] as number;
      if (next <= last) isSorted = false;
      last = next;
      const low = 2 * i;
      const any =
        (v1[low] as number) |
        (v1[low + 1] as number) |
        (v2[low] as number) |
        (v2[low + 1] as number) |
        (v3[low] as number) |
        (v3[low + 1] as number) |
        (v4[low] as number) |
        (v4[low + 1] as number);
      if (any === 0) hasZero = true;
    }
    assert(
      isSorted && last < this.#keyCount,
      'rows must be sorted by key, each key known and once',
    );
    assert(!hasZero, 'rows that are 0 in every column must be left out');
  }

  #checkSum({ flags, profileCount = 1 }: ProfileRows): void {
    const isSum = sumWidthOf(flags) !== undefined;
    const isKnown = this.#options.sums !== undefined;
    assert(profileCount >= 1 && profileCount <= INT32_MAX, 'a profile counts at least once');
    assert(isSum ? isKnown : profileCount === 1, 'a sum is of a block with sums');
  }

  #total({ values, rowCount }: ProfileRows): bigint[] {
    return values.map((column, c) => {
      const { sum, magnitudeMax } = summarize(column, rowCount);
      if (sum > INT64_MAX || sum < -INT64_MAX - 1n) {
        throw invalid(
          'PS_BLOCK_TOTAL',
          `cannot write profile: got a total of ${sum}; want one that fits 64 bits`,
        );
      }
      if (magnitudeMax > (this.#magnitudeMax[c] as bigint)) this.#magnitudeMax[c] = magnitudeMax;
      return sum;
    });
  }

  finish(): Promise<BlockMeta> {
    return this.#guard(async () => {
      assert(this.#profileCount > 0, 'a block must have profiles');
      await this.#endService();
      const { tenantId, blockId, level, createdMs, lineage = NO_LINEAGE, sums } = this.#options;
      const { samples, profiles, frames } = this.#tables;
      if (this.#samples.rowCount > 0) await samples.append(this.#samples.take());
      if (this.#profiles.rowCount > 0) await profiles.append(this.#profiles.take());
      for (let start = 0; start < this.#frames.count; start += FRAME_BUFFER_ROWS) {
        const end = Math.min(this.#frames.count, start + FRAME_BUFFER_ROWS);
        await frames.append(frameColumns(blockId, this.#frames, start, end));
      }
      const tables = [];
      for (const name of BASE_TABLES) tables.push(await this.#tables[name].finish());
      const meta = await this.#rollUp({
        formatVersion: BLOCK_FORMAT_VERSION,
        blockId,
        tenantId,
        level,
        createdMs,
        startNsMin: this.#startNsMin,
        startNsMax: this.#startNsMax,
        profileCount: this.#profileCount,
        sampleCount: this.#sampleCount,
        valueMagnitudeMax: this.#magnitudeMax,
        services: this.#services,
        tables,
        lineage,
        sums,
      });
      await this.#options.bucket.put(metaKey(tenantId, blockId), encodeBlockMeta(meta));
      this.#status = 'finished';
      this.#release();
      return meta;
    });
  }

  /** Whoever may still undo a block keeps its writer, of which that needs no row: 3 MB each, where a commit has many. */
  #release(): void {
    const { blockId, sums } = this.#options;
    this.#frames = new FramePool();
    this.#samples = new SampleBuffer(blockId, 0);
    this.#profiles = new ProfileBuffer(blockId, 0, sums !== undefined);
  }

  /** What was written is read back: a profile's rows come in the order of series, rollups go through them by time. */
  async #rollUp(meta: BlockMeta): Promise<BlockMeta> {
    const { bucket, rollups } = this.#options;
    if (rollups === undefined || meta.startNsMax - meta.startNsMin < rollups.spanNsMin) return meta;
    this.#rollups = new RollupTables(bucket, rollups);
    return await this.#rollups.write(await rolledBlock(bucket, meta));
  }

  async abort(): Promise<void> {
    if (this.#status === 'aborted') return;
    this.#status = 'aborted';
    const { bucket, tenantId, blockId } = this.#options;
    let failure: unknown;
    const attempt = async (work: Promise<void>): Promise<void> => {
      try {
        await work;
      } catch (error) {
        failure ??= error;
      }
    };
    await attempt(bucket.delete(metaKey(tenantId, blockId)));
    for (const name of BASE_TABLES) {
      await attempt(this.#tables[name].abort());
      await attempt(bucket.delete(tableKey(tenantId, blockId, name)));
    }
    if (this.#rollups !== undefined) {
      await attempt(this.#rollups.abort());
      for (const { name } of ROLLUP_TABLES) {
        await attempt(bucket.delete(tableKey(tenantId, blockId, name)));
      }
    }
    if (failure !== undefined) throw StoreError.from(failure);
  }
}

/** The order of series within a service of a block. */
function compareSeries(a: Series, b: Series): number {
  if (a.profileName !== b.profileName) return a.profileName < b.profileName ? -1 : 1;
  const x = seriesKey(a);
  const y = seriesKey(b);
  return x < y ? -1 : x > y ? 1 : 0;
}
