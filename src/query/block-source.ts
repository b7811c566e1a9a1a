/** One service of one block as a source of rows. */
import type { BlockProfiles } from '../block/types.js';
import type { RollupWidth } from '../model/rollup-width.js';
import type { ProfileMetadata } from '../log/segment-view.js';
import type { SymbolSource } from '../symbols/source.js';
import type { BlockHandle, LabelSetBudget, RowRun, ScanOptions } from './block-handle.js';
import { wordsOf } from './kernels.js';
import { lowerBound, rowRanges } from './plan.js';
import type { ProfileSource, ScanCall, Slice } from './source.js';
import type { SumTarget } from './sum-kernel.js';

export class BlockSource implements ProfileSource {
  readonly part: string;
  readonly sums: RollupWidth | undefined;
  readonly profiles: BlockProfiles;
  readonly slices: readonly Slice[];
  readonly #handle: BlockHandle;
  readonly #service: string;
  readonly #budget: LabelSetBudget;

  constructor(
    handle: BlockHandle,
    service: string,
    tables: { profiles: BlockProfiles; slices: readonly Slice[]; budget: LabelSetBudget },
  ) {
    const { blockId, sums } = handle.reader.meta;
    this.part = `block ${blockId}`;
    this.sums = sums?.width;
    this.profiles = tables.profiles;
    this.slices = tables.slices;
    this.#handle = handle;
    this.#service = service;
    this.#budget = tables.budget;
  }

  symbols(): Promise<SymbolSource> {
    return this.#handle.symbols(this.#service, this.#budget);
  }

  stacks(): Promise<SymbolSource> {
    return this.#handle.stacks(this.#service);
  }

  ids(signal: AbortSignal): Promise<readonly string[]> {
    return this.#handle.profileIds(signal);
  }

  async metadata(): Promise<(position: number) => readonly ProfileMetadata[]> {
    const all = await this.#handle.profileMetadata();
    return (position) => all.slice(position, position + 1);
  }

  rowCount(slice: Slice): number {
    const { firstRow, rowCount } = this.profiles;
    if (slice.first === slice.end) return 0;
    return firstRow[slice.end - 1]! + rowCount[slice.end - 1]! - firstRow[slice.first]!;
  }

  magnitude(column: number): number {
    return Number(this.#handle.reader.meta.valueMagnitudeMax[column] ?? 0n);
  }

  totals(column: number): Int32Array {
    return wordsOf(this.profiles.totals[column]!);
  }

  scan(call: ScanCall, visit: (run: RowRun) => void): Promise<void> {
    return this.#scan(call, { isUnordered: true, visit });
  }

  sum(call: ScanCall, into: SumTarget): Promise<void> {
    const ranges = rowRanges(this.profiles, call.slices);
    return this.#handle.sum(ranges, call, into);
  }

  #scan(call: ScanCall, how: Pick<ScanOptions, 'isUnordered' | 'visit'>): Promise<void> {
    const ranges = rowRanges(this.profiles, call.slices);
    return this.#handle.scan(ranges, call.column, { signal: call.signal, ...how });
  }

  scanProfiles(call: ScanCall, visit: (position: number, run: RowRun) => void): Promise<void> {
    const { firstRow, rowCount, count } = this.profiles;
    let position = call.slices[0]?.first ?? 0;
    const visitRun = (run: RowRun): void => {
      const runEnd = run.firstRow + (run.end - run.start);
      for (let row = run.firstRow; row < runEnd; ) {
        const inside =
          firstRow[position]! <= row && row < firstRow[position]! + rowCount[position]!;
        // Profiles without rows and gaps between slices are skipped by a search.
        if (!inside) position = lowerBound(0, count, (p) => firstRow[p]! + rowCount[p]! > row);
        const end = Math.min(runEnd, firstRow[position]! + rowCount[position]!);
        const start = run.start + (row - run.firstRow);
        visit(position, { ...run, start, end: start + (end - row), firstRow: row });
        row = end;
      }
    };
    return this.#scan(call, { isUnordered: false, visit: visitRun });
  }
}
