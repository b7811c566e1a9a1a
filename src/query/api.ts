import type { Temporality } from '../model/series.js';
import type { RollupWidth } from '../model/rollup-width.js';
import type { FormatOptions, MergeFormat, RenderFormat } from './formats.js';
import type { SampleFilter } from './key-filter.js';
import type { ITEM_KINDS, TIME_SERIES_MEASURES } from './option-tables.js';
import type { StackFilter, StackView } from './stacks/options.js';

/**
 * What a query asks and answers, the same for the library, gRPC and HTTP. Sums are `bigint`: exact past 2^53.
 * Ranges are half-open, unix milliseconds; a profile belongs to a range by its start.
 */
export interface RangeQuery {
  /** One tenant, or several as `a|b`, read as if they were one. */
  readonly tenantId: string;
  /** Prometheus grammar, for example `{service_name="api"}`; empty or `{}` selects all. */
  readonly selector: string;
  readonly startMs: number;
  /** Exclusive. */
  readonly endMs: number;
  readonly signal?: AbortSignal;
}

export type Aggregation = 'sum' | 'avg' | 'last' | 'max';

export interface MergeQuery extends RangeQuery, SampleFilter, StackFilter {
  /** `name:sample_type:sample_unit:period_type:period_unit`. */
  readonly profileType: string;
  /** Default: `sum` for deltas and cumulative types, `avg` for gauges. */
  readonly aggregation?: Aggregation;
  /** Only profiles with one of these ids count. Absent: all. */
  readonly profileIds?: readonly string[];
}

/** A merge that shows stacks. */
export interface GraphQuery extends MergeQuery, StackView {}

export interface TreeQuery extends GraphQuery {
  /** Cuts the tree at the end only; what it hid is reported. Default 16,384. */
  readonly maxNodes?: number;
}

export interface PprofQuery extends GraphQuery {
  /** Default true: gzip. */
  readonly compress?: boolean;
}

export interface RenderQuery extends PprofQuery, Pick<FormatOptions, 'maxNodes' | 'keepLocations'> {
  readonly format: RenderFormat;
}

export interface SandwichQuery extends TreeQuery, Pick<FormatOptions, 'levels'> {
  /** Exact name of the function. */
  readonly function: string;
}

/**
 * What a point of a time series is: the profiles' values; how many samples have one; or how many profiles there are, of
 * which with filters or labels of samples only those with such a sample count.
 */
export type TimeSeriesMeasure = (typeof TIME_SERIES_MEASURES)[number];

export interface TimeSeriesQuery extends MergeQuery {
  readonly stepMs: number;
  readonly groupBy: readonly string[];
  /** Default `value`. Counts are summed: no other aggregation goes with them. */
  readonly measure?: TimeSeriesMeasure;
  /** The series with the greatest sums of points only, greatest first. Default: all, sorted by labels. */
  readonly limit?: number;
}

/** What a comparison looks at: labels and time, any of both. */
export interface DiffSelection {
  readonly selector: string;
  readonly startMs: number;
  /** Exclusive. */
  readonly endMs: number;
}

/** Filters that leave stacks as they are. Those that change them are refused where single profiles are looked at. */
export interface WholeStackFilter
  extends SampleFilter,
    Pick<StackFilter, 'focus' | 'ignore' | 'stack'>,
    Pick<MergeQuery, 'profileIds'> {}

/** Its own selector and range are those of the base. */
export interface DiffQuery extends RangeQuery, WholeStackFilter {
  readonly profileType: string;
  /** Each is compared with the base. */
  readonly others: readonly DiffSelection[];
  /** Of the changes that are called significant, how many may be chance. Default 0.05. */
  readonly falseDiscoveryRate?: number;
  /** Functions of each comparison, those with the greatest change of share first. Default 100. */
  readonly limit?: number;
}

export interface DiffSide {
  readonly total: bigint;
  /** Of its profiles together; 0 where they do not say. Divide by it for values a second, by `stats.series` for those an instance. */
  readonly durationNs: bigint;
  /** Profiles whose dispersion was looked at. */
  readonly observedProfiles: number;
  readonly stats: QueryStats;
}

export interface DiffValues {
  readonly self: bigint;
  readonly total: bigint;
  /** Observed profiles that have the function on a stack, and their samples that do: one for each stack and labels. */
  readonly profiles: number;
  readonly samples: number;
}

