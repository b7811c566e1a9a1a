/**
 * Writing protobuf's wire format into a chunk that is handed on whenever it is full, so that a message of any size
 * takes the memory of one chunk. A caller makes room for each submessage before it writes it.
 */

const CHUNK_BYTES = 256 << 10;
/** Tag and length of a submessage. */
const PREFIX_BYTES_MAX = 6;

export class WireWriter {
  readonly #flush: (bytes: Uint8Array) => void;
  #chunk = new Uint8Array(CHUNK_BYTES);
  #at = 0;

  /** `flush` must be done with the bytes when it returns: they are overwritten. */
  constructor(flush: (bytes: Uint8Array) => void) {
    this.#flush = flush;
  }

  /** Hands on what is left. */
  finish(): void {
    if (this.#at > 0) this.#flush(this.#chunk.subarray(0, this.#at));
    this.#at = 0;
  }

  /** Makes room for `sizeBytes` more. */
  reserve(sizeBytes: number): void {
    if (this.#at + sizeBytes <= this.#chunk.length) return;
    this.finish();
    if (sizeBytes > this.#chunk.length) this.#chunk = new Uint8Array(sizeBytes);
  }

  byte(value: number): void {
    this.#chunk[this.#at++] = value;
  }

  /** A non-negative int32. */
  uint(value: number): void {
    const chunk = this.#chunk;
    let at = this.#at;
    let rest = value;
    while (rest >= 0x80) {
      chunk[at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    chunk[at++] = rest;
    this.#at = at;
  }

  /** A 64-bit number as two halves. */
  wide(low: number, high: number): void {
    if (high === 0 && low >= 0) {
      this.uint(low);
      return;
    }
    const chunk = this.#chunk;
    let at = this.#at;
    let restLow = low;
    let restHigh = high;
    while (restHigh !== 0 || restLow >>> 0 >= 0x80) {
      chunk[at++] = (restLow & 0x7f) | 0x80;
      restLow = (restLow >>> 7) | (restHigh << 25);
      restHigh >>>= 7;
    }
    chunk[at++] = restLow;
    this.#at = at;
  }

  bytes(value: Uint8Array): void {
    this.#chunk.set(value, this.#at);
    this.#at += value.length;
  }
}

/** Bytes of a non-negative int32. */
export function uintSize(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  return value < 0x1000_0000 ? 4 : 5;
}

/** Bytes of a 64-bit number as two halves. */
export function wideSize(low: number, high: number): number {
  if (high === 0) return low >= 0 ? uintSize(low) : 5;
  const highBits = 32 - Math.clz32(high);
  return Math.ceil((32 + highBits) / 7);
}

/** The halves of 64-bit numbers, for the few that are bigint. */
const HALVES = new Int32Array(2);
const WIDE = new BigInt64Array(HALVES.buffer);

/**
 * One small message as bytes: for what there is little of (mappings, functions, ...). Fields with the value 0 are
 * left out, as proto3 does.
 */
export class MessageBuilder {
  #bytes = new Uint8Array(256);
  #at = 0;

  /** Copies out what was built, and begins anew. */
  take(): Uint8Array {
    const bytes = this.#bytes.slice(0, this.#at);
    this.#at = 0;
    return bytes;
  }

  /** Writes what was built as the submessage `field`, and begins anew. */
  writeTo(writer: WireWriter, field: number): void {
    writer.reserve(this.#at + PREFIX_BYTES_MAX);
    writer.uint((field << 3) | 2);
    writer.uint(this.#at);
    writer.bytes(this.#bytes.subarray(0, this.#at));
    this.#at = 0;
  }

  /** `value` as a number is a non-negative int32. */
  number(field: number, value: number | bigint | boolean): this {
    if (typeof value === 'bigint') return this.#wide(field, value);
    if (Number(value) !== 0) {
      this.#uint(field << 3);
      this.#uint(Number(value));
    }
    return this;
  }

  /** One of a repeated field, which is there with the value 0 too. */
  entry(field: number, value: bigint): this {
    if (value !== 0n) return this.#wide(field, value);
    this.#uint(field << 3);
    this.#uint(0);
    return this;
  }

  message(field: number, bytes: Uint8Array): this {
    this.#uint((field << 3) | 2);
    this.#uint(bytes.length);
    return this.raw(bytes);
  }

  /** Fields that are encoded already. */
  raw(bytes: Uint8Array): this {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
    return this;
  }

  #wide(field: number, value: bigint): this {
    if (value === 0n) return this;
    this.#uint(field << 3);
    WIDE[0] = BigInt.asIntN(64, value);
    let low = HALVES[0]!;
    let high = HALVES[1]!;
    this.#reserve(10);
    while (high !== 0 || low >>> 0 >= 0x80) {
      this.#bytes[this.#at++] = (low & 0x7f) | 0x80;
      low = (low >>> 7) | (high << 25);
      high >>>= 7;
    }
    this.#bytes[this.#at++] = low;
    return this;
  }

  #uint(value: number): void {
    this.#reserve(5);
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.#at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#bytes[this.#at++] = rest;
  }

  #reserve(sizeBytes: number): void {
    if (this.#at + sizeBytes <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#at + sizeBytes));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}
