import { StoreError } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import { objectTooLarge } from './keys.js';

/** The part of the client's body that is used here: a Node stream. */
interface BodyStream extends AsyncIterable<Uint8Array> {
  destroy?(): void;
}

/**
 * Reads a response body into one buffer of its own. A body shorter or longer than announced is `unavailable`: the
 * connection broke, and the client does not always notice.
 */
export async function readBody(
  key: string,
  body: unknown,
  sizeBytes: number | undefined,
): Promise<Uint8Array> {
  if (!isBodyStream(body)) throw brokenBody(key, 0, sizeBytes ?? 0);
  if (sizeBytes !== undefined && sizeBytes > LIMITS.objectBytesMax) {
    body.destroy?.();
    throw objectTooLarge(key, sizeBytes, LIMITS.objectBytesMax);
  }
  return sizeBytes === undefined ? readUnsized(key, body) : readSized(key, body, sizeBytes);
}

function isBodyStream(body: unknown): body is BodyStream {
  return typeof body === 'object' && body !== null && Symbol.asyncIterator in body;
}

async function readSized(key: string, body: BodyStream, sizeBytes: number): Promise<Uint8Array> {
  const out = new Uint8Array(sizeBytes);
  let at = 0;
  for await (const chunk of body) {
    if (at + chunk.length > sizeBytes) throw brokenBody(key, at + chunk.length, sizeBytes);
    out.set(chunk, at);
    at += chunk.length;
  }
  if (at !== sizeBytes) throw brokenBody(key, at, sizeBytes);
  return out;
}

async function readUnsized(key: string, body: BodyStream): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of body) {
    sizeBytes += chunk.length;
    if (sizeBytes > LIMITS.objectBytesMax) {
      throw objectTooLarge(key, sizeBytes, LIMITS.objectBytesMax);
    }
    chunks.push(chunk);
  }
  const out = new Uint8Array(sizeBytes);
  let at = 0;
  for (const chunk of chunks) {
    out.set(chunk, at);
    at += chunk.length;
  }
  return out;
}

export function brokenBody(key: string, got: number, want: number): StoreError {
  return new StoreError({
    kind: 'unavailable',
    code: 'PS_BUCKET_BODY',
    message: `cannot read object ${key}: got ${got} bytes of its body; want ${want}`,
    details: { key, got, want },
  });
}
