/** A selection cut down to profiles with given ids. */
import type { QueryContext } from './context.js';
import type { SelectedSources } from './snapshot.js';
import { NarrowedSource } from './narrowed-source.js';
import type { ProfileSource, QuerySeries, Slice } from './source.js';

/** The profiles of `selected` that have one of `ids`; counts of profiles follow. */
export async function withProfileIds(
  selected: SelectedSources,
  ids: readonly string[],
  context: QueryContext,
): Promise<SelectedSources> {
  const wanted = new Set(ids);
  for (const series of selected.series) series.profileCount = 0;
  const sources: ProfileSource[] = [];
  for (const source of selected.sources) {
    await context.part(source.part, async () => {
      const idOf = await source.ids(context.signal);
      const slices = source.slices.flatMap((slice) =>
        runsOf(slice, (position) => wanted.has(idOf[position] ?? '')),
      );
      for (const { series, first, end } of slices) series.profileCount += end - first;
      if (slices.length > 0) sources.push(new NarrowedSource(source, slices));
    });
  }
  const series = selected.series.filter((s: QuerySeries) => s.profileCount > 0);
  return { ...selected, sources, series };
}

function runsOf(slice: Slice, keeps: (position: number) => boolean): Slice[] {
  const runs: Slice[] = [];
  for (let p = slice.first; p < slice.end; p++) {
    if (!keeps(p)) continue;
    const last = runs.at(-1);
    if (last?.end === p) runs[runs.length - 1] = { ...last, end: p + 1 };
    else runs.push({ ...slice, first: p, end: p + 1 });
  }
  return runs;
}
