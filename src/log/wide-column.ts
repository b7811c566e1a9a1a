/**
 * 64-bit columns in the fewest bytes that Arrow's own types allow: left out when all are zero, int32 when all fit,
 * else int64. Values come as halves side by side, low half first, which is how they lie in memory.
 */
import type { Column, ColumnField } from '../columnar/table.js';
import type { StoredColumn } from './segment-view.js';

export const WIDE_ABSENT = 0;
export const WIDE_INT32 = 1;
export const WIDE_INT64 = 2;
export type WideCode = typeof WIDE_ABSENT | typeof WIDE_INT32 | typeof WIDE_INT64;

/** The least code that holds the first `count` values of `halves`. */
export function wideCode(halves: Int32Array, count: number): WideCode {
  let any = 0;
  let high = 0;
  for (let i = 0; i < count * 2; i += 2) {
    const low = halves[i]!;
    any |= low;
    high |= halves[i + 1]! ^ (low >> 31);
  }
  if (high !== 0) return WIDE_INT64;
  return any === 0 ? WIDE_ABSENT : WIDE_INT32;
}

export function wideField(
  field: { readonly name: string; readonly id: number },
  code: WideCode,
): ColumnField {
  return { ...field, type: code === WIDE_INT32 ? 'int32' : 'int64' };
}

/** The column for `code`, which is not WIDE_ABSENT. `halves` starts at a multiple of 8 bytes in its buffer. */
export function wideColumn(halves: Int32Array, count: number, code: WideCode): Column {
  if (code === WIDE_INT64) {
    return { type: 'int64', values: new BigInt64Array(halves.buffer, halves.byteOffset, count) };
  }
  const values = new Int32Array(count);
  for (let i = 0; i < count; i++) values[i] = halves[i * 2]!;
  return { type: 'int32', values };
}

/** All of a stored column as 64-bit numbers. */
export function widen(stored: StoredColumn, count: number): BigInt64Array {
  return widenRows(stored, 0, count, new BigInt64Array(stored instanceof Int32Array ? count : 0));
}

/** Rows [start, start + count) of a stored column as 64-bit numbers: in `out` or, where nothing needs doing, a view. */
export function widenRows(
  stored: StoredColumn,
  start: number,
  count: number,
  out: BigInt64Array,
): BigInt64Array {
  if (stored === undefined) return wideZeros(count);
  if (stored instanceof BigInt64Array) return stored.subarray(start, start + count);
  const halves = new Int32Array(out.buffer, out.byteOffset, count * 2);
  for (let i = 0; i < count; i++) {
    const value = stored[start + i]!;
    halves[i * 2] = value;
    halves[i * 2 + 1] = value >> 31;
  }
  return out;
}

let zeros = new BigInt64Array(4096);

/** `count` zeros; shared, so not to be written to. */
export function wideZeros(count: number): BigInt64Array {
  if (zeros.length < count) zeros = new BigInt64Array(Math.max(count, zeros.length * 2));
  return zeros.subarray(0, count);
}
