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
  const { method } = QueryService;
  const one = <I extends DescMessage, O extends DescMessage>(
    own: UnaryMethod<I, O>,
    run: (context: CallContext, request: MessageShape<I>) => Promise<MessageShape<O>>,
  ) => ({ [own.name]: handler(own, supportOf(own.name), run) });
  return {
    ...one(method.profileTypes, calls.profileTypes),
    ...one(method.labelNames, calls.labelNames),
    ...one(method.labelValues, calls.labelValues),
    ...one(method.series, calls.series),
    ...one(method.merge, calls.merge),
    ...one(method.timeSeries, calls.timeSeries),
    ...one(method.items, calls.items),
    ...one(method.heatmap, calls.heatmap),
    ...one(method.diff, calls.diff),
    ...one(method.explain, calls.explain),
  };
}
