/**
 * Strings by their bytes. Bytes are hashed and compared as they came, eight at a time; JavaScript makes the text when it is
 * first asked for. Two byte sequences that are not UTF-8 may read as the same text; they stay two strings here.
 */
import * as L from '../../src/symbols/kernel-layout';
import { get, mix32, set } from '../memory';
import { addressAt } from './profile';
import { Growing, Slots } from './growing';

const ENTRIES_FIRST = 1024;
const SALT: u64 = 0x9e3779b97f4a7c15;
const PRODUCT: u64 = 0xff51afd7ed558ccd;

/** Up to seven bytes as a number. */
function shortText(text: usize, length: usize): u64 {
  let value: u64 = 0;
  for (let i: usize = 0; i < length; i++) value = (value << 8) | load<u8>(text + i);
  return value;
}

/** Products of eight bytes each, added; the last eight may overlap those before them. */
function hashText(text: usize, length: usize): u32 {
  let hash: u64 = length;
  if (length < 8) hash = (hash + (shortText(text, length) ^ SALT)) * PRODUCT;
  else {
    let salt = SALT;
    const last = text + length - 8;
    for (let i = text; i < last; i += 8) {
      const product = (load<u64>(i) ^ salt) * PRODUCT;
      hash += product ^ (product >> 32);
      salt += SALT;
    }
    const product = (load<u64>(last) ^ salt) * PRODUCT;
    hash += product ^ (product >> 32);
  }
  return mix32(<u32>(hash ^ (hash >> 32)));
}

/** Two texts of one length. */
function areTexts(a: usize, b: usize, length: usize): bool {
  if (length < 8) return shortText(a, length) === shortText(b, length);
  const last = length - 8;
  for (let i: usize = 0; i < last; i += 8) if (load<u64>(a + i) !== load<u64>(b + i)) return false;
  return load<u64>(a + last) === load<u64>(b + last);
}

export class Strings {
  count: i32 = 0;
  /** Bytes of string s are [start[s], start[s + 1]). */
  private start: Growing = new Growing(L.STRINGS, ENTRIES_FIRST + 1);
  /** Four to an element. */
  private bytes: Growing = new Growing(L.STRING_BYTES, ENTRIES_FIRST * 16);
  private slots: Slots = new Slots(ENTRIES_FIRST);
  private hashes: Growing = new Growing(-1, ENTRIES_FIRST);
  private candidates: Growing = new Growing(-1, ENTRIES_FIRST);

  constructor() {
    set(this.start.data, 0, 0);
    // String 0 is the empty one.
    this.intern(0, 0);
  }

  /** Number of the string with these bytes. */
  intern(text: usize, length: usize): i32 {
    return this.find(text, length, hashText(text, length));
  }

  private isEqual(string: i32, text: usize, length: usize): bool {
    const first = get(this.start.data, string);
    if (<usize>(get(this.start.data, string + 1) - first) !== length) return false;
    return areTexts(this.bytes.data + <usize>first, text, length);
  }

  private find(text: usize, length: usize, hash: u32): i32 {
    const slots = this.slots;
    let slot = slots.first(hash);
    for (; ; slot = slots.next(slot)) {
      const string = load<i32>(slot, 4) - 1;
      if (string < 0) break;
      if (load<u32>(slot) === hash && this.isEqual(string, text, length)) return string;
    }
    const string = this.count++;
    slots.put(slot, hash, string);
    const first = get(this.start.data, string);
    const end = first + <i32>length;
    this.bytes.reserve((end + 3) >> 2);
    memory.copy(this.bytes.data + <usize>first, text, length);
    this.start.reserve(this.count + 1);
    set(this.start.data, this.count, end);
    this.start.setCount(this.count);
    slots.grow(this.count);
    return string;
  }

  /** Writes to `out[i]` the number of the profile's string i, for each i of the `count` at `wanted`. */
  internAll(wanted: usize, count: i32, out: usize): void {
    this.hashes.reserve(count);
    this.candidates.reserve(count);
    const hashes = this.hashes.data;
    const candidates = this.candidates.data;
    const bytes = addressAt(L.BYTES);
    const starts = addressAt(L.STRING_START);
    const ends = addressAt(L.STRING_END);
    for (let i = 0; i < count; i++) {
      const index = get(wanted, i);
      const start = get(starts, index);
      const hash = hashText(bytes + <usize>start, <usize>(get(ends, index) - start));
      const slot = this.slots.first(hash);
      set(hashes, i, hash);
      set(candidates, i, load<u32>(slot) === hash ? load<i32>(slot, 4) - 1 : -1);
    }
    // Where there is a candidate of the right length; what is read here is what is compared next.
    for (let i = 0; i < count; i++) {
      const candidate = get(candidates, i);
      if (candidate < 0) continue;
      const index = get(wanted, i);
      const length = get(this.start.data, candidate + 1) - get(this.start.data, candidate);
      if (length !== get(ends, index) - get(starts, index)) set(candidates, i, -1);
    }
    for (let i = 0; i < count; i++) {
      const index = get(wanted, i);
      const start = get(starts, index);
      const text = bytes + <usize>start;
      const length = <usize>(get(ends, index) - start);
      const candidate = get(candidates, i);
      const isKnown = candidate >= 0 && this.isEqual(candidate, text, length);
      set(out, index, isKnown ? candidate : this.find(text, length, get(hashes, i)));
    }
  }
}
