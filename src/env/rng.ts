import { randomFillSync } from 'node:crypto';

/** Randomness, injected: ids, nonces and jitter. */
export interface Rng {
  /** Fills `bytes` and returns it. */
  fill(bytes: Uint8Array): Uint8Array;
}

export const systemRng: Rng = {
  fill: (bytes) => randomFillSync(bytes),
};

/** Uniform in [0, 1), 32 bits of it. */
export function randomFraction(rng: Rng): number {
  const b = rng.fill(new Uint8Array(4));
  return new DataView(b.buffer, b.byteOffset, 4).getUint32(0) / 2 ** 32;
}

export function randomHex(rng: Rng, byteCount: number): string {
  return Buffer.from(rng.fill(new Uint8Array(byteCount))).toString('hex');
}

/** RFC 9562 version 4. */
export function randomUuid(rng: Rng): string {
  const b = rng.fill(new Uint8Array(16));
  b[6] = ((b[6] as number) & 0x0f) | 0x40;
  b[8] = ((b[8] as number) & 0x3f) | 0x80;
  const hex = Buffer.from(b).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

const CROCKFORD = '0123456789abcdefghjkmnpqrstvwxyz';

/** ULID in lower case: 48 bits of time, 80 random bits; sorts by time. https://github.com/ulid/spec */
export function ulid(nowMs: number, rng: Rng): string {
  let time = '';
  for (let i = 0, t = nowMs; i < 10; i++, t = Math.floor(t / 32))
    time = CROCKFORD.charAt(t % 32) + time;
  const random = rng.fill(new Uint8Array(16));
  let tail = '';
  for (const byte of random) tail += CROCKFORD.charAt(byte & 31);
  return time + tail;
}
