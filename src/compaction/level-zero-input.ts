/**
 * Puts the profiles of one tenant in several segments into the order of a block: by service, series, start and id,
 * each once, cut into aligned days.
 */
import type { SegmentView } from '../log/segment-view.js';
import {
  NOTHING_REMOVED,
  type ProfileRemoval,
  type Removals,
  removalRank,
} from '../manifest/series-removal.js';
import { type Series, seriesKey } from '../model/series.js';
import { UNKNOWN_SERVICE } from '../model/labels.js';

/** Profile `profile[i]` of view `view[i]`: parallel lists in order of (start, id). */
export interface ProfileRefs {
  readonly view: Int32Array;
  readonly profile: Int32Array;
  /** Aligned day of the start, days since 1970; ascending. */
  readonly day: Int32Array;
  /** What deletions take. Profiles that are gone whole are there for cumulative series only: the next one needs them. */
  readonly removed: readonly ProfileRemoval[];
}

export interface InputSeries {
  readonly series: Series;
  readonly seriesKey: string;
  readonly isCumulative: boolean;
  readonly refs: ProfileRefs;
}

export interface InputService {
  readonly service: string;
  /** Sorted by (profile name, series key). */
  readonly series: readonly InputSeries[];
}

export interface LevelZeroInput {
  readonly views: readonly SegmentView[];
  /** Sorted by name. */
  readonly services: readonly InputService[];
  /** Distinct days, ascending. */
  readonly days: readonly number[];
  readonly profileCount: number;
  /** Profiles left out because (series, start, id) was there already. */
  readonly duplicateCount: number;
}

export const DAY_NS = 86_400_000_000_000n;

interface OpenSeries {
  readonly series: Series;
  readonly seriesKey: string;
  readonly view: number[];
  readonly profile: number[];
  readonly removed: ProfileRemoval[];
}

export function gatherLevelZero(
  views: readonly SegmentView[],
  tenantId: string,
  removalsOf: (view: SegmentView) => Removals,
): LevelZeroInput {
  const open = collectSeries(views, tenantId, removalsOf);
  const byService = new Map<string, InputSeries[]>();
  const days = new Set<number>();
  let profileCount = 0;
  let duplicateCount = 0;
  for (const entry of open) {
    const refs = sortRefs(views, entry);
    duplicateCount += entry.profile.length - refs.profile.length;
    profileCount += refs.profile.length;
    for (const day of refs.day) days.add(day);
    const service = entry.series.service === '' ? UNKNOWN_SERVICE : entry.series.service;
    const list = byService.get(service) ?? [];
    byService.set(service, list);
    list.push({
      series: entry.series,
      seriesKey: entry.seriesKey,
      isCumulative: isCumulative(entry.series),
      refs,
    });
  }
  const services = [...byService]
    .sort(([a], [b]) => compareText(a, b))
    .map(([service, series]) => ({ service, series: series.sort(compareSeries) }));
  return { views, services, days: [...days].sort((a, b) => a - b), profileCount, duplicateCount };
}

function isCumulative(series: Series): boolean {
  return series.sampleTypes.some((t) => t.temporality === 'cumulative');
}

function collectSeries(
  views: readonly SegmentView[],
  tenantId: string,
  removalsOf: (view: SegmentView) => Removals,
): OpenSeries[] {
  const byKey = new Map<string, OpenSeries>();
  views.forEach((view, v) => {
    const removals = removalsOf(view);
    const local = view.series.map((entry) => {
      if (entry.tenantId !== tenantId) return undefined;
      const key = seriesKey(entry.series);
      let open = byKey.get(key);
      if (open === undefined) {
        open = { series: entry.series, seriesKey: key, view: [], profile: [], removed: [] };
        byKey.set(key, open);
      }
      return { open, removal: removals.of(entry.series), needsAll: isCumulative(entry.series) };
    });
    for (let p = 0; p < view.profiles.count; p++) {
      const target = local[view.profiles.series[p]!];
      if (target === undefined) continue;
      const { open, removal, needsAll } = target;
      const removed = removal?.at(view.profiles.startNs[p]!) ?? NOTHING_REMOVED;
      if (removed === 'all' && !needsAll) continue;
      open.view.push(v);
      open.profile.push(p);
      open.removed.push(removed);
    }
  });
  return [...byKey.values()].filter((open) => open.profile.length > 0);
}

function sortRefs(
  views: readonly SegmentView[],
  { view, profile, removed }: OpenSeries,
): ProfileRefs {
  const startOf = (i: number): bigint => views[view[i]!]!.profiles.startNs[profile[i]!]!;
  const idOf = (i: number): string => views[view[i]!]!.profiles.id[profile[i]!]!;
  const order = Array.from(profile.keys()).sort((a, b) => {
    const x = startOf(a);
    const y = startOf(b);
    if (x !== y) return x < y ? -1 : 1;
    return compareText(idOf(a), idOf(b)) || removalRank(removed[a]!) - removalRank(removed[b]!);
  });
  const kept = order.filter((i, at) => {
    if (at === 0) return true;
    const before = order[at - 1]!;
    return startOf(i) !== startOf(before) || idOf(i) !== idOf(before);
  });
  return {
    view: Int32Array.from(kept, (i) => view[i]!),
    profile: Int32Array.from(kept, (i) => profile[i]!),
    day: Int32Array.from(kept, (i) => dayOf(startOf(i))),
    removed: kept.map((i) => removed[i]!),
  };
}

/** Days since 1970, rounded down. */
export function dayOf(startNs: bigint): number {
  const day = startNs / DAY_NS;
  return Number(startNs % DAY_NS < 0n ? day - 1n : day);
}

function compareSeries(a: InputSeries, b: InputSeries): number {
  return (
    compareText(a.series.profileName, b.series.profileName) || compareText(a.seriesKey, b.seriesKey)
  );
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
