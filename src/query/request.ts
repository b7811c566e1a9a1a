/** Checks of what a caller asks. Every function throws `invalid`. */
import { invalid } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import { parseProfileType } from '../model/profile-type.js';
import { queriedTenantIds } from '../model/tenant-id.js';
import type {
  Aggregation,
  DiffQuery,
  HeatmapQuery,
  ItemsQuery,
  MergeQuery,
  RangeQuery,
  RegressionsQuery,
  TimeSeriesQuery,
} from './api.js';
import { STACK_CHANGES, TIME_SERIES_MEASURES } from './option-tables.js';
import type { StackFilter } from './stacks/options.js';

/** Greatest time in milliseconds whose nanoseconds fit in 64 bits. */
const TIME_MS_MAX = 9_223_372_036_854;
const AGGREGATIONS: readonly Aggregation[] = ['sum', 'avg', 'last', 'max'];

/** For callers without types: each field as a type of TypeScript says it. */
const TEXTS = ['tenantId', 'selector'];
const OPTIONAL_TEXTS = [
  'profileType',
  'aggregation',
  'focus',
  'ignore',
  'hide',
  'show',
  'showFrom',
  'pruneFrom',
];
const OPTIONAL_LISTS = [
  'groupBy',
  'callSite',
  'profileIds',
  'spanIds',
  'traceIds',
  'stack',
  'hideFrame',
  'rootLabel',
];

function checkTypes(query: object): void {
  const values = query as Readonly<Record<string, unknown>>;
  const isList = (value: unknown): boolean =>
    Array.isArray(value) && value.every((one) => typeof one === 'string');
  const wrong =
    TEXTS.find((name) => typeof values[name] !== 'string') ??
    OPTIONAL_TEXTS.find((name) => !['undefined', 'string'].includes(typeof values[name])) ??
    OPTIONAL_LISTS.find((name) => values[name] !== undefined && !isList(values[name]));
  if (wrong === undefined) return;
  throw invalid(
    'PS_QUERY_TYPE',
    `cannot answer query: got ${wrong} of type ${typeof values[wrong]}; want ${OPTIONAL_LISTS.includes(wrong) ? 'a list of texts' : 'a text'}`,
  );
}

export function checkRange(query: RangeQuery): void {
  checkTypes(query);
  queriedTenantIds(query.tenantId);
  for (const [name, value] of [
    ['startMs', query.startMs],
    ['endMs', query.endMs],
  ] as const) {
    if (Number.isSafeInteger(value) && Math.abs(value) <= TIME_MS_MAX) continue;
    throw invalid(
      'PS_QUERY_RANGE',
      `cannot answer query: got ${name} ${value}; want unix milliseconds`,
    );
  }
  if (query.startMs >= query.endMs) {
    throw invalid(
      'PS_QUERY_RANGE',
      `cannot answer query: got the range ${query.startMs} to ${query.endMs}; want a start before the end`,
    );
  }
}

export function checkMerge(query: MergeQuery): void {
  checkTypes({ ...query, profileType: query.profileType ?? null });
  parseProfileType(query.profileType);
  checkFilters(query);
  if (query.aggregation !== undefined && !AGGREGATIONS.includes(query.aggregation)) {
    throw invalid(
      'PS_QUERY_AGGREGATION',
      `cannot answer query: got aggregation ${JSON.stringify(query.aggregation)}; want ${AGGREGATIONS.join(', ')}`,
    );
  }
}

export function checkItems({ limit }: ItemsQuery): void {
  if (Number.isInteger(limit) && limit >= 1 && limit <= LIMITS.queryItemsMax) return;
  throw invalid(
    'PS_QUERY_ITEMS',
    `cannot list profiles: got a limit of ${limit}; want 1 to ${LIMITS.queryItemsMax}`,
  );
}

