import type { IncomingMessage, RequestListener } from 'node:http';
import type { MessageShape } from '@bufbuild/protobuf';
import type { ConnectRouter, HandlerContext, ServiceImpl } from '@connectrpc/connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { invalid, type StoreError } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import { IngestService } from '../gen/basalt/v1/ingest_pb.js';
import type { WriteProfileRequestSchema } from '../gen/basalt/v1/ingest_pb.js';
import { QueryService } from '../gen/basalt/v1/query_pb.js';
import { PusherService } from '../gen/push/v1/push_pb.js';
import { type ConnectOptions, contextOf, Guard } from './connect-guard.js';
import { methodPath } from './grpc-service.js';
import { writeRequest, writeResponse } from './ingest-messages.js';
import { queryCalls } from './query-calls.js';
import type { CallContext } from './query-messages.js';
import { pusherService } from './pyroscope/push.js';
import { querierService } from './pyroscope/querier.js';
import { QuerierService } from '../gen/querier/v1/querier_pb.js';

/** Connect, gRPC-Web and JSON for all services over HTTP/1.1 and HTTP/2, and gRPC over the latter. */

const MESSAGE_SLACK_BYTES = 1 << 20;

type WriteRequestMessage = MessageShape<typeof WriteProfileRequestSchema>;

function ingestService(options: ConnectOptions): Partial<ServiceImpl<typeof IngestService>> {
  const { ingest } = options;
  const one = new Guard(options, IngestService.method.writeProfile.name);
  const store = async (tenantId: string, message: WriteRequestMessage) =>
    writeResponse(await ingest.write(tenantId, writeRequest(message)));

  return {
    writeProfile: (message, context) =>
      one.unary(() => store(contextOf(context).tenantId, message)),
  };
}

function queryService(options: ConnectOptions): ServiceImpl<typeof QueryService> {
  const calls = queryCalls(options.query);
  const { method } = QueryService;
  const wrap = <I, O>(name: string, call: (context: CallContext, request: I) => Promise<O>) => {
    const guard = new Guard(options, name);
    return (request: I, context: HandlerContext): Promise<O> =>
      guard.unary(async () => await call(contextOf(context), request));
  };
  return {
    profileTypes: wrap(method.profileTypes.name, calls.profileTypes),
    labelNames: wrap(method.labelNames.name, calls.labelNames),
    labelValues: wrap(method.labelValues.name, calls.labelValues),
    series: wrap(method.series.name, calls.series),
    merge: wrap(method.merge.name, calls.merge),
    timeSeries: wrap(method.timeSeries.name, calls.timeSeries),
    items: wrap(method.items.name, calls.items),
    heatmap: wrap(method.heatmap.name, calls.heatmap),
    diff: wrap(method.diff.name, calls.diff),
    explain: wrap(method.explain.name, calls.explain),
  };
}

const STREAM_PATH = methodPath(IngestService.method.writeProfiles);
const PYROSCOPE_PREFIXES = [PusherService, QuerierService].map(({ typeName }) => `/${typeName}/`);

/** Connect has no streams in both directions over HTTP/1.1. */
function noStream(): StoreError {
  return invalid(
    'PS_STREAM_HTTP',
    'cannot stream: got WriteProfiles over HTTP/1.1; want WriteProfile, or the gRPC port',
  );
}

type Fallback = (request: IncomingMessage, response: Parameters<RequestListener>[1]) => void;

interface AdapterSettings {
  readonly routes: (router: ConnectRouter) => void;
  /** Whether a field that nobody knows is dropped rather than refused. */
  readonly ignoreUnknownFields: boolean;
}

function adapter(options: ConnectOptions, fallback: Fallback, settings: AdapterSettings) {
  return connectNodeAdapter({
    routes: settings.routes,
    readMaxBytes: LIMITS.profileBytesMax + MESSAGE_SLACK_BYTES,
    jsonOptions: { ignoreUnknownFields: settings.ignoreUnknownFields },
    shutdownSignal: options.closing,
    fallback: (request, response) =>
      fallback(request as IncomingMessage, response as Parameters<RequestListener>[1]),
  });
}

/** Handles the paths of all services; `fallback` gets a path that has no such method. Throws `invalid` PS_STREAM_HTTP. */
export function connectHandler(options: ConnectOptions, fallback: Fallback): RequestListener {
  const own = adapter(options, fallback, {
    routes: (router) => {
      router.service(IngestService, ingestService(options));
      router.service(QueryService, queryService(options));
    },
    // A broken UTF-8 text or an unknown JSON field is refused rather than guessed.
    ignoreUnknownFields: false,
  });
  // Clients newer than this server send fields that it does not know, and count on it that they do no harm.
  const pyroscope = adapter(options, fallback, {
    routes: (router) => {
      router.service(PusherService, pusherService(options));
      router.service(QuerierService, querierService(options));
    },
    ignoreUnknownFields: true,
  });
  return (request, response) => {
    const url = request.url ?? '';
    if (url.startsWith(STREAM_PATH)) throw noStream();
    if (PYROSCOPE_PREFIXES.some((prefix) => url.startsWith(prefix))) pyroscope(request, response);
    else own(request, response);
  };
}
