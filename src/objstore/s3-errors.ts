import { type ErrorKind, StoreError } from '../base/errors.js';
import { cancelled, objectNotFound } from './keys.js';

interface ServiceError {
  /** S3's own code, for example `NoSuchKey`; see its list of error codes. */
  readonly name: string;
  /** undefined where no answer came. */
  readonly status: number | undefined;
  readonly message: string;
}

/** What the client threw, without its classes: they would have to be loaded to compare with them. */
export function serviceError(error: unknown): ServiceError {
  if (!(error instanceof Error)) return { name: '', status: undefined, message: String(error) };
  const metadata: unknown = Reflect.get(error, '$metadata');
  const status: unknown =
    typeof metadata === 'object' && metadata !== null
      ? Reflect.get(metadata, 'httpStatusCode')
      : undefined;
  return {
    name: error.name,
    status: typeof status === 'number' ? status : undefined,
    message: error.message,
  };
}

/** A condition of a put did not hold. Old MinIO answered 304. */
export function isPreconditionFailed(e: ServiceError): boolean {
  return e.status === 412 || e.status === 304 || e.name === 'PreconditionFailed';
}

export function isNotFound(e: ServiceError): boolean {
  return e.name === 'NoSuchKey' || (e.status === 404 && e.name !== 'NoSuchBucket');
}

const SLOW_DOWN = new Set(['SlowDown', 'Throttling', 'ThrottlingException', 'TooManyRequests']);

/** The request was refused as a whole; nothing can have happened. */
const NOT_DONE = new Set([
  'ConditionalRequestConflict',
  'OperationAborted',
  'RequestTimeout',
  'ExpiredToken',
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
]);

const RETRIED_CODES = new Set([
  ...NOT_DONE,
  'InternalError',
  'ServiceUnavailable',
  'TokenRefreshRequired',
  // Servers that keep objects as files: a folder was being removed with its last object at that moment.
  'ExistingObjectIsDirectory',
]);

/** Maps what the S3 client threw while it did `verb` to `key` (or a prefix). */
export function s3Error(verb: string, key: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const e = serviceError(error);
  if (e.name === 'AbortError') return cancelled();
  if (e.name === 'NoSuchBucket') {
    return make({ kind: 'invalid', code: 'PS_BUCKET_NOT_FOUND', verb, key, e, cause: error });
  }
  if (isNotFound(e)) return objectNotFound(key, error);
  if (e.name === 'CredentialsProviderError') {
    return make({ kind: 'invalid', code: 'PS_S3_CREDENTIALS', verb, key, e, cause: error });
  }
  // The system's code, for example ECONNRESET, is in `code`; the name is then just Error.
  const systemCode: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined;
  const codes = [e.name, typeof systemCode === 'string' ? systemCode : ''];
  const isSlowDown = e.status === 429 || e.status === 503 || SLOW_DOWN.has(e.name);
  const isRetried =
    isSlowDown ||
    e.status === undefined ||
    (e.status >= 500 && e.status !== 501) ||
    codes.some((code) => RETRIED_CODES.has(code));
  if (isRetried) {
    const notDone = codes.some((code) => NOT_DONE.has(code) || SLOW_DOWN.has(code));
    return make({
      kind: 'unavailable',
      code: 'PS_BUCKET_UNAVAILABLE',
      verb,
      key,
      e,
      cause: error,
      flags: { slowDown: isSlowDown, notDone },
    });
  }
  const code =
    e.status === 401 || e.status === 403
      ? 'PS_S3_ACCESS'
      : e.status === 501
        ? 'PS_S3_UNSUPPORTED'
        : 'PS_S3_REQUEST';
  return make({ kind: 'invalid', code, verb, key, e, cause: error });
}

function make(o: {
  kind: ErrorKind;
  code: string;
  verb: string;
  key: string;
  e: ServiceError;
  cause: unknown;
  flags?: Readonly<Record<string, boolean>>;
}): StoreError {
  const status = o.e.status === undefined ? 'no answer' : `status ${o.e.status}`;
  return new StoreError({
    kind: o.kind,
    code: o.code,
    message: `cannot ${o.verb} ${o.key}: got ${status}, ${o.e.name}: ${o.e.message}; want success`,
    details: { key: o.key, status: o.e.status ?? 0, s3Code: o.e.name, ...o.flags },
    cause: o.cause,
  });
}
