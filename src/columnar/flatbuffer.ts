/**
 * Reading flatbuffers (https://flatbuffers.dev/internals/), as far as Arrow's messages need it. Every position is
 * checked by the DataView itself: a RangeError means damage, and the caller turns it into `corrupt`.
 */
import { corrupt } from '../base/errors.js';

export function damaged(what: string): Error {
  return corrupt(
    'PS_COLUMN_MESSAGE',
    `cannot read record batch: got ${what}; want an Arrow IPC message`,
  );
}

/** A non-negative 64-bit number below 2^53. */
export function size64(view: DataView, at: number): number {
  const low = view.getUint32(at, true);
  const high = view.getInt32(at + 4, true);
  if (high < 0 || high > 0x1fffff) throw damaged('a size out of range');
  return high * 4_294_967_296 + low;
}

/** Position of field `index` of the table at `table`, 0 if absent. */
export function fieldAt(view: DataView, table: number, index: number): number {
  const vtable = table - view.getInt32(table, true);
  const slot = 4 + index * 2;
  if (slot >= view.getUint16(vtable, true)) return 0;
  const offset = view.getUint16(vtable + slot, true);
  return offset === 0 ? 0 : table + offset;
}

export function follow(view: DataView, at: number, what: string): number {
  if (at === 0) throw damaged(`no ${what}`);
  return at + view.getUint32(at, true);
}

/** First element and count of a vector of 16-byte structs. */
export function structVector(view: DataView, at: number): { at: number; count: number } {
  const count = view.getUint32(at, true);
  if (count * 16 > view.byteLength) throw damaged(`a vector of ${count} elements`);
  return { at: at + 4, count };
}

/** Positions of the tables of a vector, at most `countMax`; empty when the field at `at` (0) is absent. */
export function tableVector(view: DataView, at: number, countMax: number): number[] {
  if (at === 0) return [];
  const vector = at + view.getUint32(at, true);
  const count = view.getUint32(vector, true);
  if (count > countMax) throw damaged(`a vector of ${count} elements`);
  return Array.from({ length: count }, (_, i) => {
    const element = vector + 4 + i * 4;
    return element + view.getUint32(element, true);
  });
}

/** A string field; empty when absent. */
export function stringAt(view: DataView, at: number): string {
  if (at === 0) return '';
  const start = at + view.getUint32(at, true);
  const sizeBytes = view.getUint32(start, true);
  if (start + 4 + sizeBytes > view.byteLength) throw damaged(`a string of ${sizeBytes} bytes`);
  return Buffer.from(view.buffer, view.byteOffset + start + 4, sizeBytes).toString('utf8');
}
