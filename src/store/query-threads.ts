/**
 * The threads that answer queries. One is enough while one tenant asks; another is started when a second one does, and takes
 * its queries while the first is busy with those of others, so that a scan of one keeps no other waiting (I7).
 */
import type { Thread, ThreadStart } from '../env/threads.js';
import type { LogPosition } from '../log/segment-view.js';
import type { QueryApi, RangeQuery } from '../query/api.js';
import { IdleRest } from './idle-rest.js';
import { ThreadSlot } from './thread-slot.js';
import type { QueryHandlers } from './threads/query-thread.js';

/** Each has caches of its own, and there are seldom more cores to spare. */
const THREADS_MAX = 2;
/** After this long without a query a thread beside the first is ended: its caches are memory. */
const REST_AFTER_MS = 10 * 60_000;

interface QueryThread {
  readonly slot: ThreadSlot<QueryHandlers>;
  /** Queries that the thread has not answered, by tenant: one that nobody waits for any more may still keep it busy. */
  readonly running: Map<string, number>;
  /** Absent for the first, which stays. */
  readonly idle: IdleRest | undefined;
}

export class QueryThreads {
  readonly api: QueryApi;
  readonly #threads: readonly QueryThread[];
  readonly #position: () => LogPosition;
  readonly #closing = new AbortController();
  #lastTenantId: string | undefined;

  constructor(start: ThreadStart, position: () => LogPosition) {
    this.#threads = Array.from({ length: THREADS_MAX }, (_, number) => {
      const slot = new ThreadSlot<QueryHandlers>(start);
      const running = new Map<string, number>();
      const idle = new IdleRest({
        isBusy: () => running.size > 0,
        rest: () => slot.rest(),
        afterMs: REST_AFTER_MS,
        signal: this.#closing.signal,
      });
      return { slot, running, idle: number === 0 ? undefined : idle };
    });
    this.#position = position;
    this.api = this.#api();
  }

  /** For queries that plan again: segments were sealed or removed. */
  tell(position: LogPosition): void {
    for (const { slot } of this.#threads) {
      if (!slot.isStarted) continue;
      void slot
        .get()
        .then((thread) => thread.call('position', position))
        .catch(() => undefined);
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    for (const { slot } of this.#threads) await slot.close();
  }

  #api(): QueryApi {
    const ask = <K extends keyof QueryApi>(method: K) => {
      const call = (query: RangeQuery): Promise<unknown> => {
        const { signal, ...plain } = query;
        const { tenantId } = query;
        this.#meet(tenantId);
        return this.#on(pickThread(this.#threads, tenantId), tenantId, async (thread, done) => {
          const args = { query: plain, position: this.#position() };
          return thread.call(method, args as never, { signal, onAnswered: done });
        });
      };
      return call as QueryApi[K];
    };
    return {
      profileTypes: ask('profileTypes'),
      labelNames: ask('labelNames'),
      labelValues: ask('labelValues'),
      series: ask('series'),
      profileBounds: ask('profileBounds'),
      mergeTree: ask('mergeTree'),
      mergeTop: ask('mergeTop'),
      mergeSandwich: ask('mergeSandwich'),
      mergeRendered: ask('mergeRendered'),
      mergePprof: ask('mergePprof'),
      mergeFolded: ask('mergeFolded'),
      timeSeries: ask('timeSeries'),
      items: ask('items'),
      heatmap: ask('heatmap'),
      explain: ask('explain'),
      diff: ask('diff'),
      beforeOom: ask('beforeOom'),
      regressions: ask('regressions'),
    };
  }

  /** A start takes most of a second: not only when it is needed. */
  #meet(tenantId: string): void {
    const isOther = this.#lastTenantId !== undefined && this.#lastTenantId !== tenantId;
    this.#lastTenantId = tenantId;
    const [, second] = this.#threads;
    if (!isOther || second === undefined || second.slot.isStarted) return;
    void this.#on(second, tenantId, async (_, done) => done()).catch(() => undefined);
  }

  async #on<T>(
    thread: QueryThread,
    tenantId: string,
    work: (thread: Thread<QueryHandlers>, done: () => void) => Promise<T>,
  ): Promise<T> {
    const { slot, running, idle } = thread;
    running.set(tenantId, (running.get(tenantId) ?? 0) + 1);
    const done = (): void => {
      const left = (running.get(tenantId) ?? 1) - 1;
      if (left > 0) running.set(tenantId, left);
      else running.delete(tenantId);
      idle?.used();
    };
    let started: Thread<QueryHandlers>;
    try {
      started = await slot.get();
    } catch (error) {
      done();
      throw error;
    }
    return work(started, done);
  }
}

/** The first that nobody else uses; else the one with the fewest queries of others. */
export function pickThread<T extends { readonly running: ReadonlyMap<string, number> }>(
  threads: readonly T[],
  tenantId: string,
): T {
  const others = ({ running }: T): number =>
    [...running].reduce((sum, [id, count]) => sum + (id === tenantId ? 0 : count), 0);
  return threads.reduce((best, thread) => (others(thread) < others(best) ? thread : best));
}
