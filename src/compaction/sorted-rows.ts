/** Buffers for one profile's rows on their way into a block: keys renumbered, rows put into ascending order of key. */
import { isAscending, KeyOrder } from '../symbols/key-order.js';

export type FourColumns = [BigInt64Array, BigInt64Array, BigInt64Array, BigInt64Array];

export function fourColumns(length: number): FourColumns {
  return [
    new BigInt64Array(length),
    new BigInt64Array(length),
    new BigInt64Array(length),
    new BigInt64Array(length),
  ];
}

/** Takes rows whose key is marked in `gone` out, in place; returns how many are left. */
export function takeOut(
  rows: {
    readonly rowCount: number;
    readonly key: Int32Array;
    readonly values: Readonly<FourColumns>;
  },
  gone: Uint8Array,
): number {
  const { key, values } = rows;
  let kept = 0;
  for (let r = 0; r < rows.rowCount; r++) {
    if (gone[key[r]!] !== 0) continue;
    key[kept] = key[r]!;
    for (const column of values) column[kept] = column[r]!;
    kept++;
  }
  return kept;
}

export class SortedRows {
  /** Valid until the next `take`; the first `rowCount` elements count. */
  key: Int32Array = new Int32Array(0);
  values: FourColumns = fourColumns(0);
  #sortedKey: Int32Array = new Int32Array(0);
  #sortedValues: FourColumns = fourColumns(0);
  #order: Int32Array = new Int32Array(0);
  readonly #sorter = new KeyOrder();

  /**
   * Takes rows whose keys are `remap[key[r]]`, distinct and below `keyCount`. `columnCount` columns are copied; the
   * others of the result are 0 as long as they are 0 in `values`.
   */
  take(
    rows: {
      readonly rowCount: number;
      readonly key: Int32Array;
      readonly values: Readonly<FourColumns>;
    },
    remap: Int32Array,
    keyCount: number,
  ): { readonly key: Int32Array; readonly values: FourColumns } {
    const { rowCount, key, values } = rows;
    this.#reserve(rowCount);
    const mapped = this.key;
    for (let r = 0; r < rowCount; r++) mapped[r] = remap[key[r]!]!;
    if (isAscending(mapped, rowCount)) return { key: mapped, values: values as FourColumns };
    const order = this.#order;
    this.#sorter.sort(mapped, rowCount, keyCount, order);
    const sortedKey = this.#sortedKey;
    for (let r = 0; r < rowCount; r++) sortedKey[r] = mapped[order[r]!]!;
    for (let c = 0; c < 4; c++) gather(values[c]!, order, rowCount, this.#sortedValues[c]!);
    return { key: sortedKey, values: this.#sortedValues };
  }

  #reserve(rowCount: number): void {
    if (this.key.length >= rowCount) return;
    const size = Math.max(1024, rowCount + (rowCount >>> 1));
    this.key = new Int32Array(size);
    this.#sortedKey = new Int32Array(size);
    this.#sortedValues = fourColumns(size);
    this.#order = new Int32Array(size);
  }
}

/** `out[r] = column[order[r]]`, by halves: no bigint is made. */
function gather(
  column: BigInt64Array,
  order: Int32Array,
  rowCount: number,
  out: BigInt64Array,
): void {
  const source = new Int32Array(column.buffer, column.byteOffset, column.length * 2);
  const target = new Int32Array(out.buffer, out.byteOffset, rowCount * 2);
  for (let r = 0; r < rowCount; r++) {
    const from = order[r]! * 2;
    target[2 * r] = source[from]!;
    target[2 * r + 1] = source[from + 1]!;
  }
}
