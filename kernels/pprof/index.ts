/**
 * The pprof kernel: bytes of a plain pprof to columns, in WebAssembly's memory. src/formats/pprof/kernel.ts is the other side.
 *
 * JavaScript calls `begin` once, then for each profile `room`, writes it at the address that it gets, and calls `decode`. A call
 * that traps says why in the header, and the kernel can be used again: after NO_ROOM, for the same profile, once `reserve`
 * was called.
 */
import * as L from '../../src/formats/pprof/kernel-layout';
import { exchange, HEADER, setSlot } from '../memory';
import { reserveFirst } from './columns';
import { reserveFor } from './count';
import { profileAt, setProfile } from './header';
import { preparePacked } from './packed';
import { resolve } from './resolve';
import { sampleTypeCount, scanProfile, stringCount } from './scan';

let profileBytes: usize = 0;

export function header(): usize {
  return HEADER;
}

/** After the bounds are in the header. */
export function begin(): void {
  preparePacked();
  reserveFirst();
}

/** Where a profile of `sizeBytes` is to be written. */
export function room(sizeBytes: usize): usize {
  setSlot(L.ERROR, 0);
  if (sizeBytes > profileBytes) {
    profileBytes = sizeBytes + (sizeBytes >> 1);
    setProfile(exchange(profileAt, profileBytes));
  }
  return profileAt;
}

/** Makes room for the `sizeBytes` written. */
export function reserve(sizeBytes: usize): void {
  setSlot(L.ERROR, 0);
  reserveFor(profileAt, profileAt + sizeBytes);
}

/** Decodes the `sizeBytes` written; what has no sample type or no string is not resolved. */
export function decode(sizeBytes: usize): void {
  scanProfile(profileAt, profileAt + sizeBytes);
  setSlot(L.SAMPLE_TYPE_COUNT, sampleTypeCount);
  setSlot(L.STRING_COUNT, stringCount);
  if (sampleTypeCount > 0 && stringCount > 0) resolve();
}
