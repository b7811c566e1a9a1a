/** What kernels share: blocks of memory, and the hash of integers. */

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
