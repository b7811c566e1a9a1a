import type { Frame } from '../model/frame.js';
import { NO_SAMPLE_LABELS, type SampleLabels } from '../model/sample-labels.js';

/**
 * The symbols of one segment, or of one service of one block, as parallel arrays. Everything that merges stacks
 * (level-0 queries, compaction, block queries) reads this shape.
 *
 * Invariants, checked when read from disk: node 0 is the root with parent -1 and frame -1; a node's parent has a
 * smaller number; frames, nodes and label sets that are referred to exist; label set 0 is the empty one.
 */
export interface SymbolSource {
  readonly frames: FrameTable;
  readonly nodes: NodeTable;
  readonly keys: KeyTable;
  readonly labelSets: LabelSetTable;
}

/** Frames by number. Content ids as two 32-bit halves, because a bigint a frame is too slow to merge by. */
export interface FrameTable {
  readonly count: number;
  readonly idHigh: Uint32Array;
  readonly idLow: Uint32Array;
  /** Content of frame `index`; built on demand, so call it for the few frames that decide or are shown. */
  frame(index: number): Frame;
}

/** A prefix trie: node n stands for the stacktrace of its parent followed by `frame[n]` (root first). */
export interface NodeTable {
  readonly count: number;
  readonly parent: Int32Array;
  readonly frame: Int32Array;
}

/** A key is a distinct (stacktrace, sample labels). */
export interface KeyTable {
  readonly count: number;
  readonly node: Int32Array;
  readonly labelSet: Int32Array;
}

/** Arrays as long as their counts say: what grows later, as the symbols of an open segment do, shows as it is now. */
export function asOfNow(symbols: SymbolSource): SymbolSource {
  const { nodes, keys } = symbols;
  if (nodes.parent.length === nodes.count && keys.node.length === keys.count) return symbols;
  return {
    ...symbols,
    nodes: {
      count: nodes.count,
      parent: nodes.parent.subarray(0, nodes.count),
      frame: nodes.frame.subarray(0, nodes.count),
    },
    keys: {
      count: keys.count,
      node: keys.node.subarray(0, keys.count),
      labelSet: keys.labelSet.subarray(0, keys.count),
    },
  };
}

/** No labels at all. */
export const NO_LABEL_SETS: LabelSetTable = {
  count: 1,
  key: () => '',
  labels: () => NO_SAMPLE_LABELS,
};

/** Keys that end at `node` and all have the empty label set. */
export function withoutLabels(node: Int32Array): Pick<SymbolSource, 'keys' | 'labelSets'> {
  const { length: count } = node;
  return { keys: { count, node, labelSet: new Int32Array(count) }, labelSets: NO_LABEL_SETS };
}

/** The keys of `stacks` with label sets of their own. */
export function labelled<T extends Pick<SymbolSource, 'keys' | 'labelSets'>>(
  stacks: T,
  { labelSet, labelSets }: { readonly labelSet: Int32Array; readonly labelSets: LabelSetTable },
): T {
  return { ...stacks, keys: { ...stacks.keys, labelSet }, labelSets };
}

export interface LabelSetTable {
  readonly count: number;
  /** Text key of label set `index` (model/sample-labels.ts); '' for 0. */
  key(index: number): string;
  labels(index: number): SampleLabels;
}
