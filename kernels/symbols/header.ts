/** The header that JavaScript reads and writes (src/symbols/kernel-layout.ts). */
import * as L from '../../src/symbols/kernel-layout';

export const HEADER: usize = memory.data(L.SLOTS * 4, 16);

export function slot(index: i32): i32 {
  return load<i32>(HEADER + ((<usize>index) << 2));
}

export function setSlot(index: i32, value: i32): void {
  store<i32>(HEADER + ((<usize>index) << 2), value);
}

/** The address that a slot has. */
export function at(index: i32): usize {
  return <usize>load<u32>(HEADER + ((<usize>index) << 2));
}

// @ts-ignore: decorator
@inline
export function get(column: usize, index: i32): i32 {
  return load<i32>(column + ((<usize>index) << 2));
}

// @ts-ignore: decorator
@inline
export function set(column: usize, index: i32, value: i32): void {
  store<i32>(column + ((<usize>index) << 2), value);
}

// @ts-ignore: decorator
@inline
export function getWide(column: usize, index: i32): u64 {
  return load<u64>(column + ((<usize>index) << 3));
}
