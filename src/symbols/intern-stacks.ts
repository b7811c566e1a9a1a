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

/** Samples looked up together, and the locations they may have: what fits the first cache. */
const RUN = 64;
const RUN_ITEMS = 2048;

/** The samples of a profile. */
export interface StackSamples {
  readonly count: number;
  /** Items of sample s are [firstLocation[s], firstLocation[s + 1]), leaf first. */
  readonly firstLocation: Int32Array;
  /** Indexes into `location`. */
  readonly items: Int32Array;
  /** Location numbers. */
  readonly location: Int32Array;
  /** Of each sample; undefined when none has labels. */
  readonly labelSet: Int32Array | undefined;
}

export class StackInterner {
  readonly inlinedLocations = new SequenceTable();
  /** Entry n is node n, as (parent, frame); entry 0 is the root. */
  readonly nodes = new PairTable();
  /** (node, label set). */
  readonly keys = new PairTable();
  #scratch = new Int32Array(RUN_ITEMS);
  readonly #hashes = new Int32Array(RUN);
  readonly #candidates = new Int32Array(RUN);
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
   * Writes to `out[s]` the key of each sample of `samples`. They are taken in runs: locations and hashes of a run
   * first, with the slots they lead to, then the comparisons, so that waits for memory overlap.
   */
  internAll(samples: StackSamples, out: Int32Array): void {
    const { count, firstLocation, labelSet } = samples;
    let start = 0;
    while (start < count) {
      let end = start + 1;
      const firstItem = firstLocation[start]!;
      while (end < count && end - start < RUN && firstLocation[end + 1]! - firstItem <= RUN_ITEMS)
        end++;
      this.#gather(samples, start, end);
      for (let s = start; s < end; s++) {
        const first = firstLocation[s]! - firstItem;
        const length = firstLocation[s + 1]! - firstLocation[s]!;
        let stack = this.#candidates[s - start]!;
        if (!this.#equals(stack, first, length))
          stack = this.#find(this.#hashes[s - start]!, first, length);
        out[s] = this.#key(stack, labelSet === undefined ? 0 : labelSet[s]!);
      }
      start = end;
    }
  }

  /** Locations of samples [start, end) to the scratch array, their hashes, and the first candidate of each. */
  #gather(samples: StackSamples, start: number, end: number): void {
    const { firstLocation, items, location } = samples;
    const length = firstLocation[end]! - firstLocation[start]!;
    if (this.#scratch.length < length) this.#scratch = growInts(this.#scratch, length);
    const scratch = this.#scratch;
    const hashes = this.#hashes;
    const candidates = this.#candidates;
    const slots = this.#slots;
    const mask = slots.length - 2;
    let at = 0;
    for (let s = start; s < end; s++) {
      const last = firstLocation[s + 1]!;
      let i = firstLocation[s]!;
      // As in intern-records.ts, in two lanes.
      let a = last - i;
      let b = 0;
      let salt = 0x85ebca6b | 0;
      for (; i + 2 <= last; i += 2, at += 2) {
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
      if (i < last) {
        const x = location[items[i]!]!;
        scratch[at++] = x;
        const p = Math.imul(x ^ salt, 0xcc9e2d51);
        a = (a + (p ^ (p >>> 15))) | 0;
      }
      const hash = mix32(a ^ Math.imul(b, 0x9e3779b1));
      const slot = (hash << 1) & mask;
      hashes[s - start] = hash;
      candidates[s - start] = slots[slot] === hash ? slots[slot + 1]! - 1 : NONE;
    }
    // Heads are read for all before any of them is compared.
    const stacks = this.#stacks;
    for (let k = 0; k < end - start; k++) {
      const candidate = candidates[k]!;
      const s = start + k;
      if (candidate < 0) continue;
      if (stacks[candidate + LENGTH] !== firstLocation[s + 1]! - firstLocation[s]!)
        candidates[k] = NONE;
    }
  }

  #equals(stack: number, first: number, length: number): boolean {
    if (stack < 0) return false;
    const stacks = this.#stacks;
    const scratch = this.#scratch;
    const at = stack + HEAD;
    let i = 0;
    while (i < length && stacks[at + i] === scratch[first + i]) i++;
    return i === length;
  }

  /** Key of a stack with a label set. */
  #key(stack: number, labelSet: number): number {
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

  /** Start of the stack whose locations are `scratch[first, first + length)`, added if it is new. */
  #find(hash: number, first: number, length: number): number {
    const stacks = this.#stacks;
    const slots = this.#slots;
    const mask = slots.length - 2;
    let at = (hash << 1) & mask;
    for (; ; at = (at + 2) & mask) {
      const stack = slots[at + 1]! - 1;
      if (stack < 0) break;
      if (slots[at] !== hash || stacks[stack + LENGTH] !== length) continue;
      if (this.#equals(stack, first, length)) return stack;
    }
    slots[at] = hash;
    slots[at + 1] = this.#stacksEnd + 1;
    return this.#add(first, length);
  }

  #add(first: number, length: number): number {
    const stack = this.#stacksEnd;
    const end = stack + HEAD + length;
    if (end > this.#stacks.length) this.#stacks = growInts(this.#stacks, end);
    const stacks = this.#stacks;
    stacks[stack + LENGTH] = length;
    stacks[stack + NODE] = this.#walk(first, length);
    stacks[stack + KEY] = NONE;
    stacks[stack + LABEL_SET] = NONE;
    stacks[stack + LABEL_KEY] = NONE;
    stacks.set(this.#scratch.subarray(first, first + length), stack + HEAD);
    this.#stacksEnd = end;
    this.#stackCount++;
    if (this.#stackCount * 4 > this.#slots.length) this.#slots = growSlots(this.#slots);
    return stack;
  }

  /** The node of the stack whose locations are `scratch[first, first + length)`. */
  #walk(first: number, length: number): number {
    const scratch = this.#scratch;
    let node = ROOT;
    for (let i = first + length - 1; i >= first; i--) {
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
