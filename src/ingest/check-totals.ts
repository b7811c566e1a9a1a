import { invalid } from '../base/errors.js';
import type { DecodedPprof } from '../formats/pprof/decoded.js';

/**
 * A quarter of the range of 64 bits: the difference of two profiles, and any sum over the rows of one, then still
 * fits. So nothing that was accepted can make a compaction fail later.
 */
const MAGNITUDE_MAX = 2 ** 62;
const HIGH = 2 ** 32;

/** Throws `invalid` PS_PROFILE_TOTAL when the magnitudes of one sample type's values add up past 2^62. */
export function checkTotals(pprof: DecodedPprof): void {
  const { sampleValue, sampleTypeCount, sampleCount } = pprof;
  const words = new Int32Array(
    sampleValue.buffer,
    sampleValue.byteOffset,
    sampleCount * sampleTypeCount * 2,
  );
  // One sum over all types first: nearly always it settles the matter.
  if (magnitude(words, 0, 1) < MAGNITUDE_MAX) return;
  for (let type = 0; type < sampleTypeCount; type++) {
    const total = magnitude(words, type, sampleTypeCount);
    if (total < MAGNITUDE_MAX) continue;
    throw invalid(
      'PS_PROFILE_TOTAL',
      `cannot accept profile: got values of sample type ${type} that add up to ${total}; want less than 2^62`,
    );
  }
}

/** Sum of |value| over values `first`, `first + stride`, ...; a float, near enough for a bound. */
function magnitude(words: Int32Array, first: number, stride: number): number {
  let total = 0;
  const step = stride * 2;
  for (let at = first * 2; at < words.length; at += step) {
    const value = (words[at + 1] as number) * HIGH + ((words[at] as number) >>> 0);
    total += value < 0 ? -value : value;
  }
  return total;
}
