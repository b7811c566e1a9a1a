/**
 * Sums of sources under one numbering: local sums by a source's own keys first (dense arrays, the hot part), then the
 * sources' tries are merged and each distinct key takes one step into the merged numbering. Only keys with a value reach
 * the merged trie.
 */
import { corrupt, type StoreError } from '../base/errors.js';
import { releaseMemory, WIDE_NODES } from '../env/release-memory.js';
import type { StringLabel } from '../model/sample-labels.js';
import type { FramePool } from '../symbols/frame-pool.js';
import type { MergeSettings, SymbolPart } from '../symbols/merge-in-order.js';
import { mergeParts } from '../symbols/merge-parts.js';
import type { SymbolSource } from '../symbols/source.js';
import type { QueryContext } from './context.js';
import { EXACT_MAX, EXACT_ROWS_MAX, keyMax, normalizeWords, sumWords, WORD } from './kernels.js';
import type { RowRun } from './block-handle.js';
import { bothMasks, type KeyFilter, type Stoppable } from './key-filter.js';
import { type CompiledSelector, deferredKey } from '../symbols/select.js';
import { filteredKeys, isOpen, type SampleFilter } from './sample-filter.js';
import { labelsOfSeries } from './series-labels.js';
import { profileCount, type ProfileSource, type Slice, sumRows } from './source.js';
import { acquireSums, releaseSums } from './sum-kernel.js';
import { ExactSums } from './sums.js';

/** Sums by a source's keys. Without `high`, `low` is the whole value (below 2^53); with it they are normalised words. */
export interface LocalSums {
  readonly low: Float64Array;
  readonly high: Float64Array | undefined;
}

/** Slices of one source that can be summed into one array: equal value column, equal filters of samples. */
export interface SliceGroup extends SampleFilter {
  readonly column: number;
  /** Labels of the series that the answer tells apart. */
  readonly labels: readonly StringLabel[];
  readonly slices: readonly Slice[];
}

/** `labelNames` are the labels of series that the answer tells apart. */
export function groupSlices(
  slices: readonly Slice[],
  selector: CompiledSelector,
  labelNames: readonly string[],
): readonly SliceGroup[] {
  const groups = new Map<string, SliceGroup & { readonly slices: Slice[] }>();
  for (const slice of slices) {
    const { column, deferred, removed } = slice;
    const labels = labelsOfSeries(slice.series, labelNames);
    const removedKey = removed.map((r) => r.key).join();
    const key = JSON.stringify([column, deferredKey(selector, deferred), removedKey, labels]);
    const known = groups.get(key);
    if (known !== undefined) known.slices.push(slice);
    else groups.set(key, { column, deferred, removed, labels, slices: [slice] });
  }
  return [...groups.values()];
}

/** Damage that checksums cannot see, because it was written so: a row must name a key that exists. */
export function checkKeys(source: ProfileSource, run: RowRun, keyCount: number): void {
  const max = keyMax(run.key, run.start, run.end);
  if (max >= keyCount) throw strayKey(source, max, keyCount);
}

function strayKey(source: ProfileSource, key: number, keyCount: number): StoreError {
  return corrupt(
    'PS_SAMPLE_KEY',
    `cannot read samples of ${source.part}: got key ${key}; want below ${keyCount}`,
  );
}

/** Above this a sum might not fit in 64 bits; bounds are doubles, so it is far from the edge. */
const WRAP_MIN = 2 ** 62;

/** Sums by the source's own keys. */
export async function sumSlices(
  source: ProfileSource,
  group: SliceGroup,
  context: QueryContext,
): Promise<LocalSums> {
  const keyCount = (await source.stacks()).keys.count;
  let profiles = 0;
  for (const slice of group.slices) profiles += profileCount(source.profiles, slice);
  // A profile has at most one value for a key, so this bounds every sum and every partial sum.
  const bound = profiles * source.magnitude(group.column);
  if (bound >= WRAP_MIN) return await sumWide(source, group, context, keyCount);
  const kernel = acquireSums(keyCount);
  try {
    const call = { slices: group.slices, column: group.column, signal: context.signal };
    await sumRows(source, call, { kernel, keyCount, check: () => context.check() });
    const found = kernel.finish();
    if ('strayKey' in found) throw strayKey(source, found.strayKey, keyCount);
    return localSums(found.words, bound < EXACT_MAX);
  } finally {
    releaseSums(kernel);
  }
}

function localSums(words: Int32Array, areDoubles: boolean): LocalSums {
  const count = words.length / 2;
  const low = new Float64Array(count);
  const high = areDoubles ? undefined : new Float64Array(count);
  for (let k = 0; k < count; k++) {
    if (high === undefined) low[k] = words[2 * k + 1]! * WORD + (words[2 * k]! >>> 0);
    else {
      low[k] = words[2 * k]! >>> 0;
      high[k] = words[2 * k + 1]!;
    }
  }
  return { low, high };
}

