/**
 * Frames of many tables under one numbering. Two frames are one if their content ids and their contents are equal:
 * the id finds the candidate, the content decides, so a collision of ids costs a slot and nothing else.
 *
 * A pool may outlive one merge (the query engine keeps one), so that the content of a block's frames is compared
 * once and not on every query.
 */
import { mix32 } from '../base/hash.js';
import { framesEqual, type Frame } from '../model/frame.js';
import { frameContentId } from './content-id.js';
import type { FrameTable } from './source.js';

const EMPTY = -1;
const contentId = new Uint32Array(2);

export class FramePool implements FrameTable {
  idHigh = new Uint32Array(1024);
  idLow = new Uint32Array(1024);
  count = 0;
  readonly #frames: Frame[] = [];
  #slots = new Int32Array(2048).fill(EMPTY);
  /** Numbers already found for a table's frames: -1 where not asked yet. */
  readonly #known = new WeakMap<FrameTable, Int32Array>();

  frame(index: number): Frame {
    return this.#frames[index] as Frame;
  }

  /**
   * Pool numbers of a table's frames as far as they are known, -1 elsewhere; `intern` fills it. Length `table.count`
   * or more: a table that has grown since gets a longer array.
   */
  known(table: FrameTable): Int32Array {
    const old = this.#known.get(table);
    if (old !== undefined && old.length >= table.count) return old;
    const known = new Int32Array(table.count).fill(EMPTY);
    if (old !== undefined) known.set(old);
    this.#known.set(table, known);
    return known;
  }

  /** The pool number of frame `index` of `table`. */
  intern(table: FrameTable, index: number): number {
    const known = this.known(table);
    const before = known[index] as number;
    if (before !== EMPTY) return before;
    const number = this.#find(
      table.idHigh[index] as number,
      table.idLow[index] as number,
      table.frame(index),
    );
    known[index] = number;
    return number;
  }

  /** The pool number of a frame that is in no table. */
  add(frame: Frame): number {
    frameContentId(frame, contentId);
    return this.#find(contentId[0] as number, contentId[1] as number, frame);
  }

  #find(high: number, low: number, frame: Frame): number {
    const mask = this.#slots.length - 1;
    let slot = mix32(high ^ low) & mask;
    for (; ; slot = (slot + 1) & mask) {
      const number = this.#slots[slot] as number;
      if (number === EMPTY) break;
      if (
        this.idLow[number] === low &&
        this.idHigh[number] === high &&
        framesEqual(this.frame(number), frame)
      ) {
        return number;
      }
    }
    const number = this.count++;
    this.#slots[slot] = number;
    this.#frames.push(frame);
    if (number >= this.idHigh.length) this.#growIds();
    this.idHigh[number] = high;
    this.idLow[number] = low;
    if (this.count * 2 > this.#slots.length) this.#growSlots();
    return number;
  }

  #growIds(): void {
    const high = new Uint32Array(this.idHigh.length * 2);
    const low = new Uint32Array(this.idLow.length * 2);
    high.set(this.idHigh);
    low.set(this.idLow);
    this.idHigh = high;
    this.idLow = low;
  }

  #growSlots(): void {
    const slots = new Int32Array(this.#slots.length * 2).fill(EMPTY);
    const mask = slots.length - 1;
    for (let number = 0; number < this.count; number++) {
      let slot = mix32((this.idHigh[number] as number) ^ (this.idLow[number] as number)) & mask;
      while (slots[slot] !== EMPTY) slot = (slot + 1) & mask;
      slots[slot] = number;
    }
    this.#slots = slots;
  }
}
