import type { Clock } from '../../src/env/clock.js';
import type { Rng } from '../../src/env/rng.js';
import { mulberry32 } from './lossy-files.js';

/** A clock on which sleeping takes no time: each sleep moves it and lets others run. */
export class VirtualClock implements Clock {
  #nowMs: number;
  /** What was slept, in order. */
  readonly sleepsMs: number[] = [];

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

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    await Promise.resolve();
    if (signal?.aborted === true) throw new DOMException('aborted', 'AbortError');
    this.sleepsMs.push(ms);
    this.#nowMs += ms;
  }
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
