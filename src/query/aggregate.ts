/**
 * From selected slices to one value for each merged key, by aggregation:
 *
 * - sum: over all profiles.
 * - last: over the last profile of each series by (start, id).
 * - avg: for each series over its profiles in the range, then summed over series. Series are grouped by their number
 *   of profiles n; the sum S of a group is an exact integer, so floor(S / n) adds up exactly, and the fractions
 *   (S mod n) / n are added in ascending n: the same bits whatever the order in which data was read. The fraction is
 *   rounded half up at the end.
 * - max: for each series and key the greatest value over its profiles, a profile without the key counting as 0; then
 *   summed over series.
 */
import type { FramePool } from '../symbols/frame-pool.js';
import { mergeParts } from '../symbols/merge-parts.js';
import type { SymbolSource } from '../symbols/source.js';
import type { Aggregation } from './api.js';
import type { QueryContext } from './context.js';
import { type MaxByKey, maxByKey, maxWords, raiseMax } from './kernels.js';
import { lastProfiles } from './last-profile.js';
import type { KeyFilter } from './key-filter.js';
import {
  checkKeys,
  groupMask,
  groupSlices,
  keysWithValue,
  type LocalSums,
  type SliceGroup,
  type MergedValues,
  MergedSums,
  mergeSettings,
  scatter,
  sumSlices,
} from './merge.js';
import { mapInOrder } from './ordered.js';
import type { CompiledSelector } from '../symbols/select.js';
import { onlyLabels, withLabels } from './series-labels.js';
import type { ProfileSource, QuerySeries, Slice } from './source.js';
import { divideFloor, ExactSums, pairToBigint, roundFraction } from './sums.js';

export interface AggregateRequest {
  readonly sources: readonly ProfileSource[];
  readonly selector: CompiledSelector;
  /** Absent: by each series' temporality. */
  readonly aggregation: Aggregation | undefined;
  readonly filter: KeyFilter | undefined;
  /** Labels of series that stay on their samples. */
  readonly seriesLabels: readonly string[];
  /** Of samples' own labels: all, or those of the names above. */
  readonly keepsLabels: boolean;
  readonly frames: FramePool;
  readonly context: QueryContext;
}

/** Sources read at the same time: hides the latency of a bucket, bounds memory to as many dense arrays. */
const SOURCES_AT_ONCE = 4;

export function aggregationOf(
  series: Pick<QuerySeries, 'temporality'>,
  asked: Aggregation | undefined,
): Aggregation {
  return asked ?? (series.temporality === 'gauge' ? 'avg' : 'sum');
}

/** A source with some of its slices. */
interface Piece {
  readonly source: ProfileSource;
  readonly slices: readonly Slice[];
}

export async function aggregate(request: AggregateRequest): Promise<MergedValues> {
  const { sources, context } = request;
  let rows = 0;
  for (const source of sources) for (const slice of source.slices) rows += source.rowCount(slice);
  context.checkRows(rows);
  const out = new MergedSums(request.frames, context);
  await forEachSum(request, piecesOf(request, 'sum'), (part) => out.add(part));
  const last = await lastProfiles(piecesOf(request, 'last'), context);
  await forEachSum(request, last, (part) => out.add(part));
  const averages = await averagesOf(request, piecesOf(request, 'avg'));
  if (averages !== undefined) out.addMerged(averages);
  const maxima = await maximaOf(request, piecesOf(request, 'max'));
  if (maxima !== undefined) out.addMerged(maxima);
  return out.finish();
}

function piecesOf(request: AggregateRequest, aggregation: Aggregation): readonly Piece[] {
  return request.sources
    .map((source) => ({
      source,
      slices: source.slices.filter(
        (s) => aggregationOf(s.series, request.aggregation) === aggregation,
      ),
    }))
    .filter((piece) => piece.slices.length > 0);
}

/** Sums of some slices of one source by its own keys. */
interface GroupSums {
  readonly source: ProfileSource;
  readonly group: SliceGroup;
  readonly symbols: SymbolSource;
  readonly sums: LocalSums;
  /** Keys that count; absent: all. */
  readonly passes: Uint8Array | undefined;
}

