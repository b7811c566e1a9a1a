/** Whether symbols are numbered depth-first already, as those of blocks are: then much can be spared. */
import type { FrameTable, NodeTable, SymbolSource } from './source.js';

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
 * True if the trie is in order and no key is there twice, keys by ascending node and number of label set. False where
 * labels were put on the sets: then set 0 is not empty, or two sets have become equal.
 */
export function areSymbolsInOrder({ nodes, frames, keys, labelSets }: SymbolSource): boolean {
  const { count, node, labelSet } = keys;
  for (let k = 1; k < count; k++) {
    const step = node[k]! - node[k - 1]!;
    if (step < 0 || (step === 0 && labelSet[k]! <= labelSet[k - 1]!)) return false;
  }
  if (labelSets.key(0) !== '') return false;
  const texts = new Set<string>();
  for (let set = 0; set < labelSets.count; set++) texts.add(labelSets.key(set));
  return texts.size === labelSets.count && isTrieInOrder(nodes, frames);
}
