import type { IncomingMessage, RequestListener } from 'node:http';
import type { MessageShape } from '@bufbuild/protobuf';
import {
  ConnectError,
  type ConnectRouter,
  type HandlerContext,
  type ServiceImpl,
} from '@connectrpc/connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { invalid, type StoreError } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import { IngestService } from '../gen/basalt/v1/ingest_pb.js';
import type { WriteProfileRequestSchema } from '../gen/basalt/v1/ingest_pb.js';
import { QueryService } from '../gen/basalt/v1/query_pb.js';
import { ErrorInfoSchema, RetryInfoSchema } from '../gen/google/rpc/error_details_pb.js';
import type { IngestApi } from '../ingest/api.js';
import type { QueryApi } from '../query/api.js';
import { methodPath, REASON_TRAILER, type ErrorReporter } from './grpc-service.js';
import { writeRequest, writeResponse } from './ingest-messages.js';
import { queryCalls } from './query-calls.js';
import type { CallContext } from './query-messages.js';
import type { MethodMetrics, RequestMetrics } from './request-metrics.js';
import { TENANT_HEADER, tenantOf } from './tenant.js';
import { ERROR_DOMAIN, retryInfo, wireError } from './wire-errors.js';

/** Connect, gRPC-Web and JSON for both services over HTTP/1.1 and HTTP/2, and gRPC over the latter. */

const MESSAGE_SLACK_BYTES = 1 << 20;

type WriteRequestMessage = MessageShape<typeof WriteProfileRequestSchema>;

export interface ConnectOptions {
  readonly ingest: IngestApi;
  readonly query: QueryApi;
  readonly requestMetrics: RequestMetrics;
  readonly report: ErrorReporter;
  /** Aborts every call that is under way. */
  readonly closing: AbortSignal;
}

function contextOf(context: HandlerContext): CallContext {
  const header = context.requestHeader.get(TENANT_HEADER);
  return { tenantId: tenantOf(header ?? undefined), signal: context.signal };
}

function connectError(error: unknown): ConnectError {
  const wire = wireError(error);
  const info = { reason: wire.reason, domain: ERROR_DOMAIN };
  const metadata: Record<string, string> = { [REASON_TRAILER]: wire.reason };
  const { retryAfterMs } = wire;
  if (retryAfterMs === undefined) {
    const details = [{ desc: ErrorInfoSchema, value: info }];
    return new ConnectError(wire.message, wire.code, metadata, details, error);
  }
  metadata['retry-after'] = String(Math.ceil(retryAfterMs / 1_000));
  const details = [
    { desc: ErrorInfoSchema, value: info },
    { desc: RetryInfoSchema, value: retryInfo(retryAfterMs) },
  ];
  return new ConnectError(wire.message, wire.code, metadata, details, error);
}

/** Times a call, and turns what it throws into what Connect sends. */
class Guard {
  private readonly options: ConnectOptions;
  private readonly method: string;
  private readonly metrics: MethodMetrics;

  constructor(options: ConnectOptions, method: string) {
    this.options = options;
    this.method = method;
    this.metrics = options.requestMetrics.method('connect', method);
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    const startMs = this.metrics.started();
    try {
      const answer = await work();
      this.metrics.finished(startMs, 'ok');
      return answer;
    } catch (error) {
      const { codeName } = wireError(error);
      if (codeName === 'internal' || codeName === 'data_loss') {
        this.options.report(this.method, error);
      }
      this.metrics.finished(startMs, codeName);
      throw error;
    }
  }

  async unary<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await this.run(work);
    } catch (error) {
      throw connectError(error);
    }
  }
}

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
  };
}

const STREAM_PATH = methodPath(IngestService.method.writeProfiles);
const PREFIXES = [`/${IngestService.typeName}/`, `/${QueryService.typeName}/`];

/** Connect has no streams in both directions over HTTP/1.1. */
function noStream(): StoreError {
  return invalid(
    'PS_STREAM_HTTP',
    'cannot stream: got WriteProfiles over HTTP/1.1; want WriteProfile, or the gRPC port',
  );
}

export function isConnectPath(path: string): boolean {
  return PREFIXES.some((prefix) => path.startsWith(prefix));
}

/** Handles the paths of both services; `fallback` gets a path that has no such method. Throws `invalid` PS_STREAM_HTTP. */
export function connectHandler(
  options: ConnectOptions,
  fallback: (request: IncomingMessage, response: Parameters<RequestListener>[1]) => void,
): RequestListener {
  const handler = connectNodeAdapter({
    routes: (router: ConnectRouter) => {
      router.service(IngestService, ingestService(options));
      router.service(QueryService, queryService(options));
    },
    readMaxBytes: LIMITS.profileBytesMax + MESSAGE_SLACK_BYTES,
    // Without: a broken UTF-8 text or an unknown JSON field is refused rather than guessed.
    jsonOptions: { ignoreUnknownFields: false },
    shutdownSignal: options.closing,
    fallback: (request, response) =>
      fallback(request as IncomingMessage, response as Parameters<RequestListener>[1]),
  });
  return (request, response) => {
    if (request.url?.startsWith(STREAM_PATH) === true) throw noStream();
    handler(request, response);
  };
}
