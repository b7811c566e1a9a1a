/** Memory of tables: blocks that grow, and open addressing. */
import * as L from '../../src/symbols/kernel-layout';
import { setSlot, slot } from '../memory';

/** Of tables: more, or fewer where negative. */
export function countBytes(bytes: i32): void {
  setSlot(L.TABLE_BYTES, slot(L.TABLE_BYTES) + bytes);
}

/** A block of 32-bit elements that grows, and of which JavaScript knows where it lies. */
export class Growing {
  data: usize = 0;
  /** Elements that there is room for. */
  capacity: i32 = 0;
  private header: i32;

  /** `header`: the first of three slots (kernel-layout.ts), or -1. */
  constructor(header: i32, capacity: i32) {
    this.header = header;
    this.reserve(capacity);
  }

  /** Makes room for `count` elements in all; what was there stays. */
  reserve(count: i32): void {
    if (count <= this.capacity) return;
    const old = this.capacity;
    this.capacity = max(count, old + (old >> 1));
    countBytes((this.capacity - old) << 2);
    const sizeBytes = (<usize>this.capacity) << 2;
    this.data = this.data === 0 ? heap.alloc(sizeBytes) : heap.realloc(this.data, sizeBytes);
    if (this.header < 0) return;
    setSlot(this.header, <i32>this.data);
    setSlot(this.header + 2, this.capacity);
  }

  setCount(count: i32): void {
    setSlot(this.header + 1, count);
  }
}

/**
 * Open addressing: pairs (hash, entry + 1), 0 for an empty slot. A slot holds the entry's hash beside its number, so that a
 * probe touches the content of almost only the entry it wants. At most half of them are taken.
 */
export class Slots {
  data: usize = 0;
  mask: u32 = 0;

  constructor(entries: i32) {
    this.clear(<u32>entries * 2);
  }

  /** Address of the slot at which the search for `hash` begins. */
  first(hash: u32): usize {
    return this.data + ((<usize>(hash & this.mask)) << 3);
  }

  next(slot: usize): usize {
    return this.data + ((slot + 8 - this.data) & (((<usize>this.mask) << 3) | 7));
  }

  put(slot: usize, hash: u32, entry: i32): void {
    store<u32>(slot, hash);
    store<i32>(slot, entry + 1, 4);
  }

  /** Room for one more than `entries`. */
  grow(entries: i32): void {
    if (<u32>entries * 2 <= this.mask) return;
    const old = this.data;
    const end = old + ((<usize>this.mask + 1) << 3);
    this.data = 0;
    this.clear((this.mask + 1) * 2);
    for (let slot = old; slot < end; slot += 8) {
      const entry = load<i32>(slot, 4) - 1;
      if (entry < 0) continue;
      const hash = load<u32>(slot);
      let to = this.first(hash);
      while (load<i32>(to, 4) !== 0) to = this.next(to);
      this.put(to, hash, entry);
    }
    heap.free(old);
    countBytes(<i32>(<usize>old - <usize>end));
  }

  private clear(count: u32): void {
    this.mask = count - 1;
    this.data = heap.alloc((<usize>count) << 3);
    countBytes(<i32>(count << 3));
    memory.fill(this.data, 0, (<usize>count) << 3);
  }
}
