/**
 * Pairs (a, b), numbered from 0 in order of arrival. There may be millions of nodes, so a slot is the entry alone: half the memory,
 * and a hash to compare would spare little where content is two numbers.
 */
import { get, hashPair, set } from '../memory';
import { countBytes, Growing } from './growing';

const ENTRIES_FIRST = 1024;
const SLOTS_FIRST: u32 = 2048;

export class Pairs {
  count: i32 = 0;
  first: Growing;
  second: Growing;
  /** Entry + 1, or 0; at most 7 of 10 are taken. */
  private slots: usize = 0;
  private mask: u32 = 0;

  constructor(firstHeader: i32, secondHeader: i32) {
    this.first = new Growing(firstHeader, ENTRIES_FIRST);
    this.second = new Growing(secondHeader, ENTRIES_FIRST);
    this.index(SLOTS_FIRST);
  }

  /** The entry of (a, b), made if there is none. */
  intern(a: i32, b: i32): i32 {
    let slot = hashPair(a, b) & this.mask;
    for (; ; slot = (slot + 1) & this.mask) {
      const entry = get(this.slots, slot) - 1;
      if (entry < 0) break;
      if (get(this.first.data, entry) === a && get(this.second.data, entry) === b) return entry;
    }
    const entry = this.count++;
    set(this.slots, slot, entry + 1);
    this.first.reserve(this.count);
    this.second.reserve(this.count);
    set(this.first.data, entry, a);
    set(this.second.data, entry, b);
    this.first.setCount(this.count);
    if (<u64>this.count * 10 > (<u64>this.mask + 1) * 7) this.index((this.mask + 1) * 2);
    return entry;
  }

  /** Makes slots for all entries anew. */
  private index(slotCount: u32): void {
    if (this.slots !== 0) {
      heap.free(this.slots);
      countBytes(-(<i32>(this.mask + 1) << 2));
    }
    this.slots = heap.alloc((<usize>slotCount) << 2);
    this.mask = slotCount - 1;
    countBytes(<i32>slotCount << 2);
    memory.fill(this.slots, 0, (<usize>slotCount) << 2);
    for (let entry = 0; entry < this.count; entry++) {
      let slot = hashPair(get(this.first.data, entry), get(this.second.data, entry)) & this.mask;
      while (get(this.slots, slot) !== 0) slot = (slot + 1) & this.mask;
      set(this.slots, slot, entry + 1);
    }
  }
}
