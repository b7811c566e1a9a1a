/**
 * A `multipart/form-data` body (RFC 7578) taken apart: views, nothing is copied. Written for what agents send: parts in
 * any order, `\r\n` or bare `\n` after a header, no transfer encodings.
 */
import { invalid, type StoreError } from '../../base/errors.js';
import { LIMITS } from '../../base/limits.js';

export interface Part {
  /** `name` of its content-disposition. */
  readonly name: string;
  /** A view of the body. */
  readonly content: Uint8Array;
}

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const HEADER_BYTES_MAX = 16 << 10;

function broken(got: string, want: string): StoreError {
  return invalid('PS_MULTIPART', `cannot read multipart body: got ${got}; want ${want}`);
}

/** Whether a content-type says multipart/form-data. */
export function isMultipart(contentType: string): boolean {
  return /^\s*multipart\/form-data\s*(;|$)/i.test(contentType);
}

/** The boundary that a content-type names. Throws `invalid` PS_MULTIPART. */
export function boundaryOf(contentType: string): string {
  const found = /;\s*boundary\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]+))/i.exec(contentType);
  const boundary = found?.[1]?.replace(/\\(.)/g, '$1') ?? found?.[2] ?? '';
  if (boundary === '' || boundary.length > 256) {
    throw broken(`a boundary of ${boundary.length} characters`, '1 to 256');
  }
  return boundary;
}

/** Throws `invalid` PS_MULTIPART. */
export function readMultipart(body: Uint8Array, boundary: string): readonly Part[] {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const delimiter = Buffer.from(`--${boundary}`);
  const parts: Part[] = [];
  let at = nextDelimiter(bytes, delimiter, 0);
  if (at < 0)
    throw broken(`${bytes.length} bytes without the boundary`, 'parts between boundaries');
  for (;;) {
    let start = at + delimiter.length;
    // `--` after the boundary: the last one.
    if (bytes[start] === 0x2d && bytes[start + 1] === 0x2d) return parts;
    start = lineEnd(bytes, start);
    const end = nextDelimiter(bytes, delimiter, start);
    if (end < 0) throw broken('an end inside a part', 'a last boundary');
    if (parts.length === LIMITS.multipartPartsMax) {
      throw broken(`more than ${LIMITS.multipartPartsMax} parts`, 'at most that');
    }
    parts.push(readPart(bytes.subarray(start, end)));
    at = end;
  }
}

/** The start of the next boundary that stands at the start of a line, or -1. */
function nextDelimiter(bytes: Buffer, delimiter: Buffer, from: number): number {
  for (let at = from; ; at++) {
    at = bytes.indexOf(delimiter, at);
    if (at <= 0 || bytes[at - 1] === NEWLINE) return at;
  }
}

/** After the line in which `at` lies. */
function lineEnd(bytes: Buffer, at: number): number {
  const found = bytes.indexOf(NEWLINE, at);
  if (found < 0) throw broken('an end inside a header', 'a whole part');
  return found + 1;
}

/** `part`: headers, an empty line, the content and the line end before the next boundary. */
function readPart(part: Buffer): Part {
  let at = 0;
  let name: string | undefined;
  for (;;) {
    const next = lineEnd(part, at);
    if (next > HEADER_BYTES_MAX) {
      throw broken(`headers of more than ${HEADER_BYTES_MAX} bytes`, 'at most that');
    }
    const line = part.toString('utf8', at, next).trim();
    at = next;
    if (line === '') break;
    if (/^content-disposition\s*:/i.test(line)) name = nameIn(line) ?? name;
  }
  if (name === undefined) throw broken('a part without a name', 'content-disposition with name=');
  let end = part.length;
  if (end > at && part[end - 1] === NEWLINE) end--;
  if (end > at && part[end - 1] === RETURN) end--;
  return { name, content: part.subarray(at, end) };
}

function nameIn(line: string): string | undefined {
  const found = /;\s*name\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]+))/i.exec(line);
  return found?.[1]?.replace(/\\(.)/g, '$1') ?? found?.[2];
}
