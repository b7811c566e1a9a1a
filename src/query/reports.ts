/** From merged values to answers: one entry a format. */
import { invalid } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import type { MergedValues } from './merge.js';
import type {
  FlameTree,
  GraphQuery,
  HiddenPart,
  QueryStats,
  RenderQuery,
  Sandwich,
  SandwichQuery,
} from './api.js';
import type { QueryContext } from './context.js';
import {
  checkedCount,
  type FormatOptions,
  isRendered,
  type MergeFormat,
  type RenderFormat,
} from './formats.js';
import { renderArrow } from './render/arrow.js';
import { renderCpuProfile } from './render/cpuprofile.js';
import { dotOf } from './render/dot.js';
import { flamebearer } from './render/flamebearer.js';
import { renderFolded } from './render/folded.js';
import { checkPgo, KEEP_LOCATIONS_DEFAULT, trimmedForPgo } from './render/pgo.js';
import { renderPprof } from './render/pprof.js';
import { sandwichHalves } from './render/sandwich.js';
import { renderSpeedscope } from './render/speedscope.js';
import { TextChunks } from './render/text-chunks.js';
import { renderTop } from './render/top.js';
import { renderTree } from './render/tree.js';
import type { Rendered } from './rendered.js';
import { checkMaxNodes } from './request.js';
import type { SelectedSources } from './snapshot.js';

export interface MergeScope {
  readonly merged: MergedValues;
  readonly selected: SelectedSources;
  readonly context: QueryContext;
  readonly unit: string;
  /** Asked at the end: reading metadata may find more that is missing. */
  readonly stats: () => QueryStats;
}

type Renderer = (scope: MergeScope, query: RenderQuery) => Rendered | Promise<Rendered>;

const NOTHING: HiddenPart = { count: 0, value: 0n };

const RENDERERS: Readonly<Record<RenderFormat, Renderer>> = {
  pprof: async ({ merged, selected, context }, query) => {
    const body = await renderPprof(merged, { sources: selected.sources, query, context });
    return { body, hidden: NOTHING };
  },
  folded: ({ merged, context }) => ({ body: renderFolded(merged, context), hidden: NOTHING }),
  flamebearer: (scope, query) => {
    const tree = treeOf(scope, query.maxNodes);
    return { body: flamebearerJson(tree, query, scope.context), hidden: hiddenOf(tree) };
  },
  arrow: (scope, query) => {
    const tree = treeOf(scope, query.maxNodes);
    return { body: renderArrow(tree), hidden: hiddenOf(tree) };
  },
  dot: (scope, query) => {
    const tree = treeOf(scope, LIMITS.treeNodesMax);
    const { maxNodes } = query;
    const graph = dotOf(tree, maxNodes === undefined ? DOT_NODES_DEFAULT : checkMaxNodes(maxNodes));
    return { body: new TextEncoder().encode(graph.text), hidden: graph.hidden };
  },
  speedscope: ({ merged, unit, context }, { profileType }) =>
    renderSpeedscope(merged, { name: profileType, unit, context }),
  cpuprofile: ({ merged, unit, context }, { startMs }) =>
    renderCpuProfile(merged, { unit, startMs, context }),
  pgo: async ({ merged, selected, context }, query) => {
    checkPgo(query);
    const kept = checkedCount('keepLocations', query.keepLocations ?? KEEP_LOCATIONS_DEFAULT);
    const trimmed = trimmedForPgo(merged, kept, context);
    const body = await renderPprof(trimmed, { sources: selected.sources, query, context });
    return { body, hidden: NOTHING };
  },
};

function hiddenOf({ hiddenNodes, hiddenValue }: FlameTree): HiddenPart {
  return { count: hiddenNodes, value: hiddenValue };
}

const DOT_NODES_DEFAULT = 100;
const LEVELS_DEFAULT = 10;

export async function renderReport(scope: MergeScope, query: RenderQuery): Promise<Rendered> {
  return RENDERERS[query.format](scope, query);
}

/** Renders in any format, for who wants to know what it takes. */
export async function renderAny(
  scope: MergeScope,
  query: GraphQuery & FormatOptions & { readonly format: MergeFormat },
): Promise<void> {
  const { format, ...rest } = query;
  if (isRendered(format)) await renderReport(scope, { ...rest, format });
  else if (format === 'sandwich') sandwichOf(scope, { ...rest, function: rest.function ?? '' });
  else if (format === 'top') renderTop(scope.merged, { unit: scope.unit, stats: scope.stats() });
  else treeOf(scope, rest.maxNodes);
}

export function treeOf(scope: MergeScope, maxNodes: number | undefined): FlameTree {
  const { merged, unit, stats } = scope;
  return renderTree(merged, { unit, maxNodes: checkMaxNodes(maxNodes), stats: stats() });
}

export function sandwichOf(scope: MergeScope, query: SandwichQuery): Sandwich {
  if (query.function === '') {
    throw invalid('PS_FORMAT_OPTION', 'cannot merge: got no function; want one for a sandwich');
  }
  const levels = checkedCount('levels', query.levels ?? LEVELS_DEFAULT);
  const at = { functionName: query.function, levels };
  const { callees, callers } = sandwichHalves(scope.merged, at, scope.context);
  return {
    unit: scope.unit,
    total: treeOf(scope, 1).total,
    callees: treeOf({ ...scope, merged: callees }, query.maxNodes),
    callers: treeOf({ ...scope, merged: callers }, query.maxNodes),
    stats: scope.stats(),
  };
}

/** The file that Pyroscope's own viewers open. Numbers are JSON numbers there, the nearest ones past 2^53. */
function flamebearerJson(
  tree: FlameTree,
  { profileType }: RenderQuery,
  context: QueryContext,
): Uint8Array {
  const { names, levels, total, maxSelf } = flamebearer(tree);
  const text = new TextChunks('flamebearer', () => context.check());
  text.append('{"version":1,"flamebearer":{"names":[');
  text.appendList(names.length, (i) => JSON.stringify(names[i]));
  text.append('],"levels":[');
  text.appendList(levels.length, (i) => `[${levels[i]!.join()}]`);
  text.append(`],"numTicks":${total},"maxSelf":${maxSelf}},`);
  const metadata = {
    format: 'single',
    spyName: '',
    sampleRate: 1_000_000_000,
    units: tree.unit,
    name: profileType,
  };
  text.append(`"metadata":${JSON.stringify(metadata)}}\n`);
  return text.finish();
}
