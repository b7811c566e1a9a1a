/**
 * Collects rows of `samples` into whole row groups. Profiles are copied in with `set` and `fill`: no work a row but
 * the sums, which are made on 32-bit halves because a bigint a row is ten times slower.
 */
import { assert } from '../base/assert.js';
import type { Column } from '../columnar/table.js';
import { TextColumn } from '../columnar/text-column.js';
import { gather32, gather64, RowOrder } from './row-order.js';
import type { TableRows } from './table-writer.js';

/** Sum and largest absolute value of `rowCount` values. */
export interface ColumnSummary {
  readonly sum: bigint;
  readonly magnitudeMax: bigint;
}

const EMPTY_SUMMARY: ColumnSummary = { sum: 0n, magnitudeMax: 0n };
/** Sums of this many 32-bit halves stay below 2^53. */
const EXACT_ROWS = 1 << 20;

/** Exact. `values` must be aligned to 4, as every BigInt64Array is. */
export function summarize(values: BigInt64Array, rowCount: number): ColumnSummary {
  const words = new Int32Array(values.buffer, values.byteOffset, rowCount * 2);
  let sum = 0n;
  let any = 0;
  let maxHigh = 0;
  let maxLow = 0;
  let minHigh = 0;
  let minLow = 0;
  for (let start = 0; start < words.length; start += EXACT_ROWS * 2) {
    const end = Math.min(words.length, start + EXACT_ROWS * 2);
    let highs = 0;
    let lows = 0;
    for (let i = start; i < end; i += 2) {
      const low = (words[i] as number) >>> 0;
      const high = words[i + 1] as number;
      any |= low | high;
      lows += low;
      highs += high;
      if (high > maxHigh || (high === maxHigh && low > maxLow)) {
        maxHigh = high;
        maxLow = low;
      } else if (high < minHigh || (high === minHigh && low < minLow)) {
        minHigh = high;
        minLow = low;
      }
    }
    sum += (BigInt(highs) << 32n) + BigInt(lows);
  }
  if (any === 0) return EMPTY_SUMMARY;
  const max = (BigInt(maxHigh) << 32n) + BigInt(maxLow);
  const min = (BigInt(minHigh) << 32n) + BigInt(minLow);
  return { sum, magnitudeMax: max > -min ? max : -min };
}

/** Where the rows of one profile belong. */
export interface ProfilePlace {
  readonly service: string;
  readonly profileName: string;
  readonly series: number;
  readonly profile: number;
}

/** One row group of samples under construction: filled by profile, taken by key (row-order.ts). */
export class SampleBuffer {
  readonly #blockId: string;
  readonly #capacity: number;
  readonly #zeros: Int32Array;
  readonly #service: TextColumn;
  readonly #profileName: TextColumn;
  #series: Int32Array;
  #profile: Int32Array;
  #key: Int32Array;
  #values: readonly BigInt64Array[];
  readonly #order = new RowOrder();
  /** Into these a column is put in order, and then they change places. */
  #spare32: Int32Array;
  #spare64: BigInt64Array;
  /** Ends of the rows of each profile name of a service. */
  #runs: number[] = [];
  #run: { readonly service: string; readonly profileName: string } | undefined;
  #rowCount = 0;

  constructor(blockId: string, capacity: number) {
    this.#blockId = blockId;
    this.#capacity = capacity;
    this.#zeros = new Int32Array(capacity);
    this.#service = new TextColumn(capacity);
    this.#profileName = new TextColumn(capacity);
    this.#series = new Int32Array(capacity);
    this.#profile = new Int32Array(capacity);
    this.#key = new Int32Array(capacity);
    this.#values = [0, 1, 2, 3].map(() => new BigInt64Array(capacity));
    this.#spare32 = new Int32Array(capacity);
    this.#spare64 = new BigInt64Array(capacity);
  }

  get rowCount(): number {
    return this.#rowCount;
  }

  get freeRows(): number {
    return this.#capacity - this.#rowCount;
  }

  /** Copies rows [start, end) of a profile; they must fit. */
  add(
    place: ProfilePlace,
    rows: { readonly key: Int32Array; readonly values: readonly BigInt64Array[] },
    start: number,
    end: number,
  ): void {
    const at = this.#rowCount;
    const stop = at + end - start;
    assert(stop <= this.#capacity, 'rows must fit their row group');
    this.#service.fill(place.service, at, stop);
    this.#profileName.fill(place.profileName, at, stop);
    this.#series.fill(place.series, at, stop);
    this.#profile.fill(place.profile, at, stop);
    this.#key.set(rows.key.subarray(start, end), at);
    this.#values.forEach((column, c) => {
      column.set((rows.values[c] as BigInt64Array).subarray(start, end), at);
    });
    this.#rowCount = stop;
    const run = this.#run;
    if (run?.service === place.service && run.profileName === place.profileName) this.#runs.pop();
    this.#run = place;
    this.#runs.push(stop);
  }

  /** The rows, which the buffer then forgets; its arrays are reused, so the result is valid until the next `add`. */
  take(): TableRows {
    const rowCount = this.#rowCount;
    this.#orderByKey();
    const columns: Column[] = [
      { type: 'dictionary', indices: this.#zeros, dictionary: [this.#blockId] },
      this.#service.take(),
      this.#profileName.take(),
      { type: 'int32', values: this.#series },
      { type: 'int32', values: this.#profile },
      { type: 'int32', values: this.#key },
      ...this.#values.map((values): Column => ({ type: 'int64', values })),
    ];
    this.#rowCount = 0;
    this.#runs = [];
    this.#run = undefined;
    return { rowCount, columns };
  }

  #orderByKey(): void {
    const order = this.#order.byKey(this.#key, this.#runs);
    const ordered32 = (column: Int32Array): Int32Array => {
      const out = this.#spare32;
      gather32(column, order, out);
      this.#spare32 = column;
      return out;
    };
    this.#series = ordered32(this.#series);
    this.#profile = ordered32(this.#profile);
    this.#key = ordered32(this.#key);
    this.#values = this.#values.map((column) => {
      const out = this.#spare64;
      gather64(column, order, out);
      this.#spare64 = column;
      return out;
    });
  }
}
