import { Code, ConnectError, type HandlerContext } from '@connectrpc/connect';
import { codeToString } from '@connectrpc/connect/protocol-connect';
import { isKind } from '../base/errors.js';
import { ErrorInfoSchema, RetryInfoSchema } from '../gen/google/rpc/error_details_pb.js';
import type { IngestApi } from '../ingest/api.js';
import type { QueryApi } from '../query/api.js';
import type { AdminApi } from './http-admin.js';
import { REASON_TRAILER, type ErrorReporter } from './grpc-service.js';
import type { CallContext } from './query-messages.js';
import type { MethodMetrics, RequestMetrics } from './request-metrics.js';
import { TENANT_HEADER, tenantOf } from './tenant.js';
import { ERROR_DOMAIN, retryInfo, wireError } from './wire-errors.js';

/** What every Connect method has around it: the tenant, metrics, and errors as Connect sends them. */

export interface ConnectOptions {
  readonly ingest: IngestApi;
  readonly query: QueryApi;
  readonly admin?: AdminApi | undefined;
  readonly requestMetrics: RequestMetrics;
  readonly report: ErrorReporter;
  /** Aborts every call that is under way. */
  readonly closing: AbortSignal;
}

export function contextOf(context: HandlerContext): CallContext {
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
export class Guard {
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
      const codeName = codeNameOf(error);
      if (codeName === 'internal' || codeName === 'data_loss') {
        this.options.report(this.method, error);
      }
      this.metrics.finished(startMs, codeName);
      throw error;
    }
  }

  async unary<T>({ signal }: Pick<HandlerContext, 'signal'>, work: () => Promise<T>): Promise<T> {
    try {
      return await this.run(async () => {
        try {
          return await work();
        } catch (error) {
          throw pastDeadline(error, signal) ?? error;
        }
      });
    } catch (error) {
      throw error instanceof ConnectError ? error : connectError(error);
    }
  }
}

/** What a caller's own deadline stopped is not what a caller cancelled. */
function pastDeadline(error: unknown, signal: AbortSignal): ConnectError | undefined {
  if (!isKind(error, 'cancelled') || !signal.aborted) return undefined;
  const reason = ConnectError.from(signal.reason);
  return reason.code === Code.DeadlineExceeded ? reason : undefined;
}

/** A method may say in Connect's own words what no StoreError says. */
function codeNameOf(error: unknown): string {
  return error instanceof ConnectError ? codeToString(error.code) : wireError(error).codeName;
}
