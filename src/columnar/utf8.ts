/**
 * Many strings to and from one run of UTF-8 with offsets. Text that is all ASCII (most of it) is joined or cut as
 * one string, which is several times faster than a call for each.
 */
import { corrupt } from '../base/errors.js';

export interface Utf8Run {
  /** count + 1 elements. */
  readonly offsets: Int32Array;
  readonly bytes: Uint8Array;
}

const encoder = new TextEncoder();
const NOTHING = new Uint8Array(0);

export function encodeUtf8Run(texts: readonly string[], count: number): Utf8Run {
  const offsets = new Int32Array(count + 1);
  const all = texts.length === count ? texts : texts.slice(0, count);
  const joined = count === 1 ? (all[0] as string) : all.join('');
  if (joined === '') return { offsets, bytes: NOTHING };
  const bytes = encoder.encode(joined);
  if (bytes.length === joined.length) {
    let end = 0;
    for (let i = 0; i < count; i++) {
      end += all[i]!.length;
      offsets[i + 1] = end;
    }
    return { offsets, bytes };
  }
  return encodeEach(all, joined.length);
}

/** One string after the other, because a lone surrogate at a border must not pair with the next string's first unit. */
function encodeEach(texts: readonly string[], units: number): Utf8Run {
  const offsets = new Int32Array(texts.length + 1);
  const bytes = new Uint8Array(units * 3);
  let end = 0;
  for (let i = 0; i < texts.length; i++) {
    end += encoder.encodeInto(texts[i] as string, bytes.subarray(end)).written;
    offsets[i + 1] = end;
  }
  return { offsets, bytes: bytes.subarray(0, end) };
}

/** Throws `corrupt` PS_COLUMN_OFFSETS unless `offsets` rise from 0 or more to at most `limit`. */
export function checkOffsets(offsets: Int32Array, count: number, limit: number): void {
  if (offsets.length < count + 1) {
    throw corrupt(
      'PS_COLUMN_OFFSETS',
      `cannot read offsets: got ${offsets.length}; want ${count + 1}`,
    );
  }
  let last = offsets[0]!;
  let ok = last >= 0;
  for (let i = 1; i <= count; i++) {
    const next = offsets[i]!;
    if (next < last) ok = false;
    last = next;
  }
  if (!ok || last > limit) {
    throw corrupt(
      'PS_COLUMN_OFFSETS',
      `cannot read offsets: got ${offsets[0]} to ${last}; want rising numbers up to ${limit}`,
    );
  }
}

/** Throws `corrupt` PS_COLUMN_DICTIONARY unless each index is one of the dictionary's. */
export function checkIndices(indices: Int32Array, count: number, dictionaryLength: number): void {
  for (let i = 0; i < count; i++) {
    if (indices[i]! >>> 0 >= dictionaryLength) {
      throw corrupt(
        'PS_COLUMN_DICTIONARY',
        `cannot read column: got index ${indices[i]}; want less than ${dictionaryLength}`,
      );
    }
  }
}

/** The inverse of `encodeUtf8Run`. Checks the offsets; bytes that are not UTF-8 become U+FFFD. */
export function decodeUtf8Run(offsets: Int32Array, bytes: Uint8Array, count: number): string[] {
  if (count === 0) return [];
  checkOffsets(offsets, count, bytes.length);
  const texts = new Array<string>(count);
  const start = offsets[0]!;
  const end = offsets[count]!;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const joined = buffer.toString('utf8', start, end);
  if (joined.length === end - start) {
    for (let i = 0; i < count; i++) {
      texts[i] = joined.slice(offsets[i]! - start, offsets[i + 1]! - start);
    }
    return texts;
  }
  for (let i = 0; i < count; i++) texts[i] = buffer.toString('utf8', offsets[i]!, offsets[i + 1]!);
  return texts;
}
