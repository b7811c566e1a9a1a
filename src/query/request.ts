/** Checks of what a caller asks. Every function throws `invalid`. */
import { invalid } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import { parseProfileType } from '../model/profile-type.js';
import { queriedTenantIds } from '../model/tenant-id.js';
import type { Aggregation, RangeQuery, TimeSeriesQuery } from './api.js';

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

export function checkMerge(query: { profileType: string; aggregation?: Aggregation }): void {
  parseProfileType(query.profileType);
  if (query.aggregation !== undefined && !AGGREGATIONS.includes(query.aggregation)) {
    throw invalid(
      'PS_QUERY_AGGREGATION',
      `cannot answer query: got aggregation ${JSON.stringify(query.aggregation)}; want ${AGGREGATIONS.join(', ')}`,
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

export function checkSteps(query: TimeSeriesQuery): void {
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
