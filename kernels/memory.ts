/** What kernels share: the header that JavaScript reads and writes, columns, blocks of memory, and the hash of integers. */

/** Slots of 32 bits; a kernel's kernel-layout.ts says what each is. */
export const HEADER: usize = memory.data(128 * 4, 16);

// @ts-ignore: decorator
@inline
export function slot(index: i32): i32 {
  return load<i32>(HEADER + ((<usize>index) << 2));
}

// @ts-ignore: decorator
@inline
export function setSlot(index: i32, value: i32): void {
  store<i32>(HEADER + ((<usize>index) << 2), value);
}

export function setWideSlot(index: i32, value: u64): void {
  store<u64>(HEADER + ((<usize>index) << 2), value);
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

// @ts-ignore: decorator
@inline
export function setWide(column: usize, index: i32, value: u64): void {
  store<u64>(column + ((<usize>index) << 3), value);
}

/** Another block in place of `block`, whose content is lost. */
export function exchange(block: usize, sizeBytes: usize): usize {
  if (block !== 0) heap.free(block);
  return heap.alloc(sizeBytes);
}

/** Murmur3's finalizer: every input bit reaches every output bit. */
export function mix32(value: u32): u32 {
  let h = value;
  h ^= h >> 16;
  h *= 0x85ebca6b;
  h ^= h >> 13;
  h *= 0xc2b2ae35;
  return h ^ (h >> 16);
}

/** Hash of two integers, as base/hash.ts has it. */
export function hashPair(a: u32, b: u32): u32 {
  return mix32((a * 0x9e3779b1) ^ (b * 0x85ebca77 + (a >> 15)));
}
