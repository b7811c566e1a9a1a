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
 * The result is in depth-first order if every part is or, as that takes less memory, if those that are not have more than
 * `manyNodes` nodes; else parents come before children, and the rest depends on the order of the parts. Throws what `check`
 * throws.
 */
export function mergeParts(
  parts: readonly SymbolPart[],
  settings: MergeSettings,
  manyNodes = WIDE_NODES,
): MergedParts {
  const isInOrder = parts.map(({ symbols }) => areSymbolsInOrder(symbols));
  let looseNodes = 0;
  parts.forEach(({ symbols }, i) => {
    if (isInOrder[i] === false) looseNodes += symbols.nodes.count;
  });
  if (parts.length > 0 && looseNodes === 0) return mergeInOrder(parts, settings);
  const ordered = looseNodes > manyNodes ? putInOrder(parts, isInOrder, settings) : undefined;
  return ordered ?? mergeInAnyOrder(parts, isInOrder, settings);
}

/** Orders what is not in order, a part at a time; undefined if two children of a node have frames of one content id. */
function putInOrder(
  parts: readonly SymbolPart[],
  isInOrder: readonly boolean[],
  settings: MergeSettings,
): MergedParts | undefined {
  const ordered: (SymbolPart & { readonly remap?: Int32Array })[] = [];
  for (const [i, part] of parts.entries()) {
    if (isInOrder[i] === true) {
      ordered.push(part);
      continue;
    }
    const one = orderDepthFirst(part.symbols, part.wanted);
    if (part.symbols.nodes.count > WIDE_NODES) releaseMemory();
    if (!areSymbolsInOrder(one.symbols)) return undefined;
    ordered.push(one);
  }
  const { symbols, keyOf } = mergeInOrder(ordered, settings);
  ordered.forEach(({ remap }, i) => {
    // From the numbers that the part came with.
    if (remap !== undefined) keyOf[i] = replaceEach(remap, keyOf[i]!);
  });
  return { symbols, keyOf };
}

function mergeInAnyOrder(
  parts: readonly SymbolPart[],
  isInOrder: readonly boolean[],
  settings: MergeSettings,
): MergedParts {
  const merger = new SymbolMerger(settings.frames);
  const add = ({ symbols, wanted }: SymbolPart): Int32Array => {
    const map = merger.add(symbols, wanted);
    settings.check?.(merger.nodeCount);
    settings.checkLabelSets?.(merger.labelSetCount);
    return map;
  };
  const keyOf: Int32Array[] = [];
  const ordered = parts.flatMap((part, i) => (isInOrder[i] === true ? [{ part, i }] : []));
  if (ordered.length > 0) {
    // The many blocks of a range as one, before the few segments.
    const merged = mergeInOrder(
      ordered.map(({ part }) => part),
      settings,
    );
    const final = add(merged);
    ordered.forEach(({ i }, at) => {
      keyOf[i] = replaceEach(merged.keyOf[at]!, final);
    });
  }
  parts.forEach((part, i) => {
    if (isInOrder[i] === false) keyOf[i] = add(part);
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
