/**
 * Reading protobuf's wire format (protobuf.dev/programming-guides/encoding) from bytes that anyone may have sent. Every
 * function gets an address and the end of what it may read, and returns the address after it.
 */
import * as L from '../../src/formats/pprof/kernel-layout';
import { fail } from './header';

/** The number that was read last. */
export let number: u64 = 0;

/** Any 64-bit varint into `number`; bits past 64 are dropped, as protobuf says. One and two bytes first: nearly all are. */
// @ts-ignore: decorator
@inline
export function readVarint(at: usize, end: usize): usize {
  if (at + 1 < end) {
    const first: u64 = load<u8>(at);
    if (first < 0x80) {
      number = first;
      return at + 1;
    }
    const second: u64 = load<u8>(at, 1);
    if (second < 0x80) {
      number = (first & 0x7f) | (second << 7);
      return at + 2;
    }
  }
  return readLongVarint(at, end);
}

function readLongVarint(start: usize, end: usize): usize {
  let at = start;
  let value: u64 = 0;
  for (let shift: u64 = 0; shift < 70; shift += 7) {
    if (at >= end) fail(L.CUT_NUMBER, start);
    const byte: u64 = load<u8>(at++);
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      number = value;
      return at;
    }
  }
  fail(L.LONG_NUMBER, start);
  return at;
}

/** The length of a field into `number`; what it spans ends at or before `end`. */
export function readLength(start: usize, end: usize): usize {
  const at = readVarint(start, end);
  if (number > <u64>i32.MAX_VALUE) fail(L.LONG_LENGTH, start);
  if (number > <u64>(end - at)) fail(L.LONG_FIELD, start);
  return at;
}

/** The number read last as an index: -1 unless in [0, 2^31). */
export function asIndex(): i32 {
  return number <= <u64>i32.MAX_VALUE ? <i32>number : -1;
}

/**
 * Skips the field whose tag begins at `start`. Its number must not be one of 1 ... knownFieldMax, which the caller
 * has with another wire type. Groups have no place in proto3.
 */
export function skipField(start: usize, end: usize, knownFieldMax: u64): usize {
  const at = readVarint(start, end);
  const field = number >> 3;
  const wireType = <i32>(number & 7);
  if (field === 0) fail(L.FIELD_ZERO, start);
  if (field <= knownFieldMax) fail(L.WRONG_WIRE_TYPE, start, <i32>field, wireType);
  if (wireType === 0) return readVarint(at, end);
  if (wireType === 2) {
    const body = readLength(at, end);
    return body + <usize>number;
  }
  const size: usize = wireType === 1 ? 8 : wireType === 5 ? 4 : 0;
  if (size === 0) fail(L.UNKNOWN_WIRE_TYPE, start, wireType);
  if (size > end - at) fail(L.CUT_NUMBER, start);
  return at + size;
}
