/** What one query may spend, whether it shall stop, and what it found missing. */
import { isDamage, StoreError } from '../base/errors.js';
import type { Clock } from '../env/clock.js';
import type { MissingPart } from './api.js';
import type { QueryBudget } from './budgets.js';

export class QueryContext {
  readonly signal: AbortSignal;
  readonly budget: QueryBudget;
  readonly #controller = new AbortController();
  readonly #clock: Clock;
  readonly #endMs: number;
  readonly #caller: AbortSignal | undefined;
  readonly #onAbort = (): void => this.#controller.abort(reasonOf(this.#caller));
  readonly #missing = new Map<string, MissingPart>();
  /** On the last attempt what vanished is reported as missing instead of planning again. */
  lastAttempt = false;

  constructor(clock: Clock, budget: QueryBudget, caller?: AbortSignal) {
    this.#clock = clock;
    this.budget = budget;
    this.#endMs = clock.monotonicMs() + budget.deadlineMs;
    this.#caller = caller;
    this.signal = this.#controller.signal;
    if (caller?.aborted === true) this.#onAbort();
    else caller?.addEventListener('abort', this.#onAbort, { once: true });
    void clock.sleep(budget.deadlineMs, this.signal).then(
      () => this.#controller.abort(this.#pastDeadline()),
      () => undefined,
    );
  }

  /** Throws when the caller cancelled or the deadline has passed. Called between row groups and every few series. */
  check(): void {
    if (this.signal.aborted) throw this.stopReason();
    if (this.#clock.monotonicMs() >= this.#endMs) throw this.#pastDeadline();
  }

  /**
   * What `work` gives, or why the query was stopped if that comes first: a read that others share, which goes on, keeps no
   * one waiting.
   */
  async until<T>(work: Promise<T>): Promise<T> {
    work.catch(() => undefined);
    let onAbort = (): void => undefined;
    const stopped = new Promise<never>((_, reject) => {
      onAbort = () => reject(this.stopReason());
      if (this.signal.aborted) onAbort();
      else this.signal.addEventListener('abort', onAbort, { once: true });
    });
    try {
      return await Promise.race([work, stopped]);
    } finally {
      this.signal.removeEventListener('abort', onAbort);
    }
  }

  /** Why the query was stopped: what a read that failed by `signal` is reported as. */
  stopReason(): StoreError {
    return StoreError.from(this.signal.reason);
  }

  get missing(): readonly MissingPart[] {
    return [...this.#missing.values()];
  }

  forgetMissing(): void {
    this.#missing.clear();
  }

  /**
   * Runs `read` for one block or segment. Damage makes the answer partial and gives undefined; what vanished does so
   * on the last attempt and throws before, so that the query plans again.
   */
  async part<T>(name: string, read: () => Promise<T>): Promise<T | undefined> {
    try {
      return await read();
    } catch (error) {
      if (this.signal.aborted) throw this.stopReason();
      if (!isDamage(error, this.lastAttempt)) throw error;
      const e = StoreError.from(error);
      this.noteMissing({ part: name, code: e.code, message: e.message });
      return undefined;
    }
  }

  noteMissing(missing: MissingPart): void {
    this.#missing.set(missing.part, missing);
  }

  checkRows(rows: number): void {
    if (rows <= this.budget.rowsMax) return;
    throw new StoreError({
      kind: 'limit',
      code: 'PS_QUERY_ROWS',
      message: `cannot answer query: got ${rows} rows to read; want at most ${this.budget.rowsMax} (a shorter range or a narrower selector)`,
      details: { rows },
    });
  }

  checkNodes(nodes: number): void {
    if (nodes <= this.budget.nodesMax) return;
    throw new StoreError({
      kind: 'limit',
      code: 'PS_QUERY_NODES',
      message: `cannot answer query: got ${nodes} nodes in the merged call tree; want at most ${this.budget.nodesMax}`,
      details: { nodes },
    });
  }

  checkLabelSets(count: number): void {
    if (count <= this.budget.labelSetsMax) return;
    throw new StoreError({
      kind: 'limit',
      code: 'PS_QUERY_LABEL_SETS',
      message:
        `cannot answer query: got samples with ${count} different label sets; want at most ${this.budget.labelSetsMax} ` +
        '(a shorter range, a narrower selector, or an answer that does not show labels)',
      details: { labelSets: count },
    });
  }

  /** Releases the timer and the listener; call it once, at the end. */
  close(): void {
    this.#caller?.removeEventListener('abort', this.#onAbort);
    this.#controller.abort(cancelled());
  }

  #pastDeadline(): StoreError {
    return new StoreError({
      kind: 'limit',
      code: 'PS_QUERY_DEADLINE',
      message: `cannot answer query: got past its deadline; want an answer within ${this.budget.deadlineMs} ms`,
    });
  }
}

/** A query that is part of another one stops for the reason that that one had. */
function reasonOf(caller: AbortSignal | undefined): StoreError {
  return caller?.reason instanceof StoreError ? caller.reason : cancelled();
}

function cancelled(): StoreError {
  return new StoreError({
    kind: 'cancelled',
    code: 'PS_CANCELLED',
    message: 'the query was cancelled',
  });
}
