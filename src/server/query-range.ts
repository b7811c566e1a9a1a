import { invalid } from '../base/errors.js';

/** Throws `invalid` PS_RANGE unless start < end. */
export function checkRange(startMs: number, endMs: number): void {
  if (startMs < endMs) return;
  throw invalid(
    'PS_RANGE',
    `cannot query [${startMs}, ${endMs}): got an empty range; want start < end`,
  );
}
