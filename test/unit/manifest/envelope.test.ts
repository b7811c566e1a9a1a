import { inflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { crc32c } from '../../../src/base/crc32c.js';
import { ENVELOPE_BYTES, type EnvelopeKind, seal, unseal } from '../../../src/manifest/envelope.js';

const KIND: EnvelopeKind = {
  noun: 'thing',
  magic: 'BSLTTEST',
  version: 3,
  oldestVersion: 1,
  deflatedVersion: 3,
  sizeBytesMax: 4_096,
};
const BODY = new TextEncoder().encode('the same again '.repeat(200));

/** An object of version 3 with this body, as it lies. */
function sealed(body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(ENVELOPE_BYTES + body.length);
  bytes.set(seal(KIND, BODY).subarray(0, ENVELOPE_BYTES));
  bytes.set(body, ENVELOPE_BYTES);
  new DataView(bytes.buffer).setUint32(12, crc32c(body), true);
  return bytes;
}

describe('envelopes', () => {
  it('are deflated from one version on, and read in all', () => {
    const bytes = seal(KIND, BODY);
    expect(bytes.length).toBeLessThan(BODY.length / 10);
    expect(new Uint8Array(inflateRawSync(bytes.subarray(ENVELOPE_BYTES)))).toEqual(BODY);
    const read = unseal(KIND, bytes);
    expect({ version: read.version, body: new Uint8Array(read.body) }).toEqual({
      version: 3,
      body: BODY,
    });
    const older = seal({ ...KIND, version: 2 }, BODY);
    expect(older.subarray(ENVELOPE_BYTES)).toEqual(BODY);
    expect(unseal(KIND, older)).toEqual({ version: 2, body: BODY });
  });

  it.each([
    ['is not deflated', BODY],
    ['ends too early', seal(KIND, BODY).subarray(ENVELOPE_BYTES, -4)],
    ['is too long when it is inflated', seal(KIND, new Uint8Array(4_097)).subarray(ENVELOPE_BYTES)],
  ])('refuses a body that %s', (_, body) => {
    expect(() => unseal(KIND, sealed(body))).toThrow(
      expect.objectContaining({ kind: 'corrupt', code: 'PS_ENVELOPE_DEFLATE' }),
    );
  });
});
