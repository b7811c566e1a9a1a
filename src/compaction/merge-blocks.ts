/**
 * Merges blocks into one, streaming: a service at a time its symbols, a series at a time its profiles in order of
 * (start, id), and of each input one row group of samples. Values are deltas already, so rows are only renumbered.
 *
 * A profile that two inputs have (series, start and id alike) is written once. What series tombstones take from an
 * input is left out for good, symbols included: a service that they touch is read twice, first for what stays of it.
 */
import { corrupt, type StoreError } from '../base/errors.js';
import { mergedSums } from '../block/sums.js';
import type { BlockMeta, BlockReader, BlockSeries, BlockWriter } from '../block/types.js';
import { ulid } from '../env/rng.js';
import { mergedLineage } from '../manifest/lineage.js';
import type { CutoffOf } from '../manifest/retention.js';
import { Removals, type SeriesRemoval, tombstonesOf } from '../manifest/series-removal.js';
import type { Manifest, ManifestBlock } from '../manifest/types.js';
import { seriesKey } from '../model/series.js';
import { numberDepthFirst } from '../symbols/depth-first.js';
import { FramePool } from '../symbols/frame-pool.js';
import type { SymbolPart } from '../symbols/merge-in-order.js';
import { mergeParts, replaceEach } from '../symbols/merge-parts.js';
import type { FrameTable } from '../symbols/source.js';
import { BlockCursor, type CursorProfile } from './block-cursor.js';
import type { CompactionDependencies } from './dependencies.js';
import type { Undo } from './level-zero.js';
import type { MergeSpec } from './plan.js';
import { bySeriesOrder, compareText, type KeyedSeries } from './series-order.js';
import { SortedRows } from './sorted-rows.js';
import { Survivors } from './survivors.js';

export interface MergeOptions {
  /** What is past its age is left out. */
  readonly cutoffOf: CutoffOf | undefined;
  readonly undo: Undo;
  readonly signal?: AbortSignal;
  readonly onProfiles?: (count: number) => void;
}

export interface MergeOutput {
  /** Undefined when deletions left nothing. */
  readonly block: BlockMeta | undefined;
  readonly duplicateCount: number;
}

/** One input block, opened. */
interface MergeInput {
  readonly series: readonly BlockSeries[];
  readonly cursor: BlockCursor;
  /** Runs ahead of `cursor` through services that deletions touch; they are few, so it is opened when needed. */
  readonly scout: () => Promise<BlockCursor>;
  readonly removals: Removals;
  readonly reader: BlockReader;
  /** The block's frames, which its reader forgets when nobody holds them: they would be decoded for each service. */
  frames: FrameTable | undefined;
}

/** A series in one input, under its number there. Its profiles are the next ones of the input's cursor. */
interface SeriesPart {
  readonly input: MergeInput;
  readonly number: number;
  readonly removal: SeriesRemoval | undefined;
}

interface MergeSeries extends KeyedSeries {
  readonly parts: SeriesPart[];
}

export async function mergeBlocks(
  dependencies: CompactionDependencies,
  base: Manifest,
  spec: MergeSpec,
  options: MergeOptions,
): Promise<MergeOutput> {
  const { writer, profileCount, duplicateCount } = await mergeRows(
    dependencies,
    base,
    spec,
    options,
  );
  // The inputs are out of reach by now: the end of a block needs memory of its own.
  if (profileCount > 0) return { block: await writer.finish(), duplicateCount };
  await writer.abort();
  return { block: undefined, duplicateCount };
}

async function mergeRows(
  dependencies: CompactionDependencies,
  base: Manifest,
  spec: MergeSpec,
  options: MergeOptions,
): Promise<{ writer: BlockWriter; profileCount: number; duplicateCount: number }> {
  const { blocks, clock, rng } = dependencies;
  const inputs: MergeInput[] = [];
  for (const block of spec.blocks) {
    options.signal?.throwIfAborted();
    inputs.push(await openInput(dependencies, base, { spec, block, options }));
  }
  const createdMs = clock.nowMs();
  const writer = blocks.createWriter({
    blockId: ulid(createdMs, rng),
    tenantId: spec.tenantId,
    level: levelOf(spec),
    createdMs,
    lineage: mergedLineage(
      base,
      inputs.map(({ reader }) => reader.meta.lineage),
    ),
    sums: mergedSums(inputs.map(({ reader }) => reader.meta)),
  });
  options.undo.push(() => writer.abort());
  const run = new MergeRun(writer, options);
  for (const [service, series] of seriesByService(inputs)) await run.service(service, series);
  const unread = inputs.find(({ cursor }) => cursor.current !== undefined);
  if (unread !== undefined) throw outOfOrder(unread.reader.meta.blockId);
  return { writer, profileCount: run.profileCount, duplicateCount: run.duplicateCount };
}

