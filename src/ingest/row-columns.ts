/**
 * The sample rows of the commit that is being filled: a key, and four 64-bit values as halves side by side. While a
 * profile is added its keys are the process-wide ones; `finish` turns them into the segment's.
 */
import { assert } from '../base/assert.js';
import { growInts } from '../symbols/intern-list.js';
import type { SegmentSymbols } from '../symbols/intern-segment.js';

const ROWS_INITIAL = 4096;
/** Past this many rows the marks start anew. */
const MARK_MAX = 2 ** 30;

/** The samples of one group of up to four sample types of a profile. */
export interface SampleSource {
  readonly sampleCount: number;
  /** Halves of all values, row by row. */
  readonly values: Int32Array;
  /** Sample types of the profile: a row is `stride` values. */
  readonly stride: number;
  /** The group is types [firstType, firstType + typeCount). */
  readonly firstType: number;
  readonly typeCount: number;
  /** Process-wide key of each sample, less than `keyCount`. */
  readonly keyOf: Int32Array;
  readonly keyCount: number;
}

/** What became of a group's samples. */
export interface RowCounts {
  readonly rows: number;
  /** Values that are not 0. */
  readonly values: number;
  /** Samples left out because a sum would not fit 64 bits. */
  readonly overflows: number;
}

export class RowColumns {
  key = new Int32Array(ROWS_INITIAL);
  v1 = new Int32Array(ROWS_INITIAL * 2);
  v2 = new Int32Array(ROWS_INITIAL * 2);
  v3 = new Int32Array(ROWS_INITIAL * 2);
  v4 = new Int32Array(ROWS_INITIAL * 2);
  length = 0;
  /** By process-wide key: the mark of its row; less than the profile's first mark when it has none yet. */
  #markOf = new Int32Array(ROWS_INITIAL);
  #nextMark = 1;

  clear(): void {
    this.length = 0;
  }

  /** Keys start anew with new tables. */
  forgetKeys(): void {
    this.#markOf = new Int32Array(ROWS_INITIAL);
    this.#nextMark = 1;
  }

  /** Adds a row for each distinct key that has a value; equal keys are summed. */
  add(source: SampleSource, symbols: SegmentSymbols): RowCounts {
    const { sampleCount, keyCount } = source;
    if (this.#nextMark + sampleCount > MARK_MAX) this.forgetKeys();
    if (keyCount > this.#markOf.length) this.#markOf = growInts(this.#markOf, keyCount);
    this.#reserve(this.length + sampleCount);
    const first = this.length;
    const firstMark = this.#nextMark;
    const overflows = this.#copy(source, firstMark);
    this.#nextMark += this.length - first;
    const hasSums = this.length - first < sampleCount;
    const values = this.#finish(first, hasSums, symbols);
    return { rows: this.length - first, values, overflows };
  }

  #copy(source: SampleSource, firstMark: number): number {
    const { sampleCount, values, stride, firstType, typeCount, keyOf } = source;
    const { key, v1, v2, v3, v4 } = this;
    const markOf = this.#markOf;
    const first = this.length;
    const width = typeCount * 2;
    let row = first;
    let overflows = 0;
    assert(values.length >= sampleCount * stride * 2, 'a value for each sample and type');
    for (let s = 0; s < sampleCount; s++) {
      const at = (s * stride + firstType) * 2;
      let any = 0;
      for (let i = at; i < at + width; i++) any |= values[i]!;
      if (any === 0) continue;
      const sampleKey = keyOf[s]!;
      const mark = markOf[sampleKey]!;
      if (mark >= firstMark) {
        if (!this.#sum(first + mark - firstMark, values, at, typeCount)) overflows++;
        continue;
      }
      markOf[sampleKey] = firstMark + row - first;
      key[row] = sampleKey;
      const target = row * 2;
      v1[target] = values[at]!;
      v1[target + 1] = values[at + 1]!;
      v2[target] = typeCount > 1 ? values[at + 2]! : 0;
      v2[target + 1] = typeCount > 1 ? values[at + 3]! : 0;
      v3[target] = typeCount > 2 ? values[at + 4]! : 0;
      v3[target + 1] = typeCount > 2 ? values[at + 5]! : 0;
      v4[target] = typeCount > 3 ? values[at + 6]! : 0;
      v4[target + 1] = typeCount > 3 ? values[at + 7]! : 0;
      row++;
    }
    this.length = row;
    return overflows;
  }

  #column(index: number): Int32Array {
    return index === 0 ? this.v1 : index === 1 ? this.v2 : index === 2 ? this.v3 : this.v4;
  }

  /** Adds the values at `at` to a row; false, and nothing is added, when one of the sums does not fit. */
  #sum(row: number, values: Int32Array, at: number, typeCount: number): boolean {
    for (let c = 0; c < typeCount; c++) {
      const column = this.#column(c);
      const low = (column[row * 2]! >>> 0) + (values[at + c * 2]! >>> 0);
      const high = column[row * 2 + 1]! + values[at + c * 2 + 1]! + (low >= 2 ** 32 ? 1 : 0);
      if (high !== (high | 0)) return false;
    }
    for (let c = 0; c < typeCount; c++) {
      const column = this.#column(c);
      const low = (column[row * 2]! >>> 0) + (values[at + c * 2]! >>> 0);
      column[row * 2] = low;
      column[row * 2 + 1]! += values[at + c * 2 + 1]! + (low >= 2 ** 32 ? 1 : 0);
    }
    return true;
  }

  /** Drops rows that sums made zero, numbers the keys in the segment and counts the values. */
  #finish(first: number, hasSums: boolean, symbols: SegmentSymbols): number {
    const { key, v1, v2, v3, v4 } = this;
    let values = 0;
    let target = first;
    for (let row = first; row < this.length; row++) {
      const at = row * 2;
      const n1 = (v1[at]! | v1[at + 1]!) === 0 ? 0 : 1;
      const n2 = (v2[at]! | v2[at + 1]!) === 0 ? 0 : 1;
      const n3 = (v3[at]! | v3[at + 1]!) === 0 ? 0 : 1;
      const n4 = (v4[at]! | v4[at + 1]!) === 0 ? 0 : 1;
      const count = n1 + n2 + n3 + n4;
      if (hasSums) {
        if (count === 0) continue;
        if (target !== row) this.#move(at, target * 2);
      }
      values += count;
      key[target++] = symbols.key(key[row]!);
    }
    this.length = target;
    return values;
  }

  /** Values of one row, by the place of their halves. */
  #move(from: number, to: number): void {
    const { v1, v2, v3, v4 } = this;
    v1[to] = v1[from]!;
    v1[to + 1] = v1[from + 1]!;
    v2[to] = v2[from]!;
    v2[to + 1] = v2[from + 1]!;
    v3[to] = v3[from]!;
    v3[to + 1] = v3[from + 1]!;
    v4[to] = v4[from]!;
    v4[to + 1] = v4[from + 1]!;
  }

  #reserve(rows: number): void {
    if (rows <= this.key.length) return;
    const length = Math.max(rows, this.key.length * 2);
    this.key = growInts(this.key, length);
    this.v1 = growInts(this.v1, length * 2);
    this.v2 = growInts(this.v2, length * 2);
    this.v3 = growInts(this.v3, length * 2);
    this.v4 = growInts(this.v4, length * 2);
  }
}
