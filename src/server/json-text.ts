/**
 * JSON as UTF-8 bytes, written straight into a growing buffer. Trees have up to a million nodes with two 64-bit values
 * each: a string or a bigint for each of them would cost more than the query.
 */
const INITIAL_BYTES = 64 << 10;
/** `-` and 19 digits, quotes and a comma. */
const NUMBER_BYTES_MAX = 24;
const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const ZERO = 0x30;
const TWO_32 = 0x1_0000_0000;

export class JsonText {
  private bytes = Buffer.allocUnsafe(INITIAL_BYTES);
  private length = 0;

  /** JSON that is already right, ASCII only. */
  raw(text: string): this {
    this.reserve(text.length);
    this.length += this.bytes.write(text, this.length, 'latin1');
    return this;
  }

  /** Any value that JSON.stringify can write; for the small parts. */
  value(value: string | number | boolean | null | object): this {
    const text = JSON.stringify(value);
    this.reserve(text.length * 3);
    this.length += this.bytes.write(text, this.length, 'utf8');
    return this;
  }

  /** A 64-bit number as a decimal string. */
  bigint(value: bigint): this {
    return this.raw(`"${value}"`);
  }

  strings(values: readonly string[]): this {
    this.raw('[');
    for (let i = 0; i < values.length; i++) {
      if (i > 0) this.raw(',');
      this.value(values[i] as string);
    }
    return this.raw(']');
  }

  int32Array(values: Int32Array): this {
    this.raw('[');
    this.reserve(values.length * NUMBER_BYTES_MAX);
    for (let i = 0; i < values.length; i++) {
      if (i > 0) this.bytes[this.length++] = COMMA;
      this.digits(values[i] as number);
    }
    return this.raw(']');
  }

  /** 64-bit numbers as decimal strings. */
  int64Array(values: BigInt64Array): this {
    this.raw('[');
    this.reserve(values.length * NUMBER_BYTES_MAX);
    const halves = new Int32Array(values.buffer, values.byteOffset, values.length * 2);
    for (let i = 0; i < values.length; i++) {
      if (i > 0) this.bytes[this.length++] = COMMA;
      this.bytes[this.length++] = QUOTE;
      const number = (halves[2 * i + 1] as number) * TWO_32 + ((halves[2 * i] as number) >>> 0);
      if (Number.isSafeInteger(number)) this.digits(number);
      else this.length += this.bytes.write(String(values[i]), this.length, 'latin1');
      this.bytes[this.length++] = QUOTE;
    }
    return this.raw(']');
  }

  finish(): Buffer {
    return this.bytes.subarray(0, this.length);
  }

  /** The digits of a safe integer; room was reserved. */
  private digits(value: number): void {
    let rest = value;
    if (rest < 0) {
      this.bytes[this.length++] = MINUS;
      rest = -rest;
    }
    let width = 1;
    for (let bound = 10; bound <= rest; bound *= 10) width++;
    const end = this.length + width;
    let at = end;
    // Division of small integers is several times as fast as that of large ones, so cut off the low digits first.
    while (rest > 0x7fffffff) {
      const high = Math.floor(rest / 1_000_000);
      let low = rest - high * 1_000_000;
      for (let i = 0; i < 6; i++) {
        const next = (low / 10) | 0;
        this.bytes[--at] = ZERO + (low - next * 10);
        low = next;
      }
      rest = high;
    }
    let small = rest | 0;
    while (at > this.length) {
      const next = (small / 10) | 0;
      this.bytes[--at] = ZERO + (small - next * 10);
      small = next;
    }
    this.length = end;
  }

  private reserve(count: number): void {
    if (this.length + count <= this.bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, this.length + count));
    this.bytes.copy(grown, 0, 0, this.length);
    this.bytes = grown;
  }
}
