/**
 * Before a process died of its memory: its last profiles, what grew between the first and the last of them and on which
 * call paths, and the level over time. Made of other queries, so that its numbers are theirs.
 */
import { invalid, StoreError } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import type {
  BeforeOom,
  BeforeOomQuery,
  FlameTree,
  GrowingPath,
  MergeQuery,
  SeriesLabels,
  QueryApi,
} from './api.js';
import { diffTrees } from './render/diff.js';
import { nodePath } from './render/node-path.js';
import { checkPaths } from './request.js';
import { missingOf } from './stats.js';
import type { Timeline } from './timeline.js';

const PATHS_DEFAULT = 20;
const LAST_PROFILES = 10;
const POINTS = 60;

/** What it asks of the engine. */
export interface OomApi extends Pick<QueryApi, 'profileTypes' | 'mergeTree' | 'timeSeries'> {
  timeline(query: MergeQuery, lastMax: number): Promise<Timeline>;
}

/**
 * Throws `not-found` PS_OOM_PROFILES where no such profile is in the range, `invalid` PS_OOM_INSTANCES for several instances and
 * PS_QUERY_LIMIT for a bad limit.
 */
export async function beforeOom(api: OomApi, query: BeforeOomQuery): Promise<BeforeOom> {
  const { limit = PATHS_DEFAULT, ...range } = query;
  checkPaths(limit);
  const profileType = query.profileType ?? (await memoryType(api, query));
  const own = { ...range, profileType };
  const list = await api.timeline(own, LAST_PROFILES);
  const { firstMs, lastMs } = list;
  if (firstMs === undefined || lastMs === undefined) throw nothing(query, profileType);
  checkOneInstance(list.labels);
  const treeAt = (startMs: number): Promise<FlameTree> =>
    api.mergeTree({
      ...own,
      startMs,
      endMs: startMs + 1,
      aggregation: 'sum',
      maxNodes: LIMITS.treeNodesMax,
    });
  const before = await treeAt(firstMs);
  const after = await treeAt(lastMs);
  const paths = growingPaths(before, after);
  const stepMs = Math.max(1, Math.ceil((query.endMs - query.startMs) / POINTS));
  const level = await api.timeSeries({ ...own, stepMs, groupBy: [], aggregation: 'max' });
  const missing = missingOf([list, before, after, level].map(({ stats }) => stats));
  return {
    unit: list.unit,
    profileType,
    first: { startMs: firstMs, total: before.total },
    last: { startMs: lastMs, total: after.total },
    profiles: list.last,
    profileCount: list.count,
    paths: paths.slice(0, limit),
    hiddenPaths: Math.max(0, paths.length - limit),
    series: level.series[0] ?? NO_SERIES,
    stepMs,
    stats: { ...list.stats, missing },
  };
}

const NO_SERIES = { labels: {}, timestampMs: new Float64Array(0), value: new BigInt64Array(0) };

/** The first profile of one and the last of another would say nothing of either. */
function checkOneInstance(instances: readonly SeriesLabels[]): void {
  if (instances.length <= 1) return;
  const shown = instances.slice(0, INSTANCES_SHOWN).map((labels) => {
    const pairs = Object.entries(labels).sort();
    return `{${pairs.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join()}}`;
  });
  throw invalid(
    'PS_OOM_INSTANCES',
    `cannot look before an end: got profiles of ${instances.length} instances, such as ${shown.join(' and ')}; want those of one (a narrower selector)`,
  );
}

const INSTANCES_SHOWN = 2;

/** Types that say what is in use now, the best known first. */
const MEMORY_TYPES = [
  /^memory:inuse_space:/,
  /:inuse_space:bytes:/,
  /:(?:space|heap|live)[^:]*:bytes:/,
];

async function memoryType(api: OomApi, query: BeforeOomQuery): Promise<string> {
  const { items: types } = await api.profileTypes(query);
  const gauges = types.filter(({ temporality }) => temporality === 'gauge').map(({ id }) => id);
  for (const pattern of MEMORY_TYPES) {
    const found = gauges.find((id) => pattern.test(id));
    if (found !== undefined) return found;
  }
  throw nothing(query, 'memory in use');
}

function nothing({ selector }: BeforeOomQuery, what: string): StoreError {
  return new StoreError({
    kind: 'not-found',
    code: 'PS_OOM_PROFILES',
    message: `cannot look at ${JSON.stringify(selector.slice(0, 256))}: got no profile of ${what} in the range; want one or more`,
  });
}

/** Stacks whose own value grew, the most first; ties by name. That without frames is the root's own value. */
function growingPaths(before: FlameTree, after: FlameTree): readonly GrowingPath[] {
  const tree = diffTrees(before, after, LIMITS.treeNodesMax);
  const { left, right } = tree;
  const growth = (n: number): bigint => right.self[n]! - left.self[n]!;
  return [...left.self.keys()]
    .filter((n) => growth(n) > 0n)
    .sort((a, b) => (growth(b) > growth(a) ? 1 : growth(b) < growth(a) ? -1 : a - b))
    .map((n) => ({ path: nodePath(tree, n), before: left.self[n]!, after: right.self[n]! }));
}
