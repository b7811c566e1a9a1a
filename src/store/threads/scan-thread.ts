/** A thread that sums rows of blocks for a query's thread (query/shared-scan.ts). */
import { openBlock } from '../../block/reader.js';
import type { BlockReader } from '../../block/types.js';
import { type CallContext, serveThread, withTransfer } from '../../env/thread-handler.js';
import { yieldToOtherThreads } from '../../env/thread-priority.js';
import { ownThread } from '../../env/threads.js';
import { meteredReads } from '../../objstore/metered-reads.js';
import { openedBytes } from '../../query/block-handle.js';
import { WeightedCache } from '../../query/cache.js';
import { helperSums, type SharedScan } from '../../query/shared-scan.js';
import type { PartSettings } from '../options.js';
import { openPlace } from './settings.js';

const { port, data } = ownThread();
/** Half of the share of a thread of normal priority: writes and other queries go first. */
const NICENESS = 3;
yieldToOtherThreads(NICENESS);
/** Of blocks that are open: their metas are read once. */
const OPEN_BYTES_MAX = 8 << 20;

async function handlers() {
  const place = await openPlace(data as PartSettings);
  const bucket = meteredReads(place.bucket);
  const readers = new WeightedCache(OPEN_BYTES_MAX);
  const open = (tenantId: string, blockId: string): Promise<BlockReader> =>
    readers.get(`${tenantId}/${blockId}`, async () => {
      const value = await openBlock(bucket, tenantId, blockId);
      return { value, sizeBytes: openedBytes(value.meta) };
    });
  return {
    sum: async (call: { readonly scan: SharedScan; readonly helper: number }, c: CallContext) => {
      const { scan, helper } = call;
      const sums = await helperSums(scan, helper, {
        open: () => open(scan.tenantId, scan.blockId),
        signal: c.signal,
      });
      return withTransfer(sums, sums.words === undefined ? [] : [sums.words]);
    },
  };
}

export type ScanHandlers = Awaited<ReturnType<typeof handlers>>;

await serveThread(port, handlers());
