import { invalid, StoreError } from '../base/errors.js';
import { TEMPORARY_PREFIX } from '../env/files.js';
import type { ByteRange, CallOptions } from './bucket.js';

/**
 * What all buckets accept as a key, the strictest of their rules, so that data can move between them: S3 limits the
 * whole, file systems each part.
 */
const KEY_BYTES_MAX = 1_024;
const KEY_PART_BYTES_MAX = 255;

const SIMPLE_KEY =
  /^[A-Za-z0-9_=,@%+-][A-Za-z0-9_.=,@%+-]*(\/[A-Za-z0-9_=,@%+-][A-Za-z0-9_.=,@%+-]*)*$/;
/** Control characters, which XML cannot carry, and halves of surrogate pairs, which UTF-8 cannot. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
const BAD_CHARACTER = /[\u0000-\u001f\u007f\ufffe\uffff]|\p{Surrogate}/u;

/** Throws `invalid` PS_OBJECT_KEY unless `key` keeps the contract's rules. */
export function checkKey(key: string): void {
  if (key.length <= KEY_PART_BYTES_MAX && SIMPLE_KEY.test(key)) return;
  const problem = keyProblem(key);
  if (problem !== undefined) {
    throw invalid('PS_OBJECT_KEY', `cannot use object key ${quoted(key)}: got ${problem}`);
  }
}

function keyProblem(key: string): string | undefined {
  const sizeBytes = Buffer.byteLength(key);
  if (sizeBytes > KEY_BYTES_MAX) return `${sizeBytes} bytes; want <= ${KEY_BYTES_MAX}`;
  if (BAD_CHARACTER.test(key)) return 'a control character or half a surrogate pair; want none';
  for (const part of key.split('/')) {
    if (part === '' || part === '.' || part === '..') {
      return `the part ${quoted(part)}; want a name`;
    }
    const partBytes = Buffer.byteLength(part);
    if (partBytes > KEY_PART_BYTES_MAX) {
      return `a part of ${partBytes} bytes; want <= ${KEY_PART_BYTES_MAX}`;
    }
    if (part.startsWith(TEMPORARY_PREFIX)) {
      return `a part that starts with ${TEMPORARY_PREFIX}; want another name`;
    }
  }
  return undefined;
}

/** Prefixes of lists are compared with keys only, so almost anything goes; but they must not be paths upwards. */
export function checkPrefix(prefix: string): void {
  const sizeBytes = Buffer.byteLength(prefix);
  const parts = prefix.split('/');
  const last = parts.pop() ?? '';
  const isGood =
    sizeBytes <= KEY_BYTES_MAX &&
    !BAD_CHARACTER.test(prefix) &&
    parts.every((part) => part !== '' && part !== '.' && part !== '..') &&
    !last.startsWith(TEMPORARY_PREFIX);
  if (isGood) return;
  throw invalid(
    'PS_OBJECT_KEY',
    `cannot list prefix ${quoted(prefix)}: got ${sizeBytes} bytes with such parts; want the beginning of a key`,
  );
}

export function checkFolder(prefix: string): void {
  checkPrefix(prefix);
  if (prefix === '' || prefix.endsWith('/')) return;
  throw invalid(
    'PS_OBJECT_KEY',
    `cannot list folders of ${quoted(prefix)}: got no slash at the end; want one`,
  );
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}

/** `range` must hold at least one byte: HTTP cannot ask for none. */
export function checkRange(key: string, range: ByteRange): void {
  const { start, end } = range;
  if (Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && end > start) return;
  throw badRange(key, range, 'want 0 <= start < end');
}

export function badRange(key: string, range: ByteRange, want: string): StoreError {
  return invalid(
    'PS_OBJECT_RANGE',
    `cannot read object ${key}: got the range [${range.start}, ${range.end}); ${want}`,
    { key, start: range.start, end: range.end },
  );
}

export function objectNotFound(key: string, cause?: unknown): StoreError {
  return new StoreError({
    kind: 'not-found',
    code: 'PS_OBJECT_NOT_FOUND',
    message: `cannot read object ${key}: got no such object; want one`,
    details: { key },
    cause,
  });
}

export function objectExists(key: string, cause?: unknown): StoreError {
  return new StoreError({
    kind: 'conflict',
    code: 'PS_OBJECT_EXISTS',
    message: `cannot create object ${key}: got one of that key; want none`,
    details: { key },
    cause,
  });
}

export function objectChanged(key: string, cause?: unknown): StoreError {
  return new StoreError({
    kind: 'conflict',
    code: 'PS_OBJECT_CHANGED',
    message: `cannot replace object ${key}: got another version or none; want the one that was read`,
    details: { key },
    cause,
  });
}

export function objectTooLarge(key: string, sizeBytes: number, sizeBytesMax: number): StoreError {
  return new StoreError({
    kind: 'limit',
    code: 'PS_OBJECT_TOO_LARGE',
    message: `cannot hold object ${key}: got ${sizeBytes} bytes; want <= ${sizeBytesMax}`,
    details: { key, sizeBytes, sizeBytesMax },
  });
}

export function bucketClosed(name: string): StoreError {
  return new StoreError({
    kind: 'closed',
    code: 'PS_BUCKET_CLOSED',
    message: `cannot use bucket ${name}: got a closed one; want an open one`,
  });
}

export function uploadEnded(key: string): StoreError {
  return new StoreError({
    kind: 'closed',
    code: 'PS_UPLOAD_ENDED',
    message: `cannot upload object ${key}: got an upload that finished, failed or was aborted; want an open one`,
    details: { key },
  });
}

export function cancelled(): StoreError {
  return new StoreError({
    kind: 'cancelled',
    code: 'PS_CANCELLED',
    message: 'the call was cancelled',
  });
}

export function throwIfCancelled(options: CallOptions | undefined): void {
  if (options?.signal?.aborted === true) throw cancelled();
}

/**
 * Order of UTF-8 bytes, which is the order of code points. JavaScript's own differs from it where surrogate pairs meet
 * U+E000 to U+FFFF.
 */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    let x = a.charCodeAt(i);
    let y = b.charCodeAt(i);
    if (x === y) continue;
    const isPairX = x >= 0xd800 && x < 0xe000;
    const isPairY = y >= 0xd800 && y < 0xe000;
    if (isPairX !== isPairY) {
      if (isPairX) x = 0x10000;
      else y = 0x10000;
    }
    return x - y;
  }
  return a.length - b.length;
}
