/** Values by step: of one series while it is read (SeriesSteps), and of a group of series (StepGroup). */
import type { Aggregation } from './api.js';
import { WORD } from './kernels.js';
import { ExactSums, pairToBigint, roundFraction, storeWords } from './sums.js';

/** One value for each step that was touched: a sum, or the greatest. */
export class StepValues {
  readonly sums: ExactSums;
  /** Profiles that had a value in the step. */
  readonly count: Int32Array;
  readonly touched: number[] = [];

  constructor(steps: number) {
    this.sums = new ExactSums(steps);
    this.count = new Int32Array(steps);
  }

  /** Adds a pair with 0 <= low < 2^32. */
  add(step: number, low: number, high: number): void {
    this.#touch(step);
    this.sums.addWords(step, low, high);
  }

  raise(step: number, low: number, high: number): void {
    const before = this.sums.high[step]!;
    const isFirst = this.#touch(step);
    if (!isFirst && (high < before || (high === before && low <= this.sums.low[step]!))) return;
    this.sums.low[step] = low;
    this.sums.high[step] = high;
  }

  reset(): void {
    for (const step of this.touched) {
      this.count[step] = 0;
      this.sums.low[step] = 0;
      this.sums.high[step] = 0;
    }
    this.touched.length = 0;
  }

  #touch(step: number): boolean {
    const isFirst = this.count[step] === 0;
    if (isFirst) this.touched.push(step);
    this.count[step]!++;
    return isFirst;
  }
}

/** The values of one series by sample group; its arrays are used again for the next series. */
export class SeriesSteps {
  readonly steps: number;
  readonly #inUse = new Map<string, StepValues>();
  readonly #free: StepValues[] = [];
  readonly #check: (groups: number) => void;

  /** `check` is told how many groups there will be before one is made; it may throw. */
  constructor(steps: number, check: (groups: number) => void) {
    this.steps = steps;
    this.#check = check;
  }

  of(group: string): StepValues {
    const known = this.#inUse.get(group);
    if (known !== undefined) return known;
    this.#check(this.#inUse.size + 1);
    const values = this.#free.pop() ?? new StepValues(this.steps);
    this.#inUse.set(group, values);
    return values;
  }

  /** What was collected, by group; each is made empty when the next one is asked for. */
  *take(): Iterable<[string, StepValues]> {
    for (const [group, values] of this.#inUse) {
      if (values.touched.length > 0) yield [group, values];
      values.reset();
      this.#free.push(values);
    }
    this.#inUse.clear();
  }
}

export class StepGroup {
  readonly #sums: ExactSums;
  readonly #fraction: Float64Array;
  readonly #seen: Uint8Array;

  constructor(steps: number) {
    this.#sums = new ExactSums(steps);
    this.#fraction = new Float64Array(steps);
    this.#seen = new Uint8Array(steps);
  }

  /**
   * Adds one series, which has `counts` profiles in each step. An average is divided by them; a maximum below 0 becomes
   * 0 where a profile lacks the value.
   */
  add(values: StepValues, counts: Float64Array, aggregation: Aggregation): void {
    for (const step of values.touched) {
      this.#seen[step] = 1;
      const low = values.sums.low[step]!;
      const high = values.sums.high[step]!;
      if (aggregation === 'max' && high < 0 && values.count[step]! < counts[step]!) continue;
      const n = aggregation === 'avg' ? counts[step]! : 1;
      if (n === 1) {
        this.#sums.addWords(step, low, high);
        continue;
      }
      const divisor = BigInt(n);
      const value = pairToBigint(low, high);
      const remainder = ((value % divisor) + divisor) % divisor;
      const quotient = (value - remainder) / divisor;
      this.#sums.addWords(step, Number(BigInt.asUintN(32, quotient)), Number(quotient >> 32n));
      this.#fraction[step]! += Number(remainder) / n;
    }
  }

  points(startMs: number, stepMs: number): { timestampMs: Float64Array; value: BigInt64Array } {
    let count = 0;
    for (const seen of this.#seen) count += seen;
    const timestampMs = new Float64Array(count);
    const value = new BigInt64Array(count);
    const words = new Int32Array(value.buffer);
    let at = 0;
    for (let step = 0; step < this.#seen.length; step++) {
      if (this.#seen[step] === 0) continue;
      timestampMs[at] = startMs + step * stepMs;
      const low = this.#sums.low[step]! + roundFraction(this.#fraction[step]!);
      const carry = Math.floor(low / WORD);
      storeWords(words, at, low - carry * WORD, this.#sums.high[step]! + carry);
      at++;
    }
    return { timestampMs, value };
  }
}
