/** 64-bit sums as pairs of doubles: value = high * 2^32 + low. */
import { StoreError } from '../base/errors.js';
import { WORD } from './kernels.js';

/**
 * Sums that grow with the merged keys. Normalised: 0 <= low < 2^32, high an integer of any size below 2^53, so that a
 * sum past 64 bits is noticed when it is read, not wrapped.
 */
export class ExactSums {
  low: Float64Array;
  high: Float64Array;

  constructor(capacity = 1024) {
    this.low = new Float64Array(capacity);
    this.high = new Float64Array(capacity);
  }

  /** Makes room for `count` sums; new ones are 0. */
  reserve(count: number): void {
    if (count <= this.low.length) return;
    const capacity = Math.max(count, Math.ceil(this.low.length * 1.5));
    const low = new Float64Array(capacity);
    const high = new Float64Array(capacity);
    low.set(this.low);
    high.set(this.high);
    this.low = low;
    this.high = high;
  }

  /** Gives up all sums: 16 bytes each, where there may be millions and something large comes next. */
  release(): void {
    this.low = new Float64Array(0);
    this.high = new Float64Array(0);
  }

  /** Adds a pair with 0 <= low < 2^32 to the sum at `at`. */
  addWords(at: number, low: number, high: number): void {
    const sum = this.low[at]! + low;
    if (sum >= WORD) {
      this.low[at] = sum - WORD;
      this.high[at]! += high + 1;
    } else {
      this.low[at] = sum;
      this.high[at]! += high;
    }
  }

  /** Adds an integer with |value| < 2^53. */
  addDouble(at: number, value: number): void {
    const high = Math.floor(value / WORD);
    this.addWords(at, value - high * WORD, high);
  }

  /** Below 0 if element `a` is less than element `b`, above 0 if greater, 0 if equal. */
  compare(a: number, b: number): number {
    return this.high[a]! - this.high[b]! || this.low[a]! - this.low[b]!;
  }

  /** Element `index` as a bigint; throws `limit` PS_SUM_OVERFLOW past 64 bits. */
  bigint(index: number): bigint {
    return pairToBigint(this.low[index]!, this.high[index]!);
  }
}

/** Writes (low, high), normalised, as element `at` of a 64-bit column given by its words. */
export function storeWords(words: Int32Array, at: number, low: number, high: number): void {
  if (high < -0x80000000 || high > 0x7fffffff) throw sumOverflow();
  words[2 * at] = low;
  words[2 * at + 1] = high;
}

/** Throws `limit` PS_SUM_OVERFLOW past 64 bits. */
export function pairToBigint(low: number, high: number): bigint {
  if (high < -0x80000000 || high > 0x7fffffff) throw sumOverflow();
  // Small numbers, which most are, need one conversion instead of three.
  if (high >= -0x20_0000 && high < 0x20_0000) return BigInt(high * WORD + low);
  return BigInt(high) * 0x1_0000_0000n + BigInt(low);
}

/** `value` itself. Throws `limit` PS_SUM_OVERFLOW past 64 bits. */
export function within64(value: bigint): bigint {
  if (BigInt.asIntN(64, value) !== value) throw sumOverflow();
  return value;
}

function sumOverflow(): StoreError {
  return new StoreError({
    kind: 'limit',
    code: 'PS_SUM_OVERFLOW',
    message:
      'cannot answer query: got a sum beyond 64 bits; want one within (a shorter range or fewer series)',
  });
}

/** floor(value / divisor) as a pair, and the remainder, for a normalised pair and 1 <= divisor < 2^21. */
export function divideFloor(
  low: number,
  high: number,
  divisor: number,
): { low: number; high: number; remainder: number } {
  const highRemainder = ((high % divisor) + divisor) % divisor;
  const rest = highRemainder * WORD + low;
  const remainder = rest % divisor;
  return { low: (rest - remainder) / divisor, high: (high - highRemainder) / divisor, remainder };
}

/** Averages end in halves rounded up; the small term makes 0.4999999999 from sums of fractions a half. */
export function roundFraction(fraction: number): number {
  return Math.floor(fraction + 0.5 + 1e-9);
}
