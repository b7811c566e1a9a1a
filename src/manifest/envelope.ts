/**
 * The 16 bytes in front of every small protobuf object of the engine: manifests, boundaries, carries.
 *
 *     0  magic, 8 bytes of ASCII
 *     8  format version, u32 little-endian
 *    12  CRC-32C of the body, u32 little-endian
 *    16  body, of some kinds deflated
 */
import { assert } from '../base/assert.js';
import { crc32c } from '../base/crc32c.js';
import { corrupt } from '../base/errors.js';
import { deflate, inflate } from '../env/deflate.js';

export const ENVELOPE_BYTES = 16;
const MAGIC_BYTES = 8;

export interface EnvelopeKind {
  /** For messages: `manifest`, `carry`. */
  readonly noun: string;
  /** Eight ASCII characters. */
  readonly magic: string;
  readonly version: number;
  /** The oldest that is still read. Default: `version`. */
  readonly oldestVersion?: number;
  /** The first whose body is deflated. Default: none is. */
  readonly deflatedVersion?: number;
  /** Of the object, and of the body as it is when it is not deflated. */
  readonly sizeBytesMax: number;
}

export function seal(kind: EnvelopeKind, plain: Uint8Array): Uint8Array {
  assert(kind.magic.length === MAGIC_BYTES, 'a magic has eight characters');
  const body = isDeflated(kind, kind.version) ? deflate(plain) : plain;
  const out = new Uint8Array(ENVELOPE_BYTES + body.length);
  for (let i = 0; i < MAGIC_BYTES; i++) out[i] = kind.magic.charCodeAt(i);
  const view = new DataView(out.buffer);
  view.setUint32(8, kind.version, true);
  view.setUint32(12, crc32c(body), true);
  out.set(body, ENVELOPE_BYTES);
  return out;
}

function isDeflated(
  { deflatedVersion = Number.POSITIVE_INFINITY }: EnvelopeKind,
  version: number,
): boolean {
  return version >= deflatedVersion;
}

/** The checked body, a view into `bytes` or inflated. Throws `corrupt` PS_ENVELOPE_*. */
export function unseal(
  kind: EnvelopeKind,
  bytes: Uint8Array,
): { readonly version: number; readonly body: Uint8Array } {
  const fail = (code: string, got: string, want: string): never => {
    throw corrupt(code, `cannot read ${kind.noun}: got ${got}; want ${want}`);
  };
  if (bytes.length > kind.sizeBytesMax) {
    fail('PS_ENVELOPE_SIZE', `${bytes.length} bytes`, `at most ${kind.sizeBytesMax}`);
  }
  if (bytes.length < ENVELOPE_BYTES) {
    fail('PS_ENVELOPE_SIZE', `${bytes.length} bytes`, `${ENVELOPE_BYTES} or more`);
  }
  const magic = String.fromCharCode(...bytes.subarray(0, MAGIC_BYTES));
  if (magic !== kind.magic)
    fail('PS_ENVELOPE_MAGIC', JSON.stringify(magic), JSON.stringify(kind.magic));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = view.getUint32(8, true);
  const { oldestVersion = kind.version } = kind;
  if (version < oldestVersion || version > kind.version) {
    const known = oldestVersion === kind.version ? '' : `${oldestVersion} to `;
    fail('PS_ENVELOPE_VERSION', `version ${version}`, `${known}${kind.version}`);
  }
  const body = bytes.subarray(ENVELOPE_BYTES);
  const sum = crc32c(body);
  const want = view.getUint32(12, true);
  if (sum !== want) fail('PS_ENVELOPE_CHECKSUM', `crc32c ${sum}`, `${want}`);
  if (!isDeflated(kind, version)) return { version, body };
  const plain = inflate(body, kind.sizeBytesMax);
  if (plain === undefined) {
    return fail(
      'PS_ENVELOPE_DEFLATE',
      'another body',
      `deflate, ${kind.sizeBytesMax} bytes at most`,
    );
  }
  return { version, body: plain };
}
