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
  MergedKeys,
  scatter,
  sumSlices,
} from './merge.js';
import { mapInOrder } from './ordered.js';
import type { CompiledSelector } from '../symbols/select.js';
import { withLabels } from './series-labels.js';
import type { ProfileSource, QuerySeries, Slice } from './source.js';
import { divideFloor, ExactSums, pairToBigint, roundFraction } from './sums.js';

export interface MergedValues {
  /** Under provisional numbers: which ones depends on the order of the sources. Renderers must not show it. */
  readonly symbols: SymbolSource;
  /** By key. */
  readonly sums: ExactSums;
}

export interface AggregateRequest {
  readonly sources: readonly ProfileSource[];
  readonly selector: CompiledSelector;
  /** Absent: by each series' temporality. */
  readonly aggregation: Aggregation | undefined;
  readonly filter: KeyFilter | undefined;
  /** Labels of series that stay on their samples. */
  readonly seriesLabels: readonly string[];
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
  const keys = new MergedKeys(request.frames, context);
  const state: State = { request, keys, sums: new ExactSums() };
  await addSums(state, piecesOf(request, 'sum'), state.sums, false);
  await addSums(state, await lastProfiles(piecesOf(request, 'last'), context), state.sums, false);
  await addAverages(state, piecesOf(request, 'avg'));
  await addMaxima(state, piecesOf(request, 'max'));
  state.sums.reserve(keys.merger.keyCount);
  keys.merger.rest();
  return { symbols: keys.merger.provisional(), sums: state.sums };
}

interface State {
  readonly request: AggregateRequest;
  readonly keys: MergedKeys;
  readonly sums: ExactSums;
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

/**
 * Adds the sums of all pieces to `target`. With `whole` every key of a source is merged, once for the whole query:
 * cheaper when the same source comes again and again.
 */
async function addSums(
  state: State,
  pieces: readonly Piece[],
  target: ExactSums,
  whole: boolean,
): Promise<void> {
  const { request, keys } = state;
  const { context, selector } = request;
  const jobs = pieces.flatMap(({ source, slices }) =>
    groupSlices(slices, selector, request.seriesLabels).map((group) => ({ source, group })),
  );
  await mapInOrder(
    jobs,
    SOURCES_AT_ONCE,
    ({ source, group }) =>
      context.part(source.part, async () => {
        const passes = await groupMask(source, group, request.filter);
        // No sample is read where no stack counts.
        if (passes?.includes(1) === false) return undefined;
        const sums = await sumSlices(source, group, context);
        return { sums, symbols: withLabels(await source.symbols(), group.labels), passes };
      }),
    (result) => {
      if (result === undefined) return;
      context.check();
      const { sums, symbols, passes } = result;
      const keyOf = whole ? keys.whole(symbols) : keys.add(symbols, keysWithValue(sums, passes));
      target.reserve(keys.merger.keyCount);
      scatter(sums, keyOf, target, passes);
    },
  );
}

async function addAverages(state: State, pieces: readonly Piece[]): Promise<void> {
  const counts = new Set(pieces.flatMap((p) => p.slices.map((s) => s.series.profileCount)));
  const ascending = [...counts].sort((a, b) => a - b);
  const { sums, keys } = state;
  let fraction = new Float64Array(0);
  for (const n of ascending) {
    const own = pieces
      .map(({ source, slices }) => ({
        source,
        slices: slices.filter((s) => s.series.profileCount === n),
      }))
      .filter((piece) => piece.slices.length > 0);
    const total = new ExactSums();
    await addSums(state, own, total, ascending.length > 1);
    const keyCount = keys.merger.keyCount;
    total.reserve(keyCount);
    sums.reserve(keyCount);
    if (fraction.length < keyCount) {
      const wider = new Float64Array(keyCount);
      wider.set(fraction);
      fraction = wider;
    }
    divideInto(total, n, { sums, fraction, keyCount });
  }
  for (let k = 0; k < fraction.length; k++) {
    if (fraction[k]! !== 0) sums.addDouble(k, roundFraction(fraction[k]!));
  }
}

/** Profiles of one series for which the division of words is exact; beyond it (eight months at 10 s) bigints divide. */
const WORD_DIVISOR_MAX = 2 ** 21;

function divideInto(
  total: ExactSums,
  n: number,
  into: { sums: ExactSums; fraction: Float64Array; keyCount: number },
): void {
  const { sums, fraction, keyCount } = into;
  for (let k = 0; k < keyCount; k++) {
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

async function addMaxima(state: State, pieces: readonly Piece[]): Promise<void> {
  const { context } = state.request;
  const bySeries = new Map<QuerySeries, Piece[]>();
  for (const { source, slices } of pieces) {
    for (const slice of slices) {
      const known = bySeries.get(slice.series);
      if (known === undefined) bySeries.set(slice.series, [{ source, slices: [slice] }]);
      else known.push({ source, slices: [slice] });
    }
  }
  const locals = new Map<ProfileSource, MaxByKey>();
  let merged = maxByKey(0);
  for (const [series, own] of bySeries) {
    context.check();
    for (const { source, slices } of own) {
      await context.part(source.part, async () => {
        const symbols = await source.symbols();
        const local = locals.get(source) ?? maxByKey(symbols.keys.count);
        locals.set(source, local);
        const { selector, seriesLabels, filter } = state.request;
        const [group] = groupSlices(slices, selector, seriesLabels);
        if (group === undefined) return;
        const passes = await groupMask(source, group, filter);
        if (passes?.includes(1) === false) return;
        await maxOfSlices(source, slices, { local, context });
        const keyOf = state.keys.whole(withLabels(symbols, group.labels));
        const keyCount = state.keys.merger.keyCount;
        if (merged.low.length < keyCount) merged = widened(merged, keyCount * 2);
        combineMax(local, merged, { keyOf, passes });
      });
    }
    state.sums.reserve(state.keys.merger.keyCount);
    takeMax(merged, series.profileCount, state.sums);
  }
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

function widened(max: MaxByKey, keyCount: number): MaxByKey {
  const out = maxByKey(keyCount);
  out.low.set(max.low);
  out.high.set(max.high);
  out.count.set(max.count);
  out.touched.set(max.touched);
  out.touchedCount = max.touchedCount;
  return out;
}
