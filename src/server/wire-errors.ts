import { create, toBinary } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { StoreError, type ErrorKind } from '../base/errors.js';
import { ErrorInfoSchema, RetryInfoSchema } from '../gen/google/rpc/error_details_pb.js';
import { StatusSchema, type Status } from '../gen/google/rpc/status_pb.js';

/**
 * The one place that says what a StoreError is on the wire: gRPC code (Connect has the same codes), its name in JSON,
 * and the HTTP status that Connect maps the code to.
 */
interface WireCode {
  readonly code: number;
  readonly name: string;
  readonly httpStatus: number;
}

const UNAVAILABLE: WireCode = {
  code: 14,
  name: 'unavailable',
  httpStatus: 503,
};

const CODES: Readonly<Record<ErrorKind, WireCode>> = {
  invalid: { code: 3, name: 'invalid_argument', httpStatus: 400 },
  'not-found': { code: 5, name: 'not_found', httpStatus: 404 },
  limit: { code: 8, name: 'resource_exhausted', httpStatus: 429 },
  conflict: { code: 10, name: 'aborted', httpStatus: 409 },
  unavailable: UNAVAILABLE,
  corrupt: { code: 15, name: 'data_loss', httpStatus: 500 },
  closed: UNAVAILABLE,
  cancelled: { code: 1, name: 'canceled', httpStatus: 499 },
  internal: { code: 13, name: 'internal', httpStatus: 500 },
};

/** What a caller is told about an error. */
export interface WireError {
  readonly code: number;
  readonly codeName: string;
  readonly httpStatus: number;
  /** Stable, `PS_...`. */
  readonly reason: string;
  /** Well-formed text of at most 2,048 characters, so that it fits into a header. */
  readonly message: string;
  /** When to try again, for errors that ask to back off. */
  readonly retryAfterMs: number | undefined;
}

export const ERROR_DOMAIN = 'basalt';
const MESSAGE_LENGTH_MAX = 2_048;
const RETRY_AFTER_MS_DEFAULT = 1_000;

/** Lone surrogates would make `encodeURI` inside the gRPC library throw. */
function wellFormed(text: string): string {
  const cut = text.length > MESSAGE_LENGTH_MAX ? `${text.slice(0, MESSAGE_LENGTH_MAX - 1)}…` : text;
  return cut.replace(
    /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g,
    '\uFFFD',
  );
}

export function wireError(error: unknown): WireError {
  const e = StoreError.from(error);
  const { code, name, httpStatus } = CODES[e.kind];
  // What is not a StoreError is our bug, and its text may tell a stranger about our insides.
  const message =
    error === e || e.kind !== 'internal' ? e.message : 'the server failed: see its log';
  return {
    code,
    codeName: name,
    httpStatus,
    reason: e.code,
    message: wellFormed(message),
    retryAfterMs: retryAfterMs(e),
  };
}

function retryAfterMs(e: StoreError): number | undefined {
  if (e.kind !== 'limit') return undefined;
  const given = e.details['retryAfterMs'];
  return typeof given === 'number' && Number.isFinite(given) && given >= 0
    ? given
    : RETRY_AFTER_MS_DEFAULT;
}

/** The error as `google.rpc.Status` with ErrorInfo, and RetryInfo where there is a time to wait. */
export function errorStatus(error: WireError): Status {
  const info = create(ErrorInfoSchema, {
    reason: error.reason,
    domain: ERROR_DOMAIN,
  });
  const details = [anyPack(ErrorInfoSchema, info)];
  if (error.retryAfterMs !== undefined) {
    details.push(anyPack(RetryInfoSchema, retryInfo(error.retryAfterMs)));
  }
  return create(StatusSchema, {
    code: error.code,
    message: error.message,
    details,
  });
}

export function errorStatusBytes(error: WireError): Uint8Array {
  return toBinary(StatusSchema, errorStatus(error));
}

export function retryInfo(delayMs: number) {
  const seconds = Math.floor(delayMs / 1_000);
  const nanos = Math.round((delayMs - seconds * 1_000) * 1_000_000);
  return create(RetryInfoSchema, {
    retryDelay: { seconds: BigInt(seconds), nanos },
  });
}

/** JSON body of an HTTP error. */
export function errorJson(error: WireError): string {
  const { codeName, reason, message } = error;
  return JSON.stringify({ code: codeName, reason, message });
}
