/**
 * From a sender's ids to indexes. Ids are any uint64; nearly always they are 1 ... n. Two steps keep the usual case
 * to one access and the others exact:
 *
 * 1. An id becomes a *token*, an i32: itself below 2^31, else ~n for the n-th distinct wide id (`WideIds`).
 * 2. `IdTable` maps tokens to indexes: an array where tokens are dense, else hashing.
 *
 * Hashing is not keyed. A sender who crafts ids that collide gets an error, not a slow server: probes are bounded.
 */
import * as L from '../../src/formats/pprof/kernel-layout';
import { exchange, hashPair } from '../memory';
import { fail, profileAt } from './header';
import { number } from './wire';

/** At a load of 1/4, runs of this length do not happen by chance. */
const PROBES_MAX = 256;
const SLOTS_MIN = 64;
const LOAD = 4;
/** Larger tables are given back after use. */
const SLOTS_KEPT_MAX = 1 << 18;

/** Numbers distinct 64-bit ids from 0, in the order in which they come. */
export class WideIds {
  /** Number + 1, or 0. */
  private slots: usize = 0;
  private slotCount: i32 = 0;
  private ids: usize = 0;
  private count: i32 = 0;

  clear(): void {
    if (this.slotCount === 0 || this.slotCount > SLOTS_KEPT_MAX) this.resize(SLOTS_MIN);
    else if (this.count > 0) memory.fill(this.slots, 0, (<usize>this.slotCount) << 2);
    this.count = 0;
  }

  /** Number of the id, new or not. */
  intern(id: u64): i32 {
    if (this.count * LOAD === this.slotCount) this.grow();
    const slot = this.slotOf(id);
    const taken = load<i32>(slot);
    if (taken !== 0) return taken - 1;
    const index = this.count++;
    store<u64>(this.ids + ((<usize>index) << 3), id);
    store<i32>(slot, index + 1);
    return index;
  }

  /** Number of the id, or -1. */
  find(id: u64): i32 {
    return load<i32>(this.slotOf(id)) - 1;
  }

  /** The slot that holds the id, or the empty one where it belongs. */
  private slotOf(id: u64): usize {
    const mask = <u32>(this.slotCount - 1);
    let slot = hashPair(<u32>id, <u32>(id >> 32)) & mask;
    for (let probe = 0; probe < PROBES_MAX; probe++) {
      const at = this.slots + ((<usize>slot) << 2);
      const index = load<i32>(at) - 1;
      if (index < 0 || load<u64>(this.ids + ((<usize>index) << 3)) === id) return at;
      slot = (slot + 1) & mask;
    }
    fail(L.COLLIDING_IDS, profileAt, PROBES_MAX, this.count);
    return 0;
  }

  private grow(): void {
    const old = this.ids;
    this.ids = 0;
    this.resize(this.slotCount * 2);
    memory.copy(this.ids, old, (<usize>this.count) << 3);
    heap.free(old);
    for (let index = 0; index < this.count; index++) {
      store<i32>(this.slotOf(load<u64>(this.ids + ((<usize>index) << 3))), index + 1);
    }
  }

  private resize(slotCount: i32): void {
    this.slots = exchange(this.slots, (<usize>slotCount) << 2);
    memory.fill(this.slots, 0, (<usize>slotCount) << 2);
    this.ids = exchange(this.ids, (<usize>(slotCount / LOAD)) << 3);
    this.slotCount = slotCount;
  }
}

/** Of one profile. */
export const wideIds = new WideIds();

/** The id read last as a token. */
export function asToken(): i32 {
  return number <= <u64>i32.MAX_VALUE ? <i32>number : ~wideIds.intern(number);
}

const DENSE_FACTOR = 4;
const DENSE_EXTRA = 64;
/** What `IdTable.get` gives for a token that was not set. */
export const UNKNOWN_ID: i32 = -1;

export class IdTable {
  /** Index of each token below `denseLength`, where tokens are dense. */
  dense: usize = 0;
  denseLength: u32 = 0;
  isDense: bool = true;
  private denseCapacity: u32 = 0;
  private sparse: WideIds = new WideIds();
  private indexOf: usize = 0;
  private indexCapacity: i32 = 0;

  /** Forgets everything and makes room for the `count` tokens at `tokens`. */
  begin(tokens: usize, count: i32): void {
    let max: u32 = 0;
    for (let i = 0; i < count; i++) {
      const token = load<u32>(tokens + ((<usize>i) << 2));
      if (token > max) max = token;
    }
    this.isDense = <u64>max < <u64>count * DENSE_FACTOR + DENSE_EXTRA;
    this.denseLength = this.isDense ? max + 1 : 0;
    if (this.isDense) {
      if (this.denseLength > this.denseCapacity) {
        this.denseCapacity = this.denseLength * 2;
        this.dense = exchange(this.dense, (<usize>this.denseCapacity) << 2);
      }
      memory.fill(this.dense, 0xff, (<usize>this.denseLength) << 2);
      return;
    }
    this.sparse.clear();
    if (this.indexCapacity < count) {
      this.indexCapacity = count;
      this.indexOf = exchange(this.indexOf, (<usize>count) << 2);
    }
  }

  get(token: i32): i32 {
    if (this.isDense) {
      if (<u32>token >= this.denseLength) return UNKNOWN_ID;
      return load<i32>(this.dense + ((<usize>token) << 2));
    }
    const index = this.sparse.find(<u64>(<u32>token));
    return index < 0 ? UNKNOWN_ID : load<i32>(this.indexOf + ((<usize>index) << 2));
  }

  /** `token` must be among those of `begin`. */
  set(token: i32, index: i32): void {
    if (this.isDense) store<i32>(this.dense + ((<usize>token) << 2), index);
    else store<i32>(this.indexOf + ((<usize>this.sparse.intern(<u64>(<u32>token))) << 2), index);
  }
}