/** Sums that may pass 64 bits: their words apart, carried over now and then. */
async function sumWide(
  source: ProfileSource,
  group: SliceGroup,
  context: QueryContext,
  keyCount: number,
): Promise<LocalSums> {
  const call = { slices: group.slices, column: group.column, signal: context.signal };
  const low = new Float64Array(keyCount);
  const high = new Float64Array(keyCount);
  let rows = 0;
  await source.scan(call, (run) => {
    context.check();
    checkKeys(source, run, keyCount);
    for (let start = run.start; start < run.end; ) {
      const end = Math.min(run.end, start + EXACT_ROWS_MAX - rows);
      sumWords({ low, high }, run, start, end);
      rows += end - start;
      start = end;
      if (rows < EXACT_ROWS_MAX) continue;
      normalizeWords(low, high);
      rows = 0;
    }
  });
  normalizeWords(low, high);
  return { low, high };
}

/** 1 for each of `count` keys that has a value and passes `passes`. */
export function keysWithValue(
  { low, high }: LocalSums,
  count: number,
  passes: Uint8Array | undefined,
): Uint8Array {
  const out = new Uint8Array(count);
  for (let k = 0; k < count; k++) {
    if (low[k]! === 0 && (high === undefined || high[k]! === 0)) continue;
    out[k] = passes === undefined ? 1 : passes[k]!;
  }
  return out;
}

/** Adds local sums to merged ones where `keyOf` has a merged key (-1: none) and `passes` is not 0. */
export function scatter(
  sums: LocalSums,
  keyOf: Int32Array,
  target: ExactSums,
  passes?: Uint8Array,
): void {
  const { low, high } = sums;
  for (let k = 0; k < keyOf.length; k++) {
    const merged = keyOf[k]!;
    if (merged < 0 || (passes !== undefined && passes[k] === 0)) continue;
    if (high === undefined) {
      if (low[k]! !== 0) target.addDouble(merged, low[k]!);
    } else target.addWords(merged, low[k]!, high[k]!);
  }
}

export interface MergedValues {
  /** In depth-first order only where every source was: renderers must not show numbers. */
  readonly symbols: SymbolSource;
  /** By key. */
  readonly sums: ExactSums;
}

export interface AddedSums {
  readonly symbols: SymbolSource;
  readonly sums: LocalSums;
  readonly passes?: Uint8Array | undefined;
}

interface Pending extends SymbolPart {
  readonly sums: LocalSums;
}

/** Keys of sources that wait before they are merged: as many again as the last merge had, but no fewer than these. */
const PENDING_KEYS_MIN = 1 << 20;

/** Sums of sources under one numbering. They wait and are merged many at a time, because one walk takes all. */
export class MergedSums {
  readonly #settings: MergeSettings;
  #pending: Pending[] = [];
  /** What is pending, if that is one merge alone. */
  #merged: MergedValues | undefined;
  #pendingKeys = 0;
  #pendingKeysMax = PENDING_KEYS_MIN;

  /** Throws `limit` for more nodes than the query may have, and what stops a query. */
  constructor(frames: FramePool, context: QueryContext) {
    this.#settings = mergeSettings(frames, context);
  }

  /** Takes the keys that have a value and pass `passes` (absent: all). */
  add({ symbols, sums, passes }: AddedSums): void {
    const wanted = keysWithValue(sums, symbols.keys.count, passes);
    this.#pending.push({ symbols, sums, wanted });
    this.#pendingKeys += symbols.keys.count;
    this.#merged = undefined;
    if (this.#pendingKeys <= this.#pendingKeysMax || this.#pending.length === 1) return;
    const merged = this.#merge();
    this.#pending = [];
    this.addMerged(merged);
  }

  /** Takes what is merged already: alone it is the answer as it is. */
  addMerged(merged: MergedValues): void {
    if (this.#pending.length > 0) {
      this.add(merged);
      return;
    }
    this.#merged = merged;
    this.#pending = [merged];
    this.#pendingKeys = merged.symbols.keys.count;
    this.#pendingKeysMax = Math.max(PENDING_KEYS_MIN, 2 * this.#pendingKeys);
  }

  /** Everything that was added. */
  finish(): MergedValues {
    return this.#merged ?? this.#merge();
  }

  #merge(): MergedValues {
    const pending = this.#pending;
    // The last answer may be lying around still.
    if (pending.some(({ symbols }) => symbols.nodes.count > WIDE_NODES)) releaseMemory();
    const { symbols, keyOf } = mergeParts(pending, this.#settings);
    if (symbols.nodes.count > WIDE_NODES) releaseMemory();
    const sums = new ExactSums(symbols.keys.count);
    for (const [i, part] of pending.entries()) scatter(part.sums, keyOf[i]!, sums);
    return { symbols, sums };
  }
}

/** Checks a merge against what the query may spend. */
export function mergeSettings(frames: FramePool, context: QueryContext): MergeSettings {
  const check = (nodeCount: number): void => {
    context.check();
    context.checkNodes(nodeCount);
  };
  return { frames, check, checkLabelSets: (count) => context.checkLabelSets(count) };
}

/** Key mask of what a group's samples must pass and of the query's filter; undefined when all keys pass. */
export async function groupMask(
  source: ProfileSource,
  group: SampleFilter,
  filter: KeyFilter | undefined,
  query: Stoppable,
): Promise<Uint8Array | undefined> {
  if (isOpen(group) && filter === undefined) return undefined;
  const readsLabels = !isOpen(group) || filter?.readsLabels === true;
  const symbols = readsLabels ? await source.symbols() : await source.stacks();
  return bothMasks(filteredKeys(group, symbols, query), filter?.mask(symbols, query));
}
