/**
 * Time series: one value for each group of series and step. Values come from the totals stored with each profile;
 * samples are read only where a sample's own labels decide (a matcher or a group label that is not a label of the
 * series).
 *
 * Counts are made in the same way, from 1 for each: samples with a value; profiles, where samples decide those that have one
 * with a value.
 *
 * Series are taken one after another in the order of their keys, so that fractions add up to the same bits whatever
 * the storage. Within a step: sum adds profiles; avg divides a series' sum by its profiles in the step; last takes the
 * last profile; max the greatest total; then series of a group are added.
 */
import { StoreError } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import type { SymbolSource } from '../symbols/source.js';
import { aggregationOf } from './aggregate.js';
import type { Aggregation, TimeSeries, TimeSeriesMeasure } from './api.js';
import type { QueryContext } from './context.js';
import { lastProfiles } from './last-profile.js';
import type { KeyFilter } from './key-filter.js';
import { checkKeys } from './merge.js';
import { isOpen } from './sample-filter.js';
import { GroupSums, labelSetGroups, type LabelSetGroups } from './sample-groups.js';
import { type CompiledSelector, seriesLabel } from '../symbols/select.js';
import type { ProfileSource, QuerySeries, Slice } from './source.js';
import { SeriesSteps, StepGroup, type StepValues } from './step-sums.js';

export interface TimeSeriesRequest {
  readonly sources: readonly ProfileSource[];
  readonly series: readonly QuerySeries[];
  readonly selector: CompiledSelector;
  readonly filter: KeyFilter | undefined;
  readonly aggregation: Aggregation | undefined;
  readonly measure: TimeSeriesMeasure;
  /** Series with the greatest sums to keep. */
  readonly limit: number | undefined;
  readonly groupBy: readonly string[];
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
  readonly context: QueryContext;
}

interface Piece {
  readonly source: ProfileSource;
  readonly slice: Slice;
}

export interface TimeSeriesResult {
  readonly series: readonly TimeSeries[];
  readonly hiddenSeries: number;
  /** Sample rows read. */
  readonly rows: number;
}

export async function timeSeries(request: TimeSeriesRequest): Promise<TimeSeriesResult> {
  const steps = Math.ceil((request.endMs - request.startMs) / request.stepMs);
  checkPoints(1, steps, request.context);
  const rows = sampleRows(request);
  request.context.checkRows(rows);
  const groups = new GroupTable(steps, request.context);
  const bySeries = piecesBySeries(request.sources);
  const accumulator = new SeriesSteps(steps, (count) => checkPoints(count, steps, request.context));
  for (const series of request.series) {
    request.context.check();
    const pieces = bySeries.get(series) ?? [];
    await addSeries(request, { series, pieces, groups, accumulator });
  }
  const all = groups.answer(request.startMs, request.stepMs);
  const series = request.limit === undefined ? all : greatest(all, request.limit);
  return { series, hiddenSeries: all.length - series.length, rows };
}

/** By sum of points, descending; ties stay in the order of labels. */
function greatest(series: readonly TimeSeries[], limit: number): readonly TimeSeries[] {
  return series
    .map((own) => ({ own, sum: own.value.reduce((sum, value) => sum + value, 0n) }))
    .sort((a, b) => (a.sum > b.sum ? -1 : a.sum < b.sum ? 1 : 0))
    .slice(0, limit)
    .map(({ own }) => own);
}

function piecesBySeries(sources: readonly ProfileSource[]): ReadonlyMap<QuerySeries, Piece[]> {
  const out = new Map<QuerySeries, Piece[]>();
  for (const source of sources) {
    for (const slice of source.slices) {
      const known = out.get(slice.series);
      if (known === undefined) out.set(slice.series, [{ source, slice }]);
      else known.push({ source, slice });
    }
  }
  return out;
}

/** Group labels that a series lacks are looked for in its samples. */
function missingNames(request: TimeSeriesRequest, series: QuerySeries): readonly string[] {
  return request.groupBy.filter((n) => seriesLabel(series.series, series.typeId, n) === undefined);
}

