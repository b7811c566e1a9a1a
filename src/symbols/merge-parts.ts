/** Merges symbols by the way that suits their order. */
import { SymbolMerger } from './merge.js';
import {
  type MergedParts,
  mergeInOrder,
  type MergeSettings,
  type SymbolPart,
} from './merge-in-order.js';
import { areSymbolsInOrder } from './trie-order.js';

/**
 * The result is in depth-first order if every part is; else parents come before children, and the rest depends on the
 * order of the parts. Throws what `check` throws.
 */
export function mergeParts(parts: readonly SymbolPart[], settings: MergeSettings): MergedParts {
  const isInOrder = parts.map(({ symbols }) => areSymbolsInOrder(symbols));
  if (parts.length > 0 && isInOrder.every(Boolean)) return mergeInOrder(parts, settings);
  const merger = new SymbolMerger(settings.frames);
  const add = ({ symbols, wanted }: SymbolPart): Int32Array => {
    const keyOf = merger.add(symbols, wanted);
    settings.check?.(merger.nodeCount);
    return keyOf;
  };
  const keyOf: Int32Array[] = [];
  const ordered = parts.flatMap((_, i) => (isInOrder[i] === true ? [i] : []));
  if (ordered.length > 0) {
    const merged = mergeInOrder(
      ordered.map((i) => parts[i]!),
      settings,
    );
    const final = add(merged);
    merged.keyOf.forEach((own, at) => {
      replaceEach(own, final);
      keyOf[ordered[at]!] = own;
    });
  }
  parts.forEach((part, i) => {
    if (isInOrder[i] === false) keyOf[i] = add(part);
  });
  merger.rest();
  return { symbols: merger.provisional(), keyOf };
}

/** Each number of `keyOf` by what `remap` makes of it; -1 stays. */
export function replaceEach(keyOf: Int32Array, remap: Int32Array): void {
  for (let k = 0; k < keyOf.length; k++) {
    const merged = keyOf[k]!;
    if (merged >= 0) keyOf[k] = remap[merged]!;
  }
}