async function openInput(
  { blocks }: CompactionDependencies,
  base: Manifest,
  of: {
    readonly spec: MergeSpec;
    readonly block: ManifestBlock;
    readonly options: MergeOptions;
  },
): Promise<MergeInput> {
  const { spec, block, options } = of;
  const reader = await blocks.open(spec.tenantId, block.blockId, options.signal);
  const open = async (): Promise<BlockCursor> => {
    const cursor = new BlockCursor(reader, options.signal);
    await cursor.advance();
    return cursor;
  };
  let scout: Promise<BlockCursor> | undefined;
  return {
    reader,
    series: await reader.series(options.signal),
    cursor: await open(),
    scout: () => {
      scout ??= open();
      return scout;
    },
    removals: new Removals(tombstonesOf(base, block), options.cutoffOf),
    frames: undefined,
  };
}

/** One that is rewritten alone, for its deletions, stays at its level. */
export function levelOf({ blocks }: MergeSpec): number {
  const level = Math.max(...blocks.map((block) => block.level));
  return blocks.length === 1 ? level : level + 1;
}

/** A profile that no series took: its block is not in the order of a block. */
function outOfOrder(blockId: string): StoreError {
  return corrupt(
    'PS_BLOCK_PROFILES',
    `cannot merge block ${blockId}: got profiles out of the order of its series; want it`,
  );
}

/** One service of one input. */
interface InputService {
  readonly survivors: Survivors;
  /** The final number of each key; -1 for one that no row has any more. */
  readonly remap: Int32Array;
  /** Its series that keep a profile, by number; undefined when all do. */
  readonly live: ReadonlySet<number> | undefined;
}

/** The same before its keys have their final numbers. */
interface OpenedService extends Omit<InputService, 'remap'>, SymbolPart {
  readonly input: MergeInput;
}

class MergeRun {
  duplicateCount = 0;
  /** Written. */
  profileCount = 0;
  readonly #writer: BlockWriter;
  readonly #options: MergeOptions;
  readonly #rows = new SortedRows();

  constructor(writer: BlockWriter, options: MergeOptions) {
    this.#writer = writer;
    this.#options = options;
  }

