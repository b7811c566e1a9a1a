import { systemClock } from '../env/clock.js';

export interface Restable {
  readonly isBusy: () => boolean;
  readonly rest: () => Promise<void>;
  readonly afterMs: number;
  /** Ends the watch. */
  readonly signal: AbortSignal;
}

/** Lets something rest that nobody has used for a while: one watch, however often it is used. */
export class IdleRest {
  readonly #what: Restable;
  #uses = 0;
  #isWatched = false;

  constructor(what: Restable) {
    this.#what = what;
  }

  used(): void {
    this.#uses++;
    if (!this.#isWatched) void this.#watch();
  }

  async #watch(): Promise<void> {
    const { isBusy, rest, afterMs, signal } = this.#what;
    this.#isWatched = true;
    try {
      for (let uses = -1; uses !== this.#uses || isBusy(); ) {
        uses = this.#uses;
        await systemClock.sleep(afterMs, signal);
      }
      await rest();
    } catch {
      // Closed.
    } finally {
      this.#isWatched = false;
    }
  }
}
