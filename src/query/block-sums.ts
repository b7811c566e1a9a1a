/**
 * Which questions the sums of a block answer as the profiles did that they stand for. Where they do not, they are left out
 * and the answer says so.
 */
import { isGauge } from '../block/rollup-series.js';
import { sumWidthOf } from '../block/sums.js';
import type { BlockProfiles, BlockSums } from '../block/types.js';
import type { Series } from '../model/series.js';
import { type CompiledSelector, seriesLabel } from '../symbols/select.js';
import { aggregationOf } from './aggregate.js';
import type { Aggregation } from './api.js';

/** What a request asks of profiles that sums might not know. */
export interface SumUse {
  readonly aggregation: Aggregation | undefined;
  /** Labels by which the answer is told apart. */
  readonly labels: readonly string[];
  /** Whether profiles are counted, so that each must count whole or not at all. */
  readonly isCount: boolean;
}

/** What is known of a selected series before its profiles are. */
export interface SummedSeries {
  readonly series: Series;
  readonly typeId: string;
  readonly column: number;
  readonly deferred: CompiledSelector;
}

/** Undefined where nothing is to be left out. `use` is undefined for what needs each profile as it was sent. */
export function sumsLeftOut(
  sums: BlockSums | undefined,
  selector: CompiledSelector,
  use: SumUse | undefined,
): ((series: SummedSeries) => boolean) | undefined {
  if (sums === undefined) return undefined;
  const asked = [...selector.map((matcher) => matcher.name), ...(use?.labels ?? [])];
  if (use === undefined || asked.some((name) => sums.droppedLabels.includes(name))) {
    return () => true;
  }
  return ({ series, typeId, column, deferred }) => {
    const temporality = series.sampleTypes[column]?.temporality ?? 'delta';
    const aggregation = aggregationOf({ temporality }, use.aggregation);
    if (aggregation === 'last' || aggregation === 'max') return true;
    // An average is one of each series over its own profiles: of a gauge, whose sums keep the series apart.
    if (aggregation === 'avg' && !isGauge(series)) return true;
    if (!use.isCount) return false;
    const isKnown = (name: string): boolean => seriesLabel(series, typeId, name) !== undefined;
    return deferred.length > 0 || !use.labels.every(isKnown);
  };
}

/** The runs of [first, end) that are profiles as they were sent, and how many profiles the sums between them stand for. */
export function withoutSums(
  { flags, profileCounts }: Pick<BlockProfiles, 'flags' | 'profileCounts'>,
  { first, end }: { readonly first: number; readonly end: number },
): { readonly runs: readonly { first: number; end: number }[]; readonly leftOut: number } {
  const runs: { first: number; end: number }[] = [];
  let leftOut = 0;
  for (let p = first; p < end; p++) {
    if (sumWidthOf(flags[p]!) !== undefined) {
      leftOut += profileCounts?.[p] ?? 1;
      continue;
    }
    const last = runs.at(-1);
    if (last?.end === p) last.end = p + 1;
    else runs.push({ first: p, end: p + 1 });
  }
  return { runs, leftOut };
}
