/**
 * Stacktraces, and keys (a stacktrace with the labels of its sample).
 *
 * A stack arrives as a sequence of locations, leaf first. The whole sequence is looked up at once and compared item by
 * item, so that a known stack costs one probe however large the trie is. Only a new one is walked into the trie, root
 * first, frame by frame.
 *
 * A location number says which frames it is: a frame's own number, or `-1 - m` for entry m of `inlinedLocations`, the
 * frames root first, where functions were inlined into one another.
 *
 * Stacks lie one after another in one array, each with a short head, so that a look-up touches two places in memory:
 * the slot and the stack.
 */
import { mix32 } from '../base/hash.js';
import { PairTable } from './int-table.js';
import {
  emptySlots,
  ENTRIES_INITIAL,
  growInts,
  growSlots,
  SequenceTable,
} from './intern-records.js';

const NONE = -1;
const ROOT = 0;

/** The head of a stack: what follows are its `length` locations. */
const LENGTH = 0;
const NODE = 1;
/** Its key without labels, or NONE. */
const KEY = 2;
/** The label set it was last met with, and that key: samples of a stack mostly have the same one. */
const LABEL_SET = 3;
const LABEL_KEY = 4;
const HEAD = 5;

export class StackInterner {
  readonly inlinedLocations = new SequenceTable();
  /** Entry n is node n, as (parent, frame); entry 0 is the root. */
  readonly nodes = new PairTable();
  /** (node, label set). */
  readonly keys = new PairTable();
  #scratch = new Int32Array(256);
  #stacks = new Int32Array(ENTRIES_INITIAL * 16);
  #stacksEnd = 0;
  #stackCount = 0;
  /** Pairs (hash, start of the stack + 1). */
  #slots = emptySlots(ENTRIES_INITIAL);

  constructor() {
    this.nodes.intern(NONE, NONE);
  }

  get sizeBytes(): number {
    return (
      this.inlinedLocations.sizeBytes +
      this.#stacks.byteLength +
      this.#slots.byteLength +
      // A PairTable has two numbers and two slots for each element of its capacity.
      (this.nodes.first.byteLength + this.keys.first.byteLength) * 4
    );
  }

  /** Number of the location with these frames, root first, in `inlinedLocations.scratch[0, length)`, length >= 2. */
  inlinedLocation(length: number): number {
    return -1 - this.inlinedLocations.intern(length);
  }

  /**
   * Where the locations of a stack are to be written, leaf first, before `key` is called: `location[items[i]]` for i in
   * [start, end). Returns their hash.
   */
  gather(items: Int32Array, start: number, end: number, location: Int32Array): number {
    const length = end - start;
    if (this.#scratch.length < length) this.#scratch = growInts(this.#scratch, length);
    const scratch = this.#scratch;
    // As in intern-records.ts, in two lanes.
    let a = length;
    let b = 0;
    let salt = 0x85ebca6b | 0;
    let i = start;
    let at = 0;
    for (; i + 2 <= end; i += 2, at += 2) {
      const x = location[items[i]!]!;
      const y = location[items[i + 1]!]!;
      scratch[at] = x;
      scratch[at + 1] = y;
      const p = Math.imul(x ^ salt, 0xcc9e2d51);
      const q = Math.imul(y ^ salt, 0x1b873593);
      a = (a + (p ^ (p >>> 15))) | 0;
      b = (b + (q ^ (q >>> 15))) | 0;
      salt = (salt + 0x9e3779b9) | 0;
    }
    if (i < end) {
      const x = location[items[i]!]!;
      scratch[at] = x;
      const p = Math.imul(x ^ salt, 0xcc9e2d51);
      a = (a + (p ^ (p >>> 15))) | 0;
    }
    return mix32(a ^ Math.imul(b, 0x9e3779b1));
  }

  /** Key of the stack that was gathered, with `labelSet`. */
  key(hash: number, length: number, labelSet: number): number {
    const stack = this.#find(hash, length);
    const stacks = this.#stacks;
    if (labelSet === 0) {
      let key = stacks[stack + KEY]!;
      if (key === NONE) {
        key = this.keys.intern(stacks[stack + NODE]!, 0);
        stacks[stack + KEY] = key;
      }
      return key;
    }
    if (stacks[stack + LABEL_SET] === labelSet) return stacks[stack + LABEL_KEY]!;
    const key = this.keys.intern(stacks[stack + NODE]!, labelSet);
    stacks[stack + LABEL_SET] = labelSet;
    stacks[stack + LABEL_KEY] = key;
    return key;
  }

  /** Start of the stack that was gathered, added if it is new. */
  #find(hash: number, length: number): number {
    const stacks = this.#stacks;
    const scratch = this.#scratch;
    const slots = this.#slots;
    const mask = slots.length - 2;
    let at = (hash << 1) & mask;
    for (; ; at = (at + 2) & mask) {
      const stack = slots[at + 1]! - 1;
      if (stack < 0) return this.#add(at, hash, length);
      if (slots[at] !== hash || stacks[stack + LENGTH] !== length) continue;
      const first = stack + HEAD;
      let i = 0;
      while (i < length && stacks[first + i] === scratch[i]) i++;
      if (i === length) return stack;
    }
  }

  #add(at: number, hash: number, length: number): number {
    const stack = this.#stacksEnd;
    const end = stack + HEAD + length;
    if (end > this.#stacks.length) this.#stacks = growInts(this.#stacks, end);
    const stacks = this.#stacks;
    stacks[stack + LENGTH] = length;
    stacks[stack + NODE] = this.#walk(length);
    stacks[stack + KEY] = NONE;
    stacks[stack + LABEL_SET] = NONE;
    stacks[stack + LABEL_KEY] = NONE;
    stacks.set(this.#scratch.subarray(0, length), stack + HEAD);
    this.#stacksEnd = end;
    this.#slots[at] = hash;
    this.#slots[at + 1] = stack + 1;
    this.#stackCount++;
    if (this.#stackCount * 4 > this.#slots.length) this.#slots = growSlots(this.#slots);
    return stack;
  }

  /** The node of the stack that was gathered. */
  #walk(length: number): number {
    const scratch = this.#scratch;
    let node = ROOT;
    for (let i = length - 1; i >= 0; i--) {
      const location = scratch[i]!;
      if (location >= 0) {
        node = this.nodes.intern(node, location);
        continue;
      }
      const { start, items } = this.inlinedLocations;
      const end = start[-location]!;
      for (let f = start[-1 - location]!; f < end; f++) node = this.nodes.intern(node, items[f]!);
    }
    return node;
  }
}
