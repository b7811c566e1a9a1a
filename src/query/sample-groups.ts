/** Label sets of samples, grouped by the values of some label names. */
import { StoreError } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import { labelText } from '../model/sample-labels.js';
import type { LabelSetTable } from '../symbols/source.js';
import type { RowRun } from './block-handle.js';
import { EXACT_ROWS_MAX, WORD } from './kernels.js';
import type { Stoppable } from './key-filter.js';
import { filteredLabelSets, type SampleFilter } from './sample-filter.js';

export interface LabelSetGroups {
  /** JSON of the values, one for each name. */
  readonly keys: readonly string[];
  /** By label set; -1 where the filter leaves it out. */
  readonly groupOf: Int32Array;
}

/** Sets between two looks at the clock. */
export const CHECKED_SETS = 256;

/** A label with several values groups by all of them (`labelText`). */
export function labelSetGroups(
  labelSets: LabelSetTable,
  names: readonly string[],
  filter: SampleFilter,
  query: Stoppable,
): LabelSetGroups {
  const mask = filteredLabelSets(filter, labelSets, query);
  const numbers = new Map<string, number>();
  const groupOf = new Int32Array(labelSets.count).fill(-1);
  for (let index = 0; index < labelSets.count; index++) {
    if (mask !== undefined && mask[index] === 0) continue;
    if (index % CHECKED_SETS === 0) query.check();
    const labels = labelSets.labels(index);
    const values = names.map((name) => labelText(labels, name));
    const key = names.length === 0 ? '' : JSON.stringify(values);
    const number = numbers.get(key) ?? numbers.size;
    numbers.set(key, number);
    groupOf[index] = number;
  }
  return { keys: [...numbers.keys()], groupOf };
}

/** Throws `limit` PS_QUERY_GROUPS for more groups of samples than one answer may tell apart. */
export function checkGroups(names: readonly string[], count: number): void {
  if (count <= LIMITS.queryGroupsMax) return;
  throw new StoreError({
    kind: 'limit',
    code: 'PS_QUERY_GROUPS',
    message:
      `cannot group by label ${names.join()}: got samples with more than ${LIMITS.queryGroupsMax} different labels; ` +
      'want fewer (a narrower selector or another label)',
  });
}

/** Sums of one profile's rows by group. */
export class GroupSums {
  readonly #low: Float64Array;
  readonly #high: Float64Array;
  readonly #seen: Uint8Array;
  /** Groups seen, because a profile has few of a million. */
  #touched: number[] = [];

  constructor(groups: number) {
    this.#low = new Float64Array(groups);
    this.#high = new Float64Array(groups);
    this.#seen = new Uint8Array(groups);
  }

  /** Adds the rows of `run` whose keys have a group (-1: none). */
  add(run: RowRun, groupOfKey: Int32Array): void {
    const { key, words } = run;
    for (let start = run.start; start < run.end; start += EXACT_ROWS_MAX) {
      const end = Math.min(run.end, start + EXACT_ROWS_MAX);
      for (let i = start; i < end; i++) {
        const g = groupOfKey[key[i]!]!;
        if (g < 0) continue;
        const low = words[2 * i]!;
        const high = words[2 * i + 1]!;
        // A row may be there for its sibling values only, and level 0 has no such rows of deltas.
        if ((low | high) === 0) continue;
        this.#low[g]! += low >>> 0;
        this.#high[g]! += high;
        this.#see(g);
      }
      this.#normalize();
    }
  }

  /** Counts the rows of `run` that `add` would add. */
  count({ key, words, start, end }: RowRun, groupOfKey: Int32Array): void {
    for (let i = start; i < end; i++) {
      const g = groupOfKey[key[i]!]!;
      if (g < 0 || (words[2 * i]! | words[2 * i + 1]!) === 0) continue;
      this.#low[g]!++;
      this.#see(g);
    }
  }

  #see(group: number): void {
    if (this.#seen[group] === 1) return;
    this.#seen[group] = 1;
    this.#touched.push(group);
  }

  #normalize(): void {
    for (const g of this.#touched) {
      const carry = Math.floor(this.#low[g]! / WORD);
      this.#low[g]! -= carry * WORD;
      this.#high[g]! += carry;
    }
  }

  /** Hands out the groups that had a value, as normalised words, and starts anew. */
  take(visit: (group: number, low: number, high: number) => void): void {
    for (const g of this.#touched) {
      visit(g, this.#low[g]!, this.#high[g]!);
      this.#seen[g] = 0;
      this.#low[g] = 0;
      this.#high[g] = 0;
    }
    this.#touched = [];
  }
}
