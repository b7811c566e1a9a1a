/**
 * Depth-first numbering of a trie, in linear time but for one sort of the distinct frames.
 *
 * Frames are ranked by content id (content breaks a tie). Nodes are bucketed by rank, then dealt to their parents in
 * that order, which leaves each parent's children sorted without a comparison. Keys are dealt to their nodes by the
 * rank of their label set in the same way. One preorder walk then gives every number: a node's own keys come before
 * those of its children, so that a subtree is an interval of keys.
 */
import type { Frame } from '../model/frame.js';
import { neededNodes } from './needed-nodes.js';
import type { FrameTable, LabelSetTable, SymbolSource } from './source.js';

const NONE = -1;

/** The result of a merge, in depth-first order. */
export interface MergedSymbols {
  readonly symbols: SymbolSource;
  /** Final key number of each merged key, by the number that `add` gave. */
  readonly remap: Int32Array;
}

export function numberDepthFirst(source: SymbolSource, sampled?: Uint8Array): MergedSymbols {
  const { nodes, keys } = source;
  const needed = neededNodes(source, sampled);
  const children = dealNodes(source, needed);
  const labelRank = rankLabelSets(source, sampled);
  const nodeKeys = dealKeys(source, labelRank, sampled);

  let nodeCount = 0;
  let keyCount = 0;
  for (let n = 0; n < nodes.count; n++) nodeCount += needed[n] as number;
  for (let k = 0; k < keys.count; k++) if (sampled === undefined || sampled[k] !== 0) keyCount++;
  const parent = new Int32Array(nodeCount);
  const frame = new Int32Array(nodeCount);
  const keyNode = new Int32Array(keyCount);
  const keyLabelSet = new Int32Array(keyCount);
  const remap = new Int32Array(keys.count).fill(NONE);
  const newNode = new Int32Array(nodes.count).fill(NONE);
  const frames = new CompactFrames(source.frames);

  // Preorder with an explicit stack: children are pushed in reverse, so the first is visited first.
  const stack = new Int32Array(nodeCount + 1);
  let depth = 1;
  let nextNode = 0;
  let nextKey = 0;
  while (depth > 0) {
    const n = stack[--depth] as number;
    const number = nextNode++;
    newNode[n] = number;
    parent[number] = n === 0 ? NONE : (newNode[nodes.parent[n] as number] as number);
    frame[number] = n === 0 ? NONE : frames.use(nodes.frame[n] as number);
    for (let i = nodeKeys.start[n] as number; i < (nodeKeys.start[n + 1] as number); i++) {
      const k = nodeKeys.items[i] as number;
      remap[k] = nextKey;
      keyNode[nextKey] = number;
      keyLabelSet[nextKey++] = labelRank.rank[keys.labelSet[k] as number] as number;
    }
    const first = children.start[n] as number;
    for (let i = (children.start[n + 1] as number) - 1; i >= first; i--) {
      stack[depth++] = children.items[i] as number;
    }
  }
  return {
    symbols: {
      frames: frames.table(),
      nodes: { count: nodeCount, parent, frame },
      keys: { count: keyCount, node: keyNode, labelSet: keyLabelSet },
      labelSets: labelRank.table,
    },
    remap,
  };
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

function rankLabelSets(
  source: SymbolSource,
  sampled: Uint8Array | undefined,
): { rank: Int32Array; table: LabelSetTable } {
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
  labelRank: { rank: Int32Array; table: LabelSetTable },
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
