import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';

/** Time, injected everywhere, so that the engine runs on virtual time in tests. */
export interface Clock {
  /** Unix milliseconds, may jump. */
  nowMs(): number;
  /** Milliseconds of a clock that never goes back; only differences mean anything. */
  monotonicMs(): number;
  /**
   * Rejects with an AbortError when `signal` aborts. Does not keep the process alive, except that `sleep(0)` is one turn
   * of the event loop, in the middle of work.
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) =>
    ms <= 0
      ? nextTurn(undefined, signal === undefined ? {} : { signal })
      : delay(ms, undefined, signal === undefined ? { ref: false } : { signal, ref: false }),
};
