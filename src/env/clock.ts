import { setTimeout as delay } from 'node:timers/promises';

/** Time, injected everywhere, so that the engine runs on virtual time in tests. */
export interface Clock {
  /** Unix milliseconds, may jump. */
  nowMs(): number;
  /** Milliseconds of a clock that never goes back; only differences mean anything. */
  monotonicMs(): number;
  /** Rejects with an AbortError when `signal` aborts. Does not keep the process alive. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) =>
    delay(ms, undefined, signal === undefined ? { ref: false } : { signal, ref: false }),
};
