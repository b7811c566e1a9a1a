import { toBinary } from '@bufbuild/protobuf';
import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import { QueryService } from '../gen/basalt/v1/query_pb.js';
import type { QueryApi } from '../query/api.js';
import { cancellableUnary, type MethodSupport, type UnaryHandler } from './grpc-service.js';
import { decodeMessage } from './ingest-messages.js';
import { queryCalls } from './query-calls.js';
import type { CallContext } from './query-messages.js';

interface UnaryMethod<I extends DescMessage, O extends DescMessage> {
  readonly name: string;
  readonly input: I;
  readonly output: O;
}

function handler<I extends DescMessage, O extends DescMessage>(
  method: UnaryMethod<I, O>,
  support: MethodSupport,
  run: (context: CallContext, request: MessageShape<I>) => Promise<MessageShape<O>>,
): UnaryHandler {
  return cancellableUnary(support, async (context, bytes) =>
    toBinary(method.output, await run(context, decodeMessage(method.input, bytes))),
  );
}

/** The handlers of QueryService by method name. */
export function queryHandlers(
  api: QueryApi,
  supportOf: (method: string) => MethodSupport,
): Record<string, UnaryHandler> {
  const calls = queryCalls(api);
  const { profileTypes, labelNames, labelValues, series, merge, timeSeries } = QueryService.method;
  return {
    [profileTypes.name]: handler(profileTypes, supportOf(profileTypes.name), calls.profileTypes),
    [labelNames.name]: handler(labelNames, supportOf(labelNames.name), calls.labelNames),
    [labelValues.name]: handler(labelValues, supportOf(labelValues.name), calls.labelValues),
    [series.name]: handler(series, supportOf(series.name), calls.series),
    [merge.name]: handler(merge, supportOf(merge.name), calls.merge),
    [timeSeries.name]: handler(timeSeries, supportOf(timeSeries.name), calls.timeSeries),
  };
}
