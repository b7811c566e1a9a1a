/**
 * From a sender's ids to indexes. Ids are any uint64; nearly always they are 1 ... n. Two steps keep the usual case
 * to one array access and the others exact:
 *
 * 1. An id becomes a *token*, an int32: itself below 2^31, else ~n for the n-th distinct wide id (`WideIds`).
 * 2. `IdTable` maps tokens to indexes: an array where tokens are dense, else hashing.
 *
 * Hashing is not keyed. A sender who crafts ids that collide gets an error, not a slow server: probes are bounded.
 */
import { invalid } from '../../base/errors.js';
import { hashPair } from '../../base/hash.js';

/** At a load of 1/4, runs of this length do not happen by chance. */
const PROBES_MAX = 256;
const SLOTS_MIN = 64;
const LOAD = 4;
/** Larger tables are given back after use. */
const SLOTS_KEPT_MAX = 1 << 18;

/** Numbers distinct 64-bit ids from 0, in the order in which they come. */
export class WideIds {
  #slots = new Int32Array(SLOTS_MIN);
  #low = new Int32Array(SLOTS_MIN / LOAD);
  #high = new Int32Array(SLOTS_MIN / LOAD);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  clear(): void {
    if (this.#count === 0) return;
    this.#count = 0;
    if (this.#slots.length <= SLOTS_KEPT_MAX) this.#slots.fill(0);
    else this.#resize(SLOTS_MIN);
  }

  /** Number of the id, new or not. */
  intern(low: number, high: number): number {
    if (this.#count === this.#low.length) this.#resize(this.#slots.length * 2);
    const slot = this.#slot(low, high);
    const taken = this.#slots[slot]!;
    if (taken !== 0) return taken - 1;
    const number = this.#count++;
    this.#low[number] = low;
    this.#high[number] = high;
    this.#slots[slot] = number + 1;
    return number;
  }

  /** Number of the id, or -1. */
  find(low: number, high: number): number {
    return this.#slots[this.#slot(low, high)]! - 1;
  }

  /** The slot that holds the id, or the empty one where it belongs. */
  #slot(low: number, high: number): number {
    const mask = this.#slots.length - 1;
    let slot = hashPair(low, high) & mask;
    for (let probe = 0; probe < PROBES_MAX; probe++) {
      const number = this.#slots[slot]! - 1;
      if (number < 0 || (this.#low[number] === low && this.#high[number] === high)) return slot;
      slot = (slot + 1) & mask;
    }
    throw invalid(
      'PS_PPROF_IDS',
      `cannot decode profile: got ${PROBES_MAX} ids with one hash among ${this.#count}; want ids that were not made to collide`,
    );
  }

  #resize(slotCount: number): void {
    const low = this.#low;
    const high = this.#high;
    this.#slots = new Int32Array(slotCount);
    this.#low = new Int32Array(slotCount / LOAD);
    this.#high = new Int32Array(slotCount / LOAD);
    for (let number = 0; number < this.#count; number++) {
      this.#low[number] = low[number]!;
      this.#high[number] = high[number]!;
      this.#slots[this.#slot(low[number]!, high[number]!)] = number + 1;
    }
  }
}

const DENSE_FACTOR = 4;
const DENSE_EXTRA = 64;
const DENSE_KEPT_MAX = 1 << 18;
/** What `IdTable.get` gives for a token that was not set. */
export const UNKNOWN_ID = -1;

export class IdTable {
  #dense = new Int32Array(1024);
  #denseSize = 0;
  #isDense = true;
  readonly #sparse = new WideIds();
  #indexOf = new Int32Array(64);

  /** Forgets everything and makes room for `tokens[0, count)`. */
  begin(tokens: Int32Array, count: number): void {
    let max = 0;
    for (let i = 0; i < count; i++) {
      const token = tokens[i]! >>> 0;
      if (token > max) max = token;
    }
    this.#sparse.clear();
    this.#isDense = max < count * DENSE_FACTOR + DENSE_EXTRA;
    this.#denseSize = this.#isDense ? max + 1 : 0;
    const size = this.#denseSize;
    if (
      this.#dense.length < size ||
      (this.#dense.length > DENSE_KEPT_MAX && size < DENSE_KEPT_MAX)
    ) {
      this.#dense = new Int32Array(Math.max(size, 1024));
    }
    this.#dense.fill(UNKNOWN_ID, 0, size);
    if (!this.#isDense && this.#indexOf.length < count) this.#indexOf = new Int32Array(count);
  }

  /** Index of each token, `UNKNOWN_ID` at and past `denseLength`; null where tokens are not dense. */
  get dense(): Int32Array | null {
    return this.#isDense ? this.#dense : null;
  }

  get denseLength(): number {
    return this.#denseSize;
  }

  get(token: number): number {
    if (this.#isDense) return token >>> 0 < this.#denseSize ? this.#dense[token]! : UNKNOWN_ID;
    const number = this.#sparse.find(token, 0);
    return number < 0 ? UNKNOWN_ID : this.#indexOf[number]!;
  }

  /** `token` must be among those of `begin`. */
  set(token: number, index: number): void {
    if (this.#isDense) this.#dense[token] = index;
    else this.#indexOf[this.#sparse.intern(token, 0)] = index;
  }
}
