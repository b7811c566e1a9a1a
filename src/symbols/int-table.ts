/**
 * Open addressing over typed arrays: (a, b) → entry number, entries counted from 0 in order of arrival. The caller
 * keeps whatever else belongs to an entry in arrays of its own.
 *
 * What is appended costs no slot until the first search after it.
 */
import { hashPair } from '../base/hash.js';

const EMPTY = -1;

export class PairTable {
  /** First and second part of each entry; only the first `count` elements count. Replaced when the table grows. */
  first: Int32Array;
  second: Int32Array;
  count = 0;
  /** Undefined while some entry is in no slot. */
  #slots: Int32Array | undefined;
  #mask: number;

  constructor(expected = 1024) {
    const capacity = Math.max(16, 2 ** Math.ceil(Math.log2(expected)));
    this.first = new Int32Array(capacity);
    this.second = new Int32Array(capacity);
    this.#slots = new Int32Array(capacity * 2).fill(EMPTY);
    this.#mask = capacity * 2 - 1;
  }

  /** The new entry of (a, b), which must not be there. */
  append(a: number, b: number): number {
    if (this.count === this.first.length) this.#widen();
    this.#slots = undefined;
    this.first[this.count] = a;
    this.second[this.count] = b;
    return this.count++;
  }

  /** The entry of (a, b), or -1. */
  find(a: number, b: number): number {
    const slots = this.#slots ?? this.#index();
    for (let slot = hashPair(a, b) & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const entry = slots[slot] as number;
      if (entry === EMPTY) return -1;
      if (this.first[entry] === a && this.second[entry] === b) return entry;
    }
  }

  /** The entry of (a, b), made if there is none; it is new exactly when `count` has grown. */
  intern(a: number, b: number): number {
    if (this.count === this.first.length) this.#widen();
    const slots = this.#slots ?? this.#index();
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
    return entry;
  }

  #widen(): void {
    this.#slots = undefined;
    const first = new Int32Array(this.count * 2);
    const second = new Int32Array(this.count * 2);
    first.set(this.first);
    second.set(this.second);
    this.first = first;
    this.second = second;
  }

  #index(): Int32Array {
    const { first, second } = this;
    const capacity = 2 ** Math.ceil(Math.log2(first.length));
    const slots = new Int32Array(capacity * 2).fill(EMPTY);
    const mask = slots.length - 1;
    for (let entry = 0; entry < this.count; entry++) {
      let slot = hashPair(first[entry] as number, second[entry] as number) & mask;
      while (slots[slot] !== EMPTY) slot = (slot + 1) & mask;
      slots[slot] = entry;
    }
    this.#slots = slots;
    this.#mask = mask;
    return slots;
  }
}
