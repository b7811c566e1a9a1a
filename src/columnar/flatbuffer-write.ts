/**
 * Writing flatbuffers (https://flatbuffers.dev/internals/), as far as a schema message needs it: a table comes first,
 * and what it refers to follows, since offsets only point forward. Written once for each schema, so nothing is shared.
 */

/** A number of so many bytes, little-endian. */
export interface Scalar {
  readonly bytes: 1 | 2 | 4 | 8;
  readonly value: number;
}

/** Fields by their number in the schema language; undefined where one is absent. */
export interface FlatTable {
  readonly fields: readonly (FlatValue | undefined)[];
}

export type FlatValue = Scalar | FlatTable | string | readonly FlatTable[];

/** Fields are placed in this order of their widths; a reference takes 4 bytes. */
const WIDTHS = [4, 8, 2, 1] as const;
const REFERENCE_BYTES = 4;
const TABLE_ALIGNMENT = 8;

/** The flatbuffer with `root` as its root table, padded to 8 bytes. */
export function encodeFlatbuffer(root: FlatTable): Uint8Array {
  const writer = new FlatWriter();
  return writer.finish(root);
}

function isScalar(value: FlatValue): value is Scalar {
  return typeof value === 'object' && 'bytes' in value;
}

function widthOf(value: FlatValue): number {
  return isScalar(value) ? value.bytes : REFERENCE_BYTES;
}

class FlatWriter {
  #bytes = new Uint8Array(1024);
  #view = new DataView(this.#bytes.buffer);
  #end = 0;

  finish(root: FlatTable): Uint8Array {
    const at = this.#take(REFERENCE_BYTES, REFERENCE_BYTES);
    this.#refer(at, this.#table(root));
    this.#take(0, TABLE_ALIGNMENT);
    return this.#bytes.slice(0, this.#end);
  }

  /** Room for `count` bytes, all 0, at a multiple of `alignment`. */
  #take(count: number, alignment: number): number {
    const at = Math.ceil(this.#end / alignment) * alignment;
    this.#end = at + count;
    if (this.#end > this.#bytes.length) {
      const grown = new Uint8Array(this.#end * 2);
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    return at;
  }

  #table({ fields }: FlatTable): number {
    const vtable = this.#take(4 + fields.length * 2, 2);
    const offsets = new Array<number>(fields.length).fill(0);
    let sizeBytes = REFERENCE_BYTES;
    for (const width of WIDTHS) {
      fields.forEach((field, f) => {
        if (field === undefined || widthOf(field) !== width) return;
        offsets[f] = Math.ceil(sizeBytes / width) * width;
        sizeBytes = offsets[f] + width;
      });
    }
    const table = this.#take(sizeBytes, TABLE_ALIGNMENT);
    this.#view.setUint16(vtable, 4 + fields.length * 2, true);
    this.#view.setUint16(vtable + 2, sizeBytes, true);
    this.#view.setInt32(table, table - vtable, true);
    fields.forEach((field, f) => {
      if (field === undefined) return;
      const offset = offsets[f] as number;
      this.#view.setUint16(vtable + 4 + f * 2, offset, true);
      if (isScalar(field)) this.#scalar(table + offset, field);
      else this.#refer(table + offset, this.#value(field));
    });
    return table;
  }

  #scalar(at: number, { bytes, value }: Scalar): void {
    if (bytes === 8) this.#view.setBigInt64(at, BigInt(value), true);
    else if (bytes === 4) this.#view.setInt32(at, value, true);
    else if (bytes === 2) this.#view.setInt16(at, value, true);
    else this.#view.setUint8(at, value);
  }

  #refer(at: number, target: number): void {
    this.#view.setUint32(at, target - at, true);
  }

  #value(value: Exclude<FlatValue, Scalar>): number {
    if (typeof value === 'string') return this.#string(value);
    if ('fields' in value) return this.#table(value);
    const vector = this.#take(4 + value.length * REFERENCE_BYTES, 4);
    this.#view.setUint32(vector, value.length, true);
    value.forEach((element, i) => {
      this.#refer(vector + 4 + i * REFERENCE_BYTES, this.#table(element));
    });
    return vector;
  }

  /** With a zero byte behind it, which its length does not count. */
  #string(text: string): number {
    const bytes = Buffer.from(text, 'utf8');
    const at = this.#take(4 + bytes.length + 1, 4);
    this.#view.setUint32(at, bytes.length, true);
    this.#bytes.set(bytes, at + 4);
    return at;
  }
}
