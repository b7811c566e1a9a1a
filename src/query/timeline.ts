/** The profiles of a selection by time: the first, the last, and of which series they are. */
import { keyOfSeries } from '../symbols/select.js';
import type { ProfileItem, QueryStats } from './api.js';
import type { QueryContext } from './context.js';
import { type Item, namedItems } from './items.js';

export interface Timeline {
  readonly unit: string;
  readonly count: number;
  /** Undefined where there is none. */
  readonly first: ProfileItem | undefined;
  /** In order of time, the last of all last. */
  readonly last: readonly ProfileItem[];
  /** One profile of each series, the first. */
  readonly ofSeries: readonly ProfileItem[];
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
  const bySeries = new Map<string, Item>();
  for (const item of ordered) {
    const key = keyOfSeries(item.series.series);
    if (!bySeries.has(key)) bySeries.set(key, item);
  }
  const [first] = await namedItems(ordered.slice(0, 1), context);
  return {
    unit,
    count: items.length,
    first,
    last: await namedItems(ordered.slice(-lastMax), context),
    ofSeries: await namedItems([...bySeries.values()], context),
    stats,
  };
}
