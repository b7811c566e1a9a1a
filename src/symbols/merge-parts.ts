/** Merges symbols of any order. */
import { orderDepthFirst } from './depth-first.js';
import { SymbolMerger } from './merge.js';
import {
  type MergedParts,
  mergeInOrder,
  type MergeSettings,
  type SymbolPart,
} from './merge-in-order.js';
import { releaseMemory, WIDE_NODES } from '../env/release-memory.js';
import { areSymbolsInOrder } from './trie-order.js';

/**
 * What is not in depth-first order, as the symbols of segments, is put into it first. The result is in that order as
 * well, except where two frames share a content id. Throws what `check` throws.
 */
export function mergeParts(parts: readonly SymbolPart[], settings: MergeSettings): MergedParts {
  if (parts.length === 0) return mergeInAnyOrder(parts, settings);
  const ordered = parts.map(inOrder);
  if (!ordered.every((part) => part !== undefined)) return mergeInAnyOrder(parts, settings);
  const { symbols, keyOf } = mergeInOrder(ordered, settings);
  ordered.forEach(({ remap }, i) => {
    if (remap !== undefined) keyOf[i] = replaceEach(remap, keyOf[i]!);
  });
  return { symbols, keyOf };
}

interface OrderedPart extends SymbolPart {
  /** From the numbers that the part came with; undefined if it has them still. */
  readonly remap: Int32Array | undefined;
}

/** Undefined if two children of a node have frames of one content id. */
function inOrder(part: SymbolPart): OrderedPart | undefined {
  if (areSymbolsInOrder(part.symbols)) return { ...part, remap: undefined };
  const ordered = orderDepthFirst(part.symbols, part.wanted);
  if (part.symbols.nodes.count > WIDE_NODES) releaseMemory();
  return areSymbolsInOrder(ordered.symbols) ? ordered : undefined;
}

function mergeInAnyOrder(parts: readonly SymbolPart[], settings: MergeSettings): MergedParts {
  const merger = new SymbolMerger(settings.frames);
  const keyOf = parts.map(({ symbols, wanted }) => {
    const map = merger.add(symbols, wanted);
    settings.check?.(merger.nodeCount);
    return map;
  });
  merger.rest();
  return { symbols: merger.provisional(), keyOf };
}

/** Each number of `keyOf` by what `remap` makes of it, in place; -1 stays. */
export function replaceEach(keyOf: Int32Array, remap: Int32Array): Int32Array {
  for (let k = 0; k < keyOf.length; k++) {
    const merged = keyOf[k]!;
    if (merged >= 0) keyOf[k] = remap[merged]!;
  }
  return keyOf;
}
