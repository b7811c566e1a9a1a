import { create } from '@bufbuild/protobuf';
import { invalid } from '../base/errors.js';
import {
  Aggregation as AggregationEnum,
  Temporality as TemporalityEnum,
} from '../gen/basalt/v1/common_pb.js';
import {
  ExplainResponseSchema,
  FlameTreeSchema,
  LabelSetSchema,
  MergeResponseSchema,
  ProfileTypeSchema,
  QueryStatsSchema,
  SandwichSchema,
  TimeSeriesResponseSchema,
  TopTableSchema,
} from '../gen/basalt/v1/query_pb.js';
import type {
  ExplainResponse,
  FlameTree as FlameTreeMessage,
  LabelSet,
  MergeRequest,
  MergeResponse,
  ProfileType,
  QueryStats as QueryStatsMessage,
  Sandwich as SandwichMessage,
  TimeSeriesResponse,
  TopTable as TopTableMessage,
} from '../gen/basalt/v1/query_pb.js';
import type { Temporality } from '../model/series.js';
import type {
  Aggregation,
  FlameTree,
  MergeQuery,
  ProfileTypeInfo,
  QueryPlan,
  QueryStats,
  RangeQuery,
  Sandwich,
  SeriesLabels,
  TimeSeriesAnswer,
  TopTable,
} from '../query/api.js';

import { checkRange } from './query-range.js';
import {
  MERGE_OPTIONS,
  type OptionTable,
  type OptionValue,
  type OptionValues,
  readOptions,
  SELECTION_OPTIONS,
} from '../query/option-tables.js';

/** Between the messages of QueryService and the values of the query engine. Times are checked here, selectors there. */

/** Where a call comes from: its tenant, and the signal that it was cancelled or ran out of time. */
export interface CallContext {
  readonly tenantId: string;
  readonly signal: AbortSignal;
}

interface RangeRequest {
  readonly selector: string;
  readonly startMs: bigint;
  readonly endMs: bigint;
}

interface MergeRangeRequest extends RangeRequest {
  readonly profileType: string;
  readonly aggregation: AggregationEnum;
}

const AGGREGATIONS: Readonly<Record<number, Aggregation>> = {
  [AggregationEnum.SUM]: 'sum',
  [AggregationEnum.AVG]: 'avg',
  [AggregationEnum.LAST]: 'last',
  [AggregationEnum.MAX]: 'max',
};

const TEMPORALITIES: Readonly<Record<Temporality, TemporalityEnum>> = {
  delta: TemporalityEnum.DELTA,
  cumulative: TemporalityEnum.CUMULATIVE,
  gauge: TemporalityEnum.GAUGE,
};

/** A number that came as a protobuf int64. Throws `invalid` PS_NUMBER past 2^53. */
export function safeNumber(name: string, value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) {
    throw invalid('PS_NUMBER', `cannot read ${name}: got ${value}; want -(2^53 - 1) to 2^53 - 1`);
  }
  return number;
}

export function rangeQuery(context: CallContext, request: RangeRequest): RangeQuery {
  const startMs = safeNumber('start_ms', request.startMs);
  const endMs = safeNumber('end_ms', request.endMs);
  checkRange(startMs, endMs);
  return { ...context, selector: request.selector, startMs, endMs };
}

export function mergeQuery(context: CallContext, request: MergeRangeRequest): MergeQuery {
  const range = rangeQuery(context, request);
  if (request.aggregation === AggregationEnum.UNSPECIFIED) {
    return { ...range, profileType: request.profileType };
  }
  const aggregation = AGGREGATIONS[request.aggregation];
  if (aggregation === undefined) {
    throw invalid(
      'PS_AGGREGATION',
      `cannot merge: got aggregation ${request.aggregation}; want 0 to 4`,
    );
  }
  return { ...range, profileType: request.profileType, aggregation };
}

/** Fields of messages have the names of the library's options. */
export function selectionOptions(request: Pick<MergeRequest, 'filter' | 'samples'>): OptionValues {
  return optionsOfFields(SELECTION_OPTIONS, { ...request.filter, ...request.samples });
}

