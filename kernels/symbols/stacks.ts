/**
 * Stacktraces, and keys (a stacktrace with the labels of its sample).
 *
 * A stack arrives as a sequence of locations, leaf first. The whole sequence is looked up at once, so that a known stack
 * costs one probe however large the trie is. Only a new one is walked into the trie, root first, frame by frame.
 *
 * A location number says which frames it is: a frame's own number, or `-1 - m` for entry m of `inlined`, the frames root
 * first, where functions were inlined into one another.
 *
 * Stacks lie one after another in one block, each with a short head, so that a look-up touches two places in memory: the slot
 * and the stack.
 */
import * as L from '../../src/symbols/kernel-layout';
import { get, mix32, set } from '../memory';
import { addressAt } from './profile';
import { Growing, Slots } from './growing';
import { Pairs } from './pairs';
import { Sequences } from './records';

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

const SALT: u64 = 0x9e3779b97f4a7c15;
const PRODUCT: u64 = 0xff51afd7ed558ccd;

function areItems(a: usize, b: usize, count: i32): bool {
  const sizeBytes = (<usize>count) << 2;
  const wide = sizeBytes & ~(<usize>15);
  for (let i: usize = 0; i < wide; i += 16) {
    if (v128.any_true(v128.xor(v128.load(a + i), v128.load(b + i)))) return false;
  }
  for (let i = wide; i < sizeBytes; i += 4) if (load<i32>(a + i) !== load<i32>(b + i)) return false;
  return true;
}

/** Location number of the location whose index is at `item`, as 32 bits. */
function locationAt(locationOf: usize, item: usize): u64 {
  return load<u32>(locationOf + ((<usize>load<u32>(item)) << 2));
}

export class Stacks {
  inlined: Sequences = new Sequences(-1, -1);
  /** Entry n is node n, as (parent, frame); entry 0 is the root. */
  nodes: Pairs = new Pairs(L.NODE_PARENTS, L.NODE_FRAMES);
  /** (node, label set). */
  keys: Pairs = new Pairs(L.KEY_NODES, L.KEY_LABEL_SETS);
  private stacks: Growing = new Growing(-1, 16_384);
  private end: i32 = 0;
  private count: i32 = 0;
  /** The entry of a stack is where it begins. */
  private slots: Slots = new Slots(1024);
  private run: Growing = new Growing(-1, RUN_ITEMS);
  private hashes: usize = heap.alloc(RUN * 4);
  private candidates: usize = heap.alloc(RUN * 4);

  constructor() {
    this.nodes.intern(NONE, NONE);
  }

  /**
   * Writes to `out` the key of each of the profile's `count` samples. They are taken in runs: locations and hashes of a run
   * first, with the slots they lead to, then the comparisons, so that waits for memory overlap. `locationOf` has a location
   * number for each location; `labelSetOf` is 0 where no sample has labels.
   */
  internAll(count: i32, locationOf: usize, labelSetOf: usize, out: usize): void {
    const firstOf = addressAt(L.SAMPLE_FIRST_LOCATION);
    let start = 0;
    while (start < count) {
      const firstItem = get(firstOf, start);
      let end = start + 1;
      while (end < count && end - start < RUN && get(firstOf, end + 1) - firstItem <= RUN_ITEMS) {
        end++;
      }
      this.gather(start, end, locationOf);
      for (let s = start; s < end; s++) {
        const items = this.run.data + ((<usize>(get(firstOf, s) - firstItem)) << 2);
        const length = get(firstOf, s + 1) - get(firstOf, s);
        let stack = get(this.candidates, s - start);
        if (stack < 0 || !areItems(this.itemsOf(stack), items, length)) {
          stack = this.find(get(this.hashes, s - start), items, length);
        }
        set(out, s, this.key(stack, labelSetOf === 0 ? 0 : get(labelSetOf, s)));
      }
      start = end;
    }
  }

  private field(stack: i32, field: i32): i32 {
    return get(this.stacks.data, stack + field);
  }

  private itemsOf(stack: i32): usize {
    return this.stacks.data + ((<usize>(stack + HEAD)) << 2);
  }

