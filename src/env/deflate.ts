/** Raw deflate (RFC 1951) of what is read and written as a whole. */
import { deflateRawSync, inflateRawSync } from 'node:zlib';

export function deflate(bytes: Uint8Array): Uint8Array {
  return deflateRawSync(bytes);
}

/** Undefined for what is no deflate stream of at most `sizeBytesMax` bytes. */
export function inflate(bytes: Uint8Array, sizeBytesMax: number): Uint8Array | undefined {
  try {
    const { buffer, byteOffset, length } = inflateRawSync(bytes, { maxOutputLength: sizeBytesMax });
    return new Uint8Array(buffer, byteOffset, length);
  } catch {
    return undefined;
  }
}
