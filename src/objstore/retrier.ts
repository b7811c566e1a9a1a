import { isKind, StoreError } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import type { Clock } from '../env/clock.js';
import { randomFraction, type Rng } from '../env/rng.js';
import { cancelled } from './keys.js';

export interface RetryPolicy {
  /** Longest wait before the first retry; doubles with each. Default 100 ms. Raised: slower recovery. */
  readonly backoffMsMin: number;
  /** Default 5 s. */
  readonly backoffMsMax: number;
  /** One call with all its retries. Default 60 s. Raised: callers wait longer for a store that is down. */
  readonly deadlineMs: number;
  /** One attempt, without the time for its bytes. Default 15 s. */
  readonly attemptTimeoutMs: number;
  /** Slowest transfer that is not taken for a hang. Default 1 MiB/s. */
  readonly bytesPerSecondMin: number;
  /** Quick retries allowed for each call. Default 0.1. Raised: more load on a store that struggles. */
  readonly budgetRatio: number;
  /** Quick retries that may be saved up. Default 10. */
  readonly budgetMax: number;
  /** Wait before a retry that the budget does not cover, and after "slow down". Default 2 s. */
  readonly slowBackoffMs: number;
}

const DEFAULT_POLICY: RetryPolicy = {
  backoffMsMin: 100,
  backoffMsMax: 5_000,
  deadlineMs: 60_000,
  attemptTimeoutMs: 15_000,
  bytesPerSecondMin: 1 << 20,
  budgetRatio: 0.1,
  budgetMax: 10,
  slowBackoffMs: 2_000,
};

export interface RetrierOptions {
  readonly clock: Clock;
  readonly rng: Rng;
  readonly policy?: Partial<RetryPolicy>;
}

export interface RetryCall {
  /** Bytes that one attempt moves, as far as known: its time grows with them. */
  readonly sizeBytes?: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Repeats calls that failed with `unavailable`: exponential backoff with full jitter
 * (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/), a time limit for each attempt and for
 * the whole, and a budget for all calls together. Each call earns a part of a retry; a retry that finds the budget
 * empty waits long, so that many callers do not multiply the load of a store that is already failing, and yet a call
 * with time left succeeds when the store does.
 */
export class Retrier {
  readonly #clock: Clock;
  readonly #rng: Rng;
  readonly #policy: RetryPolicy;
  #budget: number;
  /** Attempts beyond the first, for metrics. */
  retryCount = 0;

  constructor(options: RetrierOptions) {
    this.#clock = options.clock;
    this.#rng = options.rng;
    this.#policy = { ...DEFAULT_POLICY, ...options.policy };
    this.#budget = this.#policy.budgetMax;
  }

  /** `attempt` must stop when its signal aborts. */
  async run<T>(call: RetryCall, attempt: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const series = this.start(call);
    for (;;) {
      try {
        return await this.#limited(call, attempt);
      } catch (error) {
        await series.waitAfter(error);
      }
    }
  }

  /** For what is not one promise: the caller tries, and after each failure awaits `waitAfter`. */
  start(call: RetryCall): RetrySeries {
    const { budgetMax, budgetRatio } = this.#policy;
    this.#budget = Math.min(budgetMax, this.#budget + budgetRatio);
    const deadlineMs =
      this.#clock.monotonicMs() + Math.max(this.#policy.deadlineMs, 3 * this.#attemptMs(call));
    let failures = 0;
    return {
      waitAfter: async (error) => {
        failures++;
        if (call.signal?.aborted === true) throw cancelled();
        if (!isKind(error, 'unavailable') || failures >= LIMITS.bucketAttemptsMax) throw error;
        const waitMs = this.#waitMs(error as StoreError, failures);
        if (this.#clock.monotonicMs() + waitMs > deadlineMs) throw error;
        await this.#sleep(waitMs, call.signal);
        this.retryCount++;
      },
    };
  }

  #waitMs(error: StoreError, failures: number): number {
    const { backoffMsMin, backoffMsMax, slowBackoffMs } = this.#policy;
    const jitter = randomFraction(this.#rng);
    const isSlowDown = error.details['slowDown'] === true;
    if (isSlowDown || this.#budget < 1) return slowBackoffMs * (0.5 + jitter);
    this.#budget -= 1;
    return jitter * Math.min(backoffMsMax, backoffMsMin * 2 ** (failures - 1));
  }

  async #sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
    try {
      await this.#clock.sleep(ms, signal);
    } catch (error) {
      throw signal?.aborted === true ? cancelled() : error;
    }
  }

  #attemptMs(call: RetryCall): number {
    const { attemptTimeoutMs, bytesPerSecondMin } = this.#policy;
    return attemptTimeoutMs + ((call.sizeBytes ?? 0) / bytesPerSecondMin) * 1_000;
  }

  async #limited<T>(call: RetryCall, attempt: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (call.signal?.aborted === true) throw cancelled();
    const limitMs = this.#attemptMs(call);
    const stop = new AbortController();
    const timer = new AbortController();
    let isLate = false;
    const onCallerAbort = (): void => stop.abort();
    call.signal?.addEventListener('abort', onCallerAbort, { once: true });
    const timing = this.#clock.sleep(limitMs, timer.signal).then(
      () => {
        isLate = true;
        stop.abort();
      },
      // The attempt ended first.
      () => undefined,
    );
    try {
      return await attempt(stop.signal);
    } catch (error) {
      if (isLate && isKind(error, 'cancelled')) throw tooLate(limitMs, error);
      throw error;
    } finally {
      call.signal?.removeEventListener('abort', onCallerAbort);
      timer.abort();
      await timing;
    }
  }
}

export interface RetrySeries {
  /** Waits until the next attempt is due; throws `error` if there shall be none. */
  waitAfter(error: unknown): Promise<void>;
}

function tooLate(limitMs: number, cause: unknown): StoreError {
  return new StoreError({
    kind: 'unavailable',
    code: 'PS_BUCKET_TIMEOUT',
    message: `cannot reach the bucket: got no answer in ${Math.round(limitMs)} ms; want one`,
    cause,
  });
}
