/** The query engine: admission, attempts, and the way from a request to an answer. */
import { isKind, StoreError } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import type { Clock } from '../env/clock.js';
import { meterReads } from '../env/read-meter.js';
import { Retention, type RetentionRule } from '../manifest/retention.js';
import { parseProfileType } from '../model/profile-type.js';
import { queriedTenantIds } from '../model/tenant-id.js';
import { FramePool } from '../symbols/frame-pool.js';
import { aggregate } from './aggregate.js';
import type {
  BeforeOom,
  BeforeOomQuery,
  DiffAnswer,
  DiffQuery,
  ExplainQuery,
  FlameTree,
  GraphQuery,
  Heatmap,
  HeatmapQuery,
  ItemList,
  ItemsQuery,
  LabelValuesQuery,
  ListOf,
  MergeQuery,
  ProfileTypeInfo,
  QueryApi,
  QueryStats,
  PprofQuery,
  ProfileBounds,
  QueryPlan,
  RangeQuery,
  Regressions,
  RegressionsQuery,
  RenderedMerge,
  RenderQuery,
  Sandwich,
  SandwichQuery,
  SeriesLabels,
  TimeSeriesAnswer,
  TimeSeriesQuery,
  TopTable,
  TreeQuery,
} from './api.js';
import { beforeOom } from './before-oom.js';
import { withProfileIds } from './by-profile-id.js';
import { withMatchingSamples } from './by-sample-labels.js';
import { WeightedCache } from './cache.js';
import { type QueryBudget, type QueryBudgetRule, QueryBudgets } from './budgets.js';
import { QueryContext } from './context.js';
import { diffSelections } from './diff/diff.js';
import { observe, type Observation, type Observed } from './diff/observe.js';
import { partPlans, Stopwatch, totalReads } from './explain.js';
import { checkFormat, formatInfo, type MergeFormat } from './formats.js';
import { QueryGate } from './gate.js';
import { heatmapOf } from './heatmap.js';
import { byValue, collectItems, type Item, type ItemKind, namedItems } from './items.js';
import {
  type Listing,
  ListingBuilder,
  listLabelNames,
  listLabelValues,
  listProfileTypes,
  listSeries,
} from './listing.js';
import { keyFilter } from './key-filter.js';
import { timeRange } from './plan.js';
import { renderTop } from './render/top.js';
import { findRegressions } from './regressions/regressions.js';
import { type MergeScope, renderAny, renderReport, sandwichOf, treeOf } from './reports.js';
import {
  checkHeatmap,
  checkItems,
  checkMaxNodes,
  checkMeasure,
  checkMerge,
  checkRange,
  checkSteps,
} from './request.js';
import { type CompiledSelector, compileSelector, isVirtualLabel } from '../symbols/select.js';
import type { SelectedSources, SnapshotParts } from './snapshot.js';
import { Snapshots } from './snapshots.js';
import { compileFilter } from './stacks/filter.js';
import { stackShape } from './stacks/shape.js';
import type { SumUse } from './block-sums.js';
import { totalDuration } from './source.js';
import { rowsOf, statsOf } from './stats.js';
import { ResultCache } from './results.js';
import type { TileUse } from './tiles.js';
import { timeSeries } from './time-series.js';
import { type Timeline, timelineOf } from './timeline.js';

export interface QueryDependencies extends SnapshotParts {
  readonly clock: Clock;
}

export interface QuerySettings extends Partial<QueryBudget> {
  /** Decoded parts of blocks kept in memory. Default 128 MB; higher: more memory, fewer reads. */
  readonly cacheBytes?: number;
  /** Answers kept in memory. Default 16 MB; 0: none. */
  readonly resultBytes?: number;
  /** Default true. Without rollups every profile is read: the answers are the same, which is what it is good for. */
  readonly usesRollups?: boolean;
  /** Queries that run at once. Default LIMITS.concurrentQueriesMax; higher: more memory under load. */
  readonly concurrency?: number;
  /** By tenant; the values above are for what they do not say. */
  readonly budgets?: readonly QueryBudgetRule[];
  /** What is past its age is hidden. Default: nothing is. */
  readonly retention?: readonly RetentionRule[];
}