export function checkHeatmap({ buckets, startMs, endMs, stepMs }: HeatmapQuery): void {
  if (!Number.isInteger(buckets) || buckets < 1 || buckets > LIMITS.heatmapBucketsMax) {
    throw invalid(
      'PS_QUERY_BUCKETS',
      `cannot make heatmap: got ${buckets} buckets; want 1 to ${LIMITS.heatmapBucketsMax}`,
    );
  }
  const steps = Math.ceil((endMs - startMs) / stepMs);
  if (steps * buckets <= LIMITS.queryPointsMax) return;
  throw invalid(
    'PS_QUERY_BUCKETS',
    `cannot make heatmap: got ${steps} steps of ${buckets} buckets; want at most ${LIMITS.queryPointsMax} together`,
  );
}

function checkIds(name: string, ids: readonly string[], digits: number): void {
  if (ids.length > LIMITS.queryProfileIdsMax) {
    throw invalid(
      'PS_QUERY_SPAN',
      `cannot answer query: got ${ids.length} ${name} ids; want at most ${LIMITS.queryProfileIdsMax}`,
    );
  }
  for (const id of ids) {
    if (id.length <= digits && /^[0-9a-f]+$/i.test(id)) continue;
    throw invalid(
      'PS_QUERY_SPAN',
      `cannot answer query: got the ${name} id ${JSON.stringify(id.slice(0, 64))}; want up to ${digits} hexadecimal digits`,
    );
  }
}

const SPAN_ID_DIGITS = 16;
const TRACE_ID_DIGITS = 32;

function checkFilters(query: MergeQuery): void {
  const { callSite = [], profileIds = [], spanIds = [], traceIds = [] } = query;
  checkIds('span', spanIds, SPAN_ID_DIGITS);
  checkIds('trace', traceIds, TRACE_ID_DIGITS);
  if (callSite.length > LIMITS.stackDepthMax) {
    throw invalid(
      'PS_QUERY_CALL_SITE',
      `cannot answer query: got a call site of ${callSite.length} functions; want at most ${LIMITS.stackDepthMax}`,
    );
  }
  if (profileIds.length > LIMITS.queryProfileIdsMax) {
    throw invalid(
      'PS_QUERY_PROFILE_IDS',
      `cannot answer query: got ${profileIds.length} profile ids; want at most ${LIMITS.queryProfileIdsMax}`,
    );
  }
}

/** The number of nodes to show. */
export function checkMaxNodes(maxNodes: number | undefined): number {
  if (maxNodes === undefined) return LIMITS.treeNodesDefault;
  if (!Number.isInteger(maxNodes) || maxNodes < 1 || maxNodes > LIMITS.treeNodesMax) {
    throw invalid(
      'PS_QUERY_NODES_SHOWN',
      `cannot answer query: got maxNodes ${maxNodes}; want 1 to ${LIMITS.treeNodesMax}`,
    );
  }
  return maxNodes;
}

export function checkSteps(query: TimeSeriesQuery | HeatmapQuery): void {
  checkTypes({ ...query, groupBy: query.groupBy ?? null });
  if (!Number.isSafeInteger(query.stepMs) || query.stepMs < 1) {
    throw invalid(
      'PS_QUERY_STEP',
      `cannot answer time series: got a step of ${query.stepMs} ms; want 1 or more`,
    );
  }
  if (query.groupBy.length > LIMITS.labelsMax) {
    throw invalid(
      'PS_QUERY_GROUP_BY',
      `cannot answer time series: got ${query.groupBy.length} group labels; want at most ${LIMITS.labelsMax}`,
    );
  }
  for (const name of query.groupBy) {
    const sizeBytes = Buffer.byteLength(name);
    if (sizeBytes >= 1 && sizeBytes <= LIMITS.labelNameBytesMax) continue;
    throw invalid(
      'PS_QUERY_GROUP_BY',
      `cannot answer time series: got a group label of ${sizeBytes} bytes; want 1 to ${LIMITS.labelNameBytesMax}`,
    );
  }
}

