/** Which questions of `basalt query` take which of its options: one that would be ignored is refused. */
import { invalid } from '../base/errors.js';
import {
  MERGE_OPTIONS,
  type OptionTable as QueryOptionTable,
  type OptionValues,
  SELECTION_OPTIONS,
  WHOLE_STACK_OPTIONS,
} from '../query/option-tables.js';
import type { ValueOrigin } from './option.js';
import { derivedValues } from './query-options.js';
import type { QueryWhat } from './query-text.js';

const STEPPED: readonly QueryWhat[] = ['timeseries', 'heatmap'];
const AGGREGATED: readonly QueryWhat[] = ['merge', 'top', 'timeseries'];
const ITEMS: readonly QueryWhat[] = ['profiles', 'spans'];

/** Those of all questions are not named. */
const TAKERS: Readonly<Record<string, readonly QueryWhat[]>> = {
  type: [...AGGREGATED, ...ITEMS, 'heatmap', 'diff', 'oom', 'regressions'],
  format: ['merge'],
  aggregation: AGGREGATED,
  explain: AGGREGATED,
  step: STEPPED,
  'group-by': STEPPED,
  measure: ['timeseries'],
  limit: ['timeseries', ...ITEMS, 'diff', 'oom', 'regressions'],
  of: ['heatmap'],
  buckets: ['heatmap'],
  exemplars: ['heatmap'],
  'base-selector': ['diff'],
  'base-from': ['diff'],
  'base-to': ['diff'],
  'other-selector': ['diff'],
  rate: ['diff', 'regressions'],
  change: ['regressions'],
  name: ['labels'],
  rows: ['top'],
};

/** Filters and views by question; the listings and `oom` take none. */
const FILTERS: Readonly<Partial<Record<QueryWhat, QueryOptionTable>>> = {
  merge: MERGE_OPTIONS,
  top: MERGE_OPTIONS,
  timeseries: SELECTION_OPTIONS,
  profiles: SELECTION_OPTIONS,
  spans: SELECTION_OPTIONS,
  heatmap: SELECTION_OPTIONS,
  diff: WHOLE_STACK_OPTIONS,
  regressions: WHOLE_STACK_OPTIONS,
};

/** Throws `invalid` PS_CLI_OPTION for an option on the command line that the question does not take. */
export function checkTaken(what: QueryWhat, origins: ReadonlyMap<string, ValueOrigin>): void {
  for (const [name, takers] of Object.entries(TAKERS)) {
    if (origins.get(name) !== 'flag' || takers.includes(what)) continue;
    throw notTaken(name, what, takers);
  }
}

/** The filters and views that were given. Throws `invalid` PS_CLI_OPTION for one that the question does not take. */
export function filtersOf(what: QueryWhat, values: object): OptionValues {
  const options = derivedValues(MERGE_OPTIONS, values);
  const table = FILTERS[what] ?? {};
  const extra = Object.keys(options).find((name) => table[name] === undefined);
  if (extra === undefined) return options;
  const takers = Object.entries(FILTERS).flatMap(([taker, own]) =>
    own[extra] === undefined ? [] : [taker],
  );
  throw notTaken(extra, what, takers);
}

function notTaken(name: string, what: QueryWhat, takers: readonly string[]): Error {
  return invalid(
    'PS_CLI_OPTION',
    `cannot query: got ${name} with ${what}; want it with ${takers.join(', ')}`,
  );
}
