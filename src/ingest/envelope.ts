/**
 * Reads a `basalt.v1.WriteProfileRequest` by hand: the profile is most of its bytes and is not copied. Protobuf's rules
 * hold: unknown fields are skipped, the last value of a field that is not repeated counts.
 */
import { invalid } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import type { Label } from '../model/labels.js';
import type { Temporality } from '../model/series.js';
import type { WriteRequest } from './api.js';

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

const TEMPORALITIES: readonly (Temporality | undefined)[] = [
  undefined,
  'delta',
  'cumulative',
  'gauge',
];
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function malformed(got: string, want: string): Error {
  return invalid('PS_REQUEST', `cannot read request: got ${got}; want ${want}`);
}

/** A place in a message. */
class Cursor {
  readonly bytes: Uint8Array;
  at: number;
  end: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
  }

  /** Values past 2^53 lose low bits: nothing here is that large and valid. */
  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      if (this.at >= this.end) throw malformed('an end inside a number', 'a whole message');
      const byte = this.bytes[this.at++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    throw malformed('a number of more than 10 bytes', 'a protobuf message');
  }

  /** Start of a length-delimited value; `at` moves past it. */
  run(): number {
    const length = this.varint();
    const start = this.at;
    if (length > this.end - start)
      throw malformed(`a field of ${length} bytes`, `at most ${this.end - start}`);
    this.at = start + length;
    return start;
  }

  text(what: string): string {
    const start = this.run();
    try {
      return utf8.decode(this.bytes.subarray(start, this.at));
    } catch (cause) {
      throw invalid(
        'PS_REQUEST',
        `cannot read ${what}: got bytes that are not UTF-8 (${String(cause)}); want UTF-8`,
      );
    }
  }

  skip(wireType: number): void {
    if (wireType === VARINT) this.varint();
    else if (wireType === BYTES) this.run();
    else if (wireType === FIXED64) this.at += 8;
    else if (wireType === FIXED32) this.at += 4;
    else throw malformed(`wire type ${wireType}`, 'a protobuf message');
    if (this.at > this.end) throw malformed('an end inside a field', 'a whole message');
  }
}

/** `profile` of the result is a view of `bytes`. Throws `invalid` PS_REQUEST or PS_LABELS_COUNT. */
export function decodeWriteRequest(bytes: Uint8Array): WriteRequest {
  const cursor = new Cursor(bytes, 0, bytes.length);
  const labels: Label[] = [];
  let profile: Uint8Array = bytes.subarray(0, 0);
  let profileId = '';
  let temporality: Temporality | undefined;
  while (cursor.at < cursor.end) {
    const tag = cursor.varint();
    const wireType = tag & 7;
    const field = Math.floor(tag / 8);
    if (field === 1 && wireType === BYTES) {
      labels.push(readLabel(cursor));
      if (labels.length > LIMITS.labelsMax * 2) {
        const want = `want at most ${LIMITS.labelsMax}`;
        throw invalid(
          'PS_LABELS_COUNT',
          `cannot accept labels: got more than ${labels.length - 1}; ${want}`,
        );
      }
    } else if (field === 2 && wireType === BYTES) {
      const start = cursor.run();
      profile = bytes.subarray(start, cursor.at);
    } else if (field === 3 && wireType === BYTES) profileId = cursor.text('profile_id');
    else if (field === 4 && wireType === VARINT) temporality = readTemporality(cursor.varint());
    else if (field === 0) throw malformed('field 0', 'a protobuf message');
    else cursor.skip(wireType);
  }
  return {
    labels,
    profile,
    ...(profileId === '' ? {} : { profileId }),
    ...(temporality === undefined ? {} : { temporality }),
  };
}

function readTemporality(number: number): Temporality | undefined {
  if (number >= TEMPORALITIES.length) {
    throw malformed(`temporality ${number}`, `0 to ${TEMPORALITIES.length - 1}`);
  }
  return TEMPORALITIES[number];
}

function readLabel(outer: Cursor): Label {
  const start = outer.run();
  const cursor = new Cursor(outer.bytes, start, outer.at);
  let name = '';
  let value = '';
  while (cursor.at < cursor.end) {
    const tag = cursor.varint();
    if (tag === 8 + BYTES) name = cursor.text('a label name');
    else if (tag === 16 + BYTES) value = cursor.text('a label value');
    else if (tag < 8) throw malformed('field 0', 'a protobuf message');
    else cursor.skip(tag & 7);
  }
  return { name, value };
}
