/**
 * From Pyroscope's requests to queries. What Pyroscope refuses is refused here, with the same status: docs/pyroscope.md
 * has the table. Ranges there include both ends.
 */
import { invalid } from '../../base/errors.js';
import { LIMITS } from '../../base/limits.js';
import type {
  SelectMergeProfileRequest,
  SelectMergeSpanProfileRequest,
  SelectMergeStacktracesRequest,
} from '../../gen/querier/v1/querier_pb.js';
import type { StackTraceSelector } from '../../gen/types/v1/types_pb.js';
import { parseProfileType } from '../../model/profile-type.js';
import { parseSelector } from '../../model/selector.js';
import type { MergeQuery, RangeQuery } from '../../query/api.js';
import { safeNumber, type CallContext } from '../query-messages.js';

export interface Range {
  readonly startMs: number;
  /** Exclusive. */
  readonly endMs: number;
}

const MAX_NODES_DEFAULT = 8_192;
const SPAN_ID = /^[0-9a-f]{16}$/;
const TRACE_ID = /^[0-9a-f]{32}$/;

/** Throws `invalid` PS_RANGE for a range that is missing (a 0) or turned around. */
export function rangeOf(start: bigint, end: bigint): Range {
  if (start === 0n || end === 0n) {
    throw invalid('PS_RANGE', 'cannot query: got no range; want start and end');
  }
  return openRangeOf(start, end);
}

/** As `rangeOf`, but 0 to 0 means all of time. */
export function rangeOrAll(start: bigint, end: bigint): Range {
  if (start === 0n && end === 0n) return ALL_TIME;
  return openRangeOf(start, end);
}

export const ALL_TIME: Range = { startMs: 0, endMs: 9_000_000_000_000 };

function openRangeOf(start: bigint, end: bigint): Range {
  const startMs = safeNumber('start', start);
  const lastMs = safeNumber('end', end);
  if (startMs > lastMs) {
    throw invalid(
      'PS_RANGE',
      `cannot query ${startMs} to ${lastMs}: got a start after the end; want start <= end`,
    );
  }
  return { startMs, endMs: lastMs + 1 };
}

/** Any of the matchers may hold; without any, all series match. Each is a selector, `{}` included. */
export function selectorsOf(matchers: readonly string[]): readonly string[] {
  if (matchers.length > LIMITS.matchersMax) {
    throw invalid(
      'PS_SELECTOR_MATCHERS',
      `cannot query: got ${matchers.length} selectors; want at most ${LIMITS.matchersMax}`,
    );
  }
  for (const text of matchers) checkSelector(text);
  return matchers.length === 0 ? ['{}'] : [...new Set(matchers)];
}

function checkSelector(text: string): void {
  const trimmed = text.trim();
  if (!trimmed.startsWith('{')) {
    throw invalid(
      'PS_SELECTOR_SYNTAX',
      `cannot parse selector: got ${JSON.stringify(text.slice(0, 128))}; want {...}`,
    );
  }
  parseSelector(text);
}

interface MergeFields {
  readonly profileTypeID: string;
  readonly labelSelector: string;
  readonly start: bigint;
  readonly end: bigint;
}

/** Values of gauges add up here, as they do in Pyroscope: `sum` for all types. */
export function mergeOf(context: CallContext, request: MergeFields): MergeQuery {
  parseProfileType(request.profileTypeID);
  checkSelector(request.labelSelector);
  return {
    ...context,
    ...rangeOf(request.start, request.end),
    selector: request.labelSelector,
    profileType: request.profileTypeID,
    aggregation: 'sum',
  };
}

/** Nodes of a flame graph: 0 and nothing mean the default. Throws `invalid` PS_QUERY_NODES_SHOWN. */
export function maxNodesOf(maxNodes: bigint | undefined): number {
  if (maxNodes === undefined || maxNodes <= 0n) return MAX_NODES_DEFAULT;
  if (maxNodes <= BigInt(LIMITS.treeNodesMax)) return Number(maxNodes);
  throw invalid(
    'PS_QUERY_NODES_SHOWN',
    `cannot query: got max_nodes ${maxNodes}; want at most ${LIMITS.treeNodesMax}`,
  );
}

export function callSiteOf(selector: StackTraceSelector | undefined): readonly string[] {
  return (selector?.callSite ?? []).map((location) => location.name);
}

/** What a query asks of single samples and profiles. Throws `invalid` PS_QUERY_SPAN. */
export function sampleFilterOf(
  request:
    | SelectMergeStacktracesRequest
    | SelectMergeSpanProfileRequest
    | SelectMergeProfileRequest,
): Partial<MergeQuery> {
  const spanIds = 'spanSelector' in request ? request.spanSelector : [];
  const traceIds = 'traceIdSelector' in request ? request.traceIdSelector : [];
  const profileIds = 'profileIdSelector' in request ? request.profileIdSelector : [];
  const site = 'stackTraceSelector' in request ? callSiteOf(request.stackTraceSelector) : [];
  if (spanIds.length > 0 && traceIds.length > 0) {
    throw invalid(
      'PS_QUERY_SPAN',
      'cannot query: got span_selector and trace_id_selector; want one of them',
    );
  }
  return {
    callSite: site,
    spanIds: spanIds.map((id) => hexId(id, SPAN_ID, 'a span id of 16')),
    traceIds: traceIds.map((id) => hexId(id, TRACE_ID, 'a trace id of 32')),
    ...(profileIds.length > 0 ? { profileIds } : {}),
  };
}

function hexId(text: string, pattern: RegExp, want: string): string {
  const id = text.toLowerCase();
  if (pattern.test(id)) return id;
  throw invalid(
    'PS_QUERY_SPAN',
    `cannot query: got ${JSON.stringify(text.slice(0, 64))}; want ${want} hexadecimal digits`,
  );
}

/** The answers of one question for each selector, asked one after another. */
export async function forEachSelector<T>(
  base: CallContext & Range,
  matchers: readonly string[],
  ask: (query: RangeQuery) => Promise<T>,
): Promise<readonly T[]> {
  const answers: T[] = [];
  for (const selector of selectorsOf(matchers)) answers.push(await ask({ ...base, selector }));
  return answers;
}