/** Of what counts samples or profiles. */
const COUNT_UNIT = 'count';
const CACHE_BYTES = 128 << 20;
const RESULT_BYTES = 16 << 20;
/** The pool of known frames starts anew past this: some 150 MB of frames. */
const POOLED_FRAMES_MAX = 500_000;

export function openQueryEngine(
  dependencies: QueryDependencies,
  settings: QuerySettings = {},
): QueryEngine {
  return new QueryEngine(dependencies, settings);
}

interface ItemsScope {
  readonly context: QueryContext;
  readonly unit: string;
  readonly stats: QueryStats;
}

interface MergeOptions {
  readonly watch?: Stopwatch;
  /** The kind of answer under which it is kept. */
  readonly kept?: string;
  /** What it shows decides what is read. */
  readonly format?: MergeFormat;
}

interface Scope {
  readonly context: QueryContext;
  readonly snapshot: Snapshots;
}

export class QueryEngine implements QueryApi {
  readonly #dependencies: QueryDependencies;
  readonly #budgets: QueryBudgets;
  readonly #cache: WeightedCache;
  readonly #results: ResultCache;
  readonly #gate: QueryGate;
  readonly #usesRollups: boolean;
  readonly #retention: Retention;
  #frames = new FramePool();

  constructor(dependencies: QueryDependencies, settings: QuerySettings) {
    this.#dependencies = dependencies;
    this.#budgets = new QueryBudgets(settings, settings.budgets ?? []);
    this.#usesRollups = settings.usesRollups ?? true;
    this.#retention = new Retention(settings.retention ?? []);
    this.#cache = new WeightedCache(settings.cacheBytes ?? CACHE_BYTES);
    this.#results = new ResultCache(settings.resultBytes ?? RESULT_BYTES);
    const slots = settings.concurrency ?? LIMITS.concurrentQueriesMax;
    this.#gate = new QueryGate(slots, LIMITS.waitingQueriesMax);
  }

  /** Bytes of decoded blocks and answers held, for metrics. */
  get cachedBytes(): number {
    return this.#cache.sizeBytes + this.#results.sizeBytes;
  }

  async mergeTree(query: TreeQuery): Promise<FlameTree> {
    checkMaxNodes(query.maxNodes);
    return this.#merge(query, (scope) => treeOf(scope, query.maxNodes), { kept: 'tree' });
  }

  async mergeTop(query: GraphQuery): Promise<TopTable> {
    const render = ({ merged, unit, stats }: MergeScope) =>
      renderTop(merged, { unit, stats: stats() });
    return this.#merge(query, render, { kept: 'top' });
  }

  async mergeSandwich(query: SandwichQuery): Promise<Sandwich> {
    checkFormat('sandwich', query);
    return this.#merge(query, (scope) => sandwichOf(scope, query), { kept: 'sandwich' });
  }

  async mergeRendered(query: RenderQuery): Promise<RenderedMerge> {
    checkFormat(query.format, query);
    const render = async (scope: MergeScope) => {
      const rendered = await renderReport(scope, query);
      return { ...rendered, stats: scope.stats() };
    };
    return this.#merge(query, render, { kept: 'report', format: query.format });
  }

  async mergeFolded(query: GraphQuery): Promise<RenderedMerge> {
    return this.mergeRendered({ ...query, format: 'folded' });
  }

  async mergePprof(query: PprofQuery): Promise<RenderedMerge> {
    return this.mergeRendered({ ...query, format: 'pprof' });
  }

  async timeSeries(query: TimeSeriesQuery): Promise<TimeSeriesAnswer> {
    return this.#timeSeries(query, (answer) => answer);
  }

