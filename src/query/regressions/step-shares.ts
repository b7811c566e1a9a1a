/** Values of functions by step of time: what change points are looked for in. */
import { LIMITS } from '../../base/limits.js';
import type { Observer } from '../diff/observer.js';
import { addTo, OpenProfile } from '../diff/open-profile.js';

class StepTable {
  readonly #steps: number;
  readonly #rows: (Float64Array | undefined)[] = [];

  constructor(steps: number) {
    this.#steps = steps;
  }

  add(f: number, step: number, value: number): void {
    const row = this.#rows[f] ?? new Float64Array(this.#steps);
    this.#rows[f] = row;
    row[step]! += value;
  }

  of(f: number): Float64Array {
    return this.#rows[f] ?? new Float64Array(this.#steps);
  }

  get count(): number {
    return this.#rows.length;
  }
}

export class StepShares implements Observer {
  readonly self: StepTable;
  readonly total: StepTable;
  /** Of all functions, by step. */
  readonly sums: Float64Array;
  readonly profiles: Float64Array;
  /** By function, what its direct callers took of its self values. */
  readonly callers = new Map<number, Map<number, number>>();
  readonly #startNs: bigint;
  readonly #stepNs: bigint;
  readonly #open = new OpenProfile();

  constructor(range: {
    readonly startMs: number;
    readonly stepMs: number;
    readonly steps: number;
  }) {
    const { startMs, stepMs, steps } = range;
    this.self = new StepTable(steps);
    this.total = new StepTable(steps);
    this.sums = new Float64Array(steps);
    this.profiles = new Float64Array(steps);
    this.#startNs = BigInt(startMs) * 1_000_000n;
    this.#stepNs = BigInt(stepMs) * 1_000_000n;
  }

  get functionCount(): number {
    return this.total.count;
  }

  /** Steps that have a value. */
  get steps(): readonly number[] {
    return [...this.sums.keys()].filter((step) => this.sums[step]! > 0);
  }

  /** Share of a function in all, in each of `steps`. */
  shareOf(kind: 'self' | 'total', f: number, steps = this.steps): Float64Array {
    const values = this[kind].of(f);
    return Float64Array.from(steps, (step) => values[step]! / this.sums[step]!);
  }

  add(functions: readonly number[], value: number): void {
    this.#open.add(functions, value);
    const [leaf, caller] = functions;
    if (leaf === undefined || caller === undefined) return;
    const callers = this.callers.get(leaf) ?? new Map<number, number>();
    this.callers.set(leaf, callers);
    if (callers.size < LIMITS.regressionCallersMax || callers.has(caller)) {
      addTo(callers, caller, value);
    }
  }

  endProfile(startNs: bigint): void {
    const step = Number((startNs - this.#startNs) / this.#stepNs);
    const { self, total, sum } = this.#open;
    for (const [f, value] of self) this.self.add(f, step, value);
    for (const [f, value] of total) this.total.add(f, step, value);
    this.sums[step]! += sum;
    this.profiles[step]!++;
    this.#open.clear();
  }
}
