/** Pairs (a, b), numbered from 0 in order of arrival. */
import { get, hashPair, set } from '../memory';
import { Growing, Slots } from './growing';

const ENTRIES_FIRST = 1024;

export class Pairs {
  count: i32 = 0;
  first: Growing;
  second: Growing;
  private slots: Slots = new Slots(ENTRIES_FIRST);

  constructor(firstHeader: i32, secondHeader: i32) {
    this.first = new Growing(firstHeader, ENTRIES_FIRST);
    this.second = new Growing(secondHeader, ENTRIES_FIRST);
  }

  /** The entry of (a, b), made if there is none. */
  intern(a: i32, b: i32): i32 {
    const slots = this.slots;
    const hash = hashPair(a, b);
    let slot = slots.first(hash);
    for (; ; slot = slots.next(slot)) {
      const entry = load<i32>(slot, 4) - 1;
      if (entry < 0) break;
      if (get(this.first.data, entry) === a && get(this.second.data, entry) === b) return entry;
    }
    const entry = this.count++;
    slots.put(slot, hash, entry);
    this.first.reserve(this.count);
    this.second.reserve(this.count);
    set(this.first.data, entry, a);
    set(this.second.data, entry, b);
    this.first.setCount(this.count);
    slots.grow(this.count);
    return entry;
  }
}