async function forEachSum(
  request: AggregateRequest,
  pieces: readonly Piece[],
  take: (sums: GroupSums) => void,
): Promise<void> {
  const { context, selector } = request;
  const jobs = pieces.flatMap(({ source, slices }) =>
    groupSlices(slices, selector, request.seriesLabels).map((group) => ({ source, group })),
  );
  await mapInOrder(
    jobs,
    SOURCES_AT_ONCE,
    ({ source, group }) =>
      context.part(source.part, async () => {
        const passes = await groupMask(source, group, request.filter, context);
        // No sample is read where no stack counts.
        if (passes?.includes(1) === false) return undefined;
        const sums = await sumSlices(source, group, context);
        const symbols = await shownSymbols(request, source, { group, sums, passes });
        return { source, group, symbols, sums, passes };
      }),
    (result) => {
      if (result === undefined) return;
      context.check();
      take(result);
    },
  );
}

/** The symbols of a group's samples with the labels by which the answer tells them apart. */
async function shownSymbols(
  { seriesLabels, keepsLabels }: AggregateRequest,
  source: ProfileSource,
  { group, sums, passes }: Pick<GroupSums, 'group' | 'sums' | 'passes'>,
): Promise<SymbolSource> {
  if (!keepsLabels && seriesLabels.length === 0) return source.stacks();
  const symbols = await source.symbols();
  if (keepsLabels) return withLabels(symbols, group.labels);
  const wanted = keysWithValue(sums, symbols.keys.count, passes);
  return withLabels(onlyLabels(symbols, seriesLabels, wanted), group.labels);
}

/** Rounding and maxima are by stack and labels, whatever the answer shows of them: so all answers have one total. */
function byEveryLabel(request: AggregateRequest): AggregateRequest {
  return { ...request, keepsLabels: true };
}

/** All keys of some sources under one numbering: for sums that take the same sources again and again. */
interface WholeKeys {
  readonly symbols: SymbolSource;
  /** Absent for what could not be read. */
  readonly keyOf: (source: ProfileSource, group: SliceGroup) => Int32Array | undefined;
}

async function wholeKeys(request: AggregateRequest, pieces: readonly Piece[]): Promise<WholeKeys> {
  const { context, selector, seriesLabels } = request;
  const all = new Map<string, SymbolSource>();
  const numbers = new Map(request.sources.map((source, i) => [source, i]));
  const nameOf = (source: ProfileSource, { labels }: SliceGroup): string =>
    JSON.stringify([numbers.get(source), labels]);
  for (const { source, slices } of pieces) {
    await context.part(source.part, async () => {
      const symbols = await source.symbols();
      for (const group of groupSlices(slices, selector, seriesLabels)) {
        const name = nameOf(source, group);
        if (!all.has(name)) all.set(name, withLabels(symbols, group.labels));
      }
    });
  }
  const parts = [...all.values()].map((symbols) => ({ symbols }));
  const merged = mergeParts(parts, mergeSettings(request.frames, context));
  const keyOf = new Map([...all.keys()].map((name, i) => [name, merged.keyOf[i]!]));
  return {
    symbols: merged.symbols,
    keyOf: (source, group) => keyOf.get(nameOf(source, group)),
  };
}

async function averagesOf(
  all: AggregateRequest,
  pieces: readonly Piece[],
): Promise<MergedValues | undefined> {
  const request = byEveryLabel(all);
  const counts = new Set(pieces.flatMap((p) => p.slices.map((s) => s.series.profileCount)));
  const [first, ...others] = [...counts].sort((a, b) => a - b);
  if (first === undefined) return undefined;
  if (others.length === 0) {
    const total = new MergedSums(request.frames, request.context);
    await forEachSum(request, pieces, (part) => total.add(part));
    const { symbols, sums } = total.finish();
    const averages = new Averages(symbols.keys.count);
    averages.add(sums, first);
    return { symbols, sums: averages.rounded() };
  }
  const { symbols, keyOf } = await wholeKeys(request, pieces);
  const averages = new Averages(symbols.keys.count);
  for (const n of [first, ...others]) {
    const own = pieces.map(({ source, slices }) => ({
      source,
      slices: slices.filter((s) => s.series.profileCount === n),
    }));
    const total = new ExactSums(symbols.keys.count);
    await forEachSum(request, own, ({ source, group, sums, passes }) => {
      const map = keyOf(source, group);
      if (map !== undefined) scatter(sums, map, total, passes);
    });
    averages.add(total, n);
  }
  return { symbols, sums: averages.rounded() };
}

/** Profiles of one series for which the division of words is exact; beyond it (eight months at 10 s) bigints divide. */
const WORD_DIVISOR_MAX = 2 ** 21;

/** Sums divided by numbers of profiles, which come in ascending order. */
class Averages {
  readonly #sums: ExactSums;
  readonly #fraction: Float64Array;

