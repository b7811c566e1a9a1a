/** Tenants whose compaction fails wait longer and longer, and keep nobody else waiting. */

export interface FailingTenantsOptions {
  /** Doubled with each failure in a row, the first one included. */
  readonly delayMsMin: number;
  readonly delayMsMax: number;
}

interface Failing {
  readonly inARow: number;
  readonly againMs: number;
}

export class FailingTenants {
  readonly #options: FailingTenantsOptions;
  readonly #failing = new Map<string, Failing>();

  constructor(options: FailingTenantsOptions) {
    this.#options = options;
  }

  /** Those that a run at `nowMs` leaves out, sorted. */
  waiting(nowMs: number): readonly string[] {
    return [...this.#failing]
      .filter(([, { againMs }]) => againMs > nowMs)
      .map(([tenantId]) => tenantId)
      .sort();
  }

  /** After a run that left out `except`: whoever was in it and did not fail is well again. */
  ran(except: readonly string[], failed: readonly string[], nowMs: number): void {
    const before = new Map(this.#failing);
    for (const tenantId of before.keys()) {
      if (!except.includes(tenantId)) this.#failing.delete(tenantId);
    }
    const { delayMsMin, delayMsMax } = this.#options;
    for (const tenantId of failed) {
      const inARow = (before.get(tenantId)?.inARow ?? 0) + 1;
      const delayMs = Math.min(delayMsMax, delayMsMin * 2 ** Math.min(inARow, 30));
      this.#failing.set(tenantId, { inARow, againMs: nowMs + delayMs });
    }
  }
}
