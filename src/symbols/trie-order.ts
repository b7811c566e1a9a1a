/** Whether symbols are numbered depth-first already, as those of blocks are: then much can be spared. */
import type { FrameTable, KeyTable, LabelSetTable, NodeTable, SymbolSource } from './source.js';

const NONE = -1;

/**
 * True if nodes are numbered in preorder and the children of each by ascending content id, none twice: every (parent,
 * frame) is there once. False for a trie that has this order but two frames with one content id.
 */
export function isTrieInOrder(nodes: NodeTable, frames: FrameTable): boolean {
  const { count, parent, frame } = nodes;
  const { idHigh, idLow } = frames;
  for (let n = 1; n < count; n++) {
    const above = parent[n]!;
    // Down the path of the last node, which ends at the child before this one.
    let sibling = NONE;
    let at = n - 1;
    while (at > above) {
      sibling = at;
      at = parent[at]!;
    }
    if (at !== above) return false;
    if (sibling === NONE) continue;
    const a = frame[sibling]!;
    const b = frame[n]!;
    const high = idHigh[a]! - idHigh[b]!;
    if (high > 0 || (high === 0 && idLow[a]! >= idLow[b]!)) return false;
  }
  return true;
}

/**
 * True if the trie is in order, label sets are by text, and keys by node and label set. Where labels were left out or put
 * on, two of them may have become equal: then a key may be there twice, one after the other.
 */
export function areSymbolsInOrder({ nodes, frames, keys, labelSets }: SymbolSource): boolean {
  return (
    areLabelSetsInOrder(labelSets, 0) && areKeysInOrder(keys) && isTrieKnownInOrder(nodes, frames)
  );
}

interface Found {
  readonly count: number;
  readonly isInOrder: boolean;
}

const FOUND = new WeakMap<NodeTable, Found>();

/** Looks once at each table and size: that of a block is asked about again and again. */
function isTrieKnownInOrder(nodes: NodeTable, frames: FrameTable): boolean {
  const found = FOUND.get(nodes);
  if (found?.count === nodes.count) return found.isInOrder;
  const isInOrder = isTrieInOrder(nodes, frames);
  FOUND.set(nodes, { count: nodes.count, isInOrder });
  return isInOrder;
}

/** True if keys in order have none twice. */
export function areKeysDistinct({ count, node, labelSet }: KeyTable): boolean {
  for (let k = 1; k < count; k++) {
    if (node[k] === node[k - 1] && labelSet[k] === labelSet[k - 1]) return false;
  }
  return true;
}

function areKeysInOrder({ count, node, labelSet }: KeyTable): boolean {
  for (let k = 1; k < count; k++) {
    const step = node[k]! - node[k - 1]!;
    if (step < 0 || (step === 0 && labelSet[k]! < labelSet[k - 1]!)) return false;
  }
  return true;
}

/** By ascending text; with a `step` of 1 no two are equal. */
export function areLabelSetsInOrder(labelSets: LabelSetTable, step: 0 | 1): boolean {
  let last = labelSets.key(0);
  for (let set = 1; set < labelSets.count; set++) {
    const text = labelSets.key(set);
    if (text < last || (step === 1 && text === last)) return false;
    last = text;
  }
  return true;
}
