/**
 * Two flame graphs as one: nodes with equal paths of names are one node with the values of both sides. The cut comes
 * after that, by the sum of both sides, so that a node which is small on one side and large on the other is not lost.
 */
import type { FlameTree } from '../api.js';
import { kthGreatest } from './kth-greatest.js';

export interface DiffSide {
  readonly self: BigInt64Array;
  readonly value: BigInt64Array;
}

/** As FlameTree: parents before children, children of a node sorted by name, node 0 the root. */
export interface DiffTree {
  readonly names: readonly string[];
  readonly parent: Int32Array;
  readonly name: Int32Array;
  readonly left: DiffSide;
  readonly right: DiffSide;
}

interface Node {
  readonly name: string;
  readonly children: Map<string, Node>;
  readonly self: [bigint, bigint];
  readonly value: [bigint, bigint];
  isShown: boolean;
}

function newNode(name: string): Node {
  return { name, children: new Map(), self: [0n, 0n], value: [0n, 0n], isShown: false };
}

/** The heaviest `maxNodes` nodes of both trees together; ties that do not fit are left out from the last name on. */
export function diffTrees(left: FlameTree, right: FlameTree, maxNodes: number): DiffTree {
  const root = newNode(left.names[0] ?? right.names[0] ?? '');
  addSide(root, left, 0);
  addSide(root, right, 1);
  return collect(root, show(root, maxNodes));
}

function addSide(root: Node, tree: FlameTree, side: 0 | 1): void {
  const nodes: Node[] = [];
  for (let n = 0; n < tree.parent.length; n++) {
    const name = tree.names[tree.name[n] ?? 0] ?? '';
    const node = n === 0 ? root : childOf(nodes[tree.parent[n] ?? 0] ?? root, name);
    nodes.push(node);
    node.self[side] = tree.self[n] ?? 0n;
    node.value[side] = tree.value[n] ?? 0n;
  }
}

function childOf(parent: Node, name: string): Node {
  let child = parent.children.get(name);
  if (child === undefined) {
    child = newNode(name);
    parent.children.set(name, child);
  }
  return child;
}

function magnitude([left, right]: readonly [bigint, bigint]): number {
  return Math.abs(Number(left)) + Math.abs(Number(right));
}

/** Marks the nodes to show and returns how many they are. Values that cancel each other out may weigh less than a descendant's. */
function show(root: Node, maxNodes: number): number {
  // A node weighs at least what its heaviest child does, so what is shown is a tree.
  const order: Node[] = [];
  for (const pending = [root]; pending.length > 0; ) {
    const node = pending.pop() as Node;
    order.push(node);
    for (const child of sortedChildren(node).reverse()) pending.push(child);
  }
  const weightOf = new Map<Node, number>();
  for (let i = order.length - 1; i >= 0; i--) {
    const node = order[i] as Node;
    let weight = magnitude(node.value);
    for (const child of node.children.values()) {
      weight = Math.max(weight, weightOf.get(child) ?? 0);
    }
    weightOf.set(node, weight);
  }
  const weights = Float64Array.from(order, (node) => weightOf.get(node) ?? 0);
  const least = order.length <= maxNodes ? -1 : kthGreatest(weights, maxNodes);
  let shown = 0;
  for (const weight of weights) if (weight > least) shown++;
  let ties = maxNodes - shown;
  order.forEach((node, i) => {
    const isTie = weights[i] === least;
    node.isShown = (weights[i] ?? 0) > least || (isTie && ties > 0);
    if (isTie && node.isShown) {
      ties--;
      shown++;
    }
  });
  return shown;
}

function sortedChildren(node: Node): Node[] {
  return [...node.children.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function collect(root: Node, count: number): DiffTree {
  const side = (): DiffSide => ({
    self: new BigInt64Array(count),
    value: new BigInt64Array(count),
  });
  const tree = {
    names: [root.name],
    parent: new Int32Array(count),
    name: new Int32Array(count),
    left: side(),
    right: side(),
  };
  const numbers = new Map([[root.name, 0]]);
  let n = 0;
  for (const pending = [{ node: root, parent: -1 }]; pending.length > 0; ) {
    const { node, parent } = pending.pop() as { node: Node; parent: number };
    if (!node.isShown) continue;
    let name = numbers.get(node.name);
    if (name === undefined) {
      name = tree.names.push(node.name) - 1;
      numbers.set(node.name, name);
    }
    tree.parent[n] = parent;
    tree.name[n] = name;
    [tree.left, tree.right].forEach((sums, i) => {
      sums.self[n] = node.self[i as 0 | 1];
      sums.value[n] = node.value[i as 0 | 1];
    });
    for (const child of sortedChildren(node).reverse()) pending.push({ node: child, parent: n });
    n++;
  }
  return tree;
}
