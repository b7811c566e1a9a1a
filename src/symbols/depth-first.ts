/**
 * Depth-first numbering of a trie: children by content id of their frame (content breaks a tie), a node's own keys, by
 * text of their label set, before those of its children, so that a subtree is an interval of keys. What is in that order
 * already, as the trie of a block is, is not sorted again.
 *
 * Children are dealt to their parents, and keys to their nodes, by counting; then each family, mostly of one or two, is
 * sorted alone. One preorder walk gives every number. A trie can have tens of millions of nodes: arrays by node are few.
 */
import { compareFrames } from './frame-order.js';
import { neededNodes } from './needed-nodes.js';
import type { FrameTable, LabelSetTable, SymbolSource } from './source.js';
import { isTrieInOrder } from './trie-order.js';

const NONE = -1;

/** The result of a merge, in depth-first order. */
export interface MergedSymbols {
  readonly symbols: SymbolSource;
  /** Final key number of each merged key, by the number that `add` gave. */
  readonly remap: Int32Array;
}

/** Keys whose `sampled` element is 0 are left out (remap -1), with nodes that only they need. Frames are numbered in order of use. */
export function numberDepthFirst(source: SymbolSource, sampled?: Uint8Array): MergedSymbols {
  const { symbols, remap } = orderDepthFirst(source, sampled);
  return { symbols: compactFrames(symbols, symbols.nodes !== source.nodes), remap };
}

/** The same with the frames as they are. */
export function orderDepthFirst(source: SymbolSource, sampled?: Uint8Array): MergedSymbols {
  const needed = neededNodes(source, sampled);
  const labelRank = rankLabelSets(source, sampled);
  const isOrdered =
    isTrieInOrder(source.nodes, source.frames) && areKeysInOrder(source, labelRank.rank, sampled);
  if (isOrdered && needed.every(isSet) && sampled?.every(isSet) !== false) {
    return asOrdered(source, labelRank);
  }
  const numbering = new Numbering(source, { needed, sampled, labelRank: labelRank.rank });
  if (isOrdered) numberInOrder(source, numbering, { needed, sampled });
  else numberInPreorder(source, numbering, { needed, sampled, labelRank });
  return numbering.result(labelRank.table);
}

/** Which nodes and keys get numbers. */
interface Wanted {
  readonly needed: Uint8Array;
  readonly sampled: Uint8Array | undefined;
}

interface LabelRank {
  /** By label set; NONE for one that no wanted key has. */
  readonly rank: Int32Array;
  readonly table: LabelSetTable;
}

const isSet = (element: number): boolean => element !== 0;

/** What is numbered so already: nodes are not copied. */
function asOrdered({ frames, nodes, keys }: SymbolSource, labelRank: LabelRank): MergedSymbols {
  const labelSet = keys.labelSet.map((set) => labelRank.rank[set] as number);
  return {
    symbols: { frames, nodes, keys: { ...keys, labelSet }, labelSets: labelRank.table },
    remap: Int32Array.from({ length: keys.count }, (_, k) => k),
  };
}

/** Gives numbers to nodes, parents first, and to keys as they come. */
class Numbering {
  readonly #source: SymbolSource;
  readonly #labelRank: Int32Array;
  readonly #parent: Int32Array;
  readonly #frame: Int32Array;
  readonly #keyNode: Int32Array;
  readonly #keyLabelSet: Int32Array;
  readonly #remap: Int32Array;
  #nextNode = 0;
  #nextKey = 0;

  constructor(source: SymbolSource, of: Wanted & { readonly labelRank: Int32Array }) {
    const { nodes, keys } = source;
    const { needed, sampled } = of;
    let nodeCount = 0;
    let keyCount = 0;
    for (let n = 0; n < nodes.count; n++) nodeCount += needed[n] as number;
    for (let k = 0; k < keys.count; k++) if (sampled === undefined || sampled[k] !== 0) keyCount++;
    this.#source = source;
    this.#labelRank = of.labelRank;
    this.#parent = new Int32Array(nodeCount);
    this.#frame = new Int32Array(nodeCount);
    this.#keyNode = new Int32Array(keyCount);
    this.#keyLabelSet = new Int32Array(keyCount);
    this.#remap = new Int32Array(keys.count).fill(NONE);
  }

