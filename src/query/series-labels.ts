/** Labels of series put on their samples, where an answer tells samples apart by them. */
import {
  canonicalSampleLabels,
  type SampleLabels,
  sampleLabelsKey,
  type StringLabel,
} from '../model/sample-labels.js';
import { checkGroups } from './sample-groups.js';
import { seriesLabel } from '../symbols/select.js';
import { LabelSetPool } from '../symbols/merge.js';
import { labelled, type SymbolSource } from '../symbols/source.js';
import type { QuerySeries } from './source.js';

/** The labels of `names` that the series has. */
export function labelsOfSeries(
  { series, typeId }: QuerySeries,
  names: readonly string[],
): readonly StringLabel[] {
  return names.flatMap((name) => {
    const value = seriesLabel(series, typeId, name);
    return value === undefined ? [] : [{ name, value }];
  });
}

/**
 * `symbols` with no labels but those of `names`, as far as `wanted` keys go: label sets that have become equal are one. Throws
 * `limit` PS_QUERY_GROUPS.
 */
export function onlyLabels(
  symbols: SymbolSource,
  names: readonly string[],
  wanted: Uint8Array,
): SymbolSource {
  const { keys, labelSets } = symbols;
  if (labelSets.count === 1) return symbols;
  const pool = new LabelSetPool();
  const numberOf = new Int32Array(labelSets.count);
  const isUsed = new Uint8Array(labelSets.count);
  for (let k = 0; k < keys.count; k++) if (wanted[k] !== 0) isUsed[keys.labelSet[k]!] = 1;
  for (let set = 1; set < labelSets.count; set++) {
    if (isUsed[set] === 0) continue;
    const { strings, numbers } = labelSets.labels(set);
    const isNamed = ({ name }: { readonly name: string }): boolean => names.includes(name);
    const kept = { strings: strings.filter(isNamed), numbers: numbers.filter(isNamed) };
    numberOf[set] = pool.intern(sampleLabelsKey(canonicalSampleLabels(kept)));
    checkGroups(names, pool.count - 1);
  }
  const labelSet = keys.labelSet.subarray(0, keys.count).map((set) => numberOf[set]!);
  return labelled(symbols, { labelSet, labelSets: pool });
}

const MADE = new WeakMap<SymbolSource, Map<string, SymbolSource>>();

/** `symbols` with `labels` on every key, in place of labels of those names. The same object for equal labels. */
export function withLabels(symbols: SymbolSource, labels: readonly StringLabel[]): SymbolSource {
  if (labels.length === 0) return symbols;
  const known = MADE.get(symbols) ?? new Map<string, SymbolSource>();
  MADE.set(symbols, known);
  const text = JSON.stringify(labels);
  let made = known.get(text);
  if (made === undefined) {
    const { labelSets } = symbols;
    const names = new Set(labels.map((l) => l.name));
    const labelled = (index: number): SampleLabels => {
      const { strings, numbers } = labelSets.labels(index);
      const own = strings.filter((l) => !names.has(l.name));
      return canonicalSampleLabels({ strings: [...own, ...labels], numbers });
    };
    made = {
      ...symbols,
      labelSets: {
        count: labelSets.count,
        labels: labelled,
        key: (index) => sampleLabelsKey(labelled(index)),
      },
    };
    known.set(text, made);
  }
  return made;
}
