/** The profiles of a selection by time: where they begin and end, the last ones, and of which series they are. */
import type { ProfileItem, QueryStats, SeriesLabels } from './api.js';
import type { QueryContext } from './context.js';
import { type Item, labelsOf, namedItems } from './items.js';

export interface Timeline {
  readonly unit: string;
  readonly count: number;
  /** Starts of the first and the last, unix milliseconds; undefined where there is none. */
  readonly firstMs: number | undefined;
  readonly lastMs: number | undefined;
  /** The last ones, in order of time. */
  readonly last: readonly ProfileItem[];
  /** Different labels of the series that they are of. */
  readonly labels: readonly SeriesLabels[];
  readonly stats: QueryStats;
}

export async function timelineOf(
  items: readonly Item[],
  of: {
    readonly lastMax: number;
    readonly context: QueryContext;
    readonly unit: string;
    readonly stats: QueryStats;
  },
): Promise<Timeline> {
  const { lastMax, context, unit, stats } = of;
  const ordered = [...items].sort((a, b) =>
    a.startNs < b.startNs ? -1 : a.startNs > b.startNs ? 1 : 0,
  );
  const labels = new Map<string, SeriesLabels>();
  for (const series of new Set(ordered.map((item) => item.series))) {
    const own = labelsOf(series);
    labels.set(JSON.stringify(Object.entries(own).sort()), own);
  }
  const startMs = (item: Item | undefined): number | undefined =>
    item === undefined ? undefined : Number(item.startNs / 1_000_000n);
  return {
    unit,
    count: items.length,
    firstMs: startMs(ordered[0]),
    lastMs: startMs(ordered.at(-1)),
    last: lastMax === 0 ? [] : await namedItems(ordered.slice(-lastMax), context),
    labels: [...labels.values()],
    stats,
  };
}
