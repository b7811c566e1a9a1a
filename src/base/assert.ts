import { StoreError } from './errors.js';

/**
 * For our own mistakes only, never for outside input. Stays on in production and is not caught below the request
 * boundary.
 */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) {
    throw new StoreError({ kind: 'internal', code: 'PS_ASSERT', message: `BUG: ${message}` });
  }
}

/** For the `default` of an exhaustive switch. */
export function unreachable(value: never): never {
  throw new StoreError({
    kind: 'internal',
    code: 'PS_ASSERT',
    message: `BUG: unexpected value ${String(value)}`,
  });
}