  constructor(keyCount: number) {
    this.#sums = new ExactSums(keyCount);
    this.#fraction = new Float64Array(keyCount);
  }

  add(total: ExactSums, n: number): void {
    const sums = this.#sums;
    const fraction = this.#fraction;
    for (let k = 0; k < fraction.length; k++) {
      const low = total.low[k]!;
      const high = total.high[k]!;
      if (low === 0 && high === 0) continue;
      if (n < WORD_DIVISOR_MAX) {
        const quotient = divideFloor(low, high, n);
        sums.addWords(k, quotient.low, quotient.high);
        fraction[k]! += quotient.remainder / n;
      } else {
        const value = pairToBigint(low, high);
        const divisor = BigInt(n);
        const remainder = ((value % divisor) + divisor) % divisor;
        const quotient = (value - remainder) / divisor;
        sums.addWords(k, Number(BigInt.asUintN(32, quotient)), Number(quotient >> 32n));
        fraction[k]! += Number(remainder) / n;
      }
    }
  }

  /** With the fractions, their sum rounded. */
  rounded(): ExactSums {
    this.#fraction.forEach((fraction, k) => {
      if (fraction !== 0) this.#sums.addDouble(k, roundFraction(fraction));
    });
    return this.#sums;
  }
}

async function maximaOf(
  all: AggregateRequest,
  pieces: readonly Piece[],
): Promise<MergedValues | undefined> {
  if (pieces.length === 0) return undefined;
  const request = byEveryLabel(all);
  const { context, selector, seriesLabels, filter } = request;
  const bySeries = new Map<QuerySeries, Piece[]>();
  for (const { source, slices } of pieces) {
    for (const slice of slices) {
      const known = bySeries.get(slice.series);
      if (known === undefined) bySeries.set(slice.series, [{ source, slices: [slice] }]);
      else known.push({ source, slices: [slice] });
    }
  }
  const { symbols, keyOf } = await wholeKeys(request, pieces);
  const sums = new ExactSums(symbols.keys.count);
  const merged = maxByKey(symbols.keys.count);
  const locals = new Map<ProfileSource, MaxByKey>();
  for (const [series, own] of bySeries) {
    context.check();
    for (const { source, slices } of own) {
      await context.part(source.part, async () => {
        const local = locals.get(source) ?? maxByKey((await source.stacks()).keys.count);
        locals.set(source, local);
        const [group] = groupSlices(slices, selector, seriesLabels);
        if (group === undefined) return;
        const map = keyOf(source, group);
        if (map === undefined) return;
        const passes = await groupMask(source, group, filter, context);
        if (passes?.includes(1) === false) return;
        await maxOfSlices(source, slices, { local, context });
        combineMax(local, merged, { keyOf: map, passes });
      });
    }
    takeMax(merged, series.profileCount, sums);
  }
  return { symbols, sums };
}

async function maxOfSlices(
  source: ProfileSource,
  slices: readonly Slice[],
  into: { readonly local: MaxByKey; readonly context: QueryContext },
): Promise<void> {
  const { local, context } = into;
  resetMax(local);
  const column = slices[0]?.column ?? 0;
  await source.scan({ slices, column, signal: context.signal }, (run) => {
    context.check();
    checkKeys(source, run, local.low.length);
    maxWords(local, run, run.start, run.end);
  });
}

function combineMax(
  local: MaxByKey,
  merged: MaxByKey,
  map: { readonly keyOf: Int32Array; readonly passes: Uint8Array | undefined },
): void {
  for (let i = 0; i < local.touchedCount; i++) {
    const k = local.touched[i]!;
    if (map.passes !== undefined && map.passes[k] === 0) continue;
    const m = map.keyOf[k]!;
    const before = merged.count[m]!;
    raiseMax(merged, m, local.low[k]!, local.high[k]!);
    merged.count[m] = before + local.count[k]!;
  }
}

/** Adds what one series had to the sums and makes `merged` empty. */
function takeMax(merged: MaxByKey, profileCount: number, sums: ExactSums): void {
  for (let i = 0; i < merged.touchedCount; i++) {
    const m = merged.touched[i]!;
    const isBelowAbsent = merged.high[m]! < 0 && merged.count[m]! < profileCount;
    if (!isBelowAbsent) sums.addWords(m, merged.low[m]!, merged.high[m]!);
  }
  resetMax(merged);
}

function resetMax(max: MaxByKey): void {
  for (let i = 0; i < max.touchedCount; i++) max.count[max.touched[i]!] = 0;
  max.touchedCount = 0;
}
