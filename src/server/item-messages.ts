import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { invalid } from '../base/errors.js';
import {
  BeforeOomResponseSchema,
  HeatmapResponseSchema,
  ItemKind,
  ItemsResponseSchema,
} from '../gen/basalt/v1/query_pb.js';
import type {
  BeforeOomRequest,
  BeforeOomResponse,
  HeatmapRequest,
  HeatmapResponse,
  ItemSchema,
  ItemsRequest,
  ItemsResponse,
} from '../gen/basalt/v1/query_pb.js';
import type {
  BeforeOom,
  BeforeOomQuery,
  Heatmap,
  HeatmapQuery,
  ItemList,
  ItemsQuery,
  MergeQuery,
  ProfileItem,
} from '../query/api.js';
import { BUCKETS_DEFAULT, ITEMS_DEFAULT } from '../query/option-tables.js';
import {
  type CallContext,
  rangeQuery,
  safeNumber,
  selectionOptions,
  sortedLabels,
  statsMessage,
} from './query-messages.js';

/** Between the messages of single profiles and spans and the values of the query engine. */

export function itemsQuery(context: CallContext, request: ItemsRequest): ItemsQuery {
  return {
    ...selection(context, request),
    kind: kindOf(request.kind),
    limit: request.limit === 0 ? ITEMS_DEFAULT : request.limit,
  };
}

export function heatmapQuery(context: CallContext, request: HeatmapRequest): HeatmapQuery {
  return {
    ...selection(context, request),
    kind: kindOf(request.kind),
    stepMs: safeNumber('step_ms', request.stepMs),
    groupBy: request.groupBy,
    buckets: request.buckets === 0 ? BUCKETS_DEFAULT : request.buckets,
    withExemplars: request.exemplars,
  };
}

function selection(context: CallContext, request: ItemsRequest | HeatmapRequest): MergeQuery {
  const { profileType } = request;
  return { ...rangeQuery(context, request), profileType, ...selectionOptions(request) };
}

function kindOf(kind: ItemKind): ItemsQuery['kind'] {
  switch (kind) {
    case ItemKind.UNSPECIFIED:
    case ItemKind.PROFILE:
      return 'profile';
    case ItemKind.SPAN:
      return 'span';
    default:
      throw invalid('PS_ITEM_KIND', `cannot list items: got kind ${Number(kind)}; want 0 to 2`);
  }
}

export function itemsMessage({ unit, items, hiddenItems, stats }: ItemList): ItemsResponse {
  return create(ItemsResponseSchema, {
    unit,
    items: items.map(itemMessage),
    hiddenItems: BigInt(hiddenItems),
    stats: statsMessage(stats),
  });
}

function itemMessage(item: ProfileItem): MessageInitShape<typeof ItemSchema> {
  const { labels, startMs, profileId, spanId, traceId, value } = item;
  const start = BigInt(startMs);
  return { labels: sortedLabels(labels), startMs: start, profileId, spanId, traceId, value };
}

export function heatmapMessage({ unit, bucketStart, series, stats }: Heatmap): HeatmapResponse {
  return create(HeatmapResponseSchema, {
    unit,
    bucketStart: [...bucketStart],
    series: series.map(({ labels, slots }) => ({
      labels: sortedLabels(labels),
      slots: slots.map(({ timestampMs, counts, exemplar }) => ({
        timestampMs: BigInt(timestampMs),
        counts: [...counts],
        ...(exemplar === undefined ? {} : { exemplar: itemMessage(exemplar) }),
      })),
    })),
    stats: statsMessage(stats),
  });
}

export function beforeOomQuery(context: CallContext, request: BeforeOomRequest): BeforeOomQuery {
  const { profileType, limit } = request;
  return {
    ...rangeQuery(context, request),
    ...(profileType === '' ? {} : { profileType }),
    ...(limit === 0 ? {} : { limit }),
  };
}

export function beforeOomMessage(answer: BeforeOom): BeforeOomResponse {
  const { unit, profileType, first, last, profiles, paths, series, stats } = answer;
  return create(BeforeOomResponseSchema, {
    unit,
    profileType,
    first: { startMs: BigInt(first.startMs), total: first.total },
    last: { startMs: BigInt(last.startMs), total: last.total },
    profiles: profiles.map(itemMessage),
    profileCount: BigInt(answer.profileCount),
    paths: paths.map(({ path, before, after }) => ({ path: [...path], before, after })),
    hiddenPaths: BigInt(answer.hiddenPaths),
    series: {
      labels: sortedLabels(series.labels),
      timestampMs: Array.from(series.timestampMs, (ms) => BigInt(ms)),
      value: Array.from(series.value),
    },
    stepMs: BigInt(answer.stepMs),
    stats: statsMessage(stats),
  });
}
