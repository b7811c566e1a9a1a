/**
 * Sorts the keys of one profile without comparing them: each key sets a bit, and the bits are read back in order. A
 * summary bitmap with one bit for each word of the first keeps that cheap when few of many keys are set.
 *
 * Cost: the rows, the words that have a bit, and keyCount / 1,024 summary words.
 */
import { assert } from '../base/assert.js';

export class KeyOrder {
  #bits = new Int32Array(0);
  #summary = new Int32Array(0);
  /** Row that has the key; meaningful only while the key's bit is set. */
  #row = new Int32Array(0);

  /**
   * Writes the numbers of the rows [0, rowCount) in ascending order of key to `order`. Keys are distinct, in
   * [0, keyCount).
   */
  sort(key: Int32Array, rowCount: number, keyCount: number, order: Int32Array): void {
    assert(key.length >= rowCount && order.length >= rowCount, 'arrays must hold the rows');
    this.#reserve(keyCount);
    const bits = this.#bits;
    const summary = this.#summary;
    const row = this.#row;
    for (let r = 0; r < rowCount; r++) {
      const k = key[r]!;
      row[k] = r;
      bits[k >>> 5]! |= 1 << (k & 31);
      summary[k >>> 10]! |= 1 << ((k >>> 5) & 31);
    }
    const summaryCount = (keyCount + 1023) >>> 10;
    let next = 0;
    for (let s = 0; s < summaryCount; s++) {
      let words = summary[s]!;
      if (words === 0) continue;
      summary[s] = 0;
      while (words !== 0) {
        const w = (s << 5) + lowestBit(words);
        words &= words - 1;
        let set = bits[w]!;
        bits[w] = 0;
        while (set !== 0) {
          order[next++] = row[(w << 5) + lowestBit(set)]!;
          set &= set - 1;
        }
      }
    }
    assert(next === rowCount, 'the keys of a profile are distinct and below the key count');
  }

  #reserve(keyCount: number): void {
    if (this.#row.length >= keyCount) return;
    const size = Math.max(1024, keyCount + (keyCount >>> 2));
    this.#row = new Int32Array(size);
    this.#bits = new Int32Array((size + 31) >>> 5);
    this.#summary = new Int32Array((size + 1023) >>> 10);
  }
}

/** Number of the lowest bit that is set in `word`, which is not 0. */
function lowestBit(word: number): number {
  return 31 - Math.clz32(word & -word);
}

/** True if the first `rowCount` keys ascend, each greater than the one before. */
export function isAscending(key: Int32Array, rowCount: number): boolean {
  for (let r = 1; r < rowCount; r++) if (key[r]! <= key[r - 1]!) return false;
  return true;
}
