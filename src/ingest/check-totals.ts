import { invalid } from '../base/errors.js';
import type { DecodedPprof } from '../formats/pprof/decoded.js';
import type { Temporality } from '../model/series.js';

/** Values of a counter may reach a quarter of the range: then the difference of two profiles fits 64 bits. */
const COUNTER_MAX = 2 ** 62;
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
const HIGH = 2 ** 32;

/**
 * Makes sure that nothing is accepted whose total, or whose difference to the profile before it, no compaction could
 * add up later. Throws `invalid` PS_PROFILE_TOTAL. `temporalities` has one element for each sample type.
 */
export function checkTotals(pprof: DecodedPprof, temporalities: readonly Temporality[]): void {
  const { sampleValue, sampleTypeCount: stride, sampleCount } = pprof;
  const count = sampleCount * stride;
  const words = new Int32Array(sampleValue.buffer, sampleValue.byteOffset, count * 2);
  // One sum over all types first: nearly always it settles the matter.
  if (magnitude(words, 0, 1) < COUNTER_MAX) return;
  temporalities.forEach((temporality, type) => {
    if (temporality === 'cumulative' && magnitude(words, type, stride) >= COUNTER_MAX) {
      throw refusal(type, 'counters of 2^62 or more', 'counters that add up to less');
    }
    let total = 0n;
    for (let i = type; i < count; i += stride) total += sampleValue[i] as bigint;
    if (total >= INT64_MIN && total <= INT64_MAX) return;
    throw refusal(type, `a total of ${total}`, 'one that fits 64 bits');
  });
}

function refusal(type: number, got: string, want: string): Error {
  return invalid(
    'PS_PROFILE_TOTAL',
    `cannot accept profile: got ${got} in sample type ${type}; want ${want}`,
  );
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
