/**
 * The bytes of a segment file around its tables: the header of the file and the frame of a commit
 * (docs/format/segment.md). Pure: bytes in, values out.
 */
import { assert } from '../base/assert.js';
import { crc32c } from '../base/crc32c.js';
import { corrupt, type StoreError } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';

export const SEGMENT_VERSION = 1;
export const HEADER_BYTES = 64;
export const COMMIT_HEADER_BYTES = 32;
export const ALIGN_BYTES = 8;

/** `BASALTSG` */
const MAGIC = Uint8Array.of(0x42, 0x41, 0x53, 0x41, 0x4c, 0x54, 0x53, 0x47);
/** `CMIT` */
const COMMIT_MAGIC = 0x54494d43;

export const COMMIT_DATA = 1;
/** The last commit of a sealed segment: its index. */
export const COMMIT_FOOTER = 2;
export type CommitKind = typeof COMMIT_DATA | typeof COMMIT_FOOTER;

export interface SegmentHeader {
  readonly instance: string;
  readonly sequence: number;
  readonly createdMs: number;
  /**
   * Bytes of the segment before this one that were durable when this one was begun: whatever that file holds beyond
   * was never acked. 0 when there is none, or when it is not known.
   */
  readonly previousBytes: number;
}

/** Where a commit lies. `end` includes its frame. */
export interface CommitFrame {
  readonly kind: CommitKind;
  readonly start: number;
  readonly end: number;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function uuidBytes(uuid: string): Buffer {
  const bytes = Buffer.from(uuid.replaceAll('-', ''), 'hex');
  assert(bytes.length === 16, 'an instance is a UUID');
  return bytes;
}

function uuidText(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

function headerChecksum(bytes: Uint8Array): number {
  return crc32c(bytes.subarray(16, HEADER_BYTES), crc32c(bytes.subarray(0, 12)));
}

export function encodeHeader(header: SegmentHeader): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  const view = viewOf(bytes);
  bytes.set(MAGIC);
  view.setUint32(8, SEGMENT_VERSION, true);
  bytes.set(uuidBytes(header.instance), 16);
  view.setBigUint64(32, BigInt(header.sequence), true);
  view.setBigUint64(40, BigInt(header.createdMs), true);
  view.setBigUint64(48, BigInt(header.previousBytes), true);
  view.setUint32(12, headerChecksum(bytes), true);
  return bytes;
}

/** Throws `corrupt` PS_SEGMENT_HEADER. */
export function decodeHeader(bytes: Uint8Array): SegmentHeader {
  const bad = (got: string, want: string): StoreError =>
    corrupt('PS_SEGMENT_HEADER', `cannot read segment header: got ${got}; want ${want}`);
  if (bytes.length < HEADER_BYTES) throw bad(`${bytes.length} bytes`, `${HEADER_BYTES}`);
  const view = viewOf(bytes);
  if (MAGIC.some((byte, i) => bytes[i] !== byte)) throw bad('other bytes', 'BASALTSG');
  if (view.getUint32(12, true) !== headerChecksum(bytes))
    throw bad('a wrong checksum', 'the right one');
  const version = view.getUint32(8, true);
  // Not damage: a start must leave the file of a newer program alone.
  if (version !== SEGMENT_VERSION) {
    throw corrupt(
      'PS_SEGMENT_VERSION',
      `cannot read segment header: got version ${version}; want ${SEGMENT_VERSION}`,
    );
  }
  return {
    instance: uuidText(bytes.subarray(16, 32)),
    sequence: Number(view.getBigUint64(32, true)),
    createdMs: Number(view.getBigUint64(40, true)),
    previousBytes: Number(view.getBigUint64(48, true)),
  };
}

/** Where a commit goes: both are in its frame, so that bytes of another file or place are not taken for it. */
export interface CommitPlace {
  readonly sequence: number;
  readonly offset: number;
}

/** The frame for a payload (in pieces, together a multiple of 8 bytes), which is to be written right after it. */
export function encodeCommitFrame(
  kind: CommitKind,
  place: CommitPlace,
  payload: readonly Uint8Array[],
): Uint8Array {
  let sizeBytes = 0;
  for (const piece of payload) sizeBytes += piece.length;
  assert(sizeBytes % ALIGN_BYTES === 0 && place.offset % ALIGN_BYTES === 0, 'commits are aligned');
  assert(sizeBytes <= LIMITS.commitBytesMax, 'a commit must be in its limit');
  const bytes = new Uint8Array(COMMIT_HEADER_BYTES);
  const view = viewOf(bytes);
  view.setUint32(0, COMMIT_MAGIC, true);
  view.setUint32(8, sizeBytes, true);
  view.setUint32(12, kind, true);
  view.setBigUint64(16, BigInt(place.sequence), true);
  view.setBigUint64(24, BigInt(place.offset), true);
  let crc = crc32c(bytes.subarray(8));
  for (const piece of payload) crc = crc32c(piece, crc);
  view.setUint32(4, crc, true);
  return bytes;
}

/**
 * The commit that starts at `place.offset` of `bytes`, which hold the file from `place.base` on; undefined when there is
 * no whole and undamaged one.
 */
export function readCommitFrame(
  bytes: Uint8Array,
  place: CommitPlace & { readonly base: number },
): CommitFrame | undefined {
  const at = place.offset - place.base;
  if (at < 0 || at + COMMIT_HEADER_BYTES > bytes.length) return undefined;
  const view = viewOf(bytes);
  if (view.getUint32(at, true) !== COMMIT_MAGIC) return undefined;
  const sizeBytes = view.getUint32(at + 8, true);
  const end = at + COMMIT_HEADER_BYTES + sizeBytes;
  if (sizeBytes % ALIGN_BYTES !== 0 || end > bytes.length) return undefined;
  const kind = view.getUint32(at + 12, true);
  if (kind !== COMMIT_DATA && kind !== COMMIT_FOOTER) return undefined;
  if (view.getBigUint64(at + 16, true) !== BigInt(place.sequence)) return undefined;
  if (view.getBigUint64(at + 24, true) !== BigInt(place.offset)) return undefined;
  if (crc32c(bytes.subarray(at + 8, end)) !== view.getUint32(at + 4, true)) return undefined;
  return { kind, start: place.offset, end: place.base + end };
}

/**
 * Bytes of the commit whose header is at `at`, as the header says, unchecked but for its bound; undefined where there is
 * no whole header, or one that no commit has.
 */
export function commitBytesAt(bytes: Uint8Array, at: number): number | undefined {
  if (at + COMMIT_HEADER_BYTES > bytes.length) return undefined;
  const sizeBytes = viewOf(bytes).getUint32(at + 8, true);
  return sizeBytes > LIMITS.commitBytesMax ? undefined : COMMIT_HEADER_BYTES + sizeBytes;
}

/** Where the next whole commit starts at or after `place.offset`, or undefined: tells damage from a torn tail. */
export function findCommit(
  bytes: Uint8Array,
  place: CommitPlace & { readonly base: number },
): CommitFrame | undefined {
  const { sequence, base } = place;
  const step = ALIGN_BYTES;
  let offset = Math.ceil(place.offset / step) * step;
  const view = viewOf(bytes);
  for (; offset - base + COMMIT_HEADER_BYTES <= bytes.length; offset += step) {
    if (view.getUint32(offset - base, true) !== COMMIT_MAGIC) continue;
    const frame = readCommitFrame(bytes, { sequence, offset, base });
    if (frame !== undefined) return frame;
  }
  return undefined;
}

export function segmentFileName(sequence: number): string {
  return `${String(sequence).padStart(16, '0')}.segment`;
}

/** The sequence in a file name, or undefined if it is not a segment's. */
export function segmentSequence(fileName: string): number | undefined {
  const match = /^(\d{16})\.segment$/.exec(fileName);
  if (match === null) return undefined;
  const sequence = Number(match[1]);
  return Number.isSafeInteger(sequence) && sequence > 0 ? sequence : undefined;
}