export interface DiffFunction {
  readonly functionName: string;
  readonly fileName: string;
  readonly base: DiffValues;
  readonly other: DiffValues;
  /** Change of the share in all, -1 to 1. */
  readonly selfChange: number;
  readonly totalChange: number;
  /** Probability of such a change or a greater one by chance; undefined with fewer than two profiles on a side. */
  readonly selfP: number | undefined;
  readonly totalP: number | undefined;
  /** At the false discovery rate, among all functions of the comparison. */
  readonly isSelfSignificant: boolean;
  readonly isTotalSignificant: boolean;
}

export interface Comparison {
  readonly side: DiffSide;
  readonly functions: readonly DiffFunction[];
  /** Functions that the limit left out. */
  readonly hiddenFunctions: number;
}

export interface DiffAnswer {
  readonly unit: string;
  readonly base: DiffSide;
  /** In the order of `others`. */
  readonly comparisons: readonly Comparison[];
}

/** What got slower within a range. */
export interface RegressionsQuery extends RangeQuery, WholeStackFilter {
  readonly profileType: string;
  /** Rise of a function's share in all that is worth a look. Default 0.01. */
  readonly changeMin?: number;
  /** Of the regressions named, how many may be chance. Default 0.01. */
  readonly falseDiscoveryRate?: number;
  /** Default 10. */
  readonly limit?: number;
}

export interface Regression {
  readonly functionName: string;
  readonly fileName: string;
  /** Which of its values rose: its own, or those of what it calls as well. */
  readonly kind: 'self' | 'total';
  /** Shares in all, means of the steps. */
  readonly before: number;
  readonly after: number;
  /** Start of the first step after the change. */
  readonly changedMs: number;
  /** Of such a rise by chance, for the best of all times of change that were tried. */
  readonly p: number;
  /** Share in each step that has a profile. */
  readonly series: { readonly timestampMs: Float64Array; readonly share: Float64Array };
  /** Call paths to the function after the change, the heaviest first: names from the root on, and their share in it. */
  readonly paths: readonly { readonly path: readonly string[]; readonly share: number }[];
}

export interface Regressions {
  readonly stepMs: number;
  /** By rise, descending. */
  readonly regressions: readonly Regression[];
  readonly hiddenRegressions: number;
  /** Rises that were left out: gone again by the end; costs that moved between the callees of one caller. */
  readonly goneAway: number;
  readonly shifted: number;
  readonly profiles: number;
  /** Blocks and segments that could not be read: the answer is partial if there are any. */
  readonly missing: readonly MissingPart[];
}

/** An instance, by its selector, and the minutes before it died. */
export interface BeforeOomQuery extends RangeQuery {
  /** Default: what says how much memory is in use, `memory:inuse_space` before others. */
  readonly profileType?: string;
  /** Growing call paths to name. Default 20. */
  readonly limit?: number;
}

export interface GrowingPath {
  /** Names from the root on. */
  readonly path: readonly string[];
  /** Own value of the stack in the first and in the last profile. */
  readonly before: bigint;
  readonly after: bigint;
}

export interface BeforeOom {
  readonly unit: string;
  readonly profileType: string;
  /** The first and the last profile of the range; those of several series that start together count together. */
  readonly first: { readonly startMs: number; readonly total: bigint };
  readonly last: { readonly startMs: number; readonly total: bigint };
  /** The last ten at most, oldest first. */
  readonly profiles: readonly ProfileItem[];
  readonly profileCount: number;
  /** Between the two, by growth, descending. */
  readonly paths: readonly GrowingPath[];
  /** Growing paths that the limit left out. */
  readonly hiddenPaths: number;
  /** The greatest total of each step. */
  readonly series: TimeSeries;
  readonly stepMs: number;
  readonly stats: QueryStats;
}

/** A query to run for its plan: a merge in some format, or a time series. */
export type ExplainQuery =
  | (GraphQuery & FormatOptions & { readonly kind: 'merge'; readonly format: MergeFormat })
  | (TimeSeriesQuery & { readonly kind: 'timeseries' });

export interface StageTime {
  /**
   * `wait` for other queries, `snapshot` of manifest and log, `select` of profiles by series and time, `read` of samples
   * with their sums, `render` of the answer.
   */
  readonly stage: 'wait' | 'snapshot' | 'select' | 'read' | 'render';
  readonly ms: number;
}

