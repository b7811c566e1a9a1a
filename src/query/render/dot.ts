/**
 * A merged profile as a graph of calls in Graphviz' language: a box for each function with its self and total value, an
 * arrow for each pair of caller and callee. A stack counts once for a function and once for a pair, however often it
 * goes through it, as in `go tool pprof`.
 */
import type { FlameTree, HiddenPart } from '../api.js';
import { within64 } from '../sums.js';

interface Edge {
  readonly from: number;
  readonly to: number;
  value: bigint;
}

interface CallGraph {
  readonly self: readonly bigint[];
  readonly total: readonly bigint[];
  readonly edges: readonly Edge[];
  /** What shares are of: all own values without their signs, as `go tool pprof` has it. */
  readonly magnitude: bigint;
}

const FONT_SIZE_MIN = 8;
const FONT_SIZE_SPAN = 42;
const PEN_WIDTH_SPAN = 9;

export interface DotGraph {
  readonly text: string;
  /** Functions that are not shown, and nodes of the tree that were not there. */
  readonly hidden: HiddenPart;
}

/** `maxNodes` functions with the greatest totals, ties by name. */
export function dotOf(tree: FlameTree, maxNodes: number): DotGraph {
  const graph = callGraph(tree);
  const byName = (a: number, b: number): number =>
    (tree.names[a] ?? '') < (tree.names[b] ?? '') ? -1 : 1;
  const shown = [...graph.total.keys()]
    .filter((f) => f > 0)
    .sort((a, b) => descending(graph.total[a], graph.total[b]) || byName(a, b))
    .slice(0, maxNodes);
  const isShown = new Set(shown);
  const numbers = new Map(shown.map((f, i) => [f, i + 1]));
  const lines = [
    'digraph "profile" {',
    'node [style=filled fillcolor="#f8f8f8"]',
    `L [shape=box fontsize=16 label="Total: ${valueText(tree, tree.total)}\\lShowing ${shown.length} of ${graph.total.length - 1} functions\\l"]`,
  ];
  for (const f of shown) lines.push(nodeLine(tree, graph, { function: f, number: numbers.get(f) }));
  for (const { from, to, value } of graph.edges) {
    if (!isShown.has(from) || !isShown.has(to)) continue;
    const share = shareOf(value, graph.magnitude);
    const width = 1 + Math.round(share * PEN_WIDTH_SPAN);
    lines.push(
      `N${numbers.get(from)} -> N${numbers.get(to)} [label=" ${valueText(tree, value)}" penwidth=${width}]`,
    );
  }
  const hidden = [...graph.self.keys()].filter((f) => f > 0 && !isShown.has(f));
  return {
    text: `${lines.join('\n')}\n}\n`,
    hidden: {
      // A tree that was cut lacks functions, or parts of them, that no box could show.
      count: hidden.length + tree.hiddenNodes,
      value: within64(
        hidden.reduce((sum, f) => sum + (graph.self[f] ?? 0n), 0n) + tree.hiddenValue,
      ),
    },
  };
}

function descending(a = 0n, b = 0n): number {
  return a > b ? -1 : a < b ? 1 : 0;
}

function nodeLine(
  tree: FlameTree,
  graph: CallGraph,
  at: { readonly function: number; readonly number: number | undefined },
): string {
  const self = graph.self[at.function] ?? 0n;
  const total = graph.total[at.function] ?? 0n;
  const size = FONT_SIZE_MIN + Math.round(shareOf(self, graph.magnitude) * FONT_SIZE_SPAN);
  const name = quoted(tree.names[at.function] ?? '');
  const own = `${valueText(tree, self)} (${percent(self, graph.magnitude)})`;
  const label = `${name}\\n${own}\\nof ${valueText(tree, total)} (${percent(total, graph.magnitude)})`;
  return `N${at.number} [label="${label}" fontsize=${size} shape=box]`;
}

/** Walks the tree with the number of times that each function and each pair is on the path. */
function callGraph(tree: FlameTree): CallGraph {
  const { names, name, parent, self, value } = tree;
  const totals = { self: names.map(() => 0n), total: names.map(() => 0n) };
  const edges = new Map<string, Edge>();
  const depthOf = new Int32Array(name.length);
  const path: number[] = [];
  const onPath = new Map<string, number>();
  const count = (key: string, change: number): number => {
    const next = (onPath.get(key) ?? 0) + change;
    onPath.set(key, next);
    return next;
  };
  for (let n = 1; n < name.length; n++) {
    const depth = (depthOf[parent[n] ?? 0] ?? 0) + 1;
    depthOf[n] = depth;
    while (path.length >= depth) {
      const left = path.pop() ?? 0;
      count(keyOf(tree, left), -1);
      count(edgeKey(tree, left), -1);
    }
    path.push(n);
    const f = name[n] ?? 0;
    totals.self[f] = (totals.self[f] ?? 0n) + (self[n] ?? 0n);
    if (count(keyOf(tree, n), 1) === 1)
      totals.total[f] = (totals.total[f] ?? 0n) + (value[n] ?? 0n);
    const key = edgeKey(tree, n);
    if (count(key, 1) > 1 || (parent[n] ?? 0) === 0) continue;
    const from = name[parent[n] ?? 0] ?? 0;
    const edge = edges.get(key) ?? { from, to: f, value: 0n };
    edge.value += value[n] ?? 0n;
    edges.set(key, edge);
  }
  const magnitude = self.reduce((sum, own) => sum + (own < 0n ? -own : own), 0n);
  return { ...totals, edges: [...edges.values()], magnitude };
}

function keyOf(tree: FlameTree, node: number): string {
  return String(tree.name[node]);
}

function edgeKey(tree: FlameTree, node: number): string {
  return `${tree.name[tree.parent[node] ?? 0]} ${tree.name[node]}`;
}

function shareOf(value: bigint, magnitude: bigint): number {
  return magnitude === 0n ? 0 : Math.min(1, Math.abs(Number(value) / Number(magnitude)));
}

function percent(value: bigint, magnitude: bigint): string {
  return `${(shareOf(value, magnitude) * 100).toFixed(2)}%`;
}

function valueText(tree: FlameTree, value: bigint): string {
  return quoted(`${value} ${tree.unit}`);
}

/** The inside of a string between double quotes. */
function quoted(text: string): string {
  return text
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll(/[\r\n]/g, ' ');
}
