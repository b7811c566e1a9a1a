import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32c } from '../../../src/base/crc32c.js';
import { hash128Hex } from '../../../src/base/hash.js';

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The definition, one bit at a time. */
function slowCrc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

describe('crc32c', () => {
  it.each([
    ['123456789', 0xe3069283],
    ['', 0],
  ])('of %j', (text, want) => {
    expect(crc32c(ascii(text))).toBe(want);
  });

  it('matches the vectors of RFC 3720 B.4', () => {
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
  });

  it('equals the bitwise definition at every alignment and in pieces', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.nat(7),
        fc.nat(200),
        (bytes, offset, cut) => {
          const padded = new Uint8Array(bytes.length + offset);
          padded.set(bytes, offset);
          const view = padded.subarray(offset);
          const want = slowCrc32c(bytes);
          expect(crc32c(view)).toBe(want);
          const at = Math.min(cut, bytes.length);
          expect(crc32c(view.subarray(at), crc32c(view.subarray(0, at)))).toBe(want);
        },
      ),
    );
  });
});

describe('hash128', () => {
  it.each([
    ['', '00000000000000000000000000000000'],
    ['The quick brown fox jumps over the lazy dog', '2f1583c3ecee2c675d7bf66ce5e91d2c'],
  ])('of %j is MurmurHash3_x86_128 with seed 0', (text, want) => {
    expect(hash128Hex(ascii(text))).toBe(want);
  });

  it('changes with every byte', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 64 }), fc.nat(), (bytes, at) => {
        const other = bytes.slice();
        other[at % bytes.length] = (other[at % bytes.length] as number) ^ 1;
        expect(hash128Hex(other)).not.toBe(hash128Hex(bytes));
      }),
    );
  });
});
