/** What stands behind an answer. */
import { isWider } from '../block/sums.js';
import type { RollupWidth } from '../model/rollup-width.js';
import type { MissingPart, QueryStats } from './api.js';
import type { QueryContext } from './context.js';
import type { SelectedSources } from './snapshot.js';
import { profileCount } from './source.js';

/** What any of several answers missed, each part once. */
export function missingOf(
  answers: readonly { readonly missing: readonly MissingPart[] }[],
): readonly MissingPart[] {
  const parts = answers.flatMap(({ missing }) => missing);
  return [...new Map(parts.map((missing) => [missing.part, missing])).values()];
}

/** Rows of samples that a merge of all that is selected reads. */
export function rowsOf(selected: SelectedSources): number {
  let rows = 0;
  for (const source of selected.sources) {
    if (source.rolledUp !== undefined) continue;
    for (const slice of source.slices) rows += source.rowCount(slice);
  }
  return rows;
}

export function statsOf(
  selected: SelectedSources,
  context: QueryContext,
  rows: number,
): QueryStats {
  let profiles = 0;
  let tiles = 0;
  let tileRows = 0;
  let widest: RollupWidth | undefined;
  for (const source of selected.sources) {
    for (const slice of source.slices) profiles += profileCount(source.profiles, slice);
    if (source.sums !== undefined && isWider(source.sums, widest)) widest = source.sums;
    if (source.rolledUp === undefined) continue;
    tiles += source.rolledUp.tiles;
    for (const slice of source.slices) tileRows += source.rowCount(slice);
  }
  return {
    profiles,
    series: selected.series.length,
    rows,
    tiles,
    tileRows,
    blocks: selected.blocks,
    segments: selected.segments,
    sums: widest ?? '',
    missing: context.missing,
  };
}