export function mergeOptions(request: MergeRequest): OptionValues {
  const { filter, samples, view, maxNodes, levels, keepLocations } = request;
  const own = { maxNodes, levels, keepLocations, function: request.function };
  return optionsOfFields(MERGE_OPTIONS, { ...filter, ...samples, ...view, ...own });
}

function optionsOfFields(table: OptionTable, fields: object): OptionValues {
  const values = fields as Readonly<Record<string, OptionValue>>;
  return readOptions(table, (name) => values[name]);
}

export function profileTypeMessage(info: ProfileTypeInfo): ProfileType {
  return create(ProfileTypeSchema, {
    ...info,
    temporality: TEMPORALITIES[info.temporality],
  });
}

export function sortedLabels(
  labels: Readonly<Record<string, string>>,
): { name: string; value: string }[] {
  return Object.keys(labels)
    .sort()
    .map((name) => ({ name, value: labels[name] ?? '' }));
}

export function labelSetMessage(labels: SeriesLabels): LabelSet {
  return create(LabelSetSchema, { labels: sortedLabels(labels) });
}

export function missingMessages(
  missing: QueryStats['missing'],
): { part: string; code: string; message: string }[] {
  return missing.map(({ part, code, message }) => ({ part, code, message }));
}

export function statsMessage(stats: QueryStats): QueryStatsMessage {
  return create(QueryStatsSchema, {
    profiles: BigInt(stats.profiles),
    series: BigInt(stats.series),
    rows: BigInt(stats.rows),
    tiles: BigInt(stats.tiles),
    tileRows: BigInt(stats.tileRows),
    sums: stats.sums,
    blocks: BigInt(stats.blocks),
    segments: BigInt(stats.segments),
    missing: missingMessages(stats.missing),
    partial: stats.missing.length > 0,
  });
}

export function treeMessage(tree: FlameTree): FlameTreeMessage {
  return create(FlameTreeSchema, {
    unit: tree.unit,
    total: tree.total,
    names: [...tree.names],
    parent: Array.from(tree.parent),
    name: Array.from(tree.name),
    self: Array.from(tree.self),
    value: Array.from(tree.value),
    hiddenNodes: BigInt(tree.hiddenNodes),
    hiddenValue: tree.hiddenValue,
  });
}

export function sandwichMessage({ unit, total, callees, callers }: Sandwich): SandwichMessage {
  return create(SandwichSchema, {
    unit,
    total,
    callees: treeMessage(callees),
    callers: treeMessage(callers),
  });
}

export function topMessage(table: TopTable): TopTableMessage {
  return create(TopTableSchema, {
    unit: table.unit,
    total: table.total,
    functions: table.functions.map(({ functionName, fileName, self, total }) => ({
      function: functionName,
      file: fileName,
      self,
      total,
    })),
  });
}

export function mergeMessage(result: MergeResponse['result'], stats: QueryStats): MergeResponse {
  return create(MergeResponseSchema, { result, stats: statsMessage(stats) });
}

export function planMessage(plan: QueryPlan): ExplainResponse {
  return create(ExplainResponseSchema, {
    stages: plan.stages.map(({ stage, ms }) => ({ stage, ms })),
    parts: plan.parts.map((part) => ({
      part: part.part,
      rollup: part.rollup,
      tiles: BigInt(part.tiles),
      series: BigInt(part.series),
      profiles: BigInt(part.profiles),
      rows: BigInt(part.rows),
      requests: BigInt(part.requests),
      bytes: BigInt(part.bytes),
    })),
    blocksInRange: BigInt(plan.blocksInRange),
    segmentsInRange: BigInt(plan.segmentsInRange),
    requests: BigInt(plan.requests),
    bytes: BigInt(plan.bytes),
    stats: statsMessage(plan.stats),
  });
}

export function timeSeriesMessage(answer: TimeSeriesAnswer): TimeSeriesResponse {
  return create(TimeSeriesResponseSchema, {
    unit: answer.unit,
    series: answer.series.map((series) => ({
      labels: sortedLabels(series.labels),
      timestampMs: Array.from(series.timestampMs, (ms) => BigInt(ms)),
      value: Array.from(series.value),
    })),
    hiddenSeries: BigInt(answer.hiddenSeries),
    stats: statsMessage(answer.stats),
  });
}
