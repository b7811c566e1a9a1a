/**
 * What one piece of work reads from objects and files, however deep in its calls: readers note what they read, and whoever
 * wants to know runs the work with `meterReads`. Notes cost nothing while nobody does.
 */
import { AsyncLocalStorage } from 'node:async_hooks';

export interface ReadCost {
  readonly requests: number;
  readonly bytes: number;
}

/** By name of what was read: the key of an object, the path of a file. */
export type ReadCosts = ReadonlyMap<string, ReadCost>;

const storage = new AsyncLocalStorage<Map<string, { requests: number; bytes: number }>>();
let running = 0;

export async function meterReads<T>(
  work: () => Promise<T>,
): Promise<{ readonly value: T; readonly reads: ReadCosts }> {
  const reads = new Map<string, { requests: number; bytes: number }>();
  running++;
  try {
    return { value: await storage.run(reads, work), reads };
  } finally {
    running--;
    // It slows down every promise of the thread as long as it is on.
    if (running === 0) storage.disable();
  }
}

export function noteRead(name: string, bytes: number): void {
  if (running > 0) noteReads([[name, { requests: 1, bytes }]]);
}

/** For reads of another thread. */
export function noteReads(costs: Iterable<readonly [string, ReadCost]>): void {
  if (running === 0) return;
  const reads = storage.getStore();
  if (reads === undefined) return;
  for (const [name, { requests, bytes }] of costs) {
    const known = reads.get(name) ?? { requests: 0, bytes: 0 };
    reads.set(name, known);
    known.requests += requests;
    known.bytes += bytes;
  }
}
