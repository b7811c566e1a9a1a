/**
 * A block as queries read it: the parts of its reader through the cache, and its samples as decoded columns of whole
 * row groups where they fit, so that the second query decodes nothing.
 */
import { corrupt } from '../base/errors.js';
import { liesByKey } from '../block/row-scan.js';
import type {
  BlockMeta,
  BlockProfiles,
  BlockReader,
  BlockSeries,
  BlockTiles,
  RollupMeta,
  RowGroupMeta,
  RowRange,
} from '../block/types.js';
import type { ProfileMetadata } from '../log/segment-view.js';
import { labelled, type SymbolSource } from '../symbols/source.js';
import type { WeightedCache } from './cache.js';
import { keyMax, wordsOf } from './kernels.js';
import type { RollupWidth } from '../model/rollup-width.js';
import { type ScanHelpers, sumTogether, tasksOf } from './shared-scan.js';
import { addTo, type SumTarget } from './sum-kernel.js';

/** A run of rows: elements [start, end) of `key` and of the words of the values; the first is row `firstRow` of the table. */
export interface RowRun {
  readonly key: Int32Array;
  readonly words: Int32Array;
  readonly start: number;
  readonly end: number;
  readonly firstRow: number;
}

/** Bytes of a decoded row: a key and a value. */
const ROW_BYTES = 12;

export interface ScanOptions {
  readonly signal: AbortSignal;
  /** Rows of a row group that a range covers may come in any order. Default: no. */
  readonly isUnordered?: boolean;
  /** Rows of the samples when absent, else those of the rollup of this width. */
  readonly rollup?: RollupWidth;
  readonly visit: (run: RowRun) => void;
}

/** How many label sets a query may hold. */
export interface LabelSetBudget {
  /** Throws `limit` PS_QUERY_LABEL_SETS. */
  checkLabelSets(count: number): void;
}

interface DecodedGroup {
  readonly key: Int32Array;
  readonly words: Int32Array;
}

/** A row group that is read: as it lies, where its rows may come in any order and are not in order as they lie. */
interface WantedGroup extends RowGroupMeta {
  readonly isUnordered: boolean;
}

/** What an opened block weighs on a cache: its meta. */
export function openedBytes({ tables, services }: BlockMeta): number {
  let sizeBytes = 500 + services.length * 300;
  for (const { footer, rowGroups } of tables) {
    sizeBytes += footer.length + rowGroups.reduce((sum, g) => sum + 60 + g.columns.length * 100, 0);
  }
  return sizeBytes;
}

export class BlockHandle {
  readonly reader: BlockReader;
  readonly #cache: WeightedCache;
  readonly #prefix: string;
  readonly #helpers: ScanHelpers | undefined;
  readonly #joined = new WeakMap<object, WeakMap<object, SymbolSource>>();

  /** `prefix` names the block within the cache. */
  constructor(reader: BlockReader, cache: WeightedCache, prefix: string, helpers?: ScanHelpers) {
    this.reader = reader;
    this.#cache = cache;
    this.#prefix = prefix;
    this.#helpers = helpers;
  }

