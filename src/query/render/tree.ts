/** A merged profile as a flame graph: frames merged by function name, cut to the heaviest nodes at the very end. */
import type { FlameTree, QueryStats } from '../api.js';
import { WORD } from '../kernels.js';
import { pairToBigint, storeWords } from '../sums.js';
import type { MergedValues } from '../aggregate.js';
import { NodeHeap } from './node-heap.js';
import { NameTree } from './name-tree.js';
import type { NodeValues } from './node-sums.js';

export interface TreeSettings {
  readonly unit: string;
  readonly maxNodes: number;
  readonly stats: QueryStats;
}

export function renderTree(merged: MergedValues, settings: TreeSettings): FlameTree {
  const tree = new NameTree(merged.symbols, merged.sums);
  const { shown, hiddenNodes } = cut(tree, settings.maxNodes, merged.symbols.nodes.count);
  const order = depthFirst(tree, shown);
  const total = bigintOf(tree.sums.total, 0);
  const out = collect(tree, order);
  let shownSelf = 0n;
  for (const self of out.self) shownSelf += self;
  return {
    unit: settings.unit,
    total,
    names: out.names,
    parent: out.parent,
    name: out.name,
    self: out.self,
    value: out.value,
    hiddenNodes,
    hiddenValue: total - shownSelf,
    stats: settings.stats,
  };
}

/** `shown[node]` is 1 for the heaviest `maxNodes` name nodes. */
export function cut(
  tree: NameTree,
  maxNodes: number,
  trieNodes: number,
): { shown: Uint8Array; hiddenNodes: number } {
  if (trieNodes <= maxNodes) {
    tree.expandAll();
    return { shown: new Uint8Array(tree.count).fill(1), hiddenNodes: 0 };
  }
  const heap = new NodeHeap((a, b) => tree.isBefore(a, b));
  const chosen: number[] = [];
  heap.push(0);
  for (let node = heap.pop(); node !== undefined; node = heap.pop()) {
    if (chosen.length === maxNodes) {
      heap.push(node);
      break;
    }
    chosen.push(node);
    const start = tree.count;
    tree.expand(node);
    for (let child = start; child < tree.count; child++) heap.push(child);
  }
  const shown = new Uint8Array(tree.count);
  for (const node of chosen) shown[node] = 1;
  let hiddenNodes = 0;
  for (const node of heap.items()) hiddenNodes += tree.countUnder(node);
  return { shown, hiddenNodes };
}

/** The shown nodes, parents first, siblings by name in the order of code units. */
export function depthFirst(tree: NameTree, shown: Uint8Array): Int32Array {
  const { names, name, parent } = tree;
  const nodes: number[] = [];
  for (let n = 1; n < shown.length; n++) if (shown[n] === 1) nodes.push(n);
  const rank = rankNames(names, nodes, name);
  nodes.sort((a, b) => rank[name[a]!]! - rank[name[b]!]!);
  // Dealt to their parents from the last name to the first, each list ends up sorted.
  const first = new Int32Array(shown.length).fill(-1);
  const next = new Int32Array(shown.length);
  for (let i = nodes.length - 1; i >= 0; i--) {
    const n = nodes[i]!;
    next[n] = first[parent[n]!]!;
    first[parent[n]!] = n;
  }
  const order = new Int32Array(nodes.length + 1);
  let at = 0;
  for (let n = 0; ; ) {
    order[at++] = n;
    if (first[n] !== -1) {
      n = first[n]!;
      continue;
    }
    while (n > 0 && next[n] === -1) n = parent[n]!;
    if (n <= 0) break;
    n = next[n]!;
  }
  return order;
}

/** Ranks of the names that `nodes` have, by code units. */
function rankNames(
  names: readonly string[],
  nodes: readonly number[],
  nameOf: Int32Array,
): Int32Array {
  const order = [...new Set(nodes.map((n) => nameOf[n]!))];
  order.sort((a, b) => (names[a]! < names[b]! ? -1 : 1));
  const rank = new Int32Array(names.length);
  order.forEach((number, i) => {
    rank[number] = i;
  });
  return rank;
}

const ROOT_NAME = 'total';

function collect(
  tree: NameTree,
  order: Int32Array,
): Pick<FlameTree, 'names' | 'parent' | 'name' | 'self' | 'value'> {
  const count = order.length;
  const out = {
    names: [ROOT_NAME],
    parent: new Int32Array(count),
    name: new Int32Array(count),
    self: new BigInt64Array(count),
    value: new BigInt64Array(count),
  };
  const number = new Int32Array(tree.count);
  const nameNumber = new Int32Array(tree.names.length).fill(-1);
  const selfWords = new Int32Array(out.self.buffer);
  const valueWords = new Int32Array(out.value.buffer);
  for (let i = 0; i < count; i++) {
    const node = order[i]!;
    number[node] = i;
    out.parent[i] = i === 0 ? -1 : number[tree.parent[node]!]!;
    if (i > 0) {
      const name = tree.name[node]!;
      if (nameNumber[name] === -1) nameNumber[name] = out.names.push(tree.names[name]!) - 1;
      out.name[i] = nameNumber[name]!;
    }
    storeMembers(tree, node, tree.sums.self, { words: selfWords, at: i });
    storeMembers(tree, node, tree.sums.total, { words: valueWords, at: i });
  }
  return out;
}

/** Stores the sum of a name node's members. */
export function storeMembers(
  tree: NameTree,
  node: number,
  values: NodeValues,
  into: { readonly words: Int32Array; readonly at: number },
): void {
  let low = 0;
  let high = 0;
  tree.forEachMember(node, (m) => {
    if (values.high === undefined) {
      low += values.low[m]!;
    } else {
      low += values.low[m]!;
      high += values.high[m]!;
      if (low >= WORD) {
        low -= WORD;
        high++;
      }
    }
  });
  if (values.high === undefined) {
    high = Math.floor(low / WORD);
    low -= high * WORD;
  }
  storeWords(into.words, into.at, low, high);
}

/** Value of trie node `node`. */
export function bigintOf(values: NodeValues, node: number): bigint {
  const low = values.low[node]!;
  return values.high === undefined ? BigInt(low) : pairToBigint(low, values.high[node]!);
}
