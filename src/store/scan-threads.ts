/**
 * The threads that help a query's thread with large scans. They start after the first one, because a start beside it costs
 * more than it brings, and end when none has come for a while.
 */
import { systemClock } from '../env/clock.js';
import { coreCount, startThread, type Thread } from '../env/threads.js';
import type { HelperSums, ScanHelpers, SharedScan } from '../query/shared-scan.js';
import type { PartSettings } from './options.js';
import type { ScanHandlers } from './threads/scan-thread.js';

/** Each holds some 60 MB; more of them wait for the same memory. */
const THREADS_MAX = 4;
const REST_AFTER_MS = 60_000;
/** 2 ms of work. */
const TASK_ROWS = 1 << 18;
/** Where each task is a request or two to a distant store: some megabytes. */
const DISTANT_TASK_ROWS = 1 << 21;
const YOUNG_GENERATION_MB = 16;

export class ScanThreads implements ScanHelpers {
  readonly taskRows: number;
  readonly #settings: PartSettings;
  readonly #wanted: number;
  readonly #closing = new AbortController();
  #threads: Thread<ScanHandlers>[] = [];
  #starting: Promise<void> | undefined;
  #running = 0;
  /** Scans so far. */
  #asked = 0;
  #isWatched = false;

  /** One for each core but one. */
  constructor(settings: PartSettings, wanted = Math.min(THREADS_MAX, coreCount() - 1)) {
    this.#settings = settings;
    this.taskRows = settings.bucket === undefined ? TASK_ROWS : DISTANT_TASK_ROWS;
    this.#wanted = wanted;
  }

  get count(): number {
    this.#threads = this.#threads.filter(({ status }) => status === 'open');
    return this.#threads.length;
  }

  wake(): void {
    if (this.#closing.signal.aborted || this.count >= this.#wanted) return;
    this.#starting ??= this.#start().finally(() => {
      this.#starting = undefined;
    });
  }

  sum(scan: SharedScan, signal: AbortSignal): readonly Promise<HelperSums>[] {
    this.#asked++;
    return this.#threads.map(async (thread, helper) => {
      this.#running++;
      try {
        return await thread.call('sum', { scan, helper }, { signal });
      } finally {
        this.#running--;
      }
    });
  }

  /** Those that do not start are tried again after the next large scan. */
  async #start(): Promise<void> {
    const missing = Array.from({ length: this.#wanted - this.count }, () =>
      startThread<ScanHandlers>({
        entry: new URL('./threads/scan-thread.js', import.meta.url),
        name: 'basalt-scan',
        data: this.#settings,
        resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
      }),
    );
    for (const started of await Promise.allSettled(missing)) {
      if (started.status === 'fulfilled') this.#threads.push(started.value);
    }
    if (!this.#isWatched) void this.#restWhenIdle();
  }

  async #restWhenIdle(): Promise<void> {
    this.#isWatched = true;
    try {
      for (let asked = -1; asked !== this.#asked || this.#running > 0; ) {
        asked = this.#asked;
        await systemClock.sleep(REST_AFTER_MS, this.#closing.signal);
      }
      await this.#end();
    } catch {
      // Closed.
    } finally {
      this.#isWatched = false;
    }
  }

  async #end(): Promise<void> {
    const threads = this.#threads;
    this.#threads = [];
    await Promise.all(threads.map((thread) => thread.close()));
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#starting;
    await this.#end();
  }
}
