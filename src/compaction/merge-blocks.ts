/**
 * Merges blocks into one, streaming: a service at a time its symbols, a series at a time its profiles in order of
 * (start, id), and of each input one row group of samples. Values are deltas already, so rows are only renumbered.
 *
 * A profile that two inputs have (series, start and id alike) is written once.
 */
import type { BlockMeta, BlockWriter } from '../block/types.js';
import { ulid } from '../env/rng.js';
import { mergedLineage } from '../manifest/lineage.js';
import type { Manifest } from '../manifest/types.js';
import { type Series, seriesKey } from '../model/series.js';
import { FramePool } from '../symbols/frame-pool.js';
import { SymbolMerger } from '../symbols/merge.js';
import { BlockCursor, type CursorTables, readCursorTables } from './block-cursor.js';
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
  readonly tables: CursorTables;
  readonly cursor: BlockCursor;
  /** First profile of each series, and the profile count as the last element. */
  readonly firstProfile: Int32Array;
  readonly reader: Awaited<ReturnType<CompactionDependencies['blocks']['open']>>;
}

/** A series with the profiles [next, end) that each input still has of it. */
interface MergeSeries {
  readonly series: Series;
  readonly seriesKey: string;
  readonly parts: { readonly input: number; next: number; readonly end: number }[];
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
    const tables = await readCursorTables(reader, options.signal);
    const cursor = new BlockCursor(reader, options.signal);
    inputs.push({ reader, tables, cursor, firstProfile: firstProfiles(tables) });
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
  const run = new MergeRun(inputs, writer, options);
  for (const [service, series] of seriesByService(inputs)) await run.service(service, series);
  return { block: await writer.finish(), duplicateCount: run.duplicateCount };
}

class MergeRun {
  duplicateCount = 0;
  readonly #inputs: readonly MergeInput[];
  readonly #writer: BlockWriter;
  readonly #options: MergeOptions;
  readonly #rows = new SortedRows();

  constructor(inputs: readonly MergeInput[], writer: BlockWriter, options: MergeOptions) {
    this.#inputs = inputs;
    this.#writer = writer;
    this.#options = options;
  }

  async service(service: string, series: readonly MergeSeries[]): Promise<void> {
    const merger = new SymbolMerger(new FramePool());
    const merged: Int32Array[] = [];
    for (const input of new Set(series.flatMap((s) => s.parts.map((part) => part.input)))) {
      const { reader } = this.#inputs[input]!;
      merged[input] = merger.add(await reader.symbols(service, this.#options.signal));
    }
    const { symbols, remap } = merger.finish();
    // In place: from the input's numbers straight to the final ones.
    for (const map of merged) {
      if (map === undefined) continue;
      for (let k = 0; k < map.length; k++) map[k] = remap[map[k]!]!;
    }
    await this.#writer.beginService(
      service,
      symbols,
      series.map((s) => s.series),
    );
    for (let number = 0; number < series.length; number++) {
      this.#options.signal?.throwIfAborted();
      const count = await this.#series(number, series[number]!, merged, symbols.keys.count);
      this.#options.onProfiles?.(count);
    }
  }

  async #series(
    number: number,
    { parts }: MergeSeries,
    remaps: readonly Int32Array[],
    keyCount: number,
  ): Promise<number> {
    let count = 0;
    let last: { startNs: bigint; id: string } | undefined;
    for (let part = this.#first(parts); part !== undefined; part = this.#first(parts)) {
      const { tables, cursor } = this.#inputs[part.input]!;
      const { profiles } = tables;
      const p = part.next++;
      const startNs = profiles.startNs[p]!;
      const profileId = tables.profileIds[p]!;
      count++;
      if (last !== undefined && last.startNs === startNs && last.id === profileId) {
        this.duplicateCount++;
        continue;
      }
      last = { startNs, id: profileId };
      const rows = await cursor.rows(profiles.firstRow[p]!, profiles.rowCount[p]!);
      const { key, values } = this.#rows.take(rows, remaps[part.input]!, keyCount);
      await this.#writer.writeProfile({
        series: number,
        profileId,
        startNs,
        durationNs: profiles.durationNs[p]!,
        period: profiles.period[p]!,
        flags: profiles.flags[p]!,
        metadata: tables.metadata[p]!,
        rowCount: rows.rowCount,
        key,
        values,
      });
    }
    return count;
  }

  /** The part whose next profile is least by (start, id); among equals the first input's. */
  #first(parts: MergeSeries['parts']): MergeSeries['parts'][number] | undefined {
    let first: MergeSeries['parts'][number] | undefined;
    for (const part of parts) {
      if (part.next >= part.end) continue;
      if (first === undefined || this.#isBefore(part, first)) first = part;
    }
    return first;
  }

  #isBefore(a: MergeSeries['parts'][number], b: MergeSeries['parts'][number]): boolean {
    const x = this.#inputs[a.input]!.tables;
    const y = this.#inputs[b.input]!.tables;
    const startA = x.profiles.startNs[a.next]!;
    const startB = y.profiles.startNs[b.next]!;
    if (startA !== startB) return startA < startB;
    return x.profileIds[a.next]! < y.profileIds[b.next]!;
  }
}

/** Profiles of a block are sorted by series, so each series has a run of them. */
function firstProfiles({ series, profiles }: CursorTables): Int32Array {
  const first = new Int32Array(series.length + 1).fill(profiles.count);
  for (let p = profiles.count - 1; p >= 0; p--) first[profiles.series[p]!] = p;
  for (let s = series.length - 1; s >= 0; s--) {
    if (first[s]! > first[s + 1]!) first[s] = first[s + 1]!;
  }
  return first;
}

/** The union of the inputs' series, in the order of a block. */
function seriesByService(inputs: readonly MergeInput[]): [string, MergeSeries[]][] {
  const byKey = new Map<string, MergeSeries>();
  inputs.forEach(({ tables, firstProfile }, input) => {
    tables.series.forEach(({ series }, s) => {
      const key = seriesKey(series);
      let entry = byKey.get(key);
      if (entry === undefined) {
        entry = { series, seriesKey: key, parts: [] };
        byKey.set(key, entry);
      }
      entry.parts.push({ input, next: firstProfile[s]!, end: firstProfile[s + 1]! });
    });
  });
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
