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
  TimeSeriesMeasure,
  TimeSeriesQuery,
} from './api.js';

/** Greatest time in milliseconds whose nanoseconds fit in 64 bits. */
const TIME_MS_MAX = 9_223_372_036_854;
const AGGREGATIONS: readonly Aggregation[] = ['sum', 'avg', 'last', 'max'];

export function checkRange(query: RangeQuery): void {
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

export function checkSteps(query: Pick<TimeSeriesQuery, 'stepMs' | 'groupBy'>): void {
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

const MEASURES: readonly TimeSeriesMeasure[] = ['value', 'samples', 'profiles'];

/** Measure and limit of a time series. */
export function checkMeasure({ measure = 'value', limit, aggregation }: TimeSeriesQuery): void {
  if (!MEASURES.includes(measure)) {
    throw invalid(
      'PS_QUERY_MEASURE',
      `cannot answer time series: got measure ${JSON.stringify(measure)}; want ${MEASURES.join(', ')}`,
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

/** Checks what a comparison has of its own; its sides are checked as merges are. */
export function checkDiff({ others, falseDiscoveryRate = 0.05, limit = 1 }: DiffQuery): void {
  const refusal =
    others.length < 1 || others.length > LIMITS.diffSidesMax
      ? `${others.length} other selections; want 1 to ${LIMITS.diffSidesMax}`
      : !(falseDiscoveryRate > 0 && falseDiscoveryRate < 1)
        ? `a false discovery rate of ${falseDiscoveryRate}; want one between 0 and 1`
        : !Number.isInteger(limit) || limit < 1 || limit > LIMITS.diffFunctionsMax
          ? `a limit of ${limit}; want 1 to ${LIMITS.diffFunctionsMax}`
          : undefined;
  if (refusal !== undefined) throw invalid('PS_QUERY_DIFF', `cannot compare: got ${refusal}`);
}
