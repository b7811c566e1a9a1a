/**
 * Packed location ids, which are most of a profile: eight bytes at a time. Nearly all ids have one or two bytes in no order
 * that a processor could foresee, and a wrong guess costs more than the work. So the eight continuation bits choose a shuffle that
 * puts each id into a lane of its own (as in Masked VByte: Plaisance, Kurz, Lemire, 2015).
 */
const BYTES: u32 = 8;
const MASKS: u32 = 1 << BYTES;
/** By mask: where each lane's two bytes come from. */
const SHUFFLES: usize = memory.data(<i32>MASKS * 16, 16);
/** By mask: bytes used << 8 | ids in them; 0 where an id has more than two bytes. */
const STEPS: usize = memory.data(<i32>MASKS * 2, 16);
/** A lane's index past the vector gives 0. */
const NOWHERE: u8 = 0x80;

/** Bytes written past the last id, at most. */
export const SLACK: usize = 32;

/** Once, before `unpackShort`. */
export function preparePacked(): void {
  for (let mask: u32 = 0; mask < MASKS; mask++) {
    const shuffle = SHUFFLES + <usize>mask * 16;
    memory.fill(shuffle, NOWHERE, 16);
    let at: u32 = 0;
    let ids: u32 = 0;
    let isLong = false;
    while (at < BYTES) {
      const isTwo = ((mask >> at) & 1) === 1;
      if (isTwo && at + 1 === BYTES) break;
      store<u8>(shuffle + ids * 2, <u8>at);
      if (isTwo) {
        if (((mask >> (at + 1)) & 1) === 1) isLong = true;
        store<u8>(shuffle + ids * 2 + 1, <u8>(at + 1));
      }
      at += isTwo ? 2 : 1;
      ids++;
    }
    store<u16>(STEPS + <usize>mask * 2, isLong ? 0 : <u16>((at << 8) | ids));
  }
}

/** Where the last call of `unpackShort` stopped writing. */
export let unpackedTo: usize = 0;

/**
 * Writes ids of [at, end) from `to` on, 32 bits each, up to the first that has more than two bytes or may end past `end`;
 * returns where that one begins.
 */
export function unpackShort(at: usize, end: usize, to: usize): usize {
  const low = i16x8.splat(0x7f);
  const high = i16x8.splat(0x3f80);
  while (at + <usize>BYTES <= end) {
    const bytes = v128.load64_zero(at);
    const mask = <usize>i8x16.bitmask(bytes);
    const step = <usize>load<u16>(STEPS + (mask << 1));
    if (step === 0) break;
    const lanes = i8x16.swizzle(bytes, v128.load(SHUFFLES + (mask << 4)));
    const ids = v128.or(v128.and(lanes, low), v128.and(i16x8.shr_u(lanes, 1), high));
    v128.store(to, i32x4.extend_low_i16x8_u(ids));
    v128.store(to, i32x4.extend_high_i16x8_u(ids), 16);
    to += (step & 0xff) << 2;
    at += step >> 8;
  }
  unpackedTo = to;
  return at;
}
