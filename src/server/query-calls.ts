import { create } from '@bufbuild/protobuf';
import type { MessageShape, MessageInitShape } from '@bufbuild/protobuf';
import { invalid } from '../base/errors.js';
import {
  LabelNamesResponseSchema,
  LabelValuesResponseSchema,
  MergeFormat,
  ProfileTypesResponseSchema,
  type QueryService,
  SeriesResponseSchema,
} from '../gen/basalt/v1/query_pb.js';
import type { MergeRequest, MergeResponse, TimeSeriesRequest } from '../gen/basalt/v1/query_pb.js';
import type { QueryApi } from '../query/api.js';
import {
  labelSetMessage,
  mergeMessage,
  mergeQuery,
  profileTypeMessage,
  rangeQuery,
  safeNumber,
  timeSeriesMessage,
  topMessage,
  treeMessage,
  type CallContext,
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
  const query = mergeQuery(context, request);
  switch (request.format) {
    case MergeFormat.UNSPECIFIED:
    case MergeFormat.TREE: {
      const cut = request.maxNodes === 0 ? query : { ...query, maxNodes: request.maxNodes };
      const tree = await api.mergeTree(cut);
      return mergeMessage({ case: 'tree', value: treeMessage(tree) }, tree.stats);
    }
    case MergeFormat.TOP: {
      const table = await api.mergeTop(query);
      return mergeMessage({ case: 'top', value: topMessage(table) }, table.stats);
    }
    case MergeFormat.PPROF: {
      const { body, stats } = await api.mergePprof(query);
      return mergeMessage({ case: 'pprof', value: body }, stats);
    }
    case MergeFormat.FOLDED: {
      const { body, stats } = await api.mergeFolded(query);
      return mergeMessage({ case: 'folded', value: new TextDecoder().decode(body) }, stats);
    }
    default:
      throw invalid(
        'PS_FORMAT',
        `cannot merge: got format ${request.format as number}; want 0 to 4`,
      );
  }
}

async function timeSeries(api: QueryApi, context: CallContext, request: TimeSeriesRequest) {
  const query = mergeQuery(context, request);
  const stepMs = safeNumber('step_ms', request.stepMs);
  return timeSeriesMessage(await api.timeSeries({ ...query, stepMs, groupBy: request.groupBy }));
}

export function queryCalls(api: QueryApi): QueryCalls {
  return {
    async profileTypes(context, request) {
      const types = await api.profileTypes(rangeQuery(context, request));
      return create(ProfileTypesResponseSchema, {
        profileTypes: types.map(profileTypeMessage),
      });
    },
    async labelNames(context, request) {
      const names = await api.labelNames(rangeQuery(context, request));
      return create(LabelNamesResponseSchema, { names: [...names] });
    },
    async labelValues(context, request) {
      const query = { ...rangeQuery(context, request), name: request.name };
      return create(LabelValuesResponseSchema, {
        values: [...(await api.labelValues(query))],
      });
    },
    async series(context, request) {
      const series = await api.series(rangeQuery(context, request));
      return create(SeriesResponseSchema, {
        series: series.map(labelSetMessage),
      });
    },
    merge: (context, request) => merge(api, context, request),
    timeSeries: (context, request) => timeSeries(api, context, request),
  };
}