  async service(service: string, series: readonly MergeSeries[]): Promise<void> {
    const opened: OpenedService[] = [];
    for (const input of new Set(series.flatMap((s) => s.parts.map((part) => part.input)))) {
      const parts = series.flatMap((s) => s.parts.filter((part) => part.input === input));
      opened.push(await this.#open(service, input, parts));
    }
    const merged = mergeParts(opened, { frames: new FramePool() });
    const { symbols, remap } = numberDepthFirst(merged.symbols);
    const inputs = new Map<MergeInput, InputService>();
    for (const [i, { input, survivors, live }] of opened.entries()) {
      const keyOf = merged.keyOf[i]!;
      replaceEach(keyOf, remap);
      inputs.set(input, { survivors, remap: keyOf, live });
    }
    const isLive = ({ parts }: MergeSeries): boolean =>
      parts.some(({ input, number }) => inputs.get(input)?.live?.has(number) !== false);
    const live = series.filter(isLive).map((s) => s.series);
    if (live.length > 0) await this.#writer.beginService(service, symbols, live);
    let number = 0;
    for (const entry of series) {
      this.#options.signal?.throwIfAborted();
      const count = await this.#series(number, entry, inputs, symbols.keys.count);
      if (isLive(entry)) number++;
      this.#options.onProfiles?.(count);
    }
  }

  async #open(
    service: string,
    input: MergeInput,
    parts: readonly SeriesPart[],
  ): Promise<OpenedService> {
    const symbols = await input.reader.symbols(service, this.#options.signal);
    input.frames = symbols.frames;
    const survivors = new Survivors(symbols);
    if (parts.every((part) => part.removal === undefined)) {
      return { input, symbols, survivors, live: undefined };
    }
    const ascending = [...parts].sort((a, b) => a.number - b.number);
    const { live, keys } = await survivors.explore(await input.scout(), ascending);
    return { input, symbols, wanted: keys, survivors, live };
  }

  async #series(
    number: number,
    { parts }: MergeSeries,
    inputs: ReadonlyMap<MergeInput, InputService>,
    keyCount: number,
  ): Promise<number> {
    let count = 0;
    let last: { startNs: bigint; id: string } | undefined;
    for (let part = firstPart(parts); part !== undefined; part = firstPart(parts)) {
      const { cursor } = part.input;
      const { survivors, remap } = inputs.get(part.input)!;
      const profile = cursor.current!;
      count++;
      // Before the comparison with the last one: what was sent again after its deletion is no duplicate.
      const rows = await survivors.rows(cursor, part.removal);
      if (rows === undefined) {
        await cursor.advance();
        continue;
      }
      if (last !== undefined && last.startNs === profile.startNs && last.id === profile.id) {
        this.duplicateCount++;
        await cursor.advance();
        continue;
      }
      last = profile;
      this.profileCount++;
      const { key, values } = this.#rows.take(rows, remap, keyCount);
      await this.#writer.writeProfile({
        series: number,
        profileId: profile.id,
        startNs: profile.startNs,
        durationNs: profile.durationNs,
        period: profile.period,
        flags: profile.flags,
        profileCount: profile.profileCount,
        metadata: profile.metadata,
        rowCount: rows.rowCount,
        key,
        values,
      });
      await cursor.advance();
    }
    return count;
  }
}

/** The part whose next profile is least by (start, id); among equals the first input's. */
function firstPart(parts: readonly SeriesPart[]): SeriesPart | undefined {
  let first: SeriesPart | undefined;
  let least: CursorProfile | undefined;
  for (const part of parts) {
    const profile = part.input.cursor.current;
    if (profile === undefined || profile.series !== part.number) continue;
    if (least === undefined || isBefore(profile, least)) {
      first = part;
      least = profile;
    }
  }
  return first;
}

function isBefore(a: CursorProfile, b: CursorProfile): boolean {
  return a.startNs === b.startNs ? a.id < b.id : a.startNs < b.startNs;
}

/** Whether deletions and ages take anything from a block: its rewrite can be spared if not. */
export async function isTouched(
  dependencies: CompactionDependencies,
  base: Manifest,
  { block, cutoffOf }: { readonly block: ManifestBlock; readonly cutoffOf: CutoffOf | undefined },
): Promise<boolean> {
  const removals = new Removals(tombstonesOf(base, block), cutoffOf);
  const reader = await dependencies.blocks.open(base.tenantId, block.blockId);
  return (await reader.series()).some(
    ({ series, startNsMin, startNsMax }) =>
      removals.of(series)?.overlaps(startNsMin, startNsMax) === true,
  );
}

/** The union of the inputs' series, in the order of a block. */
function seriesByService(inputs: readonly MergeInput[]): [string, MergeSeries[]][] {
  const byKey = new Map<string, MergeSeries>();
  for (const input of inputs) {
    input.series.forEach(({ series }, number) => {
      const key = seriesKey(series);
      let entry = byKey.get(key);
      if (entry === undefined) {
        entry = { series, seriesKey: key, parts: [] };
        byKey.set(key, entry);
      }
      entry.parts.push({ input, number, removal: input.removals.of(series) });
    });
  }
  const services = new Map<string, MergeSeries[]>();
  for (const entry of byKey.values()) {
    const list = services.get(entry.series.service);
    if (list === undefined) services.set(entry.series.service, [entry]);
    else list.push(entry);
  }
  for (const list of services.values()) {
    list.sort(bySeriesOrder);
  }
  return [...services].sort(([a], [b]) => compareText(a, b));
}