/** What was read of one block or segment, a line for each rollup of it that is used. */
export interface PartPlan {
  /** `block ID` or `segment INSTANCE/SEQUENCE`. */
  readonly part: string;
  /** Width of the rollup; empty for profiles as they were sent. */
  readonly rollup: '' | '5m' | '1h' | '1d';
  readonly tiles: number;
  readonly series: number;
  readonly profiles: number;
  /** Of the selected profiles or tiles. Where totals are enough none is read. */
  readonly rows: number;
  /** Reads of objects and files, and their bytes: 0 for what the cache had. On the first line of a part. */
  readonly requests: number;
  readonly bytes: number;
}

export interface QueryPlan {
  /** In order; together they are the query's time. */
  readonly stages: readonly StageTime[];
  /** In order of their names. */
  readonly parts: readonly PartPlan[];
  /** Blocks and segments in the range, selected or not. */
  readonly blocksInRange: number;
  readonly segmentsInRange: number;
  /** All reads, manifests included. */
  readonly requests: number;
  readonly bytes: number;
  readonly stats: QueryStats;
}

export interface LabelValuesQuery extends RangeQuery {
  readonly name: string;
}

/** What stands behind an answer, and what is missing from it. */
export interface QueryStats {
  readonly profiles: number;
  readonly series: number;
  /** Sample rows read. */
  readonly rows: number;
  /** Buckets of rollups that stood in for profiles, and their rows read. The profiles behind them are in `profiles`. */
  readonly tiles: number;
  readonly tileRows: number;
  /** Blocks and segments that have a selected profile. */
  readonly blocks: number;
  readonly segments: number;
  /**
   * The widest sums among the blocks behind the answer: such a sum counts where its bucket starts. Empty where all profiles
   * are there as they were sent.
   */
  readonly sums: RollupWidth | '';
  /**
   * Blocks or segments that were damaged or missing, and sums that cannot answer: the answer is partial. Empty when it is
   * whole.
   */
  readonly missing: readonly MissingPart[];
}

/** What a cut left out of an answer, or its format has no place for, with the sum of the values that were theirs alone. */
export interface HiddenPart {
  /** Nodes (flamebearer, arrow), functions (dot), stacks without a positive sum (speedscope, cpuprofile). */
  readonly count: number;
  readonly value: bigint;
}

export interface MissingPart {
  readonly part: string;
  readonly code: string;
  readonly message: string;
}

export interface ProfileTypeInfo {
  readonly id: string;
  readonly name: string;
  readonly sampleType: string;
  readonly sampleUnit: string;
  readonly periodType: string;
  readonly periodUnit: string;
  readonly temporality: Temporality;
}

/**
 * A flame graph as parallel arrays, parents before children, children of a node sorted by name. Node 0 is the root
 * (`total`); it holds the self value of empty stacks.
 */
export interface FlameTree {
  readonly unit: string;
  readonly total: bigint;
  readonly names: readonly string[];
  readonly parent: Int32Array;
  /** Index into `names`. */
  readonly name: Int32Array;
  readonly self: BigInt64Array;
  readonly value: BigInt64Array;
  /** Nodes that the cut left out, and the sum of their self values (which their parents' `value` includes). */
  readonly hiddenNodes: number;
  readonly hiddenValue: bigint;
  readonly stats: QueryStats;
}

export interface TopFunction {
  readonly functionName: string;
  readonly fileName: string;
  readonly self: bigint;
  /** Each stack counts once, however often the function is on it. */
  readonly total: bigint;
}

export interface TopTable {
  readonly unit: string;
  readonly total: bigint;
  /** By self, then total, descending; ties by name. */
  readonly functions: readonly TopFunction[];
  readonly stats: QueryStats;
}

/** A function between those that called it and those that it called. */
export interface Sandwich {
  readonly unit: string;
  /** Of all stacks that count, also those without the function. */
  readonly total: bigint;
  /** The root's only child is the function; below it is what it called. */
  readonly callees: FlameTree;
  /** The root's only child is the function; below it is what called it. */
  readonly callers: FlameTree;
  readonly stats: QueryStats;
}

/** Bytes of a rendered answer. */
export interface RenderedMerge {
  readonly body: Uint8Array;
  readonly hidden: HiddenPart;
  readonly stats: QueryStats;
}

