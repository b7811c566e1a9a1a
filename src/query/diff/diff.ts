/** A comparison of selections, made of other queries: exact sums by function, and single profiles for how they differ. */
import { LIMITS } from '../../base/limits.js';
import type {
  Comparison,
  DiffAnswer,
  DiffQuery,
  DiffSelection,
  DiffSide,
  MergeQuery,
  TopTable,
} from '../api.js';
import type { QueryContext } from '../context.js';
import { checkedDiff } from '../request.js';
import { missingOf } from '../stats.js';
import { type ComparedSide, compareSides } from './compare.js';
import { FunctionNumbers, Moments } from './moments.js';
import type { Observed, Observation } from './observe.js';

/** What it asks of the engine. */
export interface DiffApi {
  functionSums(query: MergeQuery): Promise<{ readonly top: TopTable; readonly durationNs: bigint }>;
  observe(query: MergeQuery, what: Observation): Promise<Observed>;
}

/** Throws `invalid` PS_QUERY_DIFF, and what a merge does. */
export async function diffSelections(
  api: DiffApi,
  query: DiffQuery,
  context: QueryContext,
): Promise<DiffAnswer> {
  const { others, falseDiscoveryRate: rate, limit } = checkedDiff(query);
  const numbers = new FunctionNumbers();
  const base = await diffSide(api, { query, selection: query, numbers });
  const comparisons: Comparison[] = [];
  for (const selection of others) {
    const other = await diffSide(api, { query, selection, numbers });
    context.check();
    const all = compareSides(base, other, { numbers, rate });
    const functions = all.slice(0, limit);
    const hiddenFunctions = all.length - functions.length;
    comparisons.push({ side: other.side, functions, hiddenFunctions });
  }
  return { unit: base.top.unit, base: base.side, comparisons };
}

async function diffSide(
  api: DiffApi,
  of: {
    readonly query: DiffQuery;
    readonly selection: DiffSelection;
    readonly numbers: FunctionNumbers;
  },
): Promise<ComparedSide & { readonly side: DiffSide }> {
  const { selector, startMs, endMs } = of.selection;
  const own = { ...of.query, selector, startMs, endMs };
  const { top, durationNs } = await api.functionSums(own);
  // Profiles as they were sent: a rollup does not tell them apart.
  const moments = new Moments();
  const observed = await api.observe(own, {
    numbers: of.numbers,
    observer: moments,
    profilesMax: LIMITS.diffProfilesMax,
    weighsSeries: true,
  });
  const missing = missingOf([top.stats, observed]);
  const stats = { ...top.stats, missing };
  const side = { total: top.total, durationNs, observedProfiles: moments.profiles, stats };
  return { top, moments, side };
}
