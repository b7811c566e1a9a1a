import { create } from '@bufbuild/protobuf';
import type { MessageShape, MessageInitShape } from '@bufbuild/protobuf';
import { invalid } from '../base/errors.js';
import {
  LabelNamesResponseSchema,
  LabelValuesResponseSchema,
  MergeFormat as MergeFormatNumber,
  ProfileTypesResponseSchema,
  type QueryService,
  SeriesResponseSchema,
  TimeSeriesMeasure as MeasureNumber,
} from '../gen/basalt/v1/query_pb.js';
import type {
  ExplainRequest,
  ExplainResponse,
  MergeRequest,
  MergeResponse,
  TimeSeriesRequest,
} from '../gen/basalt/v1/query_pb.js';
import type { QueryApi, TimeSeriesMeasure, TimeSeriesQuery } from '../query/api.js';
import {
  checkFormat,
  formatInfo,
  MERGE_FORMAT_NAMES,
  type MergeFormat,
  type RenderFormat,
} from '../query/formats.js';
import { diffMessage, diffQuery, regressionsMessage, regressionsQuery } from './diff-messages.js';
import {
  beforeOomMessage,
  beforeOomQuery,
  heatmapMessage,
  heatmapQuery,
  itemsMessage,
  itemsQuery,
} from './item-messages.js';
import {
  labelSetMessage,
  mergeMessage,
  mergeOptions,
  mergeQuery,
  planMessage,
  profileTypeMessage,
  rangeQuery,
  safeNumber,
  sandwichMessage,
  selectionOptions,
  timeSeriesMessage,
  topMessage,
  treeMessage,
  type CallContext,
  missingMessages,
} from './query-messages.js';

type QueryMethods = typeof QueryService.method;

/** QueryService over the query engine, one function a method; gRPC and Connect both call these. */
export type QueryCalls = {
  readonly [M in keyof QueryMethods]: (
    context: CallContext,
    request: MessageShape<QueryMethods[M]['input']>,
  ) => Promise<
    MessageInitShape<QueryMethods[M]['output']> & MessageShape<QueryMethods[M]['output']>
  >;
};

async function merge(
  api: QueryApi,
  context: CallContext,
  request: MergeRequest,
): Promise<MergeResponse> {
  const { format, ...query } = mergeOf(context, request);
  checkFormat(format, query);
  switch (format) {
    case 'tree': {
      const tree = await api.mergeTree(query);
      return mergeMessage({ case: 'tree', value: treeMessage(tree) }, tree.stats);
    }
    case 'top': {
      const table = await api.mergeTop(query);
      return mergeMessage({ case: 'top', value: topMessage(table) }, table.stats);
    }
    case 'sandwich': {
      const sandwich = await api.mergeSandwich({ ...query, function: request.function });
      const value = sandwichMessage(sandwich);
      return mergeMessage({ case: 'sandwich', value }, sandwich.stats);
    }
    default: {
      const { body, stats, hidden } = await api.mergeRendered({ ...query, format });
      const { contentType } = formatInfo(format);
      const message = mergeMessage(renderedResult(format, body), stats);
      const { count, value } = hidden;
      return { ...message, contentType, hiddenCount: BigInt(count), hiddenValue: value };
    }
  }
}

function mergeOf(context: CallContext, request: MergeRequest) {
  const format = formatOf(request.format);
  return { ...mergeQuery(context, request), ...mergeOptions(request), format };
}

function formatOf(number: MergeFormatNumber): MergeFormat {
  if (number === MergeFormatNumber.UNSPECIFIED) return 'tree';
  const format = MERGE_FORMAT_NAMES.find((name) => formatInfo(name).number === Number(number));
  if (format !== undefined) return format;
  throw invalid(
    'PS_FORMAT',
    `cannot merge: got format ${Number(number)}; want 0 to ${MERGE_FORMAT_NAMES.length}`,
  );
}

/** Formats that are older than `body` have fields of their own. */
function renderedResult(format: RenderFormat, body: Uint8Array): MergeResponse['result'] {
  if (format === 'pprof') return { case: 'pprof', value: body };
  if (format === 'folded') return { case: 'folded', value: new TextDecoder().decode(body) };
  return { case: 'body', value: body };
}

function timeSeriesOf(context: CallContext, request: TimeSeriesRequest): TimeSeriesQuery {
  const { groupBy, limit } = request;
  return {
    ...mergeQuery(context, request),
    ...selectionOptions(request),
    stepMs: safeNumber('step_ms', request.stepMs),
    groupBy,
    measure: measureOf(request.measure),
    ...(limit === 0 ? {} : { limit }),
  };
}

async function explain(
  api: QueryApi,
  context: CallContext,
  { query }: ExplainRequest,
): Promise<ExplainResponse> {
  switch (query.case) {
    case 'merge':
      return planMessage(await api.explain({ ...mergeOf(context, query.value), kind: 'merge' }));
    case 'timeSeries': {
      const own = timeSeriesOf(context, query.value);
      return planMessage(await api.explain({ ...own, kind: 'timeseries' }));
    }
    default:
      throw invalid('PS_EXPLAIN', 'cannot explain: got no query; want a merge or a time series');
  }
}

function measureOf(number: MeasureNumber): TimeSeriesMeasure {
  switch (number) {
    case MeasureNumber.UNSPECIFIED:
    case MeasureNumber.VALUE:
      return 'value';
    case MeasureNumber.SAMPLES:
      return 'samples';
    case MeasureNumber.PROFILES:
      return 'profiles';
    default:
      throw invalid(
        'PS_QUERY_MEASURE',
        `cannot answer time series: got measure ${Number(number)}; want 0 to 3`,
      );
  }
}

export function queryCalls(api: QueryApi): QueryCalls {
  return {
    async profileTypes(context, request) {
      const { items, missing } = await api.profileTypes(rangeQuery(context, request));
      return create(ProfileTypesResponseSchema, {
        profileTypes: items.map(profileTypeMessage),
        missing: missingMessages(missing),
      });
    },
    async labelNames(context, request) {
      const { items, missing } = await api.labelNames(rangeQuery(context, request));
      return create(LabelNamesResponseSchema, {
        names: [...items],
        missing: missingMessages(missing),
      });
    },
    async labelValues(context, request) {
      const query = { ...rangeQuery(context, request), name: request.name };
      const { items, missing } = await api.labelValues(query);
      return create(LabelValuesResponseSchema, {
        values: [...items],
        missing: missingMessages(missing),
      });
    },
    async series(context, request) {
      const { items, missing } = await api.series(rangeQuery(context, request));
      return create(SeriesResponseSchema, {
        series: items.map(labelSetMessage),
        missing: missingMessages(missing),
      });
    },
    merge: (context, request) => merge(api, context, request),
    async timeSeries(context, request) {
      return timeSeriesMessage(await api.timeSeries(timeSeriesOf(context, request)));
    },
    async diff(context, request) {
      return diffMessage(await api.diff(diffQuery(context, request)));
    },
    async regressions(context, request) {
      return regressionsMessage(await api.regressions(regressionsQuery(context, request)));
    },
    async beforeOom(context, request) {
      return beforeOomMessage(await api.beforeOom(beforeOomQuery(context, request)));
    },
    explain: (context, request) => explain(api, context, request),
    async items(context, request) {
      return itemsMessage(await api.items(itemsQuery(context, request)));
    },
    async heatmap(context, request) {
      return heatmapMessage(await api.heatmap(heatmapQuery(context, request)));
    },
  };
}
