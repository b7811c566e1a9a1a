import { StoreError } from '../base/errors.js';

const CODES: ReadonlySet<string> = new Set([
  'PS_ENVELOPE_VERSION',
  'PS_SEGMENT_VERSION',
  'PS_MANIFEST_FIELDS',
]);

/** Written by a newer program: not damage, and nothing to be put aside or made anew. */
export function isNewer(error: unknown): boolean {
  return error instanceof StoreError && CODES.has(error.code);
}
