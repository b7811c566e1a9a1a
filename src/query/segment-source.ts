/** Profiles of level 0 as sources of rows: as they were sent (SegmentSource), or as deltas (DeltaSource). */
import type { ProfileMetadata, SegmentView } from '../log/segment-view.js';
import { widen } from '../log/wide-column.js';
import type { SampleRemoval } from '../manifest/series-removal.js';
import { asOfNow, type SymbolSource, withoutLabels } from '../symbols/source.js';
import type { RowRun } from './block-handle.js';
import { magnitudeBound, normalizeWords, wordsOf } from './kernels.js';
import type { CompiledSelector } from '../symbols/select.js';
import type { ProfileSource, QuerySeries, ScanCall, Slice, SourceProfiles } from './source.js';
import { storeWords } from './sums.js';

/** A profile of a segment: number `profile` of `view`. */
export interface ProfileRef {
  readonly view: SegmentView;
  readonly profile: number;
}

export interface SeriesProfiles {
  readonly series: QuerySeries;
  readonly column: number;
  readonly deferred: CompiledSelector;
  readonly removed: readonly SampleRemoval[];
  /** In order of (start, id), each once. */
  readonly profiles: readonly ProfileRef[];
}

/** Rows of one profile; elements [start, end) of the arrays. */
interface ProfileRun {
  readonly key: Int32Array;
  readonly words: Int32Array;
  readonly start: number;
  readonly end: number;
}

/** What both kinds share: positions, ids, totals, and scans one profile at a time. */
abstract class LevelZeroSource implements ProfileSource {
  readonly part: string;
  readonly profiles: SourceProfiles;
  readonly slices: readonly Slice[];
  readonly #refs: readonly ProfileRef[];
  readonly #totals = new Map<number, Int32Array>();

  constructor(part: string, selected: readonly SeriesProfiles[]) {
    const refs = selected.flatMap((s) => s.profiles);
    let first = 0;
    this.part = part;
    this.slices = selected.map(({ series, column, deferred, removed, profiles }) => {
      const slice = { series, column, deferred, removed, first, end: first + profiles.length };
      first = slice.end;
      return slice;
    });
    this.#refs = refs;
    this.profiles = {
      startNs: BigInt64Array.from(refs, (r) => r.view.profiles.startNs[r.profile]!),
      durationNs: BigInt64Array.from(refs, (r) => r.view.profiles.durationNs[r.profile]!),
      period: BigInt64Array.from(refs, (r) => r.view.profiles.period[r.profile]!),
    };
  }

  protected abstract readonly allSymbols: SymbolSource;
  abstract magnitude(column: number): number;
  protected abstract run(position: number, column: number): ProfileRun;

  protected ref(position: number): ProfileRef {
    return this.#refs[position]!;
  }

  async symbols(): Promise<SymbolSource> {
    return this.allSymbols;
  }

  async stacks(): Promise<SymbolSource> {
    const symbols = asOfNow(this.allSymbols);
    return symbols.labelSets.count === 1
      ? symbols
      : { ...symbols, ...withoutLabels(symbols.keys.node) };
  }

  async ids(): Promise<readonly string[]> {
    return this.#refs.map((r) => r.view.profiles.id[r.profile]!);
  }

  async metadata(): Promise<(position: number) => readonly ProfileMetadata[]> {
    const all = this.#refs.map((r) => [r.view.profiles.metadata[r.profile]!]);
    return (position) => all[position] ?? [];
  }

  rowCount(slice: Slice): number {
    let rows = 0;
    for (let p = slice.first; p < slice.end; p++) {
      const { start, end } = this.run(p, slice.column);
      rows += end - start;
    }
    return rows;
  }

