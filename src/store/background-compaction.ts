/** Looks for compaction work every few seconds, one run at a time, and keeps the totals. */
import { StoreError } from '../base/errors.js';
import type { CompactionCounts } from '../compaction/report.js';
import type { Clock } from '../env/clock.js';
import { FailingTenants } from './failing-tenants.js';
import type { StoreParts } from './parts.js';

export interface BackgroundOptions {
  readonly parts: StoreParts;
  readonly clock: Clock;
  readonly intervalMs: number;
}

export interface CompactionTotals {
  readonly runs: number;
  readonly failures: number;
  readonly lastFailure: StoreError | undefined;
  readonly counts: Partial<CompactionCounts>;
  /** Orphans that the newest sweep left alone. */
  readonly orphansKept: number;
}

/** After this long without work the compaction thread is ended: its memory never shrinks while it lives. */
const REST_AFTER_MS = 30_000;
const FAILURE_DELAY_MS_MAX = 60_000;
const TENANT_DELAY_MS_MAX = 10 * 60_000;

export class BackgroundCompaction {
  readonly #options: BackgroundOptions;
  readonly #stop = new AbortController();
  readonly #failing: FailingTenants;
  readonly #loop: Promise<void>;
  #tail: Promise<unknown> = Promise.resolve();
  #totals: CompactionTotals = {
    runs: 0,
    failures: 0,
    lastFailure: undefined,
    counts: {},
    orphansKept: 0,
  };

  constructor(options: BackgroundOptions) {
    this.#options = options;
    this.#failing = new FailingTenants({
      delayMsMin: options.intervalMs,
      delayMsMax: Math.max(options.intervalMs, TENANT_DELAY_MS_MAX),
    });
    this.#loop = this.#run();
  }

  get totals(): CompactionTotals {
    return this.#totals;
  }

  /** Runs `work` when no compaction is running, and none starts before it has ended. */
  async exclusive<T>(work: () => Promise<T>): Promise<T> {
    const run = this.#tail.then(work, work);
    this.#tail = run.catch(() => undefined);
    return run;
  }

  /** Cancels what is running and waits for it. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#loop;
    await this.#tail;
  }

  async #run(): Promise<void> {
    const { clock, intervalMs, parts } = this.#options;
    const { signal } = this.#stop;
    let failuresInARow = 0;
    let lastWorkMs = clock.monotonicMs();
    let isResting = true;
    while (!signal.aborted) {
      const backoff = failuresInARow === 0 ? 1 : 2 ** Math.min(failuresInARow, 6);
      const delayMs = Math.min(intervalMs * backoff, Math.max(intervalMs, FAILURE_DELAY_MS_MAX));
      await clock.sleep(delayMs, signal).catch(() => undefined);
      if (signal.aborted) return;
      try {
        const didWork = await this.exclusive(() => this.#turn(signal));
        failuresInARow = 0;
        const nowMs = clock.monotonicMs();
        if (didWork) {
          lastWorkMs = nowMs;
          isResting = false;
        } else if (!isResting && nowMs - lastWorkMs > REST_AFTER_MS) {
          await parts.rest();
          isResting = true;
        }
      } catch (error) {
        if (signal.aborted) return;
        failuresInARow++;
        this.#count({}, StoreError.from(error));
      }
    }
  }

  /** True if there was something to do. A quiet store does not even start the compaction thread. */
  async #turn(signal: AbortSignal): Promise<boolean> {
    const { parts } = this.#options;
    const position = await parts.ingest.position();
    if (!this.#mayHaveWork(position.segments.some((s) => s.sealed))) return false;
    const isSweep = this.#isSweepDue();
    const { clock } = this.#options;
    const except = this.#failing.waiting(clock.monotonicMs());
    const report = await parts.compact({ position, isFull: false, isSweep, except, signal });
    const { failures, twoWriters: _, orphansKept, ...counts } = report;
    if (isSweep) this.#totals = { ...this.#totals, orphansKept };
    const ofLog = failures.find(({ tenantId }) => tenantId === '');
    const ofTenants = failures.filter((failure) => failure !== ofLog);
    const failed = ofTenants.map(({ tenantId }) => tenantId);
    this.#failing.ran(except, failed, clock.monotonicMs());
    this.#count(counts, ofTenants[0]?.error);
    if (ofLog !== undefined) throw ofLog.error;
    return counts.levelZeroCompactions + counts.merges + counts.objectsDeleted > 0;
  }

  #lastLookMs = Number.NEGATIVE_INFINITY;

  /** Merges and deletions come due by time alone, so there is a look now and then without a sealed segment too. */
  #mayHaveWork(hasSealed: boolean): boolean {
    const nowMs = this.#options.clock.monotonicMs();
    if (!hasSealed && nowMs - this.#lastLookMs < LOOK_EVERY_MS) return false;
    this.#lastLookMs = nowMs;
    return true;
  }

  #nextSweepMs: number | undefined;

  /** Orphans come from crashes, so they are looked for soon after a start and then now and then. */
  #isSweepDue(): boolean {
    const nowMs = this.#options.clock.monotonicMs();
    this.#nextSweepMs ??= nowMs + SWEEP_FIRST_MS;
    if (nowMs < this.#nextSweepMs) return false;
    this.#nextSweepMs = nowMs + SWEEP_EVERY_MS;
    return true;
  }

  #count(counts: Partial<CompactionCounts>, failure: StoreError | undefined): void {
    const old = this.#totals;
    const sum: Record<string, number> = { ...old.counts };
    for (const [name, value] of Object.entries(counts)) sum[name] = (sum[name] ?? 0) + value;
    this.#totals = {
      ...old,
      runs: old.runs + 1,
      failures: old.failures + (failure === undefined ? 0 : 1),
      lastFailure: failure ?? old.lastFailure,
      counts: sum,
    };
  }
}

const LOOK_EVERY_MS = 5 * 60_000;
const SWEEP_FIRST_MS = 10 * 60_000;
/** A sweep lists every object: dear on S3, so it is rare. */
const SWEEP_EVERY_MS = 6 * 3_600_000;
