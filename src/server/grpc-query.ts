import { toBinary } from '@bufbuild/protobuf';
import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import { AdminService } from '../gen/basalt/v1/admin_pb.js';
import { QueryService } from '../gen/basalt/v1/query_pb.js';
import type { QueryApi } from '../query/api.js';
import { adminCalls } from './admin-calls.js';
import { cancellableUnary, type MethodSupport, type UnaryHandler } from './grpc-service.js';
import type { AdminApi } from './http-admin.js';
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

type SupportOf = (method: string) => MethodSupport;

/** The handlers of QueryService by method name. */
export function queryHandlers(api: QueryApi, supportOf: SupportOf): Record<string, UnaryHandler> {
  return handlersOf(QueryService.method, queryCalls(api), supportOf);
}

/** The handlers of AdminService by method name. */
export function adminHandlers(admin: AdminApi, supportOf: SupportOf): Record<string, UnaryHandler> {
  return handlersOf(AdminService.method, adminCalls(admin), supportOf);
}

type Methods = Readonly<Record<string, UnaryMethod<DescMessage, DescMessage>>>;

function handlersOf<M extends Methods>(
  methods: M,
  calls: {
    readonly [K in keyof M]: (
      context: CallContext,
      request: MessageShape<M[K]['input']>,
    ) => Promise<MessageShape<M[K]['output']>>;
  },
  supportOf: SupportOf,
): Record<string, UnaryHandler> {
  const handlers = Object.entries(methods).map(([key, method]) => [
    method.name,
    handler(method, supportOf(method.name), calls[key as keyof M] as never),
  ]);
  return Object.fromEntries(handlers) as Record<string, UnaryHandler>;
}