/** Measure and limit of a time series. */
export function checkMeasure({ measure = 'value', limit, aggregation }: TimeSeriesQuery): void {
  if (!TIME_SERIES_MEASURES.includes(measure)) {
    throw invalid(
      'PS_QUERY_MEASURE',
      `cannot answer time series: got measure ${JSON.stringify(measure)}; want ${TIME_SERIES_MEASURES.join(', ')}`,
    );
  }
  if (measure !== 'value' && aggregation !== undefined && aggregation !== 'sum') {
    throw invalid(
      'PS_QUERY_MEASURE',
      `cannot answer time series: got aggregation ${aggregation} of ${measure}; want sum`,
    );
  }
  if (limit === undefined || (Number.isInteger(limit) && limit >= 1)) return;
  throw invalid(
    'PS_QUERY_LIMIT',
    `cannot answer time series: got a limit of ${limit}; want 1 or more`,
  );
}

/** Of paths before an end. */
export function checkPaths(limit: number): void {
  if (Number.isInteger(limit) && limit >= 1) return;
  throw invalid(
    'PS_QUERY_LIMIT',
    `cannot look before an end: got a limit of ${limit}; want 1 or more`,
  );
}

const DIFF_DEFAULTS = { falseDiscoveryRate: 0.05, limit: 100 };
const REGRESSION_DEFAULTS = { changeMin: 0.01, falseDiscoveryRate: 0.01, limit: 10 };

/** What a comparison has of its own; its sides are checked as merges are. */
export function checkedDiff(query: DiffQuery): DiffQuery & typeof DIFF_DEFAULTS {
  const checked = { ...query, ...withDefaults(query, DIFF_DEFAULTS) };
  const { falseDiscoveryRate, limit, others } = checked;
  refuseUnless('PS_QUERY_DIFF', 'compare', [
    areSelections(others) ?? isCount(others.length, LIMITS.diffSidesMax, 'other selections'),
    isShare(falseDiscoveryRate, 'false discovery rate'),
    isCount(limit, LIMITS.diffFunctionsMax, 'functions'),
    isWholeStack(query),
  ]);
  return checked;
}

export function checkedRegressions(
  query: RegressionsQuery,
): RegressionsQuery & typeof REGRESSION_DEFAULTS {
  const checked = { ...query, ...withDefaults(query, REGRESSION_DEFAULTS) };
  const { changeMin, falseDiscoveryRate, limit } = checked;
  refuseUnless('PS_QUERY_REGRESSIONS', 'look for regressions', [
    isShare(changeMin, 'least change'),
    isShare(falseDiscoveryRate, 'false discovery rate'),
    isCount(limit, LIMITS.regressionsMax, 'regressions'),
    isWholeStack(query),
  ]);
  return checked;
}

function withDefaults<T extends Readonly<Record<string, number>>>(given: object, defaults: T): T {
  const values = given as Partial<T>;
  const entries = Object.entries(defaults).map(([name, value]) => [name, values[name] ?? value]);
  return Object.fromEntries(entries) as T;
}

/** What is wrong, as "A; want B", or undefined. */
type Complaint = string | undefined;

function isShare(value: number, what: string): Complaint {
  return value > 0 && value < 1 ? undefined : `a ${what} of ${value}; want one between 0 and 1`;
}

function isCount(value: number, max: number, what: string): Complaint {
  const isFine = Number.isInteger(value) && value >= 1 && value <= max;
  return isFine ? undefined : `${value} ${what}; want 1 to ${max}`;
}

function areSelections(others: unknown): Complaint {
  const isFine =
    Array.isArray(others) && others.every((one) => typeof one === 'object' && one !== null);
  return isFine ? undefined : 'no list of other selections; want one';
}

/** Where single profiles are looked at, a filter that changes stacks would hold for the sums alone. */
function isWholeStack(query: StackFilter): Complaint {
  const change = STACK_CHANGES.find((name) => query[name] !== undefined);
  return change === undefined ? undefined : `${change}; want filters that leave stacks as they are`;
}

function refuseUnless(code: string, what: string, complaints: readonly Complaint[]): void {
  const complaint = complaints.find((text) => text !== undefined);
  if (complaint !== undefined) throw invalid(code, `cannot ${what}: got ${complaint}`);
}
