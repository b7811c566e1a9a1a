/** What got slower: rises of functions' shares, with evidence. A rise that another one explains is not named again. */
import { LIMITS } from '../../base/limits.js';
import type {
  FlameTree,
  MergeQuery,
  MissingPart,
  QueryApi,
  Regression,
  Regressions,
  RegressionsQuery,
} from '../api.js';
import { FunctionNumbers } from '../diff/moments.js';
import type { Observation, Observed } from '../diff/observe.js';
import { nodePath } from '../render/node-path.js';
import { missingOf } from '../stats.js';
import { checkedRegressions } from '../request.js';
import type { Timeline } from '../timeline.js';
import { STEPS_MIN } from './change-point.js';
import { findRises, type Rise } from './find.js';
import { StepShares } from './step-shares.js';

export interface ObservingApi extends Pick<QueryApi, 'mergeTree'> {
  timeline(query: MergeQuery, lastMax: number): Promise<Timeline>;
  observe(query: MergeQuery, what: Observation): Promise<Observed>;
}

/** Steps of the range: enough to see a change within hours of a day, few enough that each has some profiles. */
const STEPS = 48;
const PATHS = 3;
/** Of a rise: what others explain more of is theirs. */
const EXPLAINED_MAX = 0.5;

/** Looks at the part of the range that has profiles: a service that is there since an hour has changed within that. */
export async function findRegressions(
  api: ObservingApi,
  asked: RegressionsQuery,
): Promise<Regressions> {
  const { changeMin, falseDiscoveryRate: rate, limit } = checkedRegressions(asked);
  const { tenantId, selector, startMs, endMs, profileType, signal } = asked;
  const stop = signal === undefined ? {} : { signal };
  const range = { tenantId, selector, startMs, endMs, profileType, ...stop };
  const { firstMs = startMs, lastMs = startMs } = await api.timeline(range, 0);
  const query = { ...asked, startMs: firstMs, endMs: lastMs + 1 };
  const stepMs = Math.max(1, Math.ceil((query.endMs - query.startMs) / STEPS));
  const shares = new StepShares({ startMs: query.startMs, stepMs, steps: STEPS });
  const numbers = new FunctionNumbers();
  const observed = await api.observe(query, {
    numbers,
    observer: shares,
    profilesMax: LIMITS.regressionProfilesMax,
  });
  const { rises, goneAway, shifted } = findRises(shares, { changeMin, rate });
  const named: Named[] = [];
  // Own values first, then totals from the narrowest on: what they do not explain is a rise of its own.
  const ordered = [...rises].sort(
    (a, b) => (a.kind === b.kind ? 0 : a.kind === 'self' ? -1 : 1) || a.after - b.after,
  );
  for (const rise of ordered) {
    if (named.length >= LIMITS.regressionsMax) break;
    const { functionName } = numbers.nameOf(rise.f);
    if (explainedBy(named, functionName, rise) > (rise.after - rise.before) * EXPLAINED_MAX)
      continue;
    const tree = await api.mergeTree({
      ...query,
      startMs: query.startMs + rise.step * stepMs,
      stack: [...(query.stack ?? []), patternOf(functionName, rise.kind)],
      maxNodes: LIMITS.treeNodesDefault,
    });
    named.push({ rise, tree, weightOf: weightsByName(tree) });
  }
  const all = named
    .sort((a, b) => riseOf(b.rise) - riseOf(a.rise))
    .map(({ rise, tree }) => regressionOf(rise, { tree, shares, numbers, query, stepMs }));
  const regressions = all.slice(0, limit);
  const hiddenRegressions = all.length - regressions.length;
  const found = missingOf([observed, ...named.map(({ tree }) => tree.stats)]);
  const missing = [...found, ...untested(shares.steps.length)];
  const { profiles } = observed;
  return { stepMs, regressions, hiddenRegressions, goneAway, shifted, profiles, missing };
}

/** An answer that says nothing got slower must not stand for one that could not tell. */
function untested(steps: number): readonly MissingPart[] {
  if (steps === 0 || steps >= STEPS_MIN) return [];
  return [
    {
      part: 'change points',
      code: 'PS_REGRESSION_STEPS',
      message: `cannot look for changes: got profiles in ${steps} steps of ${STEPS}; want ${STEPS_MIN} or more (a range with more profiles)`,
    },
  ];
}

const riseOf = ({ before, after }: Rise): number => after - before;

interface Named {
  readonly rise: Rise;
  /** The stacks of the function after the change. */
  readonly tree: FlameTree;
  /** Of those stacks, the share that has a function of this name. */
  readonly weightOf: ReadonlyMap<string, number>;
}

function explainedBy(named: readonly Named[], functionName: string, own: Rise): number {
  if (own.kind === 'self') return 0;
  return named.reduce(
    (sum, { rise, weightOf }) => sum + riseOf(rise) * (weightOf.get(functionName) ?? 0),
    0,
  );
}

function patternOf(functionName: string, kind: Rise['kind']): string {
  return `${kind === 'self' ? 'leaf' : 'any'}:name=${JSON.stringify(functionName)}`;
}

function weightsByName(tree: FlameTree): ReadonlyMap<string, number> {
  const weights = new Map<string, number>();
  const total = Number(tree.total);
  for (let n = 1; n < tree.parent.length; n++) {
    const name = tree.names[tree.name[n]!]!;
    let above = tree.parent[n]!;
    while (above > 0 && tree.names[tree.name[above]!] !== name) above = tree.parent[above]!;
    // Of a recursive function the outermost counts.
    if (above > 0) continue;
    weights.set(name, (weights.get(name) ?? 0) + Number(tree.value[n]!) / total);
  }
  return weights;
}

function regressionOf(
  rise: Rise,
  of: {
    readonly tree: FlameTree;
    readonly shares: StepShares;
    readonly numbers: FunctionNumbers;
    readonly query: RegressionsQuery;
    readonly stepMs: number;
  },
): Regression {
  const { shares, query, stepMs } = of;
  const { f, kind, before, after, p } = rise;
  const { steps } = shares;
  const startOf = (step: number): number => query.startMs + step * stepMs;
  return {
    ...of.numbers.nameOf(f),
    kind,
    before,
    after,
    changedMs: startOf(rise.step),
    p,
    series: {
      timestampMs: Float64Array.from(steps, startOf),
      share: shares.shareOf(kind, f, steps),
    },
    paths: heaviestPaths(of.tree),
  };
}

function heaviestPaths(tree: FlameTree): Regression['paths'] {
  const { self, total } = tree;
  return [...self.keys()]
    .filter((n) => n > 0 && self[n]! > 0n)
    .sort((a, b) => (self[b]! > self[a]! ? 1 : self[b]! < self[a]! ? -1 : a - b))
    .slice(0, PATHS)
    .map((n) => ({ path: nodePath(tree, n), share: Number(self[n]!) / Number(total) }));
}
