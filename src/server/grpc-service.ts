import type { DescMethod, DescService } from '@bufbuild/protobuf';
import {
  Metadata,
  type MethodDefinition,
  type ServerUnaryCall,
  type ServiceDefinition,
  type StatusObject,
  type sendUnaryData,
} from '@grpc/grpc-js';
import type { CallContext } from './query-messages.js';
import type { MethodMetrics } from './request-metrics.js';
import { TENANT_HEADER, tenantOf } from './tenant.js';
import { errorStatusBytes, wireError, type WireError } from './wire-errors.js';

/** Trailing metadata with the stable code of an error, for clients that do not unpack google.rpc.Status. */
export const REASON_TRAILER = 'basalt-reason';
const STATUS_DETAILS_TRAILER = 'grpc-status-details-bin';
const RETRY_PUSHBACK_TRAILER = 'grpc-retry-pushback-ms';

/** Called with errors that are our fault, for the log. */
export type ErrorReporter = (method: string, error: unknown) => void;

function identity(bytes: Buffer): Buffer {
  return bytes;
}

export function methodPath(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

/**
 * The gRPC library's definition of a generated service. Messages stay bytes on both sides: handlers decode what they
 * need, so that a broken request is `invalid` and a profile is never parsed here.
 */
export function serviceDefinition(service: DescService): ServiceDefinition {
  const definition: Record<string, MethodDefinition<Buffer, Buffer>> = {};
  for (const method of service.methods) {
    definition[method.name] = {
      path: methodPath(method),
      requestStream:
        method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming',
      responseStream:
        method.methodKind === 'server_streaming' || method.methodKind === 'bidi_streaming',
      requestSerialize: identity,
      requestDeserialize: identity,
      responseSerialize: identity,
      responseDeserialize: identity,
    };
  }
  return definition;
}

/** The library calls `copy` on a message, which a plain Uint8Array does not have. No bytes are copied here. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function grpcStatus(error: WireError): StatusObject {
  const metadata = new Metadata();
  metadata.set(REASON_TRAILER, error.reason);
  metadata.set(STATUS_DETAILS_TRAILER, asBuffer(errorStatusBytes(error)));
  if (error.retryAfterMs !== undefined) {
    metadata.set(RETRY_PUSHBACK_TRAILER, String(Math.ceil(error.retryAfterMs)));
  }
  return { code: error.code, details: error.message, metadata };
}

export function tenantOfCall(metadata: Metadata): string {
  const value = metadata.get(TENANT_HEADER)[0];
  return tenantOf(value === undefined ? undefined : String(value));
}

/** A unary method over bytes. Answers every error as a status; never throws. */
export type UnaryHandler = (
  call: ServerUnaryCall<Buffer, Buffer>,
  callback: sendUnaryData<Buffer>,
) => void;

export interface MethodSupport {
  readonly method: string;
  readonly metrics: MethodMetrics;
  readonly report: ErrorReporter;
}

/** Records the failure of a call and tells what to answer. */
export function failed(support: MethodSupport, error: unknown, startMs: number): StatusObject {
  const wire = wireError(error);
  if (wire.codeName === 'internal' || wire.codeName === 'data_loss') {
    support.report(support.method, error);
  }
  support.metrics.finished(startMs, wire.codeName);
  return grpcStatus(wire);
}

/** A handler whose work can be cancelled by the client or its deadline. */
export function cancellableUnary(
  support: MethodSupport,
  work: (context: CallContext, request: Buffer) => Promise<Uint8Array>,
): UnaryHandler {
  return (call, callback) => {
    const startMs = support.metrics.started();
    const controller = new AbortController();
    call.on('cancelled', () => controller.abort());
    const answer = async (): Promise<Uint8Array> => {
      const context = {
        tenantId: tenantOfCall(call.metadata),
        signal: controller.signal,
      };
      return await work(context, call.request);
    };
    answer().then(
      (bytes) => {
        support.metrics.finished(startMs, 'ok');
        callback(null, asBuffer(bytes));
      },
      (error: unknown) => callback(failed(support, error, startMs)),
    );
  };
}
