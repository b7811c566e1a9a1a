export function growInts(ints: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const grown = new Int32Array(Math.max(length, ints.length * 2));
  grown.set(ints);
  return grown;
}

/** A list of 32-bit numbers that keeps its memory when it is cleared. */
export class IntList {
  /** Only the first `length` elements count. Replaced when the list grows. */
  data: Int32Array;
  length = 0;

  constructor(capacity = 1024) {
    this.data = new Int32Array(capacity);
  }

  push(value: number): void {
    if (this.length === this.data.length) this.data = growInts(this.data, this.length + 1);
    this.data[this.length++] = value;
  }

  /** Makes room for `count` more elements, which the caller then writes at `length` and counts itself. */
  reserve(count: number): void {
    if (this.length + count > this.data.length)
      this.data = growInts(this.data, this.length + count);
  }

  append(values: Int32Array): void {
    this.reserve(values.length);
    this.data.set(values, this.length);
    this.length += values.length;
  }

  /** A view, valid until the list changes. */
  view(): Int32Array {
    return this.data.subarray(0, this.length);
  }

  /** Gives up the room for more. */
  trim(): void {
    if (this.data.length > this.length) this.data = this.data.slice(0, this.length);
  }

  clear(): void {
    this.length = 0;
  }
}
