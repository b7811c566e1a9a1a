/** A merged profile as a flame graph: frames merged by function name, cut to the heaviest nodes at the very end. */
import type { FlameTree, QueryStats } from '../api.js';
import { WORD } from '../kernels.js';
import { pairToBigint, storeWords, within64 } from '../sums.js';
import type { MergedValues } from '../merge.js';
import { kthGreatest } from './kth-greatest.js';
import { NameTree } from './name-tree.js';
import type { NodeValues } from './node-sums.js';

export interface TreeSettings {
  readonly unit: string;
  readonly maxNodes: number;
  readonly stats: QueryStats;
}

export function renderTree(merged: MergedValues, settings: TreeSettings): FlameTree {
  const tree = new NameTree(merged.symbols, merged.sums);
  const { shown, hiddenNodes } = cut(tree, settings.maxNodes);
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
    hiddenValue: within64(total - shownSelf),
    stats: settings.stats,
  };
}

/**
 * `shown[node]` is 1 for the heaviest `maxNodes` name nodes, ties by depth and then by the names of their paths. An
 * ancestor comes before its descendants in that order, so what is shown is a tree.
 */
export function cut(
  tree: NameTree,
  maxNodes: number,
): { readonly shown: Uint8Array; readonly hiddenNodes: number } {
  tree.expandAll();
  const { count, depth } = tree;
  const shown = new Uint8Array(count);
  if (count <= maxNodes) return { shown: shown.fill(1), hiddenNodes: 0 };
  const weight = tree.weight.subarray(0, count);
  const least = kthGreatest(weight, maxNodes);
  let left = maxNodes;
  const ties: number[] = [];
  for (let n = 0; n < count; n++) {
    if (weight[n]! > least) {
      shown[n] = 1;
      left--;
    } else if (weight[n]! === least) ties.push(n);
  }
  // Only ties of one depth need the comparison of their paths.
  const depthOf = Float64Array.from(ties, (n) => -depth[n]!);
  const deepest = -kthGreatest(depthOf, left);
  for (const n of ties) {
    if (depth[n]! >= deepest) continue;
    shown[n] = 1;
    left--;
  }
  const last = ties.filter((n) => depth[n]! === deepest);
  if (last.length > left) last.sort((a, b) => (tree.isBefore(a, b) ? -1 : 1));
  for (let i = 0; i < left; i++) shown[last[i]!] = 1;
  return { shown, hiddenNodes: count - maxNodes };
}

/** The shown nodes, parents first, siblings by name in the order of code units. */
export function depthFirst(tree: NameTree, shown: Uint8Array): Int32Array {
  const { name, parent, ranks } = tree;
  const withRank = new Int32Array(ranks.count).fill(-1);
  const next = new Int32Array(shown.length);
  let shownCount = 1;
  for (let n = 1; n < shown.length; n++) {
    if (shown[n] === 0) continue;
    const rank = ranks.rank[name[n]!]!;
    next[n] = withRank[rank]!;
    withRank[rank] = n;
    shownCount++;
  }
  // Dealt to their parents from the last name to the first, each list ends up sorted.
  const first = new Int32Array(shown.length).fill(-1);
  for (let rank = ranks.count - 1; rank >= 0; rank--) {
    for (let n = withRank[rank]!; n !== -1; ) {
      const following = next[n]!;
      next[n] = first[parent[n]!]!;
      first[parent[n]!] = n;
      n = following;
    }
  }
  const order = new Int32Array(shownCount);
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
  const { firstMember, nextMember } = tree;
  const { low: lows, high: highs } = values;
  let low = 0;
  let high = 0;
  for (let m = firstMember[node]!; m !== -1; m = nextMember[m]!) {
    low += lows[m]!;
    if (highs === undefined) continue;
    high += highs[m]!;
    if (low >= WORD) {
      low -= WORD;
      high++;
    }
  }
  if (highs === undefined) {
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