  async #timeSeries<T>(
    query: TimeSeriesQuery,
    render: (answer: TimeSeriesAnswer, selected: SelectedSources) => T,
    watch?: Stopwatch,
  ): Promise<T> {
    checkMerge(query);
    checkSteps(query);
    checkMeasure(query);
    const work = async ({ context, snapshot }: Scope): Promise<T> => {
      const filter = keyFilter(query, compileFilter(query).keys);
      const groupBy = [...new Set(query.groupBy)];
      const { measure = 'value' } = query;
      const aggregation = measure === 'value' ? query.aggregation : 'sum';
      const startNs = BigInt(query.startMs) * 1_000_000n;
      const stepNs = BigInt(query.stepMs) * 1_000_000n;
      const steps = { kind: 'steps', aggregation, labels: groupBy, startNs, stepNs } as const;
      // A rollup's rows stand for any number of samples.
      const tiles = filter === undefined && measure === 'value' ? steps : undefined;
      // A sum of many profiles tells neither their samples apart nor those that have one that passes.
      const isCount = measure !== 'value';
      const areSumsUseful = !isCount || (measure === 'profiles' && filter === undefined);
      const sums = areSumsUseful ? { aggregation, labels: groupBy, isCount } : undefined;
      const scope = { context, snapshot, tiles, sums };
      const selected = await this.#select(query, scope, this.#pool());
      watch?.lap('select');
      const make = async (): Promise<TimeSeriesAnswer> => {
        const { series, hiddenSeries, rows } = await timeSeries({
          sources: selected.sources,
          series: selected.series,
          selector: selected.selector,
          filter,
          aggregation,
          measure,
          limit: query.limit,
          groupBy,
          startMs: query.startMs,
          endMs: query.endMs,
          stepMs: query.stepMs,
          context,
        });
        watch?.lap('read');
        const unit = isCount ? COUNT_UNIT : parseProfileType(query.profileType).sampleUnit;
        return { unit, series, hiddenSeries, stats: statsOf(selected, context, rows) };
      };
      const asked = { query, selected, context };
      const isKept = watch === undefined;
      const answer = isKept ? await this.#results.get('series', asked, make) : await make();
      return render(answer, selected);
    };
    return this.#run(query, work, watch);
  }

  async explain(query: ExplainQuery): Promise<QueryPlan> {
    const watch = new Stopwatch(this.#dependencies.clock);
    const { value, reads } = await meterReads(() => this.#explained(query, watch));
    const { selected, stats } = value;
    const { blocksInRange, segmentsInRange } = selected;
    const parts = partPlans(selected.sources, reads);
    const { stages } = watch;
    return { stages, parts, blocksInRange, segmentsInRange, ...totalReads(reads), stats };
  }

  #explained(
    query: ExplainQuery,
    watch: Stopwatch,
  ): Promise<{ readonly selected: SelectedSources; readonly stats: QueryStats }> {
    if (query.kind === 'timeseries') {
      return this.#timeSeries(query, ({ stats }, selected) => ({ selected, stats }), watch);
    }
    checkFormat(query.format, query);
    const render = async (scope: MergeScope) => {
      await renderAny(scope, query);
      return { selected: scope.selected, stats: scope.stats() };
    };
    return this.#merge(query, render, { watch, format: query.format });
  }

  /** Several queries that are one to the caller: one deadline holds for all of them. */
  #together<Q extends RangeQuery, T>(
    query: Q,
    work: (query: Q, context: QueryContext) => Promise<T>,
  ): Promise<T> {
    return this.#bounded(query, (context) => work({ ...query, signal: context.signal }, context));
  }

  /** Within the deadline and what else the tenant may spend. */
  async #bounded<T>(query: RangeQuery, work: (context: QueryContext) => Promise<T>): Promise<T> {
    checkRange(query);
    const budget = this.#budgets.of(query.tenantId);
    const context = new QueryContext(this.#dependencies.clock, budget, query.signal);
    try {
      return await work(context);
    } catch (error) {
      throw context.signal.aborted ? context.stopReason() : StoreError.from(error);
    } finally {
      context.close();
    }
  }

  diff(query: DiffQuery): Promise<DiffAnswer> {
    return this.#together(query, (own, context) => diffSelections(this, own, context));
  }

  /** Sums by function, and how long the profiles behind them took. */
  functionSums(
    query: MergeQuery,
  ): Promise<{ readonly top: TopTable; readonly durationNs: bigint }> {
    return this.#merge(query, ({ merged, unit, stats, selected }) => ({
      top: renderTop(merged, { unit, stats: stats() }),
      durationNs: totalDuration(selected.sources),
    }));
  }

  /** Reads single profiles for who looks at how they differ. */
  observe(query: MergeQuery, what: Observation): Promise<Observed> {
    checkMerge(query);
    return this.#run(query, async ({ context, snapshot }) => {
      const selected = await this.#select(query, { context, snapshot }, this.#pool());
      const { sources, selector } = selected;
      const filter = keyFilter(query, compileFilter(query).keys);
      return observe({ sources, selector, filter, ...what, context });
    });
  }

  regressions(query: RegressionsQuery): Promise<Regressions> {
    return this.#together(query, (own) => findRegressions(this, own));
  }

  beforeOom(query: BeforeOomQuery): Promise<BeforeOom> {
    return this.#together(query, (own) => beforeOom(this, own));
  }

  async items(query: ItemsQuery): Promise<ItemList> {
    checkItems(query);
    return this.#items(query, [], async (items, { context, unit, stats }) => {
      const sorted = [...items].sort(byValue);
      const shown = sorted.slice(0, query.limit);
      const hiddenItems = sorted.length - shown.length;
      return { unit, items: await namedItems(shown, context), hiddenItems, stats };
    });
  }

  /** The profiles of a selection by time, those without a value too. */
  timeline(query: MergeQuery, lastMax: number): Promise<Timeline> {
    const all = { ...query, kind: 'profile', keepsZero: true } as const;
    return this.#items(all, [], (items, { context, unit, stats }) =>
      timelineOf(items, { lastMax, context, unit, stats }),
    );
  }

  async heatmap(query: HeatmapQuery): Promise<Heatmap> {
    checkSteps(query);
    checkHeatmap(query);
    const groupBy = [...new Set(query.groupBy)];
    return this.#items(query, groupBy, async (items, { context, unit, stats }) => ({
      unit,
      ...(await heatmapOf(items, query, context)),
      stats,
    }));
  }

  async #items<T>(
    query: MergeQuery & { readonly kind: ItemKind; readonly keepsZero?: boolean },
    groupBy: readonly string[],
    render: (items: readonly Item[], scope: ItemsScope) => Promise<T>,
  ): Promise<T> {
    checkMerge(query);
    return this.#run(query, async ({ context, snapshot }) => {
      const selected = await this.#select(query, { context, snapshot }, this.#pool());
      const { sources, selector } = selected;
      const filter = keyFilter(query, compileFilter(query).keys);
      const items = await collectItems({
        kind: query.kind,
        keepsZero: query.keepsZero === true,
        sources,
        selector,
        filter,
        groupBy,
        context,
      });
      const unit = parseProfileType(query.profileType).sampleUnit;
      return render(items, { context, unit, stats: statsOf(selected, context, 0) });
    });
  }

  profileTypes(query: RangeQuery): Promise<ListOf<ProfileTypeInfo>> {
    return this.#list(query, false, listProfileTypes);
  }

  labelNames(query: RangeQuery): Promise<ListOf<string>> {
    return this.#list(query, true, listLabelNames);
  }

  labelValues(query: LabelValuesQuery): Promise<ListOf<string>> {
    const { name } = query;
    return this.#list(query, !isVirtualLabel(name), (listing) => listLabelValues(listing, name));
  }

  series(query: RangeQuery): Promise<ListOf<SeriesLabels>> {
    return this.#list(query, false, listSeries);
  }

  async profileBounds(query: RangeQuery): Promise<ProfileBounds | undefined> {
    return this.#run(query, async ({ snapshot }) => {
      const bounds = await snapshot.bounds();
      if (bounds === undefined) return undefined;
      return { oldestMs: msOf(bounds.firstNs), newestMs: msOf(bounds.lastNs) };
    });
  }

  #list<T>(
    query: RangeQuery,
    needsLabelSets: boolean,
    itemsOf: (listing: Listing) => readonly T[],
  ): Promise<ListOf<T>> {
    return this.#run(query, async ({ context, snapshot }) => {
      const selector = compileSelector(query.selector);
      const { range } = snapshot;
      const builder = new ListingBuilder({ selector, range, needsLabelSets, budget: context });
      await snapshot.forEachBlock(
        async (handle, removals) => void (await builder.addBlock(handle, removals)),
      );
      await snapshot.forEachSegment((view, tenantId, removals) => {
        context.check();
        builder.addSegment(view, tenantId, removals);
      });
      return { items: itemsOf(builder.finish()), missing: context.missing };
    });
  }

  async #merge<T>(
    given: GraphQuery,
    render: (merge: MergeScope) => T | Promise<T>,
    { watch, kept, format = 'tree' }: MergeOptions = {},
  ): Promise<T> {
    // A label twice would be two frames.
    const query = { ...given, rootLabel: [...new Set(given.rootLabel)] };
    checkMerge(query);
    const shape = stackShape(query);
    const work = async ({ context, snapshot }: Scope): Promise<T> => {
      const frames = this.#pool();
      const { aggregation, rootLabel: labels = [] } = query;
      const tiles = { kind: 'merge', aggregation, labels } as const;
      const sums = { aggregation, labels, isCount: false };
      const selected = await this.#select(query, { context, snapshot, tiles, sums }, frames);
      watch?.lap('select');
      const make = async (): Promise<T> => {
        const merged = await aggregate({
          sources: selected.sources,
          selector: selected.selector,
          filter: keyFilter(query, shape.keys),
          seriesLabels: labels,
          keepsLabels: formatInfo(format).showsLabels === true,
          aggregation,
          frames,
          context,
        });
        watch?.lap('read');
        context.check();
        const unit = parseProfileType(query.profileType).sampleUnit;
        const stats = (): QueryStats => statsOf(selected, context, rowsOf(selected));
        const scope = { merged: shape.apply(merged, context), selected, context, unit, stats };
        const answer = await render(scope);
        watch?.lap('render');
        return answer;
      };
      if (kept === undefined) return make();
      return this.#results.get(kept, { query, selected, context }, make);
    };
    return this.#run(query, work, watch);
  }

  async #select(
    query: MergeQuery,
    {
      context,
      snapshot,
      tiles,
      sums,
    }: Scope & { readonly tiles?: TileUse | undefined; readonly sums?: SumUse | undefined },
    frames: FramePool,
  ): Promise<SelectedSources & { readonly selector: CompiledSelector }> {
    const selector = compileSelector(query.selector);
    const { profileIds, profileType: typeId } = query;
    const areSingle = profileIds !== undefined;
    const request = {
      selector,
      typeId,
      tiles: this.#usesRollups && !areSingle ? tiles : undefined,
      sums: areSingle ? undefined : sums,
    };
    const all = await snapshot.select(request, frames);
    const own = profileIds === undefined ? all : await withProfileIds(all, profileIds, context);
    const selected = await withMatchingSamples(own, selector, context);
    return { ...selected, selector };
  }

  /** Frames known from earlier queries, so that their contents are compared once. A query keeps the pool it began with. */
  #pool(): FramePool {
    if (this.#frames.count > POOLED_FRAMES_MAX) this.#frames = new FramePool();
    return this.#frames;
  }

  #run<T>(query: RangeQuery, work: (scope: Scope) => Promise<T>, watch?: Stopwatch): Promise<T> {
    return this.#bounded(query, async (context) => {
      const leave = await this.#gate.enter(query.tenantId, context.signal);
      watch?.lap('wait');
      const attempt = this.#attempt(query, context, async (scope) => {
        watch?.lap('snapshot');
        return work(scope);
      }).finally(leave);
      return context.until(attempt);
    });
  }

  async #attempt<T>(
    query: RangeQuery,
    context: QueryContext,
    work: (scope: Scope) => Promise<T>,
  ): Promise<T> {
    const range = timeRange(query.startMs, query.endMs);
    const tenantIds = queriedTenantIds(query.tenantId);
    for (let attempt = 1; ; attempt++) {
      context.check();
      context.lastAttempt = attempt === LIMITS.queryAttemptsMax;
      context.forgetMissing();
      try {
        const parts = this.#dependencies;
        const snapshot = await Snapshots.take(tenantIds, {
          range,
          parts,
          cache: this.#cache,
          context,
          cutoffOf: (tenantId) =>
            this.#retention.cutoffOf(tenantId, this.#dependencies.clock.nowMs()),
        });
        return await work({ context, snapshot });
      } catch (error) {
        // A block or segment vanished since the snapshot: something has replaced it, so look again.
        if (!isKind(error, 'not-found') || context.lastAttempt) throw error;
      }
    }
  }
}

function msOf(ns: bigint): number {
  return Number(ns / 1_000_000n);
}
