import type { MetricsRegistry } from '../base/metrics.js';
import type { Clock } from '../env/clock.js';
import type { IngestApi } from '../ingest/api.js';
import type { QueryApi } from '../query/api.js';
import { startGrpcServer } from './grpc-server.js';
import type { ErrorReporter } from './grpc-service.js';
import type { AdminApi } from './http-admin.js';
import type { CompactCall } from './http-compact.js';
import { startHttpServer, type StaticAssets } from './http-server.js';
import { checkLinkTemplates, type LinkTemplates } from './links.js';
import { RequestMetrics } from './request-metrics.js';

/** Components, and settings as far as the two addresses. */
export interface ServerOptions {
  readonly ingest: IngestApi;
  readonly query: QueryApi;
  readonly clock: Clock;
  readonly metrics: MetricsRegistry;
  /** Whether calls can be answered yet: `/ready` and gRPC health say so. Calls are not held back. */
  readonly ready: () => boolean;
  /** The web page, by path. */
  readonly ui: StaticAssets;
  /** Serves `POST /api/v1/delete` and the like; without it there are no such paths. */
  readonly admin?: AdminApi;
  /** Serves `POST /api/v1/compact`; without it there is no such path. */
  readonly compact?: CompactCall;
  /** Where the traces and log lines of spans are shown. Default: nowhere. */
  readonly links?: LinkTemplates;
  /** Told of errors that are our fault or damage, for the log. Must not throw. Default: they are counted only. */
  readonly report?: ErrorReporter;
  /** host:port; port 0 takes any that is free. */
  readonly httpAddress: string;
  readonly grpcAddress: string;
  /** How long `close` waits for calls under way. Default 10 s. What gets worse if raised: a stuck client delays it. */
  readonly drainMs?: number;
}

export interface RunningServer {
  readonly httpPort: number;
  readonly grpcPort: number;
  readonly status: 'serving' | 'closing' | 'closed';
  /** Stops accepting, waits for calls under way, then cuts what is left. Idempotent. Closes neither store. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const DRAIN_MS_DEFAULT = 10_000;

/** Starts both listeners, or none. Throws `unavailable` PS_LISTEN, `invalid` PS_ADDRESS or PS_LINK. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const drainMs = options.drainMs ?? DRAIN_MS_DEFAULT;
  const requestMetrics = new RequestMetrics(options.metrics, options.clock);
  const report = options.report ?? (() => undefined);
  let status: RunningServer['status'] = 'serving';
  const ready = (): boolean => status === 'serving' && options.ready();
  const links = options.links ?? {};
  checkLinkTemplates(links);
  const common = { ...options, requestMetrics, ready, report, links };
  const grpc = await startGrpcServer({ ...common, address: options.grpcAddress });
  const http = await startHttpServer({ ...common, address: options.httpAddress }).catch(
    async (error: unknown) => {
      await grpc.close(0);
      throw error;
    },
  );
  let closed: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    status = 'closing';
    await Promise.all([grpc.close(drainMs), http.close(drainMs)]);
    status = 'closed';
  };
  const closeOnce = (): Promise<void> => {
    closed ??= close();
    return closed;
  };
  return {
    httpPort: http.port,
    grpcPort: grpc.port,
    get status() {
      return status;
    },
    close: closeOnce,
    [Symbol.asyncDispose]: closeOnce,
  };
}
