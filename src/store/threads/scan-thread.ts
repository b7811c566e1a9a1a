/** A thread that sums rows of blocks for a query's thread (query/shared-scan.ts). */
import { openBlock } from '../../block/reader.js';
import type { BlockReader } from '../../block/types.js';
import { type CallContext, serveThread, withTransfer } from '../../env/thread-handler.js';
import { yieldToOtherThreads } from '../../env/thread-priority.js';
import { ownThread } from '../../env/threads.js';
import { meteredReads } from '../../objstore/metered-reads.js';
import { helperSums, type SharedScan } from '../../query/shared-scan.js';
import type { PartSettings } from '../options.js';
import { openPlace } from './settings.js';

const { port, data } = ownThread();
/** Half of the share of a thread of normal priority: writes and other queries go first. */
const NICENESS = 3;
yieldToOtherThreads(NICENESS);
/** Blocks that are open: their metas are read once. */
const OPEN_MAX = 32;

async function handlers() {
  const place = await openPlace(data as PartSettings);
  const bucket = meteredReads(place.bucket);
  const readers = new Map<string, Promise<BlockReader>>();
  const open = (tenantId: string, blockId: string): Promise<BlockReader> => {
    const name = `${tenantId}/${blockId}`;
    const reader = readers.get(name) ?? openBlock(bucket, tenantId, blockId);
    readers.delete(name);
    readers.set(name, reader);
    reader.catch(() => readers.delete(name));
    const [oldest] = readers.keys();
    if (readers.size > OPEN_MAX && oldest !== undefined) readers.delete(oldest);
    return reader;
  };
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
