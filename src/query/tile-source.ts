/**
 * Buckets of a rollup as a source: a position is the bucket of one series, its profiles are those that lie in it. Series
 * that are rolled up together share the rows of a bucket, so all of them are selected or none.
 */
import type { BlockTiles, RollupMeta, RowRange } from '../block/types.js';
import type { ProfileMetadata } from '../log/segment-view.js';
import type { SymbolSource } from '../symbols/source.js';
import type { BlockHandle, LabelSetBudget, RowRun } from './block-handle.js';
import { wordsOf } from './kernels.js';
import { lowerBound } from './plan.js';
import type { ProfileSource, ScanCall, Slice, SourceProfiles } from './source.js';
import type { RollupWidth } from '../model/rollup-width.js';

/** Positions [first, end) of the buckets of a series that start in [startNs, endNs). */
export function tilesInRange(
  tiles: BlockTiles,
  series: number,
  { startNs, endNs }: { readonly startNs: bigint; readonly endNs: bigint },
): { readonly first: number; readonly end: number } {
  const start = lowerBound(0, tiles.count, (t) => tiles.series[t]! >= series);
  const stop = lowerBound(start, tiles.count, (t) => tiles.series[t]! > series);
  const first = lowerBound(start, stop, (t) => tiles.bucketNs[t]! >= startNs);
  return { first, end: lowerBound(first, stop, (t) => tiles.bucketNs[t]! >= endNs) };
}

export class TileSource implements ProfileSource {
  readonly part: string;
  readonly sums: RollupWidth | undefined;
  readonly profiles: SourceProfiles;
  readonly slices: readonly Slice[];
  readonly rolledUp: { readonly tiles: number; readonly width: RollupWidth };
  readonly #handle: BlockHandle;
  readonly #service: string;
  readonly #budget: LabelSetBudget;
  readonly #rollup: RollupMeta;
  readonly #tiles: BlockTiles;
  /** Rows by position, 0 where another series of the same bucket has them counted. */
  readonly #ownRows: Int32Array;

  constructor(
    handle: BlockHandle,
    service: string,
    of: {
      readonly rollup: RollupMeta;
      readonly tiles: BlockTiles;
      readonly slices: readonly Slice[];
      /** Whether totals are all that is asked for. */
      readonly isTotals: boolean;
      readonly budget: LabelSetBudget;
    },
  ) {
    const { tiles } = of;
    const { blockId, sums } = handle.reader.meta;
    this.part = `block ${blockId}`;
    this.sums = sums?.width;
    this.slices = of.slices;
    this.profiles = {
      startNs: tiles.startNsMin,
      durationNs: tiles.durationNs,
      period: tiles.periodMax,
      profileCounts: tiles.profileCount,
    };
    this.#handle = handle;
    this.#service = service;
    this.#budget = of.budget;
    this.#rollup = of.rollup;
    this.#tiles = tiles;
    this.#ownRows = new Int32Array(tiles.count);
    const seen = new Set<number>();
    let buckets = 0;
    for (const { first, end } of of.slices) {
      if (of.isTotals) buckets += end - first;
      for (let t = first; t < end; t++) {
        const row = tiles.firstRow[t]!;
        const rows = tiles.rowCount[t]!;
        if (of.isTotals || rows === 0 || seen.has(row)) continue;
        seen.add(row);
        this.#ownRows[t] = rows;
        buckets++;
      }
    }
    this.rolledUp = { tiles: buckets, width: of.rollup.width };
  }

  symbols(): Promise<SymbolSource> {
    return this.#handle.symbols(this.#service, this.#budget);
  }

  stacks(): Promise<SymbolSource> {
    return this.#handle.stacks(this.#service);
  }

  /** Buckets have none: who asks for the last of equal starts reads profiles. */
  async ids(): Promise<readonly string[]> {
    return [];
  }

  async metadata(): Promise<(position: number) => readonly ProfileMetadata[]> {
    const all = await this.#handle.tileMetadata(this.#rollup);
    return (position) => all[position] ?? [];
  }

  rowCount(slice: Slice): number {
    let rows = 0;
    for (let t = slice.first; t < slice.end; t++) rows += this.#ownRows[t]!;
    return rows;
  }

  magnitude(column: number): number {
    return Number(this.#handle.reader.meta.valueMagnitudeMax[column] ?? 0n);
  }

  totals(column: number): Int32Array {
    return wordsOf(this.#tiles.totals[column]!);
  }

  scan(call: ScanCall, visit: (run: RowRun) => void): Promise<void> {
    const { width } = this.#rollup;
    return this.#handle.scan(this.#rowRanges(call), call.column, {
      signal: call.signal,
      rollup: width,
      visit,
    });
  }

  async scanProfiles(
    call: ScanCall,
    visit: (position: number, run: RowRun) => void,
  ): Promise<void> {
    const positions = new Map<number, number>();
    for (const { first, end } of call.slices) {
      for (let t = first; t < end; t++) {
        if (this.#tiles.rowCount[t] !== 0) positions.set(this.#tiles.firstRow[t]!, t);
      }
    }
    const starts = [...positions.keys()].sort((a, b) => a - b);
    let at = 0;
    await this.scan(call, (run) => {
      const runEnd = run.firstRow + (run.end - run.start);
      for (let row = run.firstRow; row < runEnd; ) {
        while (at + 1 < starts.length && starts[at + 1]! <= row) at++;
        const position = positions.get(starts[at]!)!;
        const end = Math.min(runEnd, starts[at]! + this.#tiles.rowCount[position]!);
        const start = run.start + (row - run.firstRow);
        visit(position, { ...run, start, end: start + (end - row), firstRow: row });
        row = end;
      }
    });
  }

  /** Each bucket once, however many of its series are asked for. */
  #rowRanges(call: ScanCall): readonly RowRange[] {
    const rowsAt = new Map<number, number>();
    for (const { first, end } of call.slices) {
      for (let t = first; t < end; t++) {
        const rows = this.#tiles.rowCount[t]!;
        if (rows > 0) rowsAt.set(this.#tiles.firstRow[t]!, rows);
      }
    }
    const out: { start: number; end: number }[] = [];
    for (const [start, rows] of [...rowsAt].sort(([a], [b]) => a - b)) {
      const last = out.at(-1);
      if (last !== undefined && last.end === start) last.end = start + rows;
      else out.push({ start, end: start + rows });
    }
    return out;
  }
}
