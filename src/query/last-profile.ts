/** The last profile of each series by (start, id). Ids are read only where starts are equal. */
import type { QueryContext } from './context.js';
import type { ProfileSource, QuerySeries, Slice } from './source.js';

interface Piece {
  readonly source: ProfileSource;
  readonly slices: readonly Slice[];
}

/** The pieces with each series cut down to its last profile. */
export async function lastProfiles(
  pieces: readonly Piece[],
  context: QueryContext,
): Promise<readonly Piece[]> {
  const last = new Map<QuerySeries, { source: ProfileSource; slice: Slice }>();
  for (const { source, slices } of pieces) {
    for (const slice of slices) {
      const best = last.get(slice.series);
      const mine = { source, slice: { ...slice, first: slice.end - 1 } };
      if (best === undefined || (await isLater(mine, best, context))) last.set(slice.series, mine);
    }
  }
  const bySource = new Map<ProfileSource, Slice[]>();
  for (const { source, slice } of last.values()) {
    const known = bySource.get(source);
    if (known === undefined) bySource.set(source, [slice]);
    else known.push(slice);
  }
  return [...bySource].map(([source, slices]) => ({
    source,
    slices: slices.sort((a, b) => a.first - b.first),
  }));
}

interface Candidate {
  readonly source: ProfileSource;
  readonly slice: Slice;
}

async function isLater(a: Candidate, b: Candidate, context: QueryContext): Promise<boolean> {
  const x = a.source.profiles.startNs[a.slice.first]!;
  const y = b.source.profiles.startNs[b.slice.first]!;
  if (x !== y) return x > y;
  const idOf = async ({ source, slice }: Candidate): Promise<string | undefined> =>
    context.part(source.part, async () => (await source.ids(context.signal))[slice.first] ?? '');
  return ((await idOf(a)) ?? '') > ((await idOf(b)) ?? '');
}
