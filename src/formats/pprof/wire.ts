/**
 * Reading protobuf's wire format (protobuf.dev/programming-guides/encoding) from bytes that anyone may have sent.
 * Every function gets the position and the end of what it may read, and returns the position after it. Numbers come
 * back in `VARINT`, as two halves, because a bigint a number costs more than all the rest of the decoder.
 */
import { invalid } from '../../base/errors.js';
import { describeBody } from './sniff.js';

/** Low and high half of the varint that was read last. */
export const VARINT = new Int32Array(2);

/** Always throws `invalid` PS_PPROF_NOT_PPROF. */
export function failWire(bytes: Uint8Array, at: number, problem: string): never {
  throw invalid(
    'PS_PPROF_NOT_PPROF',
    `cannot decode profile: got ${problem} at byte ${at} of ${bytes.length} (it looks like ${describeBody(bytes)}); want pprof`,
    { at, sizeBytes: bytes.length },
  );
}

/** Any 64-bit varint into `VARINT`; bits past 64 are dropped, as protobuf says. */
export function readVarint(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  let low = 0;
  let high = 0;
  for (let shift = 0; shift < 70; shift += 7) {
    if (at >= end) failWire(bytes, start, 'a number that is cut off');
    const b = bytes[at++]!;
    if (shift < 28) low |= (b & 0x7f) << shift;
    else if (shift === 28) {
      low |= b << 28;
      high = (b & 0x7f) >>> 4;
    } else high |= (b & 0x7f) << (shift - 32);
    if (b < 0x80) {
      VARINT[0] = low;
      VARINT[1] = high;
      return at;
    }
  }
  return failWire(bytes, start, 'a number of more than ten bytes');
}

/** The length of a field into `VARINT[0]`; what it spans ends at or before `end`. */
export function readLength(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  if (at < end && bytes[at]! < 0x80) VARINT[0] = bytes[at++]!;
  else {
    at = readVarint(bytes, at, end);
    if (VARINT[1] !== 0 || VARINT[0]! < 0) failWire(bytes, start, 'a length past 2 GB');
  }
  if (VARINT[0]! > end - at) failWire(bytes, start, 'a field longer than what holds it');
  return at;
}

/** The varint read last as an index: -1 unless in [0, 2^31). */
export function asIndex(): number {
  return VARINT[1] === 0 && VARINT[0]! >= 0 ? VARINT[0]! : -1;
}

export function asSigned(): bigint {
  return (BigInt(VARINT[1]!) << 32n) | BigInt(VARINT[0]! >>> 0);
}

/**
 * Skips the field whose tag begins at `start`. Its number must not be one of 1 ... knownFieldMax, which the caller
 * has with another wire type. Groups have no place in proto3.
 */
export function skipField(
  bytes: Uint8Array,
  start: number,
  end: number,
  knownFieldMax: number,
): number {
  const at = readVarint(bytes, start, end);
  const field = (VARINT[0]! >>> 3) + (VARINT[1]! >>> 0) * 0x2000_0000;
  const wireType = VARINT[0]! & 7;
  if (field === 0) failWire(bytes, start, 'field number 0');
  if (field <= knownFieldMax) failWire(bytes, start, `field ${field} with wire type ${wireType}`);
  if (wireType === 0) return readVarint(bytes, at, end);
  if (wireType === 2) return readLength(bytes, at, end) + VARINT[0]!;
  const size = wireType === 1 ? 8 : wireType === 5 ? 4 : 0;
  if (size === 0) failWire(bytes, start, `wire type ${wireType}`);
  if (size > end - at) failWire(bytes, start, 'a number that is cut off');
  return at + size;
}
