/**
 * Sums and maxima of 64-bit values by key, without a bigint a row. A value column is read as its 32-bit words (low
 * word first: every platform that Node runs on is little-endian).
 *
 * Sums that fit in 64 bits are the sum kernel's (sum-kernel.ts). Those that might not are added here, low words and high
 * words in a double each, exact for 2^20 rows between two calls of `normalizeWords`. The caller chooses by bounds, never by luck.
 */
export const WORD = 4_294_967_296;
/** No double loses an integer below this. */
export const EXACT_MAX = 2 ** 53;
/** Rows that may be added between two calls of `normalizeWords`: 2^20 words of 32 bits fit in 2^53. */
export const EXACT_ROWS_MAX = 1 << 20;

/** The words of a 64-bit column: element i at 2i (low) and 2i + 1 (high). A view, not a copy. */
export function wordsOf(values: BigInt64Array): Int32Array {
  return new Int32Array(values.buffer, values.byteOffset, values.length * 2);
}

/** Adds rows [start, end) as low and high words; see EXACT_ROWS_MAX. */
export function sumWords(
  sums: { readonly low: Float64Array; readonly high: Float64Array },
  rows: { readonly key: Int32Array; readonly words: Int32Array },
  start: number,
  end: number,
): void {
  const { low, high } = sums;
  const { key, words } = rows;
  for (let i = start; i < end; i++) {
    const k = key[i]!;
    low[k]! += words[2 * i]! >>> 0;
    high[k]! += words[2 * i + 1]!;
  }
}

/** Carries what is above 32 bits of each low part over to the high part: 0 <= low < 2^32 afterwards. */
export function normalizeWords(low: Float64Array, high: Float64Array): void {
  for (let k = 0; k < low.length; k++) {
    const carry = Math.floor(low[k]! / WORD);
    if (carry === 0) continue;
    low[k]! -= carry * WORD;
    high[k]! += carry;
  }
}

/** The greatest value by key over the rows seen since the last reset. */
export interface MaxByKey {
  /** Count only where `count` is not 0. */
  readonly low: Float64Array;
  readonly high: Float64Array;
  /** Rows seen of each key. */
  readonly count: Int32Array;
  /** The keys seen, the first `touchedCount` elements. */
  readonly touched: Int32Array;
  touchedCount: number;
}

export function maxByKey(keyCount: number): MaxByKey {
  return {
    low: new Float64Array(keyCount),
    high: new Float64Array(keyCount),
    count: new Int32Array(keyCount),
    touched: new Int32Array(keyCount),
    touchedCount: 0,
  };
}

export function maxWords(
  into: MaxByKey,
  rows: { readonly key: Int32Array; readonly words: Int32Array },
  start: number,
  end: number,
): void {
  const { key, words } = rows;
  for (let i = start; i < end; i++) {
    raiseMax(into, key[i]!, words[2 * i]! >>> 0, words[2 * i + 1]!);
  }
}

/** One more value of key `k`, as words with 0 <= low < 2^32. */
export function raiseMax(into: MaxByKey, k: number, low: number, high: number): void {
  const seen = into.count[k]!;
  if (seen === 0) into.touched[into.touchedCount++] = k;
  const before = into.high[k]!;
  if (seen === 0 || high > before || (high === before && low > into.low[k]!)) {
    into.low[k] = low;
    into.high[k] = high;
  }
  into.count[k] = seen + 1;
}

/** The greatest key of rows [start, end), -1 for none; a negative key counts as 2^31 or more. */
export function keyMax(key: Int32Array, start: number, end: number): number {
  let max = -1;
  for (let i = start; i < end; i++) {
    const k = key[i]! >>> 0;
    if (k > max) max = k;
  }
  return max;
}

/** A bound of |value| over rows [start, end) of a column: the power of two above the greatest high word. */
export function magnitudeBound(words: Int32Array, start: number, end: number): number {
  let bits = 0;
  let low = 0;
  for (let i = start; i < end; i++) {
    const high = words[2 * i + 1]!;
    // For a negative value the complement has as many bits; its magnitude is at most one more.
    bits |= high ^ (high >> 31);
    low |= high === 0 ? words[2 * i]! : -1;
  }
  if (bits === 0) return low >= 0 ? 2 ** (32 - Math.clz32(low)) : WORD;
  return 2 ** (64 - Math.clz32(bits));
}