/** Whether the totals of profiles are not enough. */
function needsSamples(request: TimeSeriesRequest, slice: Slice): boolean {
  if (!isOpen(slice) || request.filter !== undefined || request.measure === 'samples') return true;
  return missingNames(request, slice.series).length > 0;
}

function sampleRows(request: TimeSeriesRequest): number {
  let rows = 0;
  for (const source of request.sources) {
    for (const slice of source.slices) {
      if (needsSamples(request, slice)) rows += source.rowCount(slice);
    }
  }
  return rows;
}

interface SeriesWork {
  readonly series: QuerySeries;
  readonly pieces: readonly Piece[];
  readonly groups: GroupTable;
  readonly accumulator: SeriesSteps;
}

async function addSeries(request: TimeSeriesRequest, work: SeriesWork): Promise<void> {
  const { series, accumulator } = work;
  const aggregation = aggregationOf(series, request.aggregation);
  const names = missingNames(request, series);
  const pieces = aggregation === 'last' ? await lastOfSteps(request, work.pieces) : work.pieces;
  const counts = new Float64Array(accumulator.steps);
  for (const { source, slice } of work.pieces) countProfiles(request, source, slice, counts);
  for (const { source, slice } of pieces) {
    await request.context.part(source.part, async () => {
      const symbols = needsSamples(request, slice) ? await source.symbols() : undefined;
      const sets =
        symbols === undefined
          ? undefined
          : labelSetGroups(symbols.labelSets, names, slice, request.context);
      if (symbols === undefined || sets === undefined) addTotals(request, work, { source, slice });
      else await addSamples(request, work, { source, slice, symbols, sets });
    });
  }
  for (const [key, stepValues] of accumulator.take()) {
    const values = names.length === 0 ? [] : (JSON.parse(key) as string[]);
    const labelOf = (name: string): string =>
      seriesLabel(series.series, series.typeId, name) ?? values[names.indexOf(name)] ?? '';
    const all = request.groupBy.map((name) => [name, labelOf(name)] as const);
    const labels = Object.fromEntries(all.filter(([, value]) => value !== ''));
    work.groups.of(labels).add(stepValues, counts, aggregation);
  }
}

function countProfiles(
  request: TimeSeriesRequest,
  source: ProfileSource,
  slice: Slice,
  counts: Float64Array,
): void {
  const stepOf = stepper(request);
  const { startNs, profileCounts } = source.profiles;
  for (let p = slice.first; p < slice.end; p++)
    counts[stepOf(startNs[p]!)]! += profileCounts?.[p] ?? 1;
}

function stepper(request: TimeSeriesRequest): (startNs: bigint) => number {
  const base = BigInt(request.startMs) * 1_000_000n;
  const stepNs = BigInt(request.stepMs) * 1_000_000n;
  return (startNs) => Number((startNs - base) / stepNs);
}

const ONE_GROUP = '';

function addTotals(request: TimeSeriesRequest, work: SeriesWork, piece: Piece): void {
  const { source, slice } = piece;
  const takesMax = aggregationOf(work.series, request.aggregation) === 'max';
  const totals = source.totals(slice.column);
  const stepOf = stepper(request);
  const target = work.accumulator.of(ONE_GROUP);
  for (let p = slice.first; p < slice.end; p++) {
    const step = stepOf(source.profiles.startNs[p]!);
    if (request.measure === 'profiles') {
      target.add(step, source.profiles.profileCounts?.[p] ?? 1, 0);
      continue;
    }
    const low = totals[2 * p]! >>> 0;
    if (takesMax) target.raise(step, low, totals[2 * p + 1]!);
    else target.add(step, low, totals[2 * p + 1]!);
  }
}