export interface TimeSeries {
  readonly labels: Readonly<Record<string, string>>;
  /** Unix milliseconds of the step's start; steps without a profile have no point. */
  readonly timestampMs: Float64Array;
  readonly value: BigInt64Array;
}

export interface TimeSeriesAnswer {
  readonly unit: string;
  readonly series: readonly TimeSeries[];
  /** Series that the limit left out. */
  readonly hiddenSeries: number;
  readonly stats: QueryStats;
}

/** Single profiles, or the spans in them. */
export interface ItemsQuery extends MergeQuery {
  readonly kind: (typeof ITEM_KINDS)[number];
  /** The items with the greatest values. */
  readonly limit: number;
}

export interface ProfileItem {
  /** Of the series, with `service_name`, `__name__` and `__profile_type__`. */
  readonly labels: SeriesLabels;
  /** Of the profile, unix milliseconds. */
  readonly startMs: number;
  readonly profileId: string;
  /** Empty for a whole profile, and where the sender gave none. */
  readonly spanId: string;
  readonly traceId: string;
  readonly value: bigint;
}

export interface ItemList {
  readonly unit: string;
  /** By value, descending. */
  readonly items: readonly ProfileItem[];
  /** Items that the limit left out. */
  readonly hiddenItems: number;
  readonly stats: QueryStats;
}

export interface HeatmapQuery extends MergeQuery {
  readonly kind: (typeof ITEM_KINDS)[number];
  readonly stepMs: number;
  readonly groupBy: readonly string[];
  readonly buckets: number;
  /** Whether each slot names its greatest item. */
  readonly withExemplars: boolean;
}

export interface HeatmapSeries {
  readonly labels: Readonly<Record<string, string>>;
  /** In the order of time; steps without an item have no slot. */
  readonly slots: readonly {
    /** Unix milliseconds of the step's start. */
    readonly timestampMs: number;
    /** Items in each bucket. */
    readonly counts: Int32Array;
    readonly exemplar: ProfileItem | undefined;
  }[];
}

export interface Heatmap {
  readonly unit: string;
  /** Least value of each bucket; the same buckets for all series. */
  readonly bucketStart: Float64Array;
  readonly series: readonly HeatmapSeries[];
  readonly stats: QueryStats;
}

/** A series as a listing shows it: its labels with `__name__` and `__profile_type__`. */
export type SeriesLabels = Readonly<Record<string, string>>;

export interface ListOf<T> {
  readonly items: readonly T[];
  /** Blocks or segments that could not be looked at: more may be there. Empty when the list is whole. */
  readonly missing: readonly MissingPart[];
}

/** Starts of profiles, unix milliseconds. */
export interface ProfileBounds {
  readonly oldestMs: number;
  readonly newestMs: number;
}

/** The query engine. Every method throws StoreError: `invalid` for a bad request, `limit`, `cancelled`, ... */
export interface QueryApi {
  profileTypes(query: RangeQuery): Promise<ListOf<ProfileTypeInfo>>;
  labelNames(query: RangeQuery): Promise<ListOf<string>>;
  labelValues(query: LabelValuesQuery): Promise<ListOf<string>>;
  series(query: RangeQuery): Promise<ListOf<SeriesLabels>>;
  /**
   * Bounds of what is stored, undefined without any. Whole blocks that overlap the range count, whatever the selector: it
   * is meant for the whole of time.
   */
  profileBounds(query: RangeQuery): Promise<ProfileBounds | undefined>;
  mergeTree(query: TreeQuery): Promise<FlameTree>;
  mergeTop(query: GraphQuery): Promise<TopTable>;
  mergeSandwich(query: SandwichQuery): Promise<Sandwich>;
  mergeRendered(query: RenderQuery): Promise<RenderedMerge>;
  mergePprof(query: PprofQuery): Promise<RenderedMerge>;
  mergeFolded(query: GraphQuery): Promise<RenderedMerge>;
  timeSeries(query: TimeSeriesQuery): Promise<TimeSeriesAnswer>;
  items(query: ItemsQuery): Promise<ItemList>;
  heatmap(query: HeatmapQuery): Promise<Heatmap>;
  diff(query: DiffQuery): Promise<DiffAnswer>;
  beforeOom(query: BeforeOomQuery): Promise<BeforeOom>;
  regressions(query: RegressionsQuery): Promise<Regressions>;
  /** Runs the query and answers what it did, in place of what it found. */
  explain(query: ExplainQuery): Promise<QueryPlan>;
}
