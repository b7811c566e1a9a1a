/**
 * How many profiles (or spans) had which value, step by step. The buckets are equally wide and the same for all series,
 * from the least to the greatest value; the last one holds the greatest value too.
 */
import { StoreError } from '../base/errors.js';
import type { Heatmap, HeatmapSeries } from './api.js';
import { byValue, type Item, namedItems } from './items.js';
import type { QueryContext } from './context.js';
import { checkGroups } from './sample-groups.js';

/** Items between two looks at the clock. */
const CHECKED_ITEMS = 256;

export interface HeatmapSettings {
  readonly groupBy: readonly string[];
  readonly startMs: number;
  readonly stepMs: number;
  readonly buckets: number;
  /** Whether each slot names its greatest item. */
  readonly withExemplars: boolean;
}

interface Slot {
  readonly step: number;
  readonly counts: Int32Array<ArrayBuffer>;
  greatest: Item;
}

interface Group {
  readonly labels: Readonly<Record<string, string>>;
  readonly slots: Map<number, Slot>;
}

export async function heatmapOf(
  items: readonly Item[],
  settings: HeatmapSettings,
  context: QueryContext,
): Promise<Pick<Heatmap, 'bucketStart' | 'series'>> {
  const { buckets, startMs, stepMs } = settings;
  const { least, width } = bounds(items, buckets);
  const groups = new Map<string, Group>();
  let counts = 0;
  for (const [i, item] of items.entries()) {
    if (i % CHECKED_ITEMS === 0) context.check();
    const key = JSON.stringify(Object.entries(item.group).sort(([a], [b]) => (a < b ? -1 : 1)));
    const group = groups.get(key) ?? { labels: item.group, slots: new Map<number, Slot>() };
    groups.set(key, group);
    checkGroups(settings.groupBy, groups.size);
    const step = Math.floor((Number(item.startNs / 1_000_000n) - startMs) / stepMs);
    let slot = group.slots.get(step);
    if (slot === undefined) {
      counts += buckets;
      checkPoints(counts, context);
      slot = { step, counts: new Int32Array(buckets), greatest: item };
      group.slots.set(step, slot);
    }
    const bucket = width === 0 ? 0 : Math.floor((Number(item.value) - least) / width);
    slot.counts[Math.min(bucket, buckets - 1)]!++;
    if (byValue(item, slot.greatest) < 0) slot.greatest = item;
  }
  context.check();
  const ordered = [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group);
  const slotsOf = ordered.map(({ slots }) => [...slots.values()].sort((a, b) => a.step - b.step));
  const greatest = settings.withExemplars ? slotsOf.flat().map((slot) => slot.greatest) : [];
  const exemplars = (await namedItems(greatest, context)).values();
  const series = ordered.map(
    ({ labels }, g): HeatmapSeries => ({
      labels,
      slots: slotsOf[g]!.map(({ step, counts: own }) => ({
        timestampMs: startMs + step * stepMs,
        counts: own,
        exemplar: exemplars.next().value,
      })),
    }),
  );
  return {
    bucketStart: Float64Array.from({ length: buckets }, (_, b) => least + b * width),
    series,
  };
}

/** Counts of all slots of all series are in memory, and in the answer. */
function checkPoints(counts: number, { budget }: QueryContext): void {
  if (counts <= budget.pointsMax) return;
  throw new StoreError({
    kind: 'limit',
    code: 'PS_QUERY_POINTS',
    message: `cannot make heatmap: got more than ${budget.pointsMax} counts of steps and buckets in all series; want fewer (a longer step, fewer buckets, or a label with fewer values)`,
  });
}

function bounds(
  items: readonly Item[],
  buckets: number,
): { readonly least: number; readonly width: number } {
  let least = Number.POSITIVE_INFINITY;
  let greatest = Number.NEGATIVE_INFINITY;
  for (const { value } of items) {
    least = Math.min(least, Number(value));
    greatest = Math.max(greatest, Number(value));
  }
  return items.length === 0
    ? { least: 0, width: 0 }
    : { least, width: (greatest - least) / buckets };
}
