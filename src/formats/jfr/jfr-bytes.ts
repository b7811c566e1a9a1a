/** Bytes of a JFR chunk, read forwards: big-endian headers, numbers in 7-bit groups, strings in five encodings. */
import { invalid, type StoreError } from '../../base/errors.js';
import { LIMITS } from '../../base/limits.js';

export function jfrError(got: string, want: string): StoreError {
  return invalid('PS_JFR', `cannot read JFR recording: got ${got}; want ${want}`);
}

/** A number as small as it can be held: equal values are equal as keys of a map. */
export type Long = number | bigint;

/** A string that stands in a constant pool. */
export interface StringReference {
  readonly reference: Long;
}

const LONG_BYTES_MAX = 9;
/** Groups of seven bits that fit below 2^53. */
const SAFE_GROUPS = 7;

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

export class JfrBytes {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  at: number;
  end: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = start;
    this.end = end;
  }

  get left(): number {
    return this.end - this.at;
  }

  /** Moves on by `count` and returns where it was. */
  take(count: number): number {
    if (count > this.end - this.at) throw jfrError('an end inside a value', 'a whole chunk');
    const start = this.at;
    this.at += count;
    return start;
  }

  int32(): number {
    return this.#view.getInt32(this.take(4));
  }

  int64(): bigint {
    return this.#view.getBigInt64(this.take(8));
  }

  byte(): number {
    return this.#bytes[this.take(1)] as number;
  }

  /** Up to nine bytes; the ninth has eight bits. Unsigned. */
  long(): Long {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < SAFE_GROUPS; i++) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    let wide = BigInt(value);
    for (let i = SAFE_GROUPS; i < LONG_BYTES_MAX; i++) {
      const byte = this.byte();
      const isLast = i === LONG_BYTES_MAX - 1;
      wide |= BigInt(isLast ? byte : byte & 0x7f) << BigInt(7 * i);
      if (byte < 0x80) break;
    }
    return wide <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(wide) : wide;
  }

  /** A number that must be small, as counts, indexes and sizes are. */
  count(what: string): number {
    const value = this.long();
    if (typeof value === 'number' && value <= 0x7fff_ffff) return value;
    throw jfrError(`${what} ${value}`, 'less than 2^31');
  }

  skipLong(): void {
    for (let i = 0; i < LONG_BYTES_MAX; i++) if (this.byte() < 0x80) return;
  }

  /** Undefined for null. */
  string(): string | StringReference | undefined {
    const encoding = this.byte();
    switch (encoding) {
      case 0:
        return undefined;
      case 1:
        return '';
      case 2:
        return { reference: this.long() };
      case 3:
        return utf8.decode(this.#run(this.count('a string of length')));
      case 4:
        return this.#characters(this.count('a string of length'));
      case 5:
        return Buffer.from(this.#run(this.count('a string of length'))).toString('latin1');
      default:
        throw jfrError(`string encoding ${encoding}`, '0 to 5');
    }
  }

  skipString(): void {
    const encoding = this.byte();
    if (encoding === 2) this.skipLong();
    else if (encoding === 3 || encoding === 5) this.take(this.count('a string of length'));
    else if (encoding === 4) {
      for (let left = this.count('a string of length'); left > 0; left--) this.skipLong();
    } else if (encoding > 5) throw jfrError(`string encoding ${encoding}`, '0 to 5');
  }

  #run(length: number): Uint8Array {
    if (length > LIMITS.stringBytesMax) {
      throw jfrError(`a string of ${length} bytes`, `at most ${LIMITS.stringBytesMax}`);
    }
    const start = this.take(length);
    return this.#bytes.subarray(start, start + length);
  }

  #characters(length: number): string {
    if (length > LIMITS.stringBytesMax) {
      throw jfrError(`a string of ${length} characters`, `at most ${LIMITS.stringBytesMax}`);
    }
    let text = '';
    for (let i = 0; i < length; i++)
      text += String.fromCharCode(this.count('a character') & 0xffff);
    return text;
  }
}