  /** The number of source node `n` below the node that has the number `parent`. */
  node(n: number, parent: number): number {
    const number = this.#nextNode++;
    this.#parent[number] = parent;
    this.#frame[number] = this.#source.nodes.frame[n] as number;
    return number;
  }

  /** Numbers source key `k`, whose node has the number `node`. */
  key(k: number, node: number): void {
    this.#remap[k] = this.#nextKey;
    this.#keyNode[this.#nextKey] = node;
    const labelSet = this.#source.keys.labelSet[k] as number;
    this.#keyLabelSet[this.#nextKey++] = this.#labelRank[labelSet] as number;
  }

  result(labelSets: LabelSetTable): MergedSymbols {
    return {
      symbols: {
        frames: this.#source.frames,
        nodes: { count: this.#nextNode, parent: this.#parent, frame: this.#frame },
        keys: { count: this.#nextKey, node: this.#keyNode, labelSet: this.#keyLabelSet },
        labelSets,
      },
      remap: this.#remap,
    };
  }
}

function areKeysInOrder(
  { keys }: SymbolSource,
  labelRank: Int32Array,
  sampled: Uint8Array | undefined,
): boolean {
  let lastNode = NONE;
  let lastRank = NONE;
  for (let k = 0; k < keys.count; k++) {
    if (sampled !== undefined && sampled[k] === 0) continue;
    const node = keys.node[k] as number;
    const rank = labelRank[keys.labelSet[k] as number] as number;
    if (node < lastNode || (node === lastNode && rank < lastRank)) return false;
    lastNode = node;
    lastRank = rank;
  }
  return true;
}

/** For what is in depth-first order: numbers close up over what is left out. */
function numberInOrder(
  { nodes, keys }: SymbolSource,
  numbering: Numbering,
  { needed, sampled }: Wanted,
): void {
  /** From the root to the last node: source nodes and their numbers. */
  const path: number[] = [];
  const numbers: number[] = [];
  let k = 0;
  for (let n = 0; n < nodes.count; n++) {
    if (needed[n] === 0) continue;
    while (path.length > 0 && path.at(-1) !== nodes.parent[n]) {
      path.pop();
      numbers.pop();
    }
    const number = numbering.node(n, numbers.at(-1) ?? NONE);
    path.push(n);
    numbers.push(number);
    // Only keys that count are in order.
    for (; k < keys.count; k++) {
      if (sampled !== undefined && sampled[k] === 0) continue;
      if (keys.node[k] !== n) break;
      numbering.key(k, number);
    }
  }
}

function numberInPreorder(
  source: SymbolSource,
  numbering: Numbering,
  { needed, sampled, labelRank }: Wanted & { readonly labelRank: LabelRank },
): void {
  const children = dealNodes(source, needed);
  const nodeKeys = dealKeys(source, labelRank, sampled);
  const visit = (n: number, parent: number): number => {
    const number = numbering.node(n, parent);
    const end = nodeKeys.start[n + 1] as number;
    for (let i = nodeKeys.start[n] as number; i < end; i++) {
      numbering.key(nodeKeys.items[i] as number, number);
    }
    return number;
  };
  /** From the root to the last node: numbers, the next child, and where the children end. */
  const numbers = [visit(0, NONE)];
  const next = [children.start[0] as number];
  const ends = [children.start[1] as number];
  for (let depth = 0; depth >= 0; ) {
    const at = next[depth] as number;
    if (at === ends[depth]) {
      depth--;
      continue;
    }
    next[depth] = at + 1;
    const n = children.items[at] as number;
    const number = visit(n, numbers[depth] as number);
    depth++;
    numbers[depth] = number;
    next[depth] = children.start[n] as number;
    ends[depth] = children.start[n + 1] as number;
  }
}

/** Items of bucket b are items[start[b], start[b + 1]). */
interface Buckets {
  readonly start: Int32Array;
  readonly items: Int32Array;
}

/** Below it insertion is faster, which most families need not even do: merged tries are nearly in order. */
const INSERTION_MAX = 24;

/** Deals the numbers from `first` up to `count` into buckets (NONE: into none), each sorted by `compare`. */
function deal(
  from: { readonly first: number; readonly count: number; readonly bucketCount: number },
  bucketOf: (item: number) => number,
  compare: (a: number, b: number) => number,
): Buckets {
  const { first, count, bucketCount } = from;
  const start = new Int32Array(bucketCount + 1);
  for (let item = first; item < count; item++) {
    const bucket = bucketOf(item);
    if (bucket !== NONE) start[bucket]!++;
  }
  let total = 0;
  for (let b = 0; b < bucketCount; b++) {
    total += start[b] as number;
    start[b] = total;
  }
  start[bucketCount] = total;
  const items = new Int32Array(total);
  // Backwards from each bucket's end, which leaves its start and needs no second array of places.
  for (let item = count - 1; item >= first; item--) {
    const bucket = bucketOf(item);
    if (bucket !== NONE) items[--start[bucket]!] = item;
  }
  for (let b = 0; b < bucketCount; b++) {
    const begin = start[b] as number;
    const end = start[b + 1] as number;
    if (end - begin > INSERTION_MAX) items.subarray(begin, end).sort(compare);
    else if (end - begin > 1) insertionSort(items, begin, end, compare);
  }
  return { start, items };
}

function insertionSort(
  items: Int32Array,
  begin: number,
  end: number,
  compare: (a: number, b: number) => number,
): void {
  for (let i = begin + 1; i < end; i++) {
    const item = items[i] as number;
    let at = i;
    for (; at > begin && compare(items[at - 1] as number, item) > 0; at--) {
      items[at] = items[at - 1] as number;
    }
    items[at] = item;
  }
}

function dealNodes({ nodes, frames }: SymbolSource, needed: Uint8Array): Buckets {
  const { count, parent, frame } = nodes;
  return deal(
    { first: 1, count, bucketCount: count },
    (n) => (needed[n] === 0 ? NONE : (parent[n] as number)),
    (a, b) => compareFrames(frames, frame[a] as number, frame[b] as number),
  );
}

function rankLabelSets(source: SymbolSource, sampled: Uint8Array | undefined): LabelRank {
  const { keys, labelSets } = source;
  const rank = new Int32Array(labelSets.count).fill(NONE);
  const used: number[] = [0];
  rank[0] = 0;
  for (let k = 0; k < keys.count; k++) {
    const set = keys.labelSet[k] as number;
    if ((sampled !== undefined && sampled[k] === 0) || rank[set] !== NONE) continue;
    rank[set] = 0;
    used.push(set);
  }
  used.sort((a, b) => {
    const x = labelSets.key(a);
    const y = labelSets.key(b);
    return x < y ? -1 : x > y ? 1 : 0;
  });
  for (let i = 0; i < used.length; i++) rank[used[i] as number] = i;
  const table: LabelSetTable = {
    count: used.length,
    key: (index) => labelSets.key(used[index] as number),
    labels: (index) => labelSets.labels(used[index] as number),
  };
  return { rank, table };
}

function dealKeys(
  { keys, nodes }: SymbolSource,
  { rank }: LabelRank,
  sampled: Uint8Array | undefined,
): Buckets {
  const { count, node, labelSet } = keys;
  return deal(
    { first: 0, count, bucketCount: nodes.count },
    (k) => (sampled !== undefined && sampled[k] === 0 ? NONE : (node[k] as number)),
    (a, b) => (rank[labelSet[a] as number] as number) - (rank[labelSet[b] as number] as number),
  );
}

/** Numbers frames in order of first use; without a copy of the nodes where they are `owned` or it changes nothing. */
export function compactFrames(symbols: SymbolSource, owned = false): SymbolSource {
  const { frames: source, nodes } = symbols;
  const number = new Int32Array(source.count).fill(NONE);
  const used: number[] = [];
  let isInOrder = true;
  for (let n = 1; n < nodes.count; n++) {
    const f = nodes.frame[n] as number;
    if (number[f] === NONE) number[f] = used.push(f) - 1;
    if (number[f] !== f) isInOrder = false;
  }
  const frame = isInOrder || owned ? nodes.frame : nodes.frame.slice();
  if (!isInOrder) {
    for (let n = 1; n < nodes.count; n++) frame[n] = number[frame[n] as number] as number;
  }
  const frames: FrameTable = {
    count: used.length,
    idHigh: Uint32Array.from(used, (f) => source.idHigh[f] as number),
    idLow: Uint32Array.from(used, (f) => source.idLow[f] as number),
    frame: (index) => source.frame(used[index] as number),
  };
  return { ...symbols, frames, nodes: { ...nodes, frame } };
}
