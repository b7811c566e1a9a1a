/**
 * Merges blocks into one, streaming: a service at a time its symbols, a series at a time its profiles in order of
 * (start, id), and of each input one row group of samples. Values are deltas already, so rows are only renumbered.
 *
 * A profile that two inputs have (series, start and id alike) is written once.
 */
import { corrupt, type StoreError } from '../base/errors.js';
import type { BlockMeta, BlockReader, BlockSeries, BlockWriter } from '../block/types.js';
import { ulid } from '../env/rng.js';
import { mergedLineage } from '../manifest/lineage.js';
import type { Manifest } from '../manifest/types.js';
import { type Series, seriesKey } from '../model/series.js';
import { FramePool } from '../symbols/frame-pool.js';
import { SymbolMerger } from '../symbols/merge.js';
import { BlockCursor, type CursorProfile } from './block-cursor.js';
import type { CompactionDependencies } from './dependencies.js';
import type { Undo } from './level-zero.js';
import type { MergeSpec } from './plan.js';
import { SortedRows } from './sorted-rows.js';

export interface MergeOptions {
  readonly undo: Undo;
  readonly signal?: AbortSignal;
  readonly onProfiles?: (count: number) => void;
}

export interface MergeOutput {
  readonly block: BlockMeta;
  readonly duplicateCount: number;
}

/** One input block, opened. */
interface MergeInput {
  readonly series: readonly BlockSeries[];
  readonly cursor: BlockCursor;
  readonly reader: BlockReader;
}

/** A series in one input, under its number there. Its profiles are the next ones of the input's cursor. */
interface SeriesPart {
  readonly input: MergeInput;
  readonly number: number;
}

interface MergeSeries {
  readonly series: Series;
  readonly seriesKey: string;
  readonly parts: SeriesPart[];
}

export async function mergeBlocks(
  dependencies: CompactionDependencies,
  base: Manifest,
  spec: MergeSpec,
  options: MergeOptions,
): Promise<MergeOutput> {
  const { blocks, clock, rng } = dependencies;
  const inputs: MergeInput[] = [];
  for (const { blockId } of spec.blocks) {
    options.signal?.throwIfAborted();
    const reader = await blocks.open(spec.tenantId, blockId, options.signal);
    const series = await reader.series(options.signal);
    const cursor = new BlockCursor(reader, options.signal);
    await cursor.advance();
    inputs.push({ reader, series, cursor });
  }
  const createdMs = clock.nowMs();
  const level = 1 + Math.max(...spec.blocks.map((block) => block.level));
  const writer = blocks.createWriter({
    blockId: ulid(createdMs, rng),
    tenantId: spec.tenantId,
    level,
    createdMs,
    lineage: mergedLineage(
      base,
      inputs.map(({ reader }) => reader.meta.lineage),
    ),
  });
  options.undo.push(() => writer.abort());
  const run = new MergeRun(writer, options);
  for (const [service, series] of seriesByService(inputs)) await run.service(service, series);
  const unread = inputs.find(({ cursor }) => cursor.current !== undefined);
  if (unread !== undefined) throw outOfOrder(unread.reader.meta.blockId);
  return { block: await writer.finish(), duplicateCount: run.duplicateCount };
}

/** A profile that no series took: its block is not in the order of a block. */
function outOfOrder(blockId: string): StoreError {
  return corrupt(
    'PS_BLOCK_PROFILES',
    `cannot merge block ${blockId}: got profiles out of the order of its series; want it`,
  );
}

class MergeRun {
  duplicateCount = 0;
  readonly #writer: BlockWriter;
  readonly #options: MergeOptions;
  readonly #rows = new SortedRows();

  constructor(writer: BlockWriter, options: MergeOptions) {
    this.#writer = writer;
    this.#options = options;
  }

  async service(service: string, series: readonly MergeSeries[]): Promise<void> {
    const merger = new SymbolMerger(new FramePool());
    const remaps = new Map<MergeInput, Int32Array>();
    for (const input of new Set(series.flatMap((s) => s.parts.map((part) => part.input)))) {
      const symbols = await input.reader.symbols(service, this.#options.signal);
      remaps.set(input, merger.add(symbols));
    }
    const { symbols, remap } = merger.finish();
    // In place: from the input's numbers straight to the final ones.
    for (const map of remaps.values()) {
      for (let k = 0; k < map.length; k++) map[k] = remap[map[k]!]!;
    }
    await this.#writer.beginService(
      service,
      symbols,
      series.map((s) => s.series),
    );
    for (let number = 0; number < series.length; number++) {
      this.#options.signal?.throwIfAborted();
      const count = await this.#series(number, series[number]!, remaps, symbols.keys.count);
      this.#options.onProfiles?.(count);
    }
  }

  async #series(
    number: number,
    { parts }: MergeSeries,
    remaps: ReadonlyMap<MergeInput, Int32Array>,
    keyCount: number,
  ): Promise<number> {
    let count = 0;
    let last: { startNs: bigint; id: string } | undefined;
    for (let part = firstPart(parts); part !== undefined; part = firstPart(parts)) {
      const { cursor } = part.input;
      const profile = cursor.current!;
      count++;
      if (last !== undefined && last.startNs === profile.startNs && last.id === profile.id) {
        this.duplicateCount++;
        await cursor.advance();
        continue;
      }
      last = profile;
      const rows = await cursor.rows();
      const { key, values } = this.#rows.take(rows, remaps.get(part.input)!, keyCount);
      await this.#writer.writeProfile({
        series: number,
        profileId: profile.id,
        startNs: profile.startNs,
        durationNs: profile.durationNs,
        period: profile.period,
        flags: profile.flags,
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
      entry.parts.push({ input, number });
    });
  }
  const services = new Map<string, MergeSeries[]>();
  for (const entry of byKey.values()) {
    const list = services.get(entry.series.service);
    if (list === undefined) services.set(entry.series.service, [entry]);
    else list.push(entry);
  }
  for (const list of services.values()) {
    list.sort(
      (a, b) =>
        compareText(a.series.profileName, b.series.profileName) ||
        compareText(a.seriesKey, b.seriesKey),
    );
  }
  return [...services].sort(([a], [b]) => compareText(a, b));
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
