/**
 * The one error class of the project. `kind` is a closed set that tells the caller what to do; `code` is a stable
 * string for programs and documentation (docs/errors.md); the message is for people and may change.
 *
 * Messages follow `cannot <verb> <object>: got <A>; want <B>`.
 */

export type ErrorKind =
  /** Fix the request. */
  | 'invalid'
  | 'not-found'
  /** Back off and retry later; `details.retryAfterMs` says when, if known. */
  | 'limit'
  /** Lost a race or fenced: reload and decide again. */
  | 'conflict'
  /** Retry. */
  | 'unavailable'
  /** Stored data is damaged: stop and alert. */
  | 'corrupt'
  | 'closed'
  | 'cancelled'
  /** Our bug. */
  | 'internal';

/** Plain values only, so that an error can be logged and sent between threads as it is. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean>>;

export interface StoreErrorOptions {
  readonly kind: ErrorKind;
  /** `PS_` + what is wrong, for example `PS_WAL_CHECKSUM`. */
  readonly code: string;
  readonly message: string;
  readonly details?: ErrorDetails;
  readonly cause?: unknown;
}

export class StoreError extends Error {
  readonly kind: ErrorKind;
  readonly code: string;
  readonly details: ErrorDetails;

  constructor(options: StoreErrorOptions) {
    super(options.message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'StoreError';
    this.kind = options.kind;
    this.code = options.code;
    this.details = options.details ?? {};
  }

  /** Turns anything caught into a StoreError; what is not one already becomes `internal`. */
  static from(error: unknown): StoreError {
    if (error instanceof StoreError) return error;
    if (error instanceof Error && error.name === 'AbortError') {
      return new StoreError({
        kind: 'cancelled',
        code: 'PS_CANCELLED',
        message: 'the call was cancelled',
        cause: error,
      });
    }
    const message = error instanceof Error ? error.message : String(error);
    return new StoreError({ kind: 'internal', code: 'PS_INTERNAL', message, cause: error });
  }
}

/** A StoreError as a plain value that survives structured clone. */
export interface ErrorValue {
  readonly kind: ErrorKind;
  readonly code: string;
  readonly message: string;
  readonly details: ErrorDetails;
  readonly stack?: string;
}

export function errorToValue(error: unknown): ErrorValue {
  const e = StoreError.from(error);
  const origin = e.cause instanceof Error && e.kind === 'internal' ? e.cause : e;
  return {
    kind: e.kind,
    code: e.code,
    message: e.message,
    details: e.details,
    ...(origin.stack === undefined ? {} : { stack: origin.stack }),
  };
}

export function errorFromValue(value: ErrorValue): StoreError {
  const error = new StoreError(value);
  if (value.stack !== undefined) error.stack = value.stack;
  return error;
}

/** Shorthand constructors for the two kinds that most call sites need. */
export function invalid(code: string, message: string, details?: ErrorDetails): StoreError {
  return new StoreError({
    kind: 'invalid',
    code,
    message,
    ...(details === undefined ? {} : { details }),
  });
}

export function corrupt(code: string, message: string, details?: ErrorDetails): StoreError {
  return new StoreError({
    kind: 'corrupt',
    code,
    message,
    ...(details === undefined ? {} : { details }),
  });
}

/** Whether what was read is damaged. On a last look (`isLast`) so is what is not there: before, it may have been replaced. */
export function isDamage(error: unknown, isLast: boolean): boolean {
  return isKind(error, 'corrupt') || (isLast && isKind(error, 'not-found'));
}

export function isKind(error: unknown, kind: ErrorKind): boolean {
  return error instanceof StoreError && error.kind === kind;
}
