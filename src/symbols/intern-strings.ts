/**
 * Strings by their bytes. No JavaScript string is made to find one: bytes are hashed and compared as they came, and
 * the text is made when it is first asked for. Two byte sequences that are not UTF-8 may read as the same text; they
 * stay two strings here.
 */
import { assert } from '../base/assert.js';
import { mix32 } from '../base/hash.js';
import { emptySlots, ENTRIES_INITIAL, growInts, growSlots } from './intern-records.js';

/**
 * For this table only. Two lanes without a chain from word to word: names are long enough for that to take half the
 * time of Murmur3 with 32 bits.
 */
function hashText(bytes: Uint8Array, view: DataView, start: number, end: number): number {
  let a = end - start;
  let b = 0;
  let salt = 0x85ebca6b | 0;
  let i = start;
  for (; i + 8 <= end; i += 8) {
    const x = Math.imul(view.getInt32(i, true) ^ salt, 0xcc9e2d51);
    const y = Math.imul(view.getInt32(i + 4, true) ^ salt, 0x1b873593);
    a = (a + (x ^ (x >>> 15))) | 0;
    b = (b + (y ^ (y >>> 15))) | 0;
    salt = (salt + 0x9e3779b9) | 0;
  }
  for (; i < end; i++) {
    const x = Math.imul(bytes[i]! ^ salt, 0xcc9e2d51);
    a = (a + (x ^ (x >>> 15))) | 0;
    salt = (salt + 0x9e3779b9) | 0;
  }
  return mix32(a ^ Math.imul(b, 0x9e3779b1));
}

/** Byte ranges of a profile's strings. */
export interface StringSource {
  readonly bytes: Uint8Array;
  /** Over the same bytes. */
  readonly view: DataView;
  readonly stringStart: Int32Array;
  readonly stringEnd: Int32Array;
}

export class StringTable {
  count = 0;
  #hashes = new Int32Array(ENTRIES_INITIAL);
  #candidates = new Int32Array(ENTRIES_INITIAL);
  #bytes = new Uint8Array(64 * ENTRIES_INITIAL);
  #view = new DataView(this.#bytes.buffer);
  /** Bytes of string s are [start[s], start[s + 1]). */
  #start = new Int32Array(ENTRIES_INITIAL + 1);
  #slots = emptySlots(ENTRIES_INITIAL);
  readonly #texts: (string | undefined)[] = [];

  constructor() {
    const empty = this.intern(this.#bytes, this.#view, 0, 0);
    assert(empty === 0, 'string 0 must be the empty one');
  }

  get sizeBytes(): number {
    // A text costs about as much again as its bytes, plus its header.
    return (
      this.#bytes.length * 2 + this.#start.byteLength + this.#slots.byteLength + this.count * 32
    );
  }

  /** Number of the string `bytes[start, end)`; `view` is a DataView over the same bytes. */
  intern(bytes: Uint8Array, view: DataView, start: number, end: number): number {
    return this.#find({ bytes, view }, start, end, hashText(bytes, view, start, end));
  }

  #find(
    source: Pick<StringSource, 'bytes' | 'view'>,
    start: number,
    end: number,
    hash: number,
  ): number {
    const slots = this.#slots;
    const mask = slots.length - 2;
    let at = (hash << 1) & mask;
    for (; ; at = (at + 2) & mask) {
      const string = slots[at + 1]! - 1;
      if (string < 0) break;
      if (slots[at] === hash && this.#equals(string, source.view, start, end)) return string;
    }
    this.#slots[at] = hash;
    this.#slots[at + 1] = this.count + 1;
    return this.#add(source.bytes.subarray(start, end));
  }

  /**
   * Writes to `out[i]` the number of the source's string i, for each i of the first `count` of `wanted`. All slots are
   * read before anything is compared, as in `RecordTable.internAll`.
   */
  internAll(source: StringSource, wanted: Int32Array, count: number, out: Int32Array): void {
    const { bytes, view, stringStart, stringEnd } = source;
    if (this.#hashes.length < count) {
      this.#hashes = new Int32Array(count * 2);
      this.#candidates = new Int32Array(count * 2);
    }
    const hashes = this.#hashes;
    const candidates = this.#candidates;
    const slots = this.#slots;
    const mask = slots.length - 2;
    for (let i = 0; i < count; i++) {
      const index = wanted[i]!;
      const hash = hashText(bytes, view, stringStart[index]!, stringEnd[index]!);
      const at = (hash << 1) & mask;
      hashes[i] = hash;
      candidates[i] = slots[at] === hash ? slots[at + 1]! - 1 : -1;
    }
    // Where there is a candidate of the right length; what is read here is what is compared next.
    const lengths = this.#start;
    for (let i = 0; i < count; i++) {
      const candidate = candidates[i]!;
      const index = wanted[i]!;
      if (candidate < 0) continue;
      const length = lengths[candidate + 1]! - lengths[candidate]!;
      if (length !== stringEnd[index]! - stringStart[index]!) candidates[i] = -1;
    }
    for (let i = 0; i < count; i++) {
      const index = wanted[i]!;
      const start = stringStart[index]!;
      const end = stringEnd[index]!;
      const candidate = candidates[i]!;
      out[index] =
        candidate >= 0 && this.#equals(candidate, view, start, end)
          ? candidate
          : this.#find(source, start, end, hashes[i]!);
    }
  }

  text(string: number): string {
    let text = this.#texts[string];
    if (text === undefined) {
      const start = this.#start[string]!;
      text = Buffer.from(this.#bytes.buffer, start, this.#start[string + 1]! - start).toString(
        'utf8',
      );
      this.#texts[string] = text;
    }
    return text;
  }

  #equals(string: number, view: DataView, start: number, end: number): boolean {
    let own = this.#start[string]!;
    if (this.#start[string + 1]! - own !== end - start) return false;
    const ownView = this.#view;
    let i = start;
    for (; i + 8 <= end; i += 8, own += 8) {
      const difference =
        (ownView.getInt32(own, true) ^ view.getInt32(i, true)) |
        (ownView.getInt32(own + 4, true) ^ view.getInt32(i + 4, true));
      if (difference !== 0) return false;
    }
    for (; i < end; i++, own++) if (ownView.getUint8(own) !== view.getUint8(i)) return false;
    return true;
  }

  #add(text: Uint8Array): number {
    const string = this.count++;
    this.#texts.push(undefined);
    const first = this.#start[string]!;
    const last = first + text.length;
    if (last > this.#bytes.length) this.#growBytes(last);
    this.#bytes.set(text, first);
    if (this.count + 1 >= this.#start.length) this.#start = growInts(this.#start, 0);
    this.#start[string + 1] = last;
    if (this.count * 4 > this.#slots.length) this.#slots = growSlots(this.#slots);
    return string;
  }

  #growBytes(sizeBytes: number): void {
    const bytes = new Uint8Array(Math.max(sizeBytes, this.#bytes.length * 2));
    bytes.set(this.#bytes);
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }
}
