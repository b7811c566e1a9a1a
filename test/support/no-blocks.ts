import type { BlockLookup } from '../../src/ingest/block-lookup.js';

/** For a log alone, without blocks. */
export const NO_BLOCKS: BlockLookup = {
  lastStartNs: async () => undefined,
  contains: async () => false,
  consumedUpTo: async () => 0,
  tombstones: async () => [],
};
