/**
 * Two hashes with two jobs.
 *
 * - `mix32`, `hashPair`: 32 bits over integers, for in-memory tables only. Their values never reach disk.
 * - `hash128`: MurmurHash3_x86_128 (seed 0, public domain, Austin Appleby), for content ids that are stored and
 *   compared for ever. docs/format/content-ids.md says what is fed to it. It is not keyed; whatever decides by a
 *   content id checks the content too.
 */

/** Murmur3's finalizer: every input bit reaches every output bit. */
export function mix32(value: number): number {
  let h = value | 0;
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** Hash of two integers, for (parent, frame) and the like. */
export function hashPair(a: number, b: number): number {
  return mix32(Math.imul(a, 0x9e3779b1) ^ (Math.imul(b, 0x85ebca77) + (a >>> 15)));
}

const C1 = 0x239b961b;
const C2 = 0xab0e9789;
const C3 = 0x38b34ae5;
const C4 = 0xa1e38b93;

function rotl(x: number, r: number): number {
  return (x << r) | (x >>> (32 - r));
}

/** Writes MurmurHash3_x86_128 of `bytes` into `out[at .. at+4)` as four unsigned 32-bit words, h1 first. */
export function hash128(bytes: Uint8Array, out: Uint32Array, at = 0): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = bytes.length;
  const blocksEnd = length & ~15;
  let h1 = 0;
  let h2 = 0;
  let h3 = 0;
  let h4 = 0;
  for (let i = 0; i < blocksEnd; i += 16) {
    h1 ^= Math.imul(rotl(Math.imul(view.getInt32(i, true), C1), 15), C2);
    h1 = (Math.imul((rotl(h1, 19) + h2) | 0, 5) + 0x561ccd1b) | 0;
    h2 ^= Math.imul(rotl(Math.imul(view.getInt32(i + 4, true), C2), 16), C3);
    h2 = (Math.imul((rotl(h2, 17) + h3) | 0, 5) + 0x0bcaa747) | 0;
    h3 ^= Math.imul(rotl(Math.imul(view.getInt32(i + 8, true), C3), 17), C4);
    h3 = (Math.imul((rotl(h3, 15) + h4) | 0, 5) + 0x96cd1c35) | 0;
    h4 ^= Math.imul(rotl(Math.imul(view.getInt32(i + 12, true), C4), 18), C1);
    h4 = (Math.imul((rotl(h4, 13) + h1) | 0, 5) + 0x32ac3b17) | 0;
  }
  const tail = [0, 0, 0, 0];
  for (let i = blocksEnd; i < length; i++) {
    const lane = (i - blocksEnd) >> 2;
    tail[lane] = (tail[lane] as number) | ((bytes[i] as number) << (8 * (i & 3)));
  }
  h4 ^= Math.imul(rotl(Math.imul(tail[3] as number, C4), 18), C1);
  h3 ^= Math.imul(rotl(Math.imul(tail[2] as number, C3), 17), C4);
  h2 ^= Math.imul(rotl(Math.imul(tail[1] as number, C2), 16), C3);
  h1 ^= Math.imul(rotl(Math.imul(tail[0] as number, C1), 15), C2);

  h1 ^= length;
  h2 ^= length;
  h3 ^= length;
  h4 ^= length;
  h1 = (h1 + h2 + h3 + h4) | 0;
  h2 = (h2 + h1) | 0;
  h3 = (h3 + h1) | 0;
  h4 = (h4 + h1) | 0;
  h1 = mix32(h1);
  h2 = mix32(h2);
  h3 = mix32(h3);
  h4 = mix32(h4);
  h1 = (h1 + h2 + h3 + h4) | 0;
  h2 = (h2 + h1) | 0;
  h3 = (h3 + h1) | 0;
  h4 = (h4 + h1) | 0;
  out[at] = h1;
  out[at + 1] = h2;
  out[at + 2] = h3;
  out[at + 3] = h4;
}

/** `hash128` as 32 lower-case hex digits, h1 first, each word big-endian. */
export function hash128Hex(bytes: Uint8Array): string {
  const out = new Uint32Array(4);
  hash128(bytes, out);
  return Array.from(out, (word) => word.toString(16).padStart(8, '0')).join('');
}
