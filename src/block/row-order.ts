/**
 * The two orders of the rows of one row group of `samples` (docs/format/block.md). By profile, then key: as profiles come,
 * and as `first_row` of `profiles` counts. By key, then profile: as they lie in the file, where a key's rows have
 * profiles and values that resemble one another. There the profiles of every other key run backwards, so that the
 * number of the profile moves by little from one key to the next.
 *
 * An order is an array: the number of the row, in the other order, that comes at each place.
 */

/** Two passes for 2^22 distinct numbers; more buckets than that leave the caches. */
const DIGIT_BITS = 11;
const DIGITS = 1 << DIGIT_BITS;
const DIGIT_MASK = DIGITS - 1;

/** Sorts rows by number, and keeps its buffers from one row group to the next. */
export class RowOrder {
  readonly #starts = new Int32Array(DIGITS);
  #order = new Int32Array(0);
  #other = new Int32Array(0);

  /** Of rows by profile, whose profiles are given, from any order in which each profile's keys rise. Valid until the next call. */
  byProfile(profile: Int32Array, rowCount: number): Int32Array {
    this.#begin(rowCount);
    this.#sort(profile, 0, rowCount);
    return this.#order.subarray(0, rowCount);
  }

  /** Of rows by key, from those by profile; `runs` are ends of rows whose keys mean the same, ascending. Valid until the next call. */
  byKey(key: Int32Array, runs: readonly number[]): Int32Array {
    this.#begin(runs.at(-1) ?? 0);
    let start = 0;
    for (const end of runs) {
      this.#sort(key, start, end);
      this.#turn(key, start, end);
      start = end;
    }
    return this.#order.subarray(0, start);
  }

  #begin(rowCount: number): void {
    if (this.#order.length < rowCount) {
      this.#order = new Int32Array(rowCount);
      this.#other = new Int32Array(rowCount);
    }
    for (let i = 0; i < rowCount; i++) this.#order[i] = i;
  }

  /** Stable, of `#order` between `start` and `end`, by the digits in which numbers differ. */
  #sort(numbers: Int32Array, start: number, end: number): void {
    let min = 2 ** 31 - 1;
    let max = -(2 ** 31);
    for (let i = start; i < end; i++) {
      const number = numbers[i]!;
      if (number < min) min = number;
      if (number > max) max = number;
    }
    for (let shift = 0; shift < 32 && Math.floor((max - min) / 2 ** shift) > 0; ) {
      this.#sortDigit(numbers, { start, end, min, shift });
      shift += DIGIT_BITS;
    }
  }

  #sortDigit(
    numbers: Int32Array,
    part: {
      readonly start: number;
      readonly end: number;
      readonly min: number;
      readonly shift: number;
    },
  ): void {
    const { start, end, min, shift } = part;
    const starts = this.#starts.fill(0);
    const from = this.#order;
    const to = this.#other;
    for (let i = start; i < end; i++) {
      const digit = ((numbers[i]! - min) >>> shift) & DIGIT_MASK;
      starts[digit] = starts[digit]! + 1;
    }
    let next = start;
    for (let digit = 0; digit < DIGITS; digit++) {
      const count = starts[digit]!;
      starts[digit] = next;
      next += count;
    }
    for (let i = start; i < end; i++) {
      const row = from[i]!;
      const digit = ((numbers[row]! - min) >>> shift) & DIGIT_MASK;
      const at = starts[digit]!;
      starts[digit] = at + 1;
      to[at] = row;
    }
    // Rows before `start` are done, and rows from `end` are still in their places.
    from.set(to.subarray(start, end), start);
  }

  /** Lets the rows of every other key run backwards. */
  #turn(key: Int32Array, start: number, end: number): void {
    const order = this.#order;
    let isBackwards = false;
    for (let first = start; first < end; ) {
      const own = key[order[first]!]!;
      let last = first + 1;
      while (last < end && key[order[last]!]! === own) last++;
      if (isBackwards) reverse(order, first, last);
      isBackwards = !isBackwards;
      first = last;
    }
  }
}

function reverse(order: Int32Array, start: number, end: number): void {
  for (let i = start, j = end - 1; i < j; i++, j--) {
    const row = order[i]!;
    order[i] = order[j]!;
    order[j] = row;
  }
}

/** `out[i] = from[order[i]]`. */
export function gather32(from: Int32Array, order: Int32Array, out: Int32Array): void {
  for (let i = 0; i < order.length; i++) out[i] = from[order[i]!]!;
}

/**
 * The same of 64-bit values, in halves: a bigint a row is ten times slower. Most row groups have no value in half of the
 * columns, which are found out several times faster than they are gathered.
 */
export function gather64(from: BigInt64Array, order: Int32Array, out: BigInt64Array): void {
  const source = new Int32Array(from.buffer, from.byteOffset, order.length * 2);
  if (isZero(source)) {
    out.fill(0n, 0, order.length);
    return;
  }
  const target = new Int32Array(out.buffer, out.byteOffset, order.length * 2);
  for (let i = 0; i < order.length; i++) {
    const low = 2 * order[i]!;
    target[2 * i] = source[low]!;
    target[2 * i + 1] = source[low + 1]!;
  }
}

function isZero(words: Int32Array): boolean {
  for (let i = 0; i < words.length; i++) if (words[i] !== 0) return false;
  return true;
}
