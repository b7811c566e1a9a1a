/**
 * Records of a fixed number of 32-bit fields, and sequences of 32-bit items of any length. Entries are numbered from 0 in
 * order of arrival and never move.
 *
 * Hashes are sums of one product for each item: without a chain from item to item the processor works on several at
 * once. They decide nothing, content is always compared.
 *
 * `internAll` looks a whole profile's records up together: first all the slots are read, then all the candidates are
 * compared. A look-up is mostly waiting for memory, and so the waits overlap (docs/adr/0007-interning.md).
 */
import { get, mix32, set } from '../memory';
import { Growing, Slots } from './growing';

const ENTRIES_FIRST = 1024;
/** Odd constants of MurmurHash3 and of the golden ratio: items at different places must not cancel out. */
const SALT: u32 = 0x85ebca6b;
const SALT_STEP: u32 = 0x9e3779b9;
const PRODUCT: u32 = 0xcc9e2d51;

/** Of the `count` items at `items`. */
function hashItems(items: usize, count: i32): u32 {
  let hash: u32 = count;
  let salt = SALT;
  for (let i = 0; i < count; i++) {
    const product = (<u32>get(items, i) ^ salt) * PRODUCT;
    hash += product ^ (product >> 15);
    salt += SALT_STEP;
  }
  return mix32(hash);
}

function areEqual(a: usize, b: usize, count: i32): bool {
  for (let i = 0; i < count; i++) if (get(a, i) !== get(b, i)) return false;
  return true;
}

export class Records {
  count: i32 = 0;
  private width: i32;
  private fields: Growing;
  private slots: Slots = new Slots(ENTRIES_FIRST);
  private hashes: Growing = new Growing(-1, ENTRIES_FIRST);

  constructor(width: i32, header: i32) {
    this.width = width;
    this.fields = new Growing(header, width * ENTRIES_FIRST);
  }

  /** Address of an entry's fields. */
  entry(entry: i32): usize {
    return this.fields.data + ((<usize>entry * <usize>this.width) << 2);
  }

  /** The entry whose fields equal those at `record`, made if there is none. */
  intern(record: usize): i32 {
    return this.find(record, hashItems(record, this.width));
  }

  private find(record: usize, hash: u32): i32 {
    const slots = this.slots;
    let slot = slots.first(hash);
    for (; ; slot = slots.next(slot)) {
      const entry = load<i32>(slot, 4) - 1;
      if (entry < 0) break;
      if (load<u32>(slot) === hash && areEqual(this.entry(entry), record, this.width)) return entry;
    }
    const entry = this.count++;
    slots.put(slot, hash, entry);
    this.fields.reserve(this.count * this.width);
    this.fields.setCount(this.count);
    memory.copy(this.entry(entry), record, (<usize>this.width) << 2);
    slots.grow(this.count);
    return entry;
  }

  /** Writes to `out` the entry of each of the `count` records at `rows`. */
  internAll(rows: usize, count: i32, out: usize): void {
    const width = this.width;
    const rowBytes = (<usize>width) << 2;
    this.hashes.reserve(count);
    const hashes = this.hashes.data;
    for (let i = 0, row = rows; i < count; i++, row += rowBytes) {
      const hash = hashItems(row, width);
      const slot = this.slots.first(hash);
      set(hashes, i, hash);
      set(out, i, load<u32>(slot) === hash ? load<i32>(slot, 4) - 1 : -1);
    }
    for (let i = 0, row = rows; i < count; i++, row += rowBytes) {
      const entry = get(out, i);
      if (entry >= 0 && !areEqual(this.entry(entry), row, width)) set(out, i, -1);
    }
    for (let i = 0, row = rows; i < count; i++, row += rowBytes) {
      if (get(out, i) < 0) set(out, i, this.find(row, get(hashes, i)));
    }
  }
}

export class Sequences {
  count: i32 = 0;
  /** Items of entry e are [start[e], start[e + 1]) of `items`. */
  start: Growing;
  items: Growing;
  private slots: Slots = new Slots(ENTRIES_FIRST);

  constructor(startHeader: i32, itemsHeader: i32) {
    this.start = new Growing(startHeader, ENTRIES_FIRST + 1);
    this.items = new Growing(itemsHeader, ENTRIES_FIRST * 8);
    set(this.start.data, 0, 0);
  }

  /** The entry equal to the `length` items at `sequence`, made if there is none. */
  intern(sequence: usize, length: i32): i32 {
    const hash = hashItems(sequence, length);
    const slots = this.slots;
    let slot = slots.first(hash);
    for (; ; slot = slots.next(slot)) {
      const entry = load<i32>(slot, 4) - 1;
      if (entry < 0) break;
      if (load<u32>(slot) !== hash) continue;
      const first = get(this.start.data, entry);
      if (get(this.start.data, entry + 1) - first !== length) continue;
      if (areEqual(this.items.data + ((<usize>first) << 2), sequence, length)) return entry;
    }
    const entry = this.count++;
    slots.put(slot, hash, entry);
    const first = get(this.start.data, entry);
    this.items.reserve(first + length);
    memory.copy(this.items.data + ((<usize>first) << 2), sequence, (<usize>length) << 2);
    this.start.reserve(this.count + 1);
    set(this.start.data, this.count, first + length);
    slots.grow(this.count);
    return entry;
  }
}
