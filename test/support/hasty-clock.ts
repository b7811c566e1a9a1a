import { ManualClock } from './manual-clock.js';

/** Pauses between attempts; anything longer is a deadline or a background loop. */
const PAUSE_MS_MAX = 5_000;

/** A manual clock on which short sleeps take no time: code that tries again after a pause goes on at once. */
export class HastyClock extends ManualClock {
  override sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (ms > PAUSE_MS_MAX) return super.sleep(ms, signal);
    return super.sleep(0, signal).then(() => this.advance(Math.max(0, ms)));
  }
}
