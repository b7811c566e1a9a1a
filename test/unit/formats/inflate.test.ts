import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { StoreError } from '../../../src/base/errors.js';
import { LIMITS } from '../../../src/base/limits.js';
import { GzipWriter } from '../../../src/formats/pprof/gzip-writer.js';
import { type InflateBounds, inflateProfile } from '../../../src/formats/pprof/inflate.js';
import { ReusedGunzip } from '../../../src/formats/pprof/reused-gunzip.js';

const LONG = Buffer.from('a profile, '.repeat(1_000));
const A = gzipSync(LONG);
const B = gzipSync('second');

const reused = ReusedGunzip.open();

/** The two ways to inflate: each must do everything here. The second keeps its state through all tests. */
const WAYS = [
  ['anew', undefined],
  ['with a buffer used again', reused],
] as const;

function codeOf(inflating: () => unknown): string {
  try {
    inflating();
  } catch (error) {
    if (error instanceof StoreError) return `${error.code} ${error.message}`;
    throw error;
  }
  return 'no error';
}

describe.each(WAYS)('inflateProfile %s', (way, gunzip) => {
  const inflate = (body: Uint8Array, bounds: InflateBounds = {}): Uint8Array =>
    inflateProfile(body, bounds, gunzip);
  const code = (body: Uint8Array, inflatedBytesMax?: number): string =>
    codeOf(() => inflate(body, inflatedBytesMax === undefined ? {} : { inflatedBytesMax }));

  it('is there', () => {
    if (way !== 'anew') expect(gunzip).toBeDefined();
  });

  it('passes plain bodies through, not copied', () => {
    const body = Uint8Array.of(1, 2, 3);
    expect(inflate(body)).toBe(body);
    expect(code(body, 2)).toMatch(/^PS_PPROF_TOO_LARGE/);
  });

  it('joins members, with zeros after the last', () => {
    const joined = Buffer.concat([LONG, Buffer.from('second')]);
    expect(Buffer.compare(inflate(A), LONG)).toBe(0);
    expect(Buffer.compare(inflate(Buffer.concat([A, B])), joined)).toBe(0);
    expect(Buffer.compare(inflate(Buffer.concat([A, B, Buffer.alloc(9)])), joined)).toBe(0);
  });

  it('says what is wrong with damaged gzip, wherever it is cut', () => {
    for (const body of [A, Buffer.concat([A, B])]) {
      for (let length = 2; length < body.length; length++) {
        if (length === A.length) continue;
        expect(code(body.subarray(0, length)), `cut at ${length}`).toMatch(
          /^PS_PPROF_GZIP .*cut off/,
        );
      }
    }
    expect(code(Buffer.concat([A, Buffer.from('garbage')]))).toMatch(/^PS_PPROF_GZIP/);
    expect(code(Buffer.concat([A, Buffer.alloc(3), B]))).toMatch(/^PS_PPROF_GZIP .*other bytes at/);
    const flipped = Buffer.from(A);
    flipped[A.length - 6] = (flipped[A.length - 6] ?? 0) ^ 1;
    expect(code(flipped)).toMatch(/^PS_PPROF_GZIP .*damaged/);
  });

  it('stops at its bounds', () => {
    const bomb = gzipSync(Buffer.alloc(32 << 20));
    expect(code(bomb, 1 << 20)).toMatch(/^PS_PPROF_TOO_LARGE/);
    expect(code(Buffer.concat([bomb, bomb]), 40 << 20)).toMatch(/^PS_PPROF_TOO_LARGE/);
    expect(inflate(bomb, { inflatedBytesMax: 32 << 20 }).length).toBe(32 << 20);
    const members = Array.from({ length: LIMITS.gzipMembersMax }, () => B);
    expect(inflate(Buffer.concat(members)).length).toBe(6 * members.length);
    expect(code(Buffer.concat([...members, B]))).toMatch(/^PS_PPROF_GZIP .*members/);
    expect(() => inflate(A, { bodyBytesMax: A.length - 1 })).toThrow(StoreError);
  });
});

describe('GzipWriter', () => {
  it('writes one member that gunzip takes, from any chunks', () => {
    for (const sizes of [[], [0], [1], [100_000, 1, 0, 70_000]]) {
      const writer = new GzipWriter(1);
      const chunks = sizes.map((size, i) => Buffer.alloc(size, `chunk ${i} `));
      for (const chunk of chunks) writer.write(chunk);
      const body = writer.finish();
      expect(Buffer.compare(inflateProfile(body), Buffer.concat(chunks))).toBe(0);
    }
  });
});
