/**
 * Admits a bounded number of queries at once, in order of arrival; one tenant holds at most half of the slots while
 * others wait (I7).
 */
import { StoreError } from '../base/errors.js';

interface Waiting {
  readonly tenantId: string;
  readonly admit: () => void;
}

export class QueryGate {
  readonly #slots: number;
  readonly #waitingMax: number;
  readonly #running = new Map<string, number>();
  #active = 0;
  #waiting: Waiting[] = [];

  constructor(slots: number, waitingMax: number) {
    this.#slots = slots;
    this.#waitingMax = waitingMax;
  }

  /** Resolves when the query may run; the caller must call what it gets exactly once. Throws `limit` PS_QUERY_BUSY. */
  async enter(tenantId: string, signal: AbortSignal): Promise<() => void> {
    if (!this.#mayRun(tenantId)) await this.#wait(tenantId, signal);
    else this.#start(tenantId);
    return () => this.#leave(tenantId);
  }

  #mayRun(tenantId: string): boolean {
    if (this.#active >= this.#slots) return false;
    const share = Math.max(1, this.#slots >> 1);
    const others = this.#waiting.some((w) => w.tenantId !== tenantId);
    return !others || (this.#running.get(tenantId) ?? 0) < share;
  }

  #start(tenantId: string): void {
    this.#active++;
    this.#running.set(tenantId, (this.#running.get(tenantId) ?? 0) + 1);
  }

  #wait(tenantId: string, signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw StoreError.from(signal.reason);
    if (this.#waiting.length >= this.#waitingMax) {
      throw new StoreError({
        kind: 'limit',
        code: 'PS_QUERY_BUSY',
        message: `cannot admit query: got ${this.#waiting.length} waiting already; want fewer than ${this.#waitingMax}`,
        details: { retryAfterMs: 1_000 },
      });
    }
    return new Promise((resolve, reject) => {
      const entry: Waiting = {
        tenantId,
        admit: () => {
          signal.removeEventListener('abort', giveUp);
          resolve();
        },
      };
      const giveUp = (): void => {
        this.#waiting = this.#waiting.filter((w) => w !== entry);
        reject(StoreError.from(signal.reason));
      };
      signal.addEventListener('abort', giveUp, { once: true });
      this.#waiting.push(entry);
    });
  }

  #leave(tenantId: string): void {
    this.#active--;
    const left = (this.#running.get(tenantId) ?? 1) - 1;
    if (left > 0) this.#running.set(tenantId, left);
    else this.#running.delete(tenantId);
    while (this.#active < this.#slots) {
      const index = this.#waiting.findIndex((w) => this.#mayRun(w.tenantId));
      const next = this.#waiting[index];
      if (next === undefined) return;
      this.#waiting.splice(index, 1);
      this.#start(next.tenantId);
      next.admit();
    }
  }
}
