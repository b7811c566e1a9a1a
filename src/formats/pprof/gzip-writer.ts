/**
 * One gzip member (RFC 1952) from chunks, synchronously and without holding more than one chunk of plain bytes: each
 * chunk is deflated alone and ends at a byte boundary (a sync flush), so that the pieces joined are one deflate
 * stream. Several members would be simpler, but browsers' DecompressionStream takes only one.
 */
import { constants, crc32, deflateRawSync } from 'node:zlib';

/** Magic, deflate, no flags, no time (equal answers are equal bytes), no extra flags, unknown system. */
const HEADER = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff);
/** An empty last block with fixed codes: ends the deflate stream. */
const LAST_BLOCK = Uint8Array.of(0x03, 0x00);

export class GzipWriter {
  readonly #level: number;
  readonly #parts: Uint8Array[] = [HEADER];
  #crc = 0;
  #plainBytes = 0;

  /** zlib's 1 (fast) to 9 (small). */
  constructor(level: number) {
    this.#level = level;
  }

  /** The caller may overwrite `chunk` afterwards. */
  write(chunk: Uint8Array): void {
    this.#crc = crc32(chunk, this.#crc);
    this.#plainBytes += chunk.length;
    const options = { level: this.#level, finishFlush: constants.Z_SYNC_FLUSH };
    this.#parts.push(deflateRawSync(chunk, options));
  }

  finish(): Uint8Array {
    const trailer = new DataView(new ArrayBuffer(8));
    trailer.setUint32(0, this.#crc, true);
    trailer.setUint32(4, this.#plainBytes >>> 0, true);
    return Buffer.concat([...this.#parts, LAST_BLOCK, new Uint8Array(trailer.buffer)]);
  }
}
