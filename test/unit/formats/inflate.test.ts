import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { StoreError } from '../../../src/base/errors.js';
import { LIMITS } from '../../../src/base/limits.js';
import { GzipWriter } from '../../../src/formats/pprof/gzip-writer.js';
import { inflateProfile } from '../../../src/formats/pprof/inflate.js';

const LONG = Buffer.from('a profile, '.repeat(1_000));
const A = gzipSync(LONG);
const B = gzipSync('second');

function codeOf(body: Uint8Array, inflatedBytesMax?: number): string {
  try {
    inflateProfile(body, inflatedBytesMax === undefined ? {} : { inflatedBytesMax });
  } catch (error) {
    if (error instanceof StoreError) return `${error.code} ${error.message}`;
    throw error;
  }
  return 'no error';
}

describe('inflateProfile', () => {
  it('passes plain bodies through, not copied', () => {
    const body = Uint8Array.of(1, 2, 3);
    expect(inflateProfile(body)).toBe(body);
    expect(codeOf(body, 2)).toMatch(/^PS_PPROF_TOO_LARGE/);
  });

  it('joins members, with zeros after the last', () => {
    const joined = Buffer.concat([LONG, Buffer.from('second')]);
    expect(Buffer.compare(inflateProfile(A), LONG)).toBe(0);
    expect(Buffer.compare(inflateProfile(Buffer.concat([A, B])), joined)).toBe(0);
    expect(Buffer.compare(inflateProfile(Buffer.concat([A, B, Buffer.alloc(9)])), joined)).toBe(0);
  });

  it('says what is wrong with damaged gzip, wherever it is cut', () => {
    for (const body of [A, Buffer.concat([A, B])]) {
      for (let length = 2; length < body.length; length++) {
        if (length === A.length) continue;
        expect(codeOf(body.subarray(0, length)), `cut at ${length}`).toMatch(
          /^PS_PPROF_GZIP .*cut off/,
        );
      }
    }
    expect(codeOf(Buffer.concat([A, Buffer.from('garbage')]))).toMatch(/^PS_PPROF_GZIP/);
    expect(codeOf(Buffer.concat([A, Buffer.alloc(3), B]))).toMatch(
      /^PS_PPROF_GZIP .*other bytes at/,
    );
    const flipped = Buffer.from(A);
    flipped[A.length - 6] = (flipped[A.length - 6] ?? 0) ^ 1;
    expect(codeOf(flipped)).toMatch(/^PS_PPROF_GZIP .*damaged/);
  });

  it('stops at its bounds', () => {
    const bomb = gzipSync(Buffer.alloc(32 << 20));
    expect(codeOf(bomb, 1 << 20)).toMatch(/^PS_PPROF_TOO_LARGE/);
    expect(codeOf(Buffer.concat([bomb, bomb]), 40 << 20)).toMatch(/^PS_PPROF_TOO_LARGE/);
    expect(inflateProfile(bomb, { inflatedBytesMax: 32 << 20 }).length).toBe(32 << 20);
    const members = Array.from({ length: LIMITS.gzipMembersMax }, () => B);
    expect(inflateProfile(Buffer.concat(members)).length).toBe(6 * members.length);
    expect(codeOf(Buffer.concat([...members, B]))).toMatch(/^PS_PPROF_GZIP .*members/);
    expect(() => inflateProfile(A, { bodyBytesMax: A.length - 1 })).toThrow(StoreError);
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
