import {
  logVerbosity,
  Server,
  ServerCredentials,
  type ServerOptions,
  setLogVerbosity,
} from '@grpc/grpc-js';
import { LIMITS } from '../base/limits.js';
import type { Clock } from '../env/clock.js';
import { AdminService, file_basalt_v1_admin } from '../gen/basalt/v1/admin_pb.js';
import { file_basalt_v1_ingest, IngestService } from '../gen/basalt/v1/ingest_pb.js';
import { file_basalt_v1_query, QueryService } from '../gen/basalt/v1/query_pb.js';
import { file_google_rpc_error_details } from '../gen/google/rpc/error_details_pb.js';
import { file_grpc_health_v1_health, Health } from '../gen/grpc/health/v1/health_pb.js';
import {
  file_grpc_reflection_v1_reflection,
  ServerReflection,
} from '../gen/grpc/reflection/v1/reflection_pb.js';
import {
  file_grpc_reflection_v1alpha_reflection,
  ServerReflection as ServerReflectionAlpha,
} from '../gen/grpc/reflection/v1alpha/reflection_pb.js';
import type { IngestApi } from '../ingest/api.js';
import type { QueryApi } from '../query/api.js';
import { listenError, splitAddress } from './address.js';
import { HealthService } from './grpc-health.js';
import { writeProfile, writeProfiles } from './grpc-ingest.js';
import { adminHandlers, queryHandlers } from './grpc-query.js';
import { ReflectionIndex, reflectionHandler } from './grpc-reflection.js';
import type { AdminApi } from './http-admin.js';
import { serviceDefinition, type ErrorReporter, type MethodSupport } from './grpc-service.js';
import type { RequestMetrics } from './request-metrics.js';

/** Labels and ids around the largest profile. */
const MESSAGE_SLACK_BYTES = 1 << 20;

const SERVER_OPTIONS: ServerOptions = {
  'grpc.max_receive_message_length': LIMITS.profileBytesMax + MESSAGE_SLACK_BYTES,
  'grpc.max_send_message_length': -1,
  'grpc.max_concurrent_streams': LIMITS.grpcConcurrentStreamsMax,
  // A peer that is gone without a word is noticed within a minute; its calls are then cancelled.
  'grpc.keepalive_time_ms': 40_000,
  'grpc.keepalive_timeout_ms': 20_000,
  // Channelz would keep a record of each call that nothing here reads.
  'grpc.enable_channelz': 0,
};

export interface GrpcServerOptions {
  readonly ingest: IngestApi;
  readonly query: QueryApi;
  /** Without it there is no AdminService. */
  readonly admin?: AdminApi | undefined;
  /** host:port; port 0 takes any that is free. */
  readonly address: string;
  readonly clock: Clock;
  readonly requestMetrics: RequestMetrics;
  readonly ready: () => boolean;
  readonly report: ErrorReporter;
}

export interface GrpcServer {
  readonly port: number;
  /** Refuses new calls, waits up to `drainMs` for those under way, then cuts them. Idempotent. */
  close(drainMs: number): Promise<void>;
}

function addServices(server: Server, options: GrpcServerOptions, closing: AbortSignal): void {
  const { ingest, query, clock, requestMetrics, ready, report } = options;
  const supportOf = (method: string): MethodSupport => ({
    method,
    metrics: requestMetrics.method('grpc', method),
    report,
  });
  const { writeProfile: one, writeProfiles: many } = IngestService.method;
  server.addService(serviceDefinition(IngestService), {
    [one.name]: writeProfile(ingest, supportOf(one.name)),
    [many.name]: writeProfiles(ingest, supportOf(many.name)),
  });
  server.addService(serviceDefinition(QueryService), queryHandlers(query, supportOf));
  const services = [IngestService.typeName, QueryService.typeName];
  if (options.admin !== undefined) {
    server.addService(serviceDefinition(AdminService), adminHandlers(options.admin, supportOf));
    services.push(AdminService.typeName);
  }
  const health = new HealthService({ clock, services, ready, closing });
  server.addService(serviceDefinition(Health), health.handlers());
  const index = new ReflectionIndex([
    ...(options.admin === undefined ? [] : [file_basalt_v1_admin]),
    file_basalt_v1_ingest,
    file_basalt_v1_query,
    file_google_rpc_error_details,
    file_grpc_health_v1_health,
    file_grpc_reflection_v1_reflection,
    file_grpc_reflection_v1alpha_reflection,
  ]);
  for (const service of [ServerReflection, ServerReflectionAlpha]) {
    server.addService(serviceDefinition(service), {
      [service.method.serverReflectionInfo.name]: reflectionHandler(index),
    });
  }
}

function bind(server: Server, address: string): Promise<number> {
  const { host, port: wanted } = splitAddress(address);
  const target = host.includes(':') ? `[${host}]:${wanted}` : `${host}:${wanted}`;
  return new Promise((resolve, reject) => {
    server.bindAsync(target, ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve(port);
      else reject(listenError('gRPC', address, error));
    });
  });
}

export async function startGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  // The library would write to stderr what `bind` throws.
  setLogVerbosity(logVerbosity.NONE);
  const closing = new AbortController();
  const server = new Server(SERVER_OPTIONS);
  addServices(server, options, closing.signal);
  const port = await bind(server, options.address);
  let closed: Promise<void> | undefined;
  const close = async (drainMs: number): Promise<void> => {
    closing.abort();
    const drained = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
    const timer = new AbortController();
    const late = options.clock.sleep(drainMs, timer.signal).then(
      () => server.forceShutdown(),
      () => undefined,
    );
    await Promise.race([drained, late]);
    timer.abort();
    await late;
  };
  return {
    port,
    close(drainMs) {
      closed ??= close(drainMs);
      return closed;
    },
  };
}
