/**
 * Open addressing over typed arrays for the two shapes that interning needs: records of a fixed number of 32-bit
 * fields, and sequences of 32-bit items of any length. Entries are numbered from 0 in order of arrival and never
 * move. A slot holds the entry's hash beside its number, so that a probe touches the content of almost only the entry
 * it wants.
 *
 * Hashes are sums of one product for each item: without a chain from item to item the processor works on several at
 * once. They decide nothing, content is always compared.
 *
 * `internAll` looks a whole profile's records up together: first all the slots are read, then all the candidates are
 * compared. A look-up is mostly waiting for memory, and so the waits overlap (docs/adr/0007-interning.md).
 */
import { assert } from '../base/assert.js';
import { mix32 } from '../base/hash.js';

/** Slots are pairs (hash, entry + 1); an entry of 0 is an empty slot. The first probe is at `(hash << 1) & (length - 2)`. */
export function emptySlots(entries: number): Int32Array<ArrayBuffer> {
  return new Int32Array(entries * 4);
}

function putSlot(slots: Int32Array, hash: number, entry: number): void {
  const mask = slots.length - 2;
  let at = (hash << 1) & mask;
  while (slots[at + 1] !== 0) at = (at + 2) & mask;
  slots[at] = hash;
  slots[at + 1] = entry + 1;
}

export function growSlots(slots: Int32Array): Int32Array<ArrayBuffer> {
  const grown = new Int32Array(slots.length * 2);
  for (let at = 0; at < slots.length; at += 2) {
    const entry = slots[at + 1]!;
    if (entry !== 0) putSlot(grown, slots[at]!, entry - 1);
  }
  return grown;
}

export function growInts(ints: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const grown = new Int32Array(Math.max(length, ints.length * 2));
  grown.set(ints);
  return grown;
}

export const ENTRIES_INITIAL = 1024;
/** Odd constants of MurmurHash3 and of the golden ratio: items at different places must not cancel out. */
const SALT = 0x85ebca6b | 0;
const SALT_STEP = 0x9e3779b9 | 0;
const PRODUCT = 0xcc9e2d51 | 0;

function hashRecord(rows: Int32Array, first: number, width: number): number {
  let hash = 0;
  let salt = SALT;
  for (let f = first; f < first + width; f++) {
    const product = Math.imul(rows[f]! ^ salt, PRODUCT);
    hash = (hash + (product ^ (product >>> 15))) | 0;
    salt = (salt + SALT_STEP) | 0;
  }
  return mix32(hash);
}

/** Records of `width` fields. Write the fields wanted into `scratch`, then call `intern`. */
export class RecordTable {
  readonly width: number;
  readonly scratch: Int32Array;
  /** Field f of entry e is `fields[e * width + f]`. Replaced when the table grows. */
  fields: Int32Array;
  count = 0;
  #slots = emptySlots(ENTRIES_INITIAL);
  #hashes = new Int32Array(ENTRIES_INITIAL);

  constructor(width: number) {
    this.width = width;
    this.scratch = new Int32Array(width);
    this.fields = new Int32Array(width * ENTRIES_INITIAL);
  }

  get sizeBytes(): number {
    return this.fields.byteLength + this.#slots.byteLength;
  }

  /** The entry whose fields equal `scratch`, made if there is none; it is new exactly when `count` has grown. */
  intern(): number {
    return this.#find(hashRecord(this.scratch, 0, this.width));
  }

  #find(hash: number): number {
    const slots = this.#slots;
    const mask = slots.length - 2;
    let at = (hash << 1) & mask;
    for (; ; at = (at + 2) & mask) {
      const entry = slots[at + 1]!;
      if (entry === 0) break;
      if (slots[at] === hash && this.#equals(entry - 1)) return entry - 1;
    }
    return this.#add(at, hash);
  }

