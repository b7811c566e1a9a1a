import type { Temporality } from '../../../src/gen/basalt/v1/common_pb.js';
import { create, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StoreError } from '../../../src/base/errors.js';
import { WriteProfileRequestSchema } from '../../../src/gen/basalt/v1/ingest_pb.js';
import { decodeWriteRequest } from '../../../src/ingest/envelope.js';

const TEMPORALITY = [undefined, 'delta', 'cumulative', 'gauge'] as const;
const text = fc.string({ unit: 'grapheme', maxLength: 40 });
const request = fc.record({
  labels: fc.array(fc.record({ name: text, value: text }), { maxLength: 20 }),
  profile: fc.uint8Array({ maxLength: 300 }).map((bytes) => new Uint8Array(bytes)),
  profileId: text,
  temporality: fc.constantFrom<Temporality>(0, 1, 2, 3),
});

describe('a write request', () => {
  it('reads as the generated code wrote it', () => {
    fc.assert(
      fc.property(request, (r) => {
        const bytes = toBinary(WriteProfileRequestSchema, create(WriteProfileRequestSchema, r));
        const got = decodeWriteRequest(bytes);
        expect(got.labels).toEqual(r.labels);
        expect(Buffer.from(got.profile)).toEqual(Buffer.from(r.profile));
        expect(got.profileId ?? '').toBe(r.profileId);
        expect(got.temporality).toBe(TEMPORALITY[r.temporality]);
      }),
    );
  });

  it('skips fields it does not know, and takes the last of a field', () => {
    const bytes = Buffer.from([
      ...[0x78, 0xff, 0x01], // 15: varint
      ...[0x7a, 0x02, 1, 2], // 15: bytes
      ...[0x79, 1, 2, 3, 4, 5, 6, 7, 8, 0x7d, 1, 2, 3, 4], // 15: fixed
      ...[0x1a, 1, 0x61, 0x1a, 1, 0x62], // profile_id a, then b
      ...[0x20, 1, 0x20, 3], // delta, then gauge
      ...[0x0a, 8, 0x0a, 1, 0x6e, 0x12, 1, 0x76, 0x18, 1], // a label with an unknown field
    ]);
    expect(decodeWriteRequest(bytes)).toMatchObject({
      labels: [{ name: 'n', value: 'v' }],
      profileId: 'b',
      temporality: 'gauge',
    });
  });

  it('that is damaged is refused, and never anything worse', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          decodeWriteRequest(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(StoreError);
          expect((error as StoreError).kind).toBe('invalid');
        }
      }),
      { numRuns: 2000 },
    );
    for (const bytes of [[0x0a, 0xff], [0x12, 5, 1], [0x0b], [0x20, 9], [0x1a, 1, 0xff], [0x80]]) {
      expect(() => decodeWriteRequest(Uint8Array.from(bytes))).toThrow(/cannot read/);
    }
  });
});
