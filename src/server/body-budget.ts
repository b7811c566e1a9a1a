import { StoreError } from '../base/errors.js';

/**
 * Bytes of request bodies held at once, over all requests: a few hundred callers that each send the largest profile
 * must not fill the memory.
 */
export class BodyBudget {
  private readonly bytesMax: number;
  private usedBytes = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  get used(): number {
    return this.usedBytes;
  }

  /** Throws `limit` PS_BODIES_BYTES; nothing is taken then. */
  take(count: number): void {
    if (this.usedBytes + count > this.bytesMax) {
      throw new StoreError({
        kind: 'limit',
        code: 'PS_BODIES_BYTES',
        message: `cannot receive body: got ${count} bytes beside ${this.usedBytes} of other requests; want at most ${this.bytesMax} together`,
        details: { retryAfterMs: 1_000 },
      });
    }
    this.usedBytes += count;
  }

  give(count: number): void {
    this.usedBytes -= count;
  }
}
