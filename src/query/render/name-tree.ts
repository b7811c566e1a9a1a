/**
 * The trie with frames merged by name.
 *
 * A *member* of a name node is a trie node that is merged into it; members of one name node form a linked list. To
 * expand a name node is to go over the children of its members once and group them by name: all of it is one step for
 * each node of the trie. Cuts are exact, because nothing is pruned before it was merged.
 *
 * Name nodes are ordered by weight, then depth, then the names of their paths, so that equal data gives equal cuts.
 */
import type { SymbolSource } from '../../symbols/source.js';
import type { ExactSums } from '../sums.js';
import { type NameRanks, namesOf } from './frame-names.js';
import { type NodeSums, nodeSums } from './node-sums.js';

const NONE = -1;

/** Children of trie nodes as linked lists: firstChild[n], then nextSibling, -1 ends. Nodes without weight are left out. */
export interface ChildLists {
  readonly firstChild: Int32Array;
  readonly nextSibling: Int32Array;
}

export function childLists(parent: Int32Array, weight: Float64Array): ChildLists {
  const firstChild = new Int32Array(parent.length).fill(NONE);
  const nextSibling = new Int32Array(parent.length);
  for (let n = parent.length - 1; n > 0; n--) {
    if (weight[n] === 0) continue;
    const p = parent[n]!;
    nextSibling[n] = firstChild[p]!;
    firstChild[p] = n;
  }
  return { firstChild, nextSibling };
}

/** Name nodes in order of their making; parents come first. Node 0 is the root. */
export class NameTree {
  readonly names: readonly string[];
  readonly ranks: NameRanks;
  readonly sums: NodeSums;
  count = 1;
  parent = new Int32Array(1024);
  name = new Int32Array(1024);
  depth = new Int32Array(1024);
  weight = new Float64Array(1024);
  readonly #nameOf: Int32Array;
  readonly #trieFrame: Int32Array;
  readonly #lists: ChildLists;
  /** First member of each name node; `nextMember` by trie node, -1 ends. */
  firstMember = new Int32Array(1024);
  readonly nextMember: Int32Array;
  /** Name node of each name among the children now being made, -1 elsewhere. */
  readonly #childOf: Int32Array;

  constructor(symbols: SymbolSource, values: ExactSums) {
    const { names, nameOf, ranks } = namesOf(symbols);
    this.names = names;
    this.ranks = ranks;
    this.sums = nodeSums(symbols, values);
    this.#nameOf = nameOf;
    this.#trieFrame = symbols.nodes.frame;
    this.#lists = childLists(symbols.nodes.parent, this.sums.weight);
    this.nextMember = new Int32Array(symbols.nodes.count).fill(NONE);
    this.#childOf = new Int32Array(names.length).fill(NONE);
    this.parent[0] = NONE;
    this.name[0] = NONE;
    this.weight[0] = this.sums.weight[0]!;
  }

  expandAll(): void {
    // Depth first, because members of a node that was just made are near in memory.
    const waiting = [0];
    for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
      const start = this.count;
      this.#expand(node);
      for (let child = start; child < this.count; child++) waiting.push(child);
    }
  }

  #expand(parent: number): void {
    const { firstChild, nextSibling } = this.#lists;
    const weightOf = this.sums.weight;
    const start = this.count;
    for (let m = this.firstMember[parent]!; m !== NONE; m = this.nextMember[m]!) {
      for (let c = firstChild[m]!; c !== NONE; c = nextSibling[c]!) {
        const name = this.#nameOf[this.#trieFrame[c]!]!;
        let child = this.#childOf[name]!;
        if (child === NONE) {
          child = this.#make(parent, name);
          this.#childOf[name] = child;
        }
        this.nextMember[c] = this.firstMember[child]!;
        this.firstMember[child] = c;
        this.weight[child]! += weightOf[c]!;
      }
    }
    for (let child = start; child < this.count; child++) this.#childOf[this.name[child]!] = NONE;
  }

  /** True if `a` comes before `b` in a cut: heavier, then nearer to the root, then by the names of its path. */
  isBefore(a: number, b: number): boolean {
    const byWeight = this.weight[a]! - this.weight[b]!;
    if (byWeight !== 0) return byWeight > 0;
    const byDepth = this.depth[a]! - this.depth[b]!;
    if (byDepth !== 0) return byDepth < 0;
    let x = a;
    let y = b;
    while (this.parent[x] !== this.parent[y]) {
      x = this.parent[x]!;
      y = this.parent[y]!;
    }
    const { rank } = this.ranks;
    return rank[this.name[x]!]! < rank[this.name[y]!]!;
  }

  #make(parent: number, name: number): number {
    this.#reserve(this.count + 1);
    const node = this.count++;
    this.parent[node] = parent;
    this.name[node] = name;
    this.depth[node] = this.depth[parent]! + 1;
    this.weight[node] = 0;
    this.firstMember[node] = NONE;
    return node;
  }

  #reserve(count: number): void {
    if (count <= this.parent.length) return;
    const capacity = this.parent.length * 2;
    this.parent = widened(this.parent, capacity);
    this.name = widened(this.name, capacity);
    this.depth = widened(this.depth, capacity);
    this.firstMember = widened(this.firstMember, capacity);
    const weight = new Float64Array(capacity);
    weight.set(this.weight);
    this.weight = weight;
  }
}

function widened(source: Int32Array, capacity: number): Int32Array<ArrayBuffer> {
  const out = new Int32Array(capacity);
  out.set(source);
  return out;
}
