/** Where the profile lies, what is counted of its damage, and how a call stops (src/formats/pprof/kernel-layout.ts). */
import * as L from '../../src/formats/pprof/kernel-layout';
import { HEADER, setSlot, slot } from '../memory';

/** Address of the profile's first byte. */
export let profileAt: usize = 0;

export function setProfile(at: usize): void {
  profileAt = at;
}

/** Before a profile: what is said of the one before it. */
export function clearHeader(): void {
  memory.fill(HEADER + L.STRING_COUNT * 4, 0, (L.SAMPLES_MAX - L.STRING_COUNT) * 4);
  memory.fill(HEADER + L.DAMAGE * 4, 0, L.DAMAGE_KINDS * 4);
}

export function countDamage(kind: i32): void {
  setSlot(L.DAMAGE + kind, slot(L.DAMAGE + kind) + 1);
}

/** Stops the call with a trap; JavaScript makes an error of what the header says. */
export function fail(error: i32, at: usize, detail: i32 = 0, detail2: i32 = 0): void {
  setSlot(L.ERROR, error);
  setSlot(L.ERROR_AT, <i32>(at - profileAt));
  setSlot(L.ERROR_DETAIL, detail);
  setSlot(L.ERROR_DETAIL_2, detail2);
  unreachable();
}
