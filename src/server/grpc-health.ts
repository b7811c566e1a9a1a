import { create, toBinary } from '@bufbuild/protobuf';
import {
  status,
  type ServerUnaryCall,
  type ServerWritableStream,
  type StatusObject,
  type UntypedServiceImplementation,
  Metadata,
  type sendUnaryData,
} from '@grpc/grpc-js';
import type { Clock } from '../env/clock.js';
import {
  Health,
  HealthCheckRequestSchema,
  HealthCheckResponse_ServingStatus as ServingStatus,
  HealthCheckResponseSchema,
  HealthListResponseSchema,
} from '../gen/grpc/health/v1/health_pb.js';
import { asBuffer, grpcStatus } from './grpc-service.js';
import { decodeMessage } from './ingest-messages.js';
import { wireError } from './wire-errors.js';

/** How often a Watch looks whether the answer changed. */
const WATCH_INTERVAL_MS = 500;

export interface HealthOptions {
  readonly clock: Clock;
  /** Names of the services that answer; the empty name, for the whole server, is added. */
  readonly services: readonly string[];
  readonly ready: () => boolean;
  /** Ends every Watch. */
  readonly closing: AbortSignal;
}

/** The standard health service (gRPC's health checking protocol). Every service is as ready as the whole server. */
export class HealthService {
  private readonly options: HealthOptions;
  private readonly services: ReadonlySet<string>;

  constructor(options: HealthOptions) {
    this.options = options;
    this.services = new Set(['', ...options.services]);
  }

  handlers(): UntypedServiceImplementation {
    return {
      [Health.method.check.name]: this.check.bind(this),
      [Health.method.list.name]: this.list.bind(this),
      [Health.method.watch.name]: (call: ServerWritableStream<Buffer, Buffer>) =>
        void this.watch(call),
    };
  }

  private statusOf(service: string): ServingStatus {
    if (!this.services.has(service)) return ServingStatus.SERVICE_UNKNOWN;
    const serving = !this.options.closing.aborted && this.options.ready();
    return serving ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
  }

  private check(call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>): void {
    try {
      const { service } = decodeMessage(HealthCheckRequestSchema, call.request);
      const serving = this.statusOf(service);
      if (serving === ServingStatus.SERVICE_UNKNOWN) callback(unknownService());
      else callback(null, encodeCheck(serving));
    } catch (error) {
      callback(grpcStatus(wireError(error)));
    }
  }

  private list(_call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>): void {
    const statuses: Record<string, { status: ServingStatus }> = {};
    for (const service of this.services) statuses[service] = { status: this.statusOf(service) };
    const answer = create(HealthListResponseSchema, {
      statuses: Object.fromEntries(
        Object.entries(statuses).map(([name, value]) => [
          name,
          create(HealthCheckResponseSchema, value),
        ]),
      ),
    });
    callback(null, asBuffer(toBinary(HealthListResponseSchema, answer)));
  }

  /** Sends the status at once, and again whenever it changes, until the client goes or the server closes. */
  private async watch(call: ServerWritableStream<Buffer, Buffer>): Promise<void> {
    const controller = new AbortController();
    call.on('cancelled', () => controller.abort());
    const stop = AbortSignal.any([controller.signal, this.options.closing]);
    try {
      const { service } = decodeMessage(HealthCheckRequestSchema, call.request);
      let sent: ServingStatus | undefined;
      while (!controller.signal.aborted) {
        const now = this.statusOf(service);
        if (now !== sent) call.write(encodeCheck(now));
        sent = now;
        if (stop.aborted) break;
        await this.options.clock.sleep(WATCH_INTERVAL_MS, stop).catch(() => undefined);
      }
      if (!controller.signal.aborted) call.end();
    } catch (error) {
      call.emit('error', grpcStatus(wireError(error)));
    }
  }
}

function encodeCheck(serving: ServingStatus): Buffer {
  const answer = create(HealthCheckResponseSchema, { status: serving });
  return asBuffer(toBinary(HealthCheckResponseSchema, answer));
}

function unknownService(): StatusObject {
  return {
    code: status.NOT_FOUND,
    details: 'unknown service',
    metadata: new Metadata(),
  };
}
