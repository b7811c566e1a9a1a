/**
 * The bytes of a profile as they came, gzip or plain, to plain bytes. Synchronous: it runs in the ingest thread,
 * where a profile inflates faster than a trip to a pool takes.
 */
import { gunzipSync } from 'node:zlib';
import { invalid, type StoreError } from '../../base/errors.js';
import { LIMITS } from '../../base/limits.js';
import type { Inflated, ReusedGunzip } from './reused-gunzip.js';

const MEMBER_MAGIC = Buffer.from([0x1f, 0x8b, 0x08]);
/** Pprofs shrink to 2/5 by gzip, so that one output buffer of this ratio mostly suffices. */
const RATIO = 4;
const CHUNK_BYTES_MIN = 16 << 10;
const CHUNK_BYTES_MAX = 1 << 20;

export interface InflateBounds {
  /** Of the body as it came. Default LIMITS.profileBytesMax. */
  readonly bodyBytesMax?: number;
  /** Of the result. Default LIMITS.profileInflatedBytesMax. */
  readonly inflatedBytesMax?: number;
}

export function isGzip(body: Uint8Array): boolean {
  return body.length >= 2 && body[0] === 0x1f && body[1] === 0x8b;
}

/**
 * Plain bytes of `body`; a body that is not gzip is returned itself, not copied. Several gzip members are one
 * stream, zeros after the last are padding (RFC 1952 section 2.2 and gzip(1)). `invalid` for damage and past a bound.
 * With `gunzip` the result is valid until its next use.
 */
export function inflateProfile(
  body: Uint8Array,
  bounds: InflateBounds = {},
  gunzip?: ReusedGunzip,
): Uint8Array {
  const bodyBytesMax = bounds.bodyBytesMax ?? LIMITS.profileBytesMax;
  const inflatedBytesMax = bounds.inflatedBytesMax ?? LIMITS.profileInflatedBytesMax;
  if (!isGzip(body)) {
    if (body.length > inflatedBytesMax) throw tooLarge(body.length, inflatedBytesMax);
    return body;
  }
  if (body.length > bodyBytesMax) throw tooLarge(body.length, bodyBytesMax);
  checkMembers(body);
  const { buffer, taken } = inflate(body, inflatedBytesMax, gunzip);
  checkPadding(body, taken);
  return buffer;
}

function inflate(body: Uint8Array, inflatedBytesMax: number, gunzip?: ReusedGunzip): Inflated {
  try {
    if (gunzip !== undefined) return gunzip.inflate(body, inflatedBytesMax);
    return inflateOnce(body, inflatedBytesMax);
  } catch (error) {
    throw inflateError(error, body, inflatedBytesMax);
  }
}

function inflateOnce(body: Uint8Array, inflatedBytesMax: number): Inflated {
  const chunkSize = Math.min(Math.max(body.length * RATIO, CHUNK_BYTES_MIN), CHUNK_BYTES_MAX);
  const options = { chunkSize, maxOutputLength: inflatedBytesMax, info: true };
  // With `info` the answer is an object, which @types/node does not say.
  const { buffer, engine } = gunzipSync(body, options) as unknown as {
    readonly buffer: Uint8Array;
    /** `bytesWritten`: bytes of the input that were taken. */
    readonly engine: { readonly bytesWritten: number };
  };
  return { buffer, taken: engine.bytesWritten };
}

function inflateError(error: unknown, body: Uint8Array, inflatedBytesMax: number): StoreError {
  const { code, message } = error as { code?: string; message?: string };
  if (code === 'ERR_BUFFER_TOO_LARGE') {
    return invalid(
      'PS_PPROF_TOO_LARGE',
      `cannot inflate profile: got more than ${inflatedBytesMax} bytes from ${body.length}; want at most that`,
      { bodyBytes: body.length, bytesMax: inflatedBytesMax },
    );
  }
  const what =
    code === 'Z_BUF_ERROR'
      ? `gzip that is cut off (${body.length} bytes came)`
      : `damaged gzip (${message ?? String(error)})`;
  return invalid('PS_PPROF_GZIP', `cannot inflate profile: got ${what}; want whole gzip members`, {
    bodyBytes: body.length,
  });
}

function tooLarge(sizeBytes: number, bytesMax: number): StoreError {
  return invalid(
    'PS_PPROF_TOO_LARGE',
    `cannot read profile: got ${sizeBytes} bytes; want at most ${bytesMax}`,
    { sizeBytes, bytesMax },
  );
}

/**
 * Each member begins with the magic number, which compressed data holds by chance once in 16 MB: counting it bounds
 * the members from above without inflating.
 */
function checkMembers(body: Uint8Array): void {
  const buffer = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  let count = 0;
  for (let at = 0; at >= 0; at = buffer.indexOf(MEMBER_MAGIC, at + 1)) {
    if (++count > LIMITS.gzipMembersMax) {
      throw invalid(
        'PS_PPROF_GZIP',
        `cannot inflate profile: got more than ${LIMITS.gzipMembersMax} gzip members; want at most that`,
      );
    }
  }
}

/** zlib stops at the first zero after a member, whatever follows. */
function checkPadding(body: Uint8Array, taken: number): void {
  for (let at = taken; at < body.length; at++) {
    if (body[at] !== 0) {
      throw invalid(
        'PS_PPROF_GZIP',
        `cannot inflate profile: got other bytes at ${at} of ${body.length}, after the last gzip member; want zeros`,
      );
    }
  }
}
