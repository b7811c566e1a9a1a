/**
 * Columns of integers as varints (https://protobuf.dev/programming-guides/encoding/#varints): seven bits a byte, low
 * bits first; signed 64-bit values zigzag-mapped before, as protobuf's `sint64`. No bigint is made.
 */
import { assert } from '../base/assert.js';

const VARINT_BYTES_MAX = 10;

export class VarintWriter {
  #bytes = new Uint8Array(4096);
  #end = 0;

  /** `numbers` in the given order, which sorts them: each as its distance to the one before, the first to -1. */
  steps(numbers: Int32Array, order: readonly number[]): Uint8Array {
    this.#begin(order.length);
    let before = -1;
    for (const row of order) {
      const number = numbers[row] as number;
      assert(number > before, 'numbers ascend');
      this.#put(number - before, 0);
      before = number;
    }
    return this.#bytes.slice(0, this.#end);
  }

  zigzags(values: BigInt64Array, order: readonly number[]): Uint8Array {
    this.#begin(order.length);
    const halves = new Int32Array(values.buffer, values.byteOffset, values.length * 2);
    for (const row of order) {
      const low = halves[row * 2] as number;
      const high = halves[row * 2 + 1] as number;
      const sign = high >> 31;
      this.#put((low << 1) ^ sign, ((high << 1) | (low >>> 31)) ^ sign);
    }
    return this.#bytes.slice(0, this.#end);
  }

  #begin(count: number): void {
    this.#end = 0;
    const sizeBytes = count * VARINT_BYTES_MAX;
    if (this.#bytes.length < sizeBytes) this.#bytes = new Uint8Array(sizeBytes * 2);
  }

  #put(lowHalf: number, highHalf: number): void {
    let low = lowHalf >>> 0;
    let high = highHalf >>> 0;
    const bytes = this.#bytes;
    while (high !== 0 || low > 127) {
      bytes[this.#end++] = (low & 127) | 128;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    bytes[this.#end++] = low;
  }
}

/** The inverse of `steps`: `count` ascending numbers below `limit`; undefined if the bytes are anything else. */
export function readSteps(bytes: Uint8Array, count: number, limit: number): Int32Array | undefined {
  const out = new Int32Array(count);
  let at = 0;
  let number = -1;
  for (let i = 0; i < count; i++) {
    let step = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      if (byte === undefined || shift > 28) return undefined;
      step += (byte & 127) * 2 ** shift;
      if (byte < 128) break;
    }
    number += step;
    if (step === 0 || number >= limit) return undefined;
    out[i] = number;
  }
  return at === bytes.length ? out : undefined;
}

/** The inverse of `zigzags`; false if the bytes do not hold exactly `out.length` values. */
export function readZigzags(bytes: Uint8Array, out: BigInt64Array): boolean {
  const halves = new Int32Array(out.buffer, out.byteOffset, out.length * 2);
  let at = 0;
  for (let i = 0; i < out.length; i++) {
    let low = 0;
    let high = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      if (byte === undefined || shift > 63) return false;
      const bits = byte & 127;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high |= bits >>> 4;
      } else high |= bits << (shift - 32);
      if (byte < 128) break;
    }
    const sign = -(low & 1);
    halves[2 * i] = ((low >>> 1) | (high << 31)) ^ sign;
    halves[2 * i + 1] = (high >>> 1) ^ sign;
  }
  return at === bytes.length;
}