  series(): Promise<readonly BlockSeries[]> {
    return this.#cache.get(`${this.#prefix}/series`, async () => {
      const value = await this.reader.series();
      return { value, sizeBytes: 200 + value.length * 1_000 };
    });
  }

  profiles(): Promise<BlockProfiles> {
    return this.#cache.get(`${this.#prefix}/profiles`, async () => {
      const value = await this.reader.profiles();
      return { value, sizeBytes: 200 + value.count * 80 };
    });
  }

  /** Throws what `budget` throws at the number of label sets, before they are read. */
  async symbols(service: string, budget: LabelSetBudget): Promise<SymbolSource> {
    const numbersKey = `${this.#prefix}/label-set-numbers/${service}`;
    const counted = this.#cache.get(numbersKey, async () => {
      const own = await this.reader.labelSetNumbers(service);
      const value = { numbers: own, count: Math.min(keyMax(own, 0, own.length), own.length) + 1 };
      return { value, sizeBytes: 200 + own.length * 4 };
    });
    const [stacks, { numbers, count }] = await Promise.all([this.stacks(service), counted]);
    budget.checkLabelSets(count);
    const labels = await this.#cache.get(`${this.#prefix}/labels/${service}`, async () => {
      const value = await this.reader.labels(service, numbers);
      const { labelSet, labelSets } = value;
      return { value, sizeBytes: 200 + labelSet.length * 4 + labelSets.count * 200 };
    });
    return this.#once(stacks, labels, () => labelled(stacks, labels));
  }

  /** `symbols` without labels. The frames, which all services share, are an entry of their own: each weighs once. */
  async stacks(service: string): Promise<SymbolSource> {
    const frames = await this.#cache.get(`${this.#prefix}/frames`, async () => {
      const value = await this.reader.frames();
      return { value, sizeBytes: 200 + value.sizeBytes };
    });
    const stacks = await this.#cache.get(`${this.#prefix}/stacks/${service}`, async () => {
      const value = await this.reader.stacks(service);
      return { value, sizeBytes: 200 + (value.nodes.count + value.keys.count) * 8 };
    });
    return this.#once(stacks, frames, () => ({ ...stacks, frames }));
  }

  /** One object for as long as the two parts that it is made of: what is found out about it is kept by it. */
  #once(a: object, b: object, make: () => SymbolSource): SymbolSource {
    const ofA = this.#joined.get(a) ?? new WeakMap<object, SymbolSource>();
    this.#joined.set(a, ofA);
    const made = ofA.get(b) ?? make();
    ofA.set(b, made);
    return made;
  }

  /** Not cached: only answers that come down to few profiles ask for them. */
  profileIds(signal: AbortSignal): Promise<readonly string[]> {
    return this.reader.profileIds(signal);
  }

  profileMetadata(): Promise<readonly ProfileMetadata[]> {
    return this.#cache.get(`${this.#prefix}/metadata`, async () => {
      const value = await this.reader.profileMetadata();
      return { value, sizeBytes: 200 + value.length * 40 };
    });
  }

  tiles(rollup: RollupMeta): Promise<BlockTiles> {
    return this.#cache.get(
      `${this.#prefix}/tiles/${rollup.width}/${rollup.firstTile}`,
      async () => {
        const value = await this.reader.tiles(rollup);
        return { value, sizeBytes: 200 + value.count * 80 };
      },
    );
  }

  tileMetadata(rollup: RollupMeta): Promise<readonly (readonly ProfileMetadata[])[]> {
    const key = `${this.#prefix}/tile-metadata/${rollup.width}/${rollup.firstTile}`;
    return this.#cache.get(key, async () => {
      const value = await this.reader.tileMetadata(rollup);
      return { value, sizeBytes: 200 + value.length * 40 };
    });
  }

  /** Visits the rows of `ranges` (sorted, disjoint) with value column `column`. Runs are valid until `visit` returns. */
  async scan(ranges: readonly RowRange[], column: number, options: ScanOptions): Promise<void> {
    const groups = this.#groupsOf(ranges, options);
    if (groups.length === 0 || this.#isTooLarge(groups)) {
      await this.#stream(ranges, column, options);
      return;
    }
    const decoded = await this.#decode(groups, column, options);
    let r = 0;
    groups.forEach((group, i) => {
      const { key, words } = decoded[i]!;
      const groupEnd = group.firstRow + group.rowCount;
      for (; r < ranges.length; r++) {
        const range = ranges[r]!;
        const start = Math.max(range.start, group.firstRow);
        const end = Math.min(range.end, groupEnd);
        if (start < end) {
          options.visit({
            key,
            words,
            start: start - group.firstRow,
            end: end - group.firstRow,
            firstRow: start,
          });
        }
        if (range.end > groupEnd) break;
      }
    });
  }

  /** For the cache. */
  #isTooLarge(groups: readonly RowGroupMeta[]): boolean {
    const rows = groups.reduce((sum, group) => sum + group.rowCount, 0);
    return rows * ROW_BYTES > this.#cache.bytesMax / 2;
  }

  /** Adds the rows of `ranges` (sorted, disjoint) of the samples by key, with helpers where they are too many to be kept. */
  async sum(
    ranges: readonly RowRange[],
    { column, signal }: { readonly column: number; readonly signal: AbortSignal },
    into: SumTarget,
  ): Promise<void> {
    const groups = this.#groupsOf(ranges, { isUnordered: true });
    const helpers = this.#isTooLarge(groups) ? this.#helpers : undefined;
    let isSummed = false;
    if (helpers !== undefined && helpers.count > 0) {
      const { tenantId, blockId } = this.reader.meta;
      const tasks = tasksOf(groups, ranges, helpers.taskRows);
      const scan = { tenantId, blockId, column, keyCount: into.keyCount, tasks };
      isSummed = await sumTogether(scan, helpers, { ...into, reader: this.reader, signal });
    }
    if (!isSummed) {
      await this.scan(ranges, column, { signal, isUnordered: true, visit: addTo(into) });
    }
    helpers?.wake();
  }

  async #stream(ranges: readonly RowRange[], column: number, options: ScanOptions): Promise<void> {
    const { signal, rollup, isUnordered = false } = options;
    const of = { ...(rollup === undefined ? {} : { rollup }), isUnordered };
    await this.reader.scan({ ...of, ranges, valueColumns: [column], signal }, (rows) => {
      const words = wordsOf(rows.values[0]!);
      options.visit({
        key: rows.key,
        words,
        start: 0,
        end: rows.rowCount,
        firstRow: rows.firstRow,
      });
    });
  }

  #groupsOf(
    ranges: readonly RowRange[],
    options: Pick<ScanOptions, 'rollup' | 'isUnordered'>,
  ): readonly WantedGroup[] {
    const { rollup, isUnordered = false } = options;
    const mayStay = isUnordered && liesByKey(this.reader.meta, options);
    const name = rollup === undefined ? 'samples' : `rollup_${rollup}`;
    const groups = this.reader.meta.tables.find((t) => t.table === name)?.rowGroups ?? [];
    const out: WantedGroup[] = [];
    let r = 0;
    for (const group of groups) {
      while (r < ranges.length && ranges[r]!.end <= group.firstRow) r++;
      const range = ranges[r];
      if (range === undefined) break;
      const end = group.firstRow + group.rowCount;
      if (range.start >= end) continue;
      const isWhole = range.start <= group.firstRow && range.end >= end;
      out.push({ ...group, isUnordered: mayStay && isWhole });
    }
    return out;
  }

  /** Decoded columns of `groups`, from the cache or read in one scan of what is missing. */
  async #decode(
    groups: readonly WantedGroup[],
    column: number,
    options: Pick<ScanOptions, 'signal' | 'rollup'>,
  ): Promise<readonly DecodedGroup[]> {
    const keyOf = (g: RowGroupMeta, isUnordered: boolean): string => {
      const table = `${options.rollup ?? ''}${isUnordered ? '/unordered' : ''}`;
      return `${this.#prefix}/rows/${table}/${column}/${g.firstRow}`;
    };
    const decoded = new Map<WantedGroup, DecodedGroup>();
    for (const group of groups) {
      const inOrder = await this.#cache.peek<DecodedGroup>(keyOf(group, false));
      const known =
        inOrder ??
        (group.isUnordered ? await this.#cache.peek<DecodedGroup>(keyOf(group, true)) : undefined);
      if (known !== undefined) decoded.set(group, known);
    }
    const missing = groups.filter((group) => !decoded.has(group));
    const read = async (isUnordered: boolean): Promise<void> => {
      const wanted = missing.filter((group) => group.isUnordered === isUnordered);
      const fresh = await this.#readGroups(wanted, column, { ...options, isUnordered });
      wanted.forEach((group, i) => {
        const value = fresh[i]!;
        const sizeBytes = 100 + group.rowCount * ROW_BYTES;
        this.#cache.put(keyOf(group, isUnordered), { value, sizeBytes });
        decoded.set(group, value);
      });
    };
    // At once, for which the file is opened once.
    await Promise.all([read(true), read(false)]);
    return groups.map((group) => decoded.get(group)!);
  }

  async #readGroups(
    groups: readonly RowGroupMeta[],
    column: number,
    { signal, rollup, isUnordered = false }: Omit<ScanOptions, 'visit'>,
  ): Promise<readonly DecodedGroup[]> {
    if (groups.length === 0) return [];
    const out = groups.map((g) => ({
      key: new Int32Array(g.rowCount),
      words: new Int32Array(g.rowCount * 2),
    }));
    const ranges = groups.map((g) => ({ start: g.firstRow, end: g.firstRow + g.rowCount }));
    let at = 0;
    let seen = 0;
    const of = { ...(rollup === undefined ? {} : { rollup }), isUnordered };
    await this.reader.scan({ ...of, ranges, valueColumns: [column], signal }, (rows) => {
      while (at < groups.length && rows.firstRow >= ranges[at]!.end) at++;
      const group = groups[at];
      const target = out[at];
      const offset = rows.firstRow - (group?.firstRow ?? 0);
      if (
        group === undefined ||
        target === undefined ||
        offset < 0 ||
        offset + rows.rowCount > group.rowCount
      ) {
        throw corrupt(
          'PS_BLOCK_ROWS',
          `cannot read samples: got rows at ${rows.firstRow} that were not asked for; want those of a row group`,
        );
      }
      target.key.set(rows.key.subarray(0, rows.rowCount), offset);
      target.words.set(wordsOf(rows.values[0]!).subarray(0, rows.rowCount * 2), offset * 2);
      seen += rows.rowCount;
    });
    const want = groups.reduce((sum, g) => sum + g.rowCount, 0);
    if (seen !== want) {
      throw corrupt('PS_BLOCK_ROWS', `cannot read samples: got ${seen} rows; want ${want}`);
    }
    return out;
  }
}
