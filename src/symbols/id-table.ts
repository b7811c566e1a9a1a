import { assert } from '../base/assert.js';
import { mix32 } from '../base/hash.js';

const EMPTY = -1;

/** Numbers 128-bit content ids in order of first sight: a hash table over four-word entries, without an object each. */
export class IdTable {
  /** Four words an id; those of id n at 4 n. Valid until the next `intern`. */
  words: Uint32Array = new Uint32Array(4 * 256);
  count = 0;
  #slots = new Int32Array(512).fill(EMPTY);

  /** The number of the id at `ids[at .. at + 4)`, new if need be. */
  intern(ids: Uint32Array, at: number): number {
    const slot = this.#slot(ids, at);
    const known = this.#slots[slot]!;
    if (known !== EMPTY) return known;
    const number = this.count++;
    if (number * 4 >= this.words.length) {
      const words = new Uint32Array(this.words.length * 2);
      words.set(this.words);
      this.words = words;
    }
    for (let w = 0; w < 4; w++) this.words[number * 4 + w] = ids[at + w]!;
    this.#slots[slot] = number;
    if (this.count * 2 > this.#slots.length) this.#grow();
    return number;
  }

  /** The number of the id at `ids[at .. at + 4)`, -1 if it has none. */
  find(ids: Uint32Array, at: number): number {
    return this.#slots[this.#slot(ids, at)]!;
  }

  #slot(ids: Uint32Array, at: number): number {
    assert(at + 4 <= ids.length, 'an id has four words');
    const mask = this.#slots.length - 1;
    const words = this.words;
    let slot = mix32(ids[at]! ^ ids[at + 1]!) & mask;
    for (; ; slot = (slot + 1) & mask) {
      const number = this.#slots[slot]!;
      if (number === EMPTY) return slot;
      const entry = number * 4;
      if (
        words[entry] === ids[at] &&
        words[entry + 1] === ids[at + 1] &&
        words[entry + 2] === ids[at + 2] &&
        words[entry + 3] === ids[at + 3]
      ) {
        return slot;
      }
    }
  }

  #grow(): void {
    this.#slots = new Int32Array(this.#slots.length * 2).fill(EMPTY);
    for (let number = 0; number < this.count; number++) {
      this.#slots[this.#slot(this.words, number * 4)] = number;
    }
  }
}
