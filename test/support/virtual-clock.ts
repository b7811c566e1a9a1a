import type { Clock } from '../../src/env/clock.js';
import type { Rng } from '../../src/env/rng.js';
import { mulberry32 } from './lossy-files.js';

interface Sleeper {
  readonly wakeMs: number;
  readonly ms: number;
  readonly wake: () => void;
}

/**
 * A clock on which sleeping takes no time: once nothing else is left to do in this turn of the event loop, the time
 * jumps to the earliest sleeper's. It suits code whose other work is done in memory; a real disk or network is too
 * slow for it, and would find its time limits passed.
 */
export class VirtualClock implements Clock {
  #nowMs: number;
  /** Completed sleeps, in order. */
  readonly sleepsMs: number[] = [];
  readonly #sleepers: Sleeper[] = [];
  #isPumping = false;

  constructor(nowMs = 1_700_000_000_000) {
    this.#nowMs = nowMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs - 1_600_000_000_000;
  }

  advance(ms: number): void {
    this.#nowMs += ms;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return Promise.reject(aborted());
    return new Promise((resolve, reject) => {
      const sleeper: Sleeper = {
        wakeMs: this.#nowMs + ms,
        ms,
        wake: () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        },
      };
      const onAbort = (): void => {
        this.#sleepers.splice(this.#sleepers.indexOf(sleeper), 1);
        reject(aborted());
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#sleepers.push(sleeper);
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    setImmediate(() => {
      this.#isPumping = false;
      this.#sleepers.sort((a, b) => a.wakeMs - b.wakeMs);
      const next = this.#sleepers.shift();
      if (next === undefined) return;
      this.#nowMs = Math.max(this.#nowMs, next.wakeMs);
      this.sleepsMs.push(next.ms);
      next.wake();
      if (this.#sleepers.length > 0) this.#pump();
    });
  }
}

function aborted(): Error {
  return new DOMException('aborted', 'AbortError');
}

export function seededRng(seed: number): Rng {
  const random = mulberry32(seed);
  return {
    fill: (bytes) => {
      for (let i = 0; i < bytes.length; i++) bytes[i] = Math.floor(random() * 256);
      return bytes;
    },
  };
}
