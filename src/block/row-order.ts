/**
 * The two orders of the rows of one row group of `samples` (docs/format/block.md). By profile, then key: as profiles come,
 * and as `first_row` of `profiles` counts. By key, then profile: as they lie in the file, where a key's rows have
 * profiles and values that resemble one another. There the profiles of every other key run backwards, so that the
 * number of the profile moves by little from one key to the next.
 *
 * Rows are gathered into one order and scattered into the other: each way, it is the few hundred profiles of a row
 * group that are read or written at once, and fit the first cache, not its thousands of keys.
 */

/** One pass for the profiles of most row groups, two for 2^24 keys. */
const DIGIT_BITS = 12;
const DIGITS = 1 << DIGIT_BITS;
const DIGIT_MASK = DIGITS - 1;

/** Numbers of the rows [start, end), sorted by some of their digits. */
interface SortedPart {
  readonly numbers: Int32Array;
  readonly start: number;
  readonly end: number;
  readonly min: number;
}

/** Sorts rows by number, and keeps its buffers from one row group to the next. */
export class RowOrder {
  readonly #next = new Int32Array(DIGITS);
  #order = new Int32Array(0);
  #other = new Int32Array(0);

  /** Where, by profile, each row belongs that lies by key; `profile` is theirs. Valid until the next call. */
  places(profile: Int32Array, rowCount: number): Int32Array {
    this.#reserve(rowCount);
    const { min, shifts } = digitsOf(profile, 0, rowCount);
    const part = { numbers: profile, start: 0, end: rowCount, min };
    const places = this.#other;
    if (shifts.length < 2) {
      const next = this.#count(part, 0);
      for (let row = 0; row < rowCount; row++) {
        const digit = (profile[row]! - min) & DIGIT_MASK;
        const place = next[digit]!;
        next[digit] = place + 1;
        places[row] = place;
      }
    } else {
      this.#begin(rowCount);
      for (const shift of shifts) this.#sort(part, shift);
      const order = this.#order;
      for (let place = 0; place < rowCount; place++) places[order[place]!] = place;
    }
    return places.subarray(0, rowCount);
  }

  /**
   * The rows by key, of rows by profile whose keys are given; `runs` are the ends of those whose keys mean the same,
   * ascending. Valid until the next call.
   */
  byKey(key: Int32Array, runs: readonly number[]): Int32Array {
    this.#begin(runs.at(-1) ?? 0);
    let start = 0;
    for (const end of runs) {
      const { min, shifts } = digitsOf(key, start, end);
      for (const shift of shifts) this.#sort({ numbers: key, start, end, min }, shift);
      this.#turn(key, start, end);
      start = end;
    }
    return this.#order.subarray(0, start);
  }

  #reserve(rowCount: number): void {
    if (this.#order.length >= rowCount) return;
    this.#order = new Int32Array(rowCount);
    this.#other = new Int32Array(rowCount);
  }

  #begin(rowCount: number): void {
    this.#reserve(rowCount);
    for (let i = 0; i < rowCount; i++) this.#order[i] = i;
  }

  /** Where the rows of each digit begin. */
  #count({ numbers, start, end, min }: SortedPart, shift: number): Int32Array {
    const next = this.#next.fill(0);
    for (let i = start; i < end; i++) {
      const digit = ((numbers[i]! - min) >>> shift) & DIGIT_MASK;
      next[digit] = next[digit]! + 1;
    }
    let at = start;
    for (let digit = 0; digit < DIGITS; digit++) {
      const count = next[digit]!;
      next[digit] = at;
      at += count;
    }
    return next;
  }

  /** Stable. Rows before `start` are done, and those from `end` on are still in their places. */
  #sort(part: SortedPart, shift: number): void {
    const { numbers, start, end, min } = part;
    const next = this.#count(part, shift);
    const from = this.#order;
    const to = this.#other;
    for (let i = start; i < end; i++) {
      const row = from[i]!;
      const digit = ((numbers[row]! - min) >>> shift) & DIGIT_MASK;
      const at = next[digit]!;
      next[digit] = at + 1;
      to[at] = row;
    }
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

/** The digits in which numbers differ, the lowest first. */
function digitsOf(
  numbers: Int32Array,
  start: number,
  end: number,
): { readonly min: number; readonly shifts: readonly number[] } {
  let min = 2 ** 31 - 1;
  let max = 0;
  for (let i = start; i < end; i++) {
    const number = numbers[i]!;
    if (number < min) min = number;
    if (number > max) max = number;
  }
  const shifts: number[] = [];
  for (let rest = max - min; rest > 0; rest >>>= DIGIT_BITS)
    shifts.push(shifts.length * DIGIT_BITS);
  return { min, shifts };
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

/** `out[places[i]] = from[i]`. */
export function scatter32(from: Int32Array, places: Int32Array, out: Int32Array): void {
  for (let i = 0; i < places.length; i++) out[places[i]!] = from[i]!;
}

/**
 * `gather32` of 64-bit values, in halves: a bigint a row is ten times slower. Most row groups have no value in half of the
 * columns, which is found out several times faster than they are gathered.
 */
export function gather64(from: BigInt64Array, order: Int32Array, out: BigInt64Array): void {
  const words = wordsToMove(from, out, order.length);
  if (words === undefined) return;
  const { source, target } = words;
  for (let i = 0; i < order.length; i++) {
    const low = 2 * order[i]!;
    target[2 * i] = source[low]!;
    target[2 * i + 1] = source[low + 1]!;
  }
}

/** `scatter32` of 64-bit values, as `gather64`. */
export function scatter64(from: BigInt64Array, places: Int32Array, out: BigInt64Array): void {
  const words = wordsToMove(from, out, places.length);
  if (words === undefined) return;
  const { source, target } = words;
  for (let i = 0; i < places.length; i++) {
    const low = 2 * places[i]!;
    target[low] = source[2 * i]!;
    target[low + 1] = source[2 * i + 1]!;
  }
}

/** The words of both columns; undefined where all values are 0, which then are so in `out`, too. */
function wordsToMove(
  from: BigInt64Array,
  out: BigInt64Array,
  rowCount: number,
): { readonly source: Int32Array; readonly target: Int32Array } | undefined {
  const source = new Int32Array(from.buffer, from.byteOffset, rowCount * 2);
  const target = new Int32Array(out.buffer, out.byteOffset, rowCount * 2);
  for (let i = 0; i < source.length; i++) if (source[i] !== 0) return { source, target };
  target.fill(0);
  return undefined;
}
