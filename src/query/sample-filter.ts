/** Which samples of a profile count, by their own labels: what the selector left to decide, and what was deleted. */
import { removedLabelSets, type SampleRemoval } from '../manifest/series-removal.js';
import { type CompiledSelector, labelSetMask } from '../symbols/select.js';
import type { Stoppable } from './key-filter.js';
import type { LabelSetTable, SymbolSource } from '../symbols/source.js';

export interface SampleFilter {
  /** Matchers that are not about labels of the series. */
  readonly deferred: CompiledSelector;
  readonly removed: readonly SampleRemoval[];
}

/** Whether every sample passes, whatever its labels. */
export function isOpen({ deferred, removed }: SampleFilter): boolean {
  return deferred.length === 0 && removed.length === 0;
}

/** 1 for each label set that passes; undefined when all do. */
export function filteredLabelSets(
  { deferred, removed }: SampleFilter,
  labelSets: LabelSetTable,
  query: Stoppable,
): Uint8Array | undefined {
  const selected = labelSetMask(deferred, labelSets, () => query.check());
  const gone = removedLabelSets(removed, labelSets);
  if (gone === undefined) return selected;
  return gone.map((taken, set) => (taken === 0 && selected?.[set] !== 0 ? 1 : 0));
}

/** 1 for each key whose labels pass; undefined when all do. */
export function filteredKeys(
  filter: SampleFilter,
  symbols: SymbolSource,
  query: Stoppable,
): Uint8Array | undefined {
  const sets = filteredLabelSets(filter, symbols.labelSets, query);
  if (sets === undefined) return undefined;
  const { keys } = symbols;
  const mask = new Uint8Array(keys.count);
  for (let k = 0; k < keys.count; k++) mask[k] = sets[keys.labelSet[k]!]!;
  return mask;
}
