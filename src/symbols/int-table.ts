/**
 * Open addressing over typed arrays: (a, b) → entry number, entries counted from 0 in order of arrival. The caller
 * keeps whatever else belongs to an entry in arrays of its own.
 */
import { hashPair } from '../base/hash.js';

const EMPTY = -1;
const GROWTH = 1.6;
/** Of the slots at most these are taken. */
const LOAD_MAX = 0.7;
/** Entries for which there are slots at first, as a part of those that are there: rounding up leaves more. */
const SLOT_GROWTH = 1.25;

function newSlots(entries: number): Int32Array<ArrayBuffer> {
  return new Int32Array(2 ** Math.ceil(Math.log2(entries / LOAD_MAX))).fill(EMPTY);
}

export class PairTable {
  /** First and second part of each entry; only the first `count` elements count. Replaced when the table grows. */
  first: Int32Array;
  second: Int32Array;
  count = 0;
  /** Undefined after `forgetSlots`. */
  #slots: Int32Array | undefined;

  constructor(expected = 1024) {
    this.first = new Int32Array(Math.max(16, expected));
    this.second = new Int32Array(this.first.length);
    this.#slots = newSlots(this.first.length);
  }

  /** The entry of (a, b), or -1. */
  find(a: number, b: number): number {
    const slots = this.#slots ?? this.#index();
    const mask = slots.length - 1;
    for (let slot = hashPair(a, b) & mask; ; slot = (slot + 1) & mask) {
      const entry = slots[slot] as number;
      if (entry === EMPTY) return -1;
      if (this.first[entry] === a && this.second[entry] === b) return entry;
    }
  }

  /** The entry of (a, b), made if there is none; it is new exactly when `count` has grown. */
  intern(a: number, b: number): number {
    if (this.count === this.first.length) this.#widen(Math.ceil(this.count * GROWTH));
    let slots = this.#slots ?? this.#index();
    if (this.count >= slots.length * LOAD_MAX) slots = this.#index();
    const mask = slots.length - 1;
    let slot = hashPair(a, b) & mask;
    for (; ; slot = (slot + 1) & mask) {
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

  /** Gives up a third to a half of the memory; the next search takes it again. */
  forgetSlots(): void {
    this.#slots = undefined;
  }

  #widen(capacity: number): void {
    const first = new Int32Array(capacity);
    const second = new Int32Array(capacity);
    first.set(this.first);
    second.set(this.second);
    this.first = first;
    this.second = second;
  }

  #index(): Int32Array {
    const { first, second } = this;
    this.#slots = undefined;
    const slots = newSlots(Math.max(16, this.count * SLOT_GROWTH));
    const mask = slots.length - 1;
    for (let entry = 0; entry < this.count; entry++) {
      let slot = hashPair(first[entry] as number, second[entry] as number) & mask;
      while (slots[slot] !== EMPTY) slot = (slot + 1) & mask;
      slots[slot] = entry;
    }
    this.#slots = slots;
    return slots;
  }
}
