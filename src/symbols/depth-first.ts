/**
 * Depth-first numbering of a trie, in linear time but for one sort of the distinct frames. What is in that order already,
 * as the trie of a block is, is not sorted again.
 *
 * Frames are ranked by content id (content breaks a tie). Nodes are bucketed by rank, then dealt to their parents in
 * that order, which leaves each parent's children sorted without a comparison. Keys are dealt to their nodes by the
 * rank of their label set in the same way. One preorder walk then gives every number: a node's own keys come before
 * those of its children, so that a subtree is an interval of keys.
 */
import type { Frame } from '../model/frame.js';
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

export function numberDepthFirst(source: SymbolSource, sampled?: Uint8Array): MergedSymbols {
  const needed = neededNodes(source, sampled);
  const labelRank = rankLabelSets(source, sampled);
  const isOrdered =
    isTrieInOrder(source.nodes, source.frames) && areKeysInOrder(source, labelRank.rank, sampled);
  if (isOrdered && needed.every(isSet) && sampled?.every(isSet) !== false) {
    return asNumbered(source, labelRank);
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

/** What is numbered so already: nodes and keys are not copied, nor the numbers of frames that are in order of use. */
function asNumbered({ frames, nodes, keys }: SymbolSource, labelRank: LabelRank): MergedSymbols {
  const compact = new CompactFrames(frames);
  let isInOrder = true;
  for (let n = 1; n < nodes.count; n++) {
    const f = nodes.frame[n] as number;
    if (compact.use(f) !== f) isInOrder = false;
  }
  return {
    symbols: {
      frames: compact.table(),
      nodes: isInOrder
        ? nodes
        : { ...nodes, frame: nodes.frame.map((f, n) => (n === 0 ? NONE : compact.use(f))) },
      keys: { ...keys, labelSet: keys.labelSet.map((set) => labelRank.rank[set] as number) },
      labelSets: labelRank.table,
    },
    remap: Int32Array.from({ length: keys.count }, (_, k) => k),
  };
}

/** Gives numbers to nodes, parents first, and to keys as they come. */
class Numbering {
  readonly #source: SymbolSource;
  readonly #labelRank: Int32Array;
  readonly #frames: CompactFrames;
  readonly #parent: Int32Array;
  readonly #frame: Int32Array;
  readonly #keyNode: Int32Array;
  readonly #keyLabelSet: Int32Array;
  readonly #remap: Int32Array;
  readonly #newNode: Int32Array;
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
    this.#frames = new CompactFrames(source.frames);
    this.#parent = new Int32Array(nodeCount);
    this.#frame = new Int32Array(nodeCount);
    this.#keyNode = new Int32Array(keyCount);
    this.#keyLabelSet = new Int32Array(keyCount);
    this.#remap = new Int32Array(keys.count).fill(NONE);
    this.#newNode = new Int32Array(nodes.count).fill(NONE);
  }

  node(n: number): void {
    const { parent, frame } = this.#source.nodes;
    const number = this.#nextNode++;
    this.#newNode[n] = number;
    this.#parent[number] = n === 0 ? NONE : (this.#newNode[parent[n] as number] as number);
    this.#frame[number] = n === 0 ? NONE : this.#frames.use(frame[n] as number);
  }

  /** Its node has a number. */
  key(k: number): void {
    const { node, labelSet } = this.#source.keys;
    this.#remap[k] = this.#nextKey;
    this.#keyNode[this.#nextKey] = this.#newNode[node[k] as number] as number;
    this.#keyLabelSet[this.#nextKey++] = this.#labelRank[labelSet[k] as number] as number;
  }

  result(labelSets: LabelSetTable): MergedSymbols {
    return {
      symbols: {
        frames: this.#frames.table(),
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
  for (let n = 0; n < nodes.count; n++) if (needed[n] !== 0) numbering.node(n);
  for (let k = 0; k < keys.count; k++) {
    if (sampled === undefined || sampled[k] !== 0) numbering.key(k);
  }
}

function numberInPreorder(
  source: SymbolSource,
  numbering: Numbering,
  { needed, sampled, labelRank }: Wanted & { readonly labelRank: LabelRank },
): void {
  const children = dealNodes(source, needed);
  const nodeKeys = dealKeys(source, labelRank, sampled);
  // An explicit stack: children are pushed in reverse, so the first is visited first.
  const stack = new Int32Array(source.nodes.count + 1);
  let depth = 1;
  while (depth > 0) {
    const n = stack[--depth] as number;
    numbering.node(n);
    for (let i = nodeKeys.start[n] as number; i < (nodeKeys.start[n + 1] as number); i++) {
      numbering.key(nodeKeys.items[i] as number);
    }
    const first = children.start[n] as number;
    for (let i = (children.start[n + 1] as number) - 1; i >= first; i--) {
      stack[depth++] = children.items[i] as number;
    }
  }
}

/** Items of bucket b are items[start[b], start[b + 1]). */
interface Buckets {
  readonly start: Int32Array;
  readonly items: Int32Array;
}

/** Deals `order` into buckets, keeping its order within each. */
function deal(order: Int32Array, bucketOf: Int32Array, bucketCount: number): Buckets {
  const start = new Int32Array(bucketCount + 1);
  for (const item of order) start[(bucketOf[item] as number) + 1]!++;
  for (let b = 0; b < bucketCount; b++) start[b + 1]! += start[b] as number;
  const next = start.slice(0, bucketCount);
  const items = new Int32Array(order.length);
  for (const item of order) items[next[bucketOf[item] as number]!++] = item;
  return { start, items };
}

function dealNodes(source: SymbolSource, needed: Uint8Array): Buckets {
  const { nodes, frames } = source;
  const { rank, count } = rankFrames(frames, nodes, needed);
  const live = new Int32Array(nodes.count);
  const rankOf = new Int32Array(nodes.count);
  let liveCount = 0;
  for (let n = 1; n < nodes.count; n++) {
    if (needed[n] === 0) continue;
    live[liveCount++] = n;
    rankOf[n] = rank[nodes.frame[n] as number] as number;
  }
  const byRank = deal(live.subarray(0, liveCount), rankOf, count);
  return deal(byRank.items, nodes.parent, nodes.count);
}

function rankFrames(
  frames: FrameTable,
  nodes: SymbolSource['nodes'],
  needed: Uint8Array,
): { rank: Int32Array; count: number } {
  const rank = new Int32Array(frames.count).fill(NONE);
  const used: number[] = [];
  for (let n = 1; n < nodes.count; n++) {
    const f = nodes.frame[n] as number;
    if (needed[n] === 0 || rank[f] !== NONE) continue;
    rank[f] = 0;
    used.push(f);
  }
  used.sort(
    (a, b) =>
      (frames.idHigh[a] as number) - (frames.idHigh[b] as number) ||
      (frames.idLow[a] as number) - (frames.idLow[b] as number) ||
      compareContent(frames.frame(a), frames.frame(b)),
  );
  for (let i = 0; i < used.length; i++) rank[used[i] as number] = i;
  return { rank, count: used.length };
}

/** Any total order by content will do: it is asked only when two contents share an id. */
function compareContent(a: Frame, b: Frame): number {
  const text = (f: Frame): string =>
    JSON.stringify(
      Object.entries(f)
        .map(([name, value]) => [name, String(value)])
        .sort(),
    );
  const x = text(a);
  const y = text(b);
  return x < y ? -1 : x > y ? 1 : 0;
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
  source: SymbolSource,
  labelRank: LabelRank,
  sampled: Uint8Array | undefined,
): Buckets {
  const { keys, nodes } = source;
  const live = new Int32Array(keys.count);
  const rankOf = new Int32Array(keys.count);
  let count = 0;
  for (let k = 0; k < keys.count; k++) {
    if (sampled !== undefined && sampled[k] === 0) continue;
    live[count++] = k;
    rankOf[k] = labelRank.rank[keys.labelSet[k] as number] as number;
  }
  const byLabels = deal(live.subarray(0, count), rankOf, labelRank.table.count);
  return deal(byLabels.items, keys.node, nodes.count);
}

/** Numbers frames in order of first use. */
class CompactFrames {
  readonly #source: FrameTable;
  readonly #number: Int32Array;
  readonly #used: number[] = [];

  constructor(source: FrameTable) {
    this.#source = source;
    this.#number = new Int32Array(source.count).fill(NONE);
  }

  use(frame: number): number {
    const known = this.#number[frame] as number;
    if (known !== NONE) return known;
    this.#number[frame] = this.#used.length;
    this.#used.push(frame);
    return this.#used.length - 1;
  }

  table(): FrameTable {
    const source = this.#source;
    const used = this.#used;
    return {
      count: used.length,
      idHigh: Uint32Array.from(used, (f) => source.idHigh[f] as number),
      idLow: Uint32Array.from(used, (f) => source.idLow[f] as number),
      frame: (index) => source.frame(used[index] as number),
    };
  }
}
