/** A selection cut down to profiles with given ids. */
import type { QueryContext } from './context.js';
import type { SelectedSources } from './snapshot.js';
import type { ProfileSource, QuerySeries, ScanCall, Slice } from './source.js';

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

class NarrowedSource implements ProfileSource {
  readonly slices: readonly Slice[];
  readonly #source: ProfileSource;

  constructor(source: ProfileSource, slices: readonly Slice[]) {
    this.#source = source;
    this.slices = slices;
  }

  get part() {
    return this.#source.part;
  }

  get profiles() {
    return this.#source.profiles;
  }

  symbols() {
    return this.#source.symbols();
  }

  stacks() {
    return this.#source.stacks();
  }

  ids(signal: AbortSignal) {
    return this.#source.ids(signal);
  }

  metadata() {
    return this.#source.metadata();
  }

  rowCount(slice: Slice) {
    return this.#source.rowCount(slice);
  }

  magnitude(column: number) {
    return this.#source.magnitude(column);
  }

  totals(column: number) {
    return this.#source.totals(column);
  }

  scan(call: ScanCall, visit: Parameters<ProfileSource['scan']>[1]) {
    return this.#source.scan(call, visit);
  }

  scanProfiles(call: ScanCall, visit: Parameters<ProfileSource['scanProfiles']>[1]) {
    return this.#source.scanProfiles(call, visit);
  }
}
