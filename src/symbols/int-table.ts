/**
 * Open addressing over typed arrays: (a, b) → entry number, entries counted from 0 in order of arrival. The caller
 * keeps whatever else belongs to an entry in arrays of its own.
 */
import { hashPair } from '../base/hash.js';

const EMPTY = -1;

export class PairTable {
  /** First and second part of each entry; only the first `count` elements count. Replaced when the table grows. */
  first: Int32Array;
  second: Int32Array;
  count = 0;
  #slots: Int32Array;
  #mask: number;

  constructor(expected = 1024) {
    const capacity = Math.max(16, 2 ** Math.ceil(Math.log2(expected)));
    this.first = new Int32Array(capacity);
    this.second = new Int32Array(capacity);
    this.#slots = new Int32Array(capacity * 2).fill(EMPTY);
    this.#mask = capacity * 2 - 1;
  }

  /** The entry of (a, b), or -1. */
  find(a: number, b: number): number {
    const slots = this.#slots;
    for (let slot = hashPair(a, b) & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const entry = slots[slot] as number;
      if (entry === EMPTY) return -1;
      if (this.first[entry] === a && this.second[entry] === b) return entry;
    }
  }

  /** The entry of (a, b), made if there is none; it is new exactly when `count` has grown. */
  intern(a: number, b: number): number {
    const slots = this.#slots;
    let slot = hashPair(a, b) & this.#mask;
    for (; ; slot = (slot + 1) & this.#mask) {
      const entry = slots[slot] as number;
      if (entry === EMPTY) break;
      if (this.first[entry] === a && this.second[entry] === b) return entry;
    }
    const entry = this.count++;
    slots[slot] = entry;
    this.first[entry] = a;
    this.second[entry] = b;
    if (this.count === this.first.length) this.#grow();
    return entry;
  }

  #grow(): void {
    const capacity = this.first.length * 2;
    const first = new Int32Array(capacity);
    const second = new Int32Array(capacity);
    first.set(this.first);
    second.set(this.second);
    this.first = first;
    this.second = second;
    const slots = new Int32Array(capacity * 2).fill(EMPTY);
    const mask = capacity * 2 - 1;
    for (let entry = 0; entry < this.count; entry++) {
      let slot = hashPair(first[entry] as number, second[entry] as number) & mask;
      while (slots[slot] !== EMPTY) slot = (slot + 1) & mask;
      slots[slot] = entry;
    }
    this.#slots = slots;
    this.#mask = mask;
  }
}
