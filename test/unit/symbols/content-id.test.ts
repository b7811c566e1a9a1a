import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hash128Hex } from '../../../src/base/hash.js';
import { EMPTY_FRAME, type Frame, framesEqual } from '../../../src/model/frame.js';
import { frameContentId, keyContentIds } from '../../../src/symbols/content-id.js';
import { symbolsOf } from '../../support/symbols.js';

const hex = (words: Iterable<number>): string =>
  Array.from(words, (word) => word.toString(16).padStart(8, '0')).join('');

function frameIdHex(frame: Frame): string {
  const id = new Uint32Array(2);
  frameContentId(frame, id);
  return hex(id);
}

/** docs/format/content-ids.md, written out with Buffer. */
function documentedFrameId(frame: Frame): string {
  const text = (s: string): Buffer => {
    const bytes = Buffer.from(s);
    const size = Buffer.alloc(4);
    size.writeUInt32LE(bytes.length);
    return Buffer.concat([size, bytes]);
  };
  const int = (v: bigint): Buffer => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt.asUintN(64, v));
    return bytes;
  };
  const bytes = Buffer.concat([
    Buffer.from([1]),
    ...[
      frame.functionName,
      frame.systemName,
      frame.fileName,
      frame.mappingFile,
      frame.buildId,
      frame.frameType,
    ].map(text),
    ...[
      frame.line,
      frame.column,
      frame.startLine,
      frame.mappingStart,
      frame.mappingLimit,
      frame.mappingOffset,
      frame.address,
    ].map(int),
    Buffer.from([(frame.inlined ? 1 : 0) + (frame.folded ? 2 : 0)]),
  ]);
  return hash128Hex(bytes).slice(0, 16);
}

const frame: fc.Arbitrary<Frame> = fc
  .record({
    functionName: fc.string({ unit: 'grapheme', maxLength: 300 }),
    fileName: fc.string({ maxLength: 5 }),
    line: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    address: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    inlined: fc.boolean(),
    folded: fc.boolean(),
  })
  .map((fields) => ({ ...EMPTY_FRAME, ...fields }));

describe('content ids', () => {
  it('of frames are what the format page says', () => {
    fc.assert(
      fc.property(frame, (f) => {
        expect(frameIdHex(f)).toBe(documentedFrameId(f));
      }),
    );
  });

  it('of different frames differ', () => {
    fc.assert(
      fc.property(frame, frame, (a, b) => {
        expect(frameIdHex(a) === frameIdHex(b)).toBe(framesEqual(a, b));
      }),
    );
  });

  it('do not change', () => {
    const golden = JSON.parse(
      readFileSync(new URL('../../golden/content-ids.json', import.meta.url), 'utf8'),
    ) as {
      functions: string[];
      labelSet: string;
      key: string;
    }[];
    const ids = keyContentIds(symbolsOf(golden));
    golden.forEach((entry, k) => {
      expect(hex(ids.subarray(k * 4, k * 4 + 4))).toBe(entry.key);
    });
    expect(golden.length).toBeGreaterThanOrEqual(4);
  });
});
