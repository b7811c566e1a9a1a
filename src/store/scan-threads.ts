/**
 * The threads that help a query's thread with large scans. They start after the first one, because a start beside it costs
 * more than it brings, and end when none has come for a while.
 */
import { coreCount, type Thread } from '../env/threads.js';
import type { HelperSums, ScanHelpers, SharedScan } from '../query/shared-scan.js';
import { IdleRest } from './idle-rest.js';
import type { PartSettings } from './options.js';
import { THREAD_LIMITS, ThreadSlot } from './thread-slot.js';
import type { ScanHandlers } from './threads/scan-thread.js';

/** Each holds some 60 MB; more of them wait for the same memory. */
const THREADS_MAX = 4;
const REST_AFTER_MS = 60_000;
/** 2 ms of work. */
const TASK_ROWS = 1 << 18;
/** Where each task is a request or two to a distant store: some megabytes. */
const DISTANT_TASK_ROWS = 1 << 21;

export class ScanThreads implements ScanHelpers {
  readonly taskRows: number;
  readonly #slots: readonly ThreadSlot<ScanHandlers>[];
  readonly #closing = new AbortController();
  readonly #idle: IdleRest;
  #running = 0;

  /** One for each core but one. */
  constructor(settings: PartSettings, wanted = Math.min(THREADS_MAX, coreCount() - 1)) {
    const start = {
      entry: new URL('./threads/scan-thread.js', import.meta.url),
      name: 'basalt-scan',
      data: settings,
      resourceLimits: THREAD_LIMITS,
    };
    this.#slots = Array.from({ length: wanted }, () => new ThreadSlot<ScanHandlers>(start));
    this.taskRows = settings.bucket === undefined ? TASK_ROWS : DISTANT_TASK_ROWS;
    this.#idle = new IdleRest({
      isBusy: () => this.#running > 0,
      rest: () => this.#eachSlot((slot) => slot.rest()),
      afterMs: REST_AFTER_MS,
      signal: this.#closing.signal,
    });
  }

  get count(): number {
    return this.#open().length;
  }

  /** One that does not start is tried again after the next large scan. */
  wake(): void {
    if (this.#closing.signal.aborted) return;
    for (const slot of this.#slots) void slot.get().catch(() => undefined);
    this.#idle.used();
  }

  sum(scan: SharedScan, signal: AbortSignal): readonly Promise<HelperSums>[] {
    return this.#open().map(async (thread, helper) => {
      this.#running++;
      try {
        return await thread.call('sum', { scan, helper }, { signal });
      } finally {
        this.#running--;
      }
    });
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#eachSlot((slot) => slot.close());
  }

  #open(): readonly Thread<ScanHandlers>[] {
    return this.#slots.flatMap(({ open }) => (open === undefined ? [] : [open]));
  }

  async #eachSlot(work: (slot: ThreadSlot<ScanHandlers>) => Promise<void>): Promise<void> {
    await Promise.all(this.#slots.map(work));
  }
}