async function addSamples(
  request: TimeSeriesRequest,
  work: SeriesWork,
  piece: Piece & { readonly symbols: SymbolSource; readonly sets: LabelSetGroups },
): Promise<void> {
  const { source, slice, symbols, sets } = piece;
  const takesMax = aggregationOf(work.series, request.aggregation) === 'max';
  const stepOf = stepper(request);
  // Made when they are seen: of a million requests each profile has a few.
  const targets: (StepValues | undefined)[] = [];
  const targetOf = (group: number): StepValues => {
    targets[group] ??= work.accumulator.of(sets.keys[group]!);
    return targets[group];
  };
  const passes = request.filter?.mask(symbols, request.context);
  const groupOfKey = symbols.keys.labelSet.map((set, k) =>
    passes === undefined || passes[k] === 1 ? sets.groupOf[set]! : -1,
  );
  const profile = new GroupSums(sets.keys.length);
  let current = -1;
  const flush = (): void => {
    if (current < 0) return;
    const step = stepOf(source.profiles.startNs[current]!);
    const profiles = source.profiles.profileCounts?.[current] ?? 1;
    profile.take((g, low, high) => {
      if (request.measure === 'profiles') targetOf(g).add(step, profiles, 0);
      else if (takesMax) targetOf(g).raise(step, low, high);
      else targetOf(g).add(step, low, high);
    });
  };
  const call = { slices: [slice], column: slice.column, signal: request.context.signal };
  await source.scanProfiles(call, (position, run) => {
    checkKeys(source, run, groupOfKey.length);
    if (position !== current) {
      request.context.check();
      flush();
      current = position;
    }
    if (request.measure === 'samples') profile.count(run, groupOfKey);
    else profile.add(run, groupOfKey);
  });
  flush();
}

/** Each piece cut into one for each step's last profile of the series. */
async function lastOfSteps(
  request: TimeSeriesRequest,
  pieces: readonly Piece[],
): Promise<readonly Piece[]> {
  const stepOf = stepper(request);
  const byStep = new Map<number, Piece[]>();
  for (const { source, slice } of pieces) {
    for (let p = slice.first; p < slice.end; p++) {
      const step = stepOf(source.profiles.startNs[p]!);
      const known = byStep.get(step) ?? [];
      byStep.set(step, known);
      const cut = { source, slice: { ...slice, first: p, end: p + 1 } };
      const before = known.at(-1);
      // Profiles of a slice come in order, so the later one stands for both.
      if (before?.source === source) known[known.length - 1] = cut;
      else known.push(cut);
    }
  }
  const out: Piece[] = [];
  for (const candidates of byStep.values()) {
    const grouped = candidates.map(({ source, slice }) => ({ source, slices: [slice] }));
    const [last] = candidates.length === 1 ? grouped : await lastProfiles(grouped, request.context);
    const slice = last?.slices[0];
    if (last !== undefined && slice !== undefined) out.push({ source: last.source, slice });
  }
  return out;
}

function checkPoints(groups: number, steps: number, { budget }: QueryContext): void {
  if (groups <= LIMITS.queryGroupsMax && groups * steps <= budget.pointsMax) return;
  throw new StoreError({
    kind: 'limit',
    code: 'PS_QUERY_POINTS',
    message:
      `cannot answer time series: got ${groups} groups of ${steps} steps; want at most ` +
      `${LIMITS.queryGroupsMax} groups and ${budget.pointsMax} points (a longer step or fewer groups)`,
    details: { groups, steps },
  });
}

class GroupTable {
  readonly #steps: number;
  readonly #context: QueryContext;
  readonly #groups = new Map<string, { labels: Record<string, string>; group: StepGroup }>();

  constructor(steps: number, context: QueryContext) {
    this.#steps = steps;
    this.#context = context;
  }

  of(labels: Record<string, string>): StepGroup {
    const key = JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
    const known = this.#groups.get(key);
    if (known !== undefined) return known.group;
    checkPoints(this.#groups.size + 1, this.#steps, this.#context);
    const group = new StepGroup(this.#steps);
    this.#groups.set(key, { labels, group });
    return group;
  }

  /** Sorted by labels. */
  answer(startMs: number, stepMs: number): readonly TimeSeries[] {
    return [...this.#groups]
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
      .map(([, { labels, group }]) => ({ labels, ...group.points(startMs, stepMs) }));
  }
}
