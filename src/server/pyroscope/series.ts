/** SelectSeries and SelectHeatmap: time series, exemplars and heatmaps as Pyroscope's messages. */
import { invalid } from '../../base/errors.js';
import {
  HeatmapQueryType,
  type SelectHeatmapRequest,
  type SelectSeriesRequest,
} from '../../gen/querier/v1/querier_pb.js';
import { ExemplarType, TimeSeriesAggregationType } from '../../gen/types/v1/types_pb.js';
import type {
  Heatmap,
  MergeQuery,
  ProfileItem,
  QueryApi,
  TimeSeries,
  TimeSeriesQuery,
} from '../../query/api.js';
import type { CallContext } from '../query-messages.js';
import { callSiteOf, mergeOf } from './requests.js';

const HEATMAP_BUCKETS = 20;

/** Throws `invalid` PS_QUERY_STEP for no step or one below a millisecond. */
function stepMsOf(seconds: number): number {
  const stepMs = Math.floor(seconds * 1_000);
  if (Number.isSafeInteger(stepMs) && stepMs >= 1) return stepMs;
  throw invalid('PS_QUERY_STEP', `cannot query: got a step of ${seconds} s; want 0.001 or more`);
}

/** The series with the greatest totals, in the order they had. */
function greatest<T>(
  series: readonly T[],
  limit: bigint | undefined,
  totalOf: (one: T) => bigint,
): readonly T[] {
  if (limit === undefined || limit <= 0n || limit >= BigInt(series.length)) return series;
  const order = series.map((one, i) => ({ i, total: totalOf(one) }));
  order.sort((a, b) => (a.total > b.total ? -1 : a.total < b.total ? 1 : a.i - b.i));
  const kept = new Set(order.slice(0, Number(limit)).map(({ i }) => i));
  return series.filter((_, i) => kept.has(i));
}

function pairs(labels: Readonly<Record<string, string>>): { name: string; value: string }[] {
  return Object.keys(labels)
    .sort()
    .map((name) => ({ name, value: labels[name] ?? '' }));
}

/** A point stands at the end of its step, as Pyroscope's do; that of a step which the range cuts at the range's end. */
function stamp(stepStartMs: number, query: Pick<TimeSeriesQuery, 'stepMs' | 'endMs'>): bigint {
  return BigInt(Math.min(stepStartMs + query.stepMs, query.endMs - 1));
}

export async function selectSeries(
  api: QueryApi,
  context: CallContext,
  request: SelectSeriesRequest,
) {
  const isAverage = request.aggregation === TimeSeriesAggregationType.AVERAGE;
  const query: TimeSeriesQuery = {
    ...mergeOf(context, request),
    ...(isAverage ? { aggregation: 'avg' } : {}),
    callSite: callSiteOf(request.stackTraceSelector),
    stepMs: stepMsOf(request.step),
    groupBy: request.groupBy,
  };
  const { series } = await api.timeSeries(query);
  const totalOf = ({ value }: TimeSeries): bigint => value.reduce((sum, v) => sum + v, 0n);
  const exemplarOf = await exemplarsOf(api, query, request.exemplarType);
  return {
    series: greatest(series, request.limit, totalOf).map(({ labels, timestampMs, value }) => ({
      labels: pairs(labels),
      points: Array.from(timestampMs, (stepStartMs, i) => {
        const exemplar = exemplarOf(labels, stepStartMs);
        return {
          value: Number(value[i] ?? 0n),
          timestamp: stamp(stepStartMs, query),
          exemplars: exemplar === undefined ? [] : [exemplarMessage(exemplar, query.groupBy)],
        };
      }),
    })),
  };
}

type ExemplarOf = (
  labels: Readonly<Record<string, string>>,
  stepStartMs: number,
) => ProfileItem | undefined;

/** The greatest profile or span of each point. */
async function exemplarsOf(
  api: QueryApi,
  query: TimeSeriesQuery,
  type: ExemplarType,
): Promise<ExemplarOf> {
  if (type !== ExemplarType.INDIVIDUAL && type !== ExemplarType.SPAN) return () => undefined;
  const kind = type === ExemplarType.SPAN ? 'span' : 'profile';
  const heatmap = await api.heatmap({ ...query, kind, buckets: 1, withExemplars: true });
  const found = new Map<string, ProfileItem | undefined>();
  const keyOf = (labels: Readonly<Record<string, string>>, ms: number): string =>
    JSON.stringify([pairs(labels), ms]);
  for (const { labels, slots } of heatmap.series) {
    for (const { timestampMs, exemplar } of slots) found.set(keyOf(labels, timestampMs), exemplar);
  }
  return (labels, ms) => found.get(keyOf(labels, ms));
}

/** An exemplar's labels are those that its series is not grouped by. */
function exemplarMessage(item: ProfileItem, groupBy: readonly string[]) {
  const own = Object.entries(item.labels).filter(([name]) => !groupBy.includes(name));
  return {
    timestamp: BigInt(item.startMs),
    profileId: item.profileId,
    spanId: item.spanId,
    traceId: item.traceId,
    value: item.value,
    labels: pairs(Object.fromEntries(own)),
  };
}

export async function selectHeatmap(
  api: QueryApi,
  context: CallContext,
  request: SelectHeatmapRequest,
) {
  const merge: MergeQuery = mergeOf(context, request);
  const isSpan = request.queryType === HeatmapQueryType.SPAN;
  const withExemplars =
    request.exemplarType === ExemplarType.INDIVIDUAL || request.exemplarType === ExemplarType.SPAN;
  const query = {
    ...merge,
    kind: isSpan ? ('span' as const) : ('profile' as const),
    stepMs: stepMsOf(request.step),
    groupBy: request.groupBy,
    buckets: HEATMAP_BUCKETS,
    withExemplars,
  };
  const { series, bucketStart } = await api.heatmap(query);
  const totalOf = ({ slots }: Heatmap['series'][number]): bigint =>
    BigInt(slots.reduce((sum, { counts }) => sum + counts.reduce((a, b) => a + b, 0), 0));
  return {
    series: greatest(series, request.limit, totalOf).map(({ labels, slots }) => ({
      labels: pairs(labels),
      slots: slots.map(({ timestampMs, counts, exemplar }) => ({
        timestamp: stamp(timestampMs, query),
        yMin: [...bucketStart],
        counts: [...counts],
        exemplars: exemplar === undefined ? [] : [exemplarMessage(exemplar, query.groupBy)],
      })),
    })),
  };
}
