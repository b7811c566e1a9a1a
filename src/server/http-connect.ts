import type { IncomingMessage, RequestListener } from 'node:http';
import type { MessageShape } from '@bufbuild/protobuf';
import type { ConnectRouter, HandlerContext, ServiceImpl } from '@connectrpc/connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { invalid, type StoreError } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import { AdminService } from '../gen/basalt/v1/admin_pb.js';
import { IngestService } from '../gen/basalt/v1/ingest_pb.js';
import type { WriteProfileRequestSchema } from '../gen/basalt/v1/ingest_pb.js';
import { QueryService } from '../gen/basalt/v1/query_pb.js';
import { PusherService } from '../gen/push/v1/push_pb.js';
import { adminCalls } from './admin-calls.js';
import { type ConnectOptions, contextOf, Guard } from './connect-guard.js';
import { methodPath } from './grpc-service.js';
import type { AdminApi } from './http-admin.js';
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
      one.unary(context, () => store(contextOf(context).tenantId, message)),
  };
}

function wrapper(options: ConnectOptions) {
  return <I, O>(
    { name }: { readonly name: string },
    call: (context: CallContext, request: I) => Promise<O>,
  ) => {
    const guard = new Guard(options, name);
    return (request: I, context: HandlerContext): Promise<O> =>
      guard.unary(context, async () => await call(contextOf(context), request));
  };
}

function queryService(options: ConnectOptions): ServiceImpl<typeof QueryService> {
  const calls = queryCalls(options.query);
  const { method } = QueryService;
  const wrap = wrapper(options);
  return {
    profileTypes: wrap(method.profileTypes, calls.profileTypes),
    labelNames: wrap(method.labelNames, calls.labelNames),
    labelValues: wrap(method.labelValues, calls.labelValues),
    series: wrap(method.series, calls.series),
    merge: wrap(method.merge, calls.merge),
    timeSeries: wrap(method.timeSeries, calls.timeSeries),
    items: wrap(method.items, calls.items),
    heatmap: wrap(method.heatmap, calls.heatmap),
    diff: wrap(method.diff, calls.diff),
    regressions: wrap(method.regressions, calls.regressions),
    beforeOom: wrap(method.beforeOom, calls.beforeOom),
    explain: wrap(method.explain, calls.explain),
  };
}

function adminService(options: ConnectOptions, admin: AdminApi): ServiceImpl<typeof AdminService> {
  const calls = adminCalls(admin);
  const { method } = AdminService;
  const wrap = wrapper(options);
  return {
    delete: wrap(method.delete, calls.delete),
    deletions: wrap(method.deletions, calls.deletions),
    retention: wrap(method.retention, calls.retention),
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
      const { admin } = options;
      if (admin !== undefined) router.service(AdminService, adminService(options, admin));
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