  /** Writes to `out[i]` the entry of record i of `rows` (`width` fields each), for the first `count` records. */
  internAll(rows: Int32Array, count: number, out: Int32Array): void {
    const { width, scratch } = this;
    assert(rows.length >= count * width && out.length >= count, 'a place for each record');
    if (this.#hashes.length < count) this.#hashes = new Int32Array(count * 2);
    const hashes = this.#hashes;
    const slots = this.#slots;
    const mask = slots.length - 2;
    for (let i = 0; i < count; i++) {
      const hash = hashRecord(rows, i * width, width);
      const at = (hash << 1) & mask;
      hashes[i] = hash;
      out[i] = slots[at] === hash ? slots[at + 1]! - 1 : -1;
    }
    const { fields } = this;
    for (let i = 0; i < count; i++) {
      const entry = out[i]!;
      if (entry < 0) continue;
      const first = entry * width;
      const row = i * width;
      let f = 0;
      while (f < width && fields[first + f] === rows[row + f]) f++;
      if (f !== width) out[i] = -1;
    }
    for (let i = 0; i < count; i++) {
      if (out[i]! >= 0) continue;
      for (let f = 0; f < width; f++) scratch[f] = rows[i * width + f]!;
      out[i] = this.#find(hashes[i]!);
    }
  }

  #equals(entry: number): boolean {
    const { width, scratch, fields } = this;
    const first = entry * width;
    for (let f = 0; f < width; f++) if (fields[first + f] !== scratch[f]) return false;
    return true;
  }

  #add(at: number, hash: number): number {
    const entry = this.count++;
    this.#slots[at] = hash;
    this.#slots[at + 1] = entry + 1;
    const first = entry * this.width;
    if (first + this.width > this.fields.length) this.fields = growInts(this.fields, 0);
    this.fields.set(this.scratch, first);
    if (this.count * 4 > this.#slots.length) this.#slots = growSlots(this.#slots);
    return entry;
  }
}

/** Sequences of any length. Fill `scratch` (after `reserve`), then call `intern` with the length. */
export class SequenceTable {
  scratch = new Int32Array(256);
  /** Items of entry e are `items[start[e], start[e + 1])`. Both are replaced when the table grows. */
  start = new Int32Array(ENTRIES_INITIAL + 1);
  items = new Int32Array(ENTRIES_INITIAL * 8);
  count = 0;
  #slots = emptySlots(ENTRIES_INITIAL);

  get sizeBytes(): number {
    return this.start.byteLength + this.items.byteLength + this.#slots.byteLength;
  }

  /** Makes room in `scratch` for `length` items. */
  reserve(length: number): void {
    if (this.scratch.length < length) this.scratch = growInts(this.scratch, length);
  }

  /** The entry equal to `scratch[0, length)`, made if there is none; it is new exactly when `count` has grown. */
  intern(length: number): number {
    const { scratch, start, items } = this;
    assert(length <= scratch.length, 'a sequence must fit the scratch array');
    let hash = length;
    let salt = SALT;
    for (let i = 0; i < length; i++) {
      const product = Math.imul(scratch[i]! ^ salt, PRODUCT);
      hash = (hash + (product ^ (product >>> 15))) | 0;
      salt = (salt + SALT_STEP) | 0;
    }
    hash = mix32(hash);
    const slots = this.#slots;
    const mask = slots.length - 2;
    let at = (hash << 1) & mask;
    for (; ; at = (at + 2) & mask) {
      const entry = slots[at + 1]! - 1;
      if (entry < 0) break;
      if (slots[at] !== hash) continue;
      const first = start[entry]!;
      if (start[entry + 1]! - first !== length) continue;
      let i = 0;
      while (i < length && items[first + i] === scratch[i]) i++;
      if (i === length) return entry;
    }
    return this.#add(at, hash, length);
  }

  #add(at: number, hash: number, length: number): number {
    const entry = this.count++;
    this.#slots[at] = hash;
    this.#slots[at + 1] = entry + 1;
    const first = this.start[entry]!;
    const end = first + length;
    if (end > this.items.length) this.items = growInts(this.items, end);
    this.items.set(this.scratch.subarray(0, length), first);
    if (this.count + 1 >= this.start.length) this.start = growInts(this.start, 0);
    this.start[entry + 1] = end;
    if (this.count * 4 > this.#slots.length) this.#slots = growSlots(this.#slots);
    return entry;
  }
}