  /** Locations of samples [start, end) to `run`, their hashes, and the first candidate of each. */
  private gather(start: i32, end: i32, locationOf: usize): void {
    const firstOf = addressAt(L.SAMPLE_FIRST_LOCATION);
    this.run.reserve(get(firstOf, end) - get(firstOf, start));
    const slots = this.slots;
    let to = this.run.data;
    let item = addressAt(L.SAMPLE_LOCATION) + ((<usize>get(firstOf, start)) << 2);
    for (let s = start; s < end; s++) {
      const length = get(firstOf, s + 1) - get(firstOf, s);
      let hash: u64 = length;
      let salt = SALT;
      for (let pairs = length >> 1; pairs > 0; pairs--) {
        const both = locationAt(locationOf, item) | (locationAt(locationOf, item + 4) << 32);
        store<u64>(to, both);
        const product = (both ^ salt) * PRODUCT;
        hash += product ^ (product >> 32);
        salt += SALT;
        item += 8;
        to += 8;
      }
      if ((length & 1) !== 0) {
        const last = locationAt(locationOf, item);
        store<u32>(to, <u32>last);
        const product = (last ^ salt) * PRODUCT;
        hash += product ^ (product >> 32);
        item += 4;
        to += 4;
      }
      const short = mix32(<u32>(hash ^ (hash >> 32)));
      const slot = slots.first(short);
      set(this.hashes, s - start, short);
      set(this.candidates, s - start, load<u32>(slot) === short ? load<i32>(slot, 4) - 1 : NONE);
    }
    // Heads are read for all before any of them is compared.
    for (let s = start; s < end; s++) {
      const candidate = get(this.candidates, s - start);
      if (candidate < 0) continue;
      if (this.field(candidate, LENGTH) !== get(firstOf, s + 1) - get(firstOf, s)) {
        set(this.candidates, s - start, NONE);
      }
    }
  }

  /** Key of a stack with a label set. */
  private key(stack: i32, labelSet: i32): i32 {
    const head = this.stacks.data + ((<usize>stack) << 2);
    if (labelSet === 0) {
      let key = get(head, KEY);
      if (key === NONE) {
        key = this.keys.intern(get(head, NODE), 0);
        set(head, KEY, key);
      }
      return key;
    }
    if (get(head, LABEL_SET) === labelSet) return get(head, LABEL_KEY);
    const key = this.keys.intern(get(head, NODE), labelSet);
    set(head, LABEL_SET, labelSet);
    set(head, LABEL_KEY, key);
    return key;
  }

  /** The stack with the `length` locations at `items`, added if it is new. */
  private find(hash: u32, items: usize, length: i32): i32 {
    const slots = this.slots;
    let slot = slots.first(hash);
    for (; ; slot = slots.next(slot)) {
      const stack = load<i32>(slot, 4) - 1;
      if (stack < 0) break;
      if (load<u32>(slot) !== hash || this.field(stack, LENGTH) !== length) continue;
      if (areItems(this.itemsOf(stack), items, length)) return stack;
    }
    const stack = this.end;
    slots.put(slot, hash, stack);
    this.stacks.reserve(stack + HEAD + length);
    this.end = stack + HEAD + length;
    const head = this.stacks.data + ((<usize>stack) << 2);
    set(head, LENGTH, length);
    set(head, NODE, this.walk(items, length));
    set(head, KEY, NONE);
    set(head, LABEL_SET, NONE);
    set(head, LABEL_KEY, NONE);
    memory.copy(this.itemsOf(stack), items, (<usize>length) << 2);
    this.count++;
    slots.grow(this.count);
    return stack;
  }

  /** The node of a stack. */
  private walk(items: usize, length: i32): i32 {
    let node = ROOT;
    for (let i = length - 1; i >= 0; i--) {
      const location = get(items, i);
      if (location >= 0) {
        node = this.nodes.intern(node, location);
        continue;
      }
      const start = this.inlined.start.data;
      const end = get(start, -location);
      for (let f = get(start, -1 - location); f < end; f++) {
        node = this.nodes.intern(node, get(this.inlined.items.data, f));
      }
    }
    return node;
  }
}