  totals(column: number): Int32Array {
    const known = this.#totals.get(column);
    if (known !== undefined) return known;
    const count = this.#refs.length;
    const low = new Float64Array(count);
    const high = new Float64Array(count);
    for (const slice of this.slices) {
      if (slice.column !== column) continue;
      for (let p = slice.first; p < slice.end; p++) {
        const { words, start, end } = this.run(p, column);
        for (let i = start; i < end; i++) {
          low[p]! += words[2 * i]! >>> 0;
          high[p]! += words[2 * i + 1]!;
        }
      }
    }
    normalizeWords(low, high);
    const totals = new Int32Array(count * 2);
    for (let p = 0; p < count; p++) storeWords(totals, p, low[p]!, high[p]!);
    this.#totals.set(column, totals);
    return totals;
  }

  async scan(call: ScanCall, visit: (run: RowRun) => void): Promise<void> {
    await this.scanProfiles(call, (_, run) => visit(run));
  }

  async scanProfiles(
    call: ScanCall,
    visit: (position: number, run: RowRun) => void,
  ): Promise<void> {
    for (const slice of call.slices) {
      for (let p = slice.first; p < slice.end; p++) {
        const run = this.run(p, call.column);
        if (run.start < run.end) visit(p, { ...run, firstRow: run.start });
      }
    }
  }
}

/** Profiles of one segment whose values count as they were sent. */
export class SegmentSource extends LevelZeroSource {
  readonly #view: SegmentView;
  readonly #words = new Map<number, Int32Array>();

  constructor(view: SegmentView, selected: readonly SeriesProfiles[]) {
    super(segmentName(view), selected);
    this.#view = view;
  }

  protected override get allSymbols(): SymbolSource {
    return this.#view.symbols;
  }

  magnitude(column: number): number {
    let bound = 0;
    for (const slice of this.slices) {
      if (slice.column !== column) continue;
      for (let p = slice.first; p < slice.end; p++) {
        const { words, start, end } = this.run(p, column);
        bound = Math.max(bound, magnitudeBound(words, start, end));
      }
    }
    return bound;
  }

  protected override run(position: number, column: number): ProfileRun {
    const { profiles, batches } = this.#view;
    const { profile } = this.ref(position);
    const number = profiles.batch[profile]!;
    const batch = batches[number]!;
    const start = profiles.firstRow[profile]!;
    return {
      key: batch.key,
      words: this.#batchWords(number, column),
      start,
      end: start + profiles.rowCount[profile]!,
    };
  }

  #batchWords(batch: number, column: number): Int32Array {
    const id = batch * 4 + column;
    const known = this.#words.get(id);
    if (known !== undefined) return known;
    const { values, rowCount } = this.#view.batches[batch]!;
    const words = wordsOf(widen(values[column], rowCount));
    this.#words.set(id, words);
    return words;
  }
}

/** Rows of one profile that are not 0, under a numbering of their own. */
export interface DeltaRun {
  readonly key: Int32Array;
  readonly words: Int32Array;
}

/** Profiles of cumulative series over all segments, as deltas. */
export class DeltaSource extends LevelZeroSource {
  readonly #symbols: SymbolSource;
  readonly #runs: readonly DeltaRun[];

  /** `runs` by position. */
  constructor(
    selected: readonly SeriesProfiles[],
    symbols: SymbolSource,
    runs: readonly DeltaRun[],
  ) {
    super('log', selected);
    this.#symbols = symbols;
    this.#runs = runs;
  }

  protected override get allSymbols(): SymbolSource {
    return this.#symbols;
  }

  magnitude(): number {
    let bound = 0;
    for (const { key, words } of this.#runs)
      bound = Math.max(bound, magnitudeBound(words, 0, key.length));
    return bound;
  }

  protected override run(position: number): ProfileRun {
    const { key, words } = this.#runs[position]!;
    return { key, words, start: 0, end: key.length };
  }
}

export function segmentName(view: {
  readonly position: { readonly instance: string; readonly sequence: number };
}): string {
  return `segment ${view.position.instance}/${view.position.sequence}`;
}
