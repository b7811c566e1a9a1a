/**
 * What there is: series, labels and profile types, restricted by selector and range. A block's series counts if its
 * first and last profile enclose any part of the range; a segment's if one of its profiles lies in the range.
 */
import type { SegmentView } from '../log/segment-view.js';
import { PROFILE_NAME, PROFILE_TYPE, SERVICE_NAME } from '../model/labels.js';
import type { Series } from '../model/series.js';
import type { LabelSetTable } from '../symbols/source.js';
import type { BlockHandle } from './block-handle.js';
import type { TimeRange } from './plan.js';
import {
  type CompiledSelector,
  keyOfSeries,
  labelSetMask,
  matchSeries,
  seriesLabel,
  typeIdsOf,
} from '../symbols/select.js';

/** A series with the value columns that match. */
export interface ListedSeries {
  readonly series: Series;
  readonly columns: readonly number[];
}

export interface Listing {
  readonly series: readonly ListedSeries[];
  /** Label sets of samples of the listed series; empty unless asked for. */
  readonly labelSets: readonly LabelSetTable[];
}

export interface ListRequest {
  readonly selector: CompiledSelector;
  readonly range: TimeRange;
  /** Whether the answer needs the samples' own labels: reads symbols. */
  readonly needsLabelSets: boolean;
}

export class ListingBuilder {
  readonly #request: ListRequest;
  readonly #byKey = new Map<string, { series: Series; columns: Set<number> }>();
  readonly #labelSets: LabelSetTable[] = [];

  constructor(request: ListRequest) {
    this.#request = request;
  }

  /** Adds what a block has; true if it had something. */
  async addBlock(handle: BlockHandle): Promise<boolean> {
    const { range } = this.#request;
    const found = (await handle.series())
      .filter((s) => s.startNsMin < range.endNs && s.startNsMax >= range.startNs)
      .map((s) => s.series);
    const byService = new Map<string, Series[]>();
    for (const series of found) {
      const known = byService.get(series.service);
      if (known === undefined) byService.set(series.service, [series]);
      else known.push(series);
    }
    let added = false;
    for (const [service, list] of byService) {
      const matched = list.map((series) => this.#match(series));
      if (!matched.some((m) => m.length > 0)) continue;
      const needsSets =
        this.#request.needsLabelSets || matched.flat().some((m) => m.deferred.length > 0);
      const sets = needsSets ? (await handle.symbols(service)).labelSets : undefined;
      list.forEach((series, i) => {
        if (this.#take(series, matched[i] ?? [], sets)) added = true;
      });
    }
    return added;
  }

  /** Adds what a segment has of one tenant; true if it had something. */
  addSegment(view: SegmentView, tenantId: string): boolean {
    const { range } = this.#request;
    const { profiles } = view;
    const inRange = new Uint8Array(view.series.length);
    for (let p = 0; p < profiles.count; p++) {
      const start = profiles.startNs[p]!;
      if (start >= range.startNs && start < range.endNs) inRange[profiles.series[p]!] = 1;
    }
    let added = false;
    view.series.forEach(({ tenantId: owner, series }, number) => {
      if (owner !== tenantId || inRange[number] === 0) return;
      const matched = this.#match(series);
      const needsSets = this.#request.needsLabelSets || matched.some((m) => m.deferred.length > 0);
      const sets = matched.length > 0 && needsSets ? ownLabelSets(view, number, range) : undefined;
      if (this.#take(series, matched, sets)) added = true;
    });
    return added;
  }

  finish(): Listing {
    const series = [...this.#byKey.entries()]
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
      .map(([, s]) => ({ series: s.series, columns: [...s.columns].sort((a, b) => a - b) }));
    return { series, labelSets: this.#labelSets };
  }

  #match(series: Series): readonly { column: number; deferred: CompiledSelector }[] {
    return typeIdsOf(series).flatMap((typeId, column) => {
      const deferred = matchSeries(this.#request.selector, series, typeId);
      return deferred === undefined ? [] : [{ column, deferred }];
    });
  }

  #take(
    series: Series,
    matched: readonly { column: number; deferred: CompiledSelector }[],
    sets: LabelSetTable | undefined,
  ): boolean {
    let added = false;
    for (const { column, deferred } of matched) {
      const mask = sets === undefined ? undefined : labelSetMask(deferred, sets);
      if (mask?.includes(1) === false) continue;
      const key = keyOfSeries(series);
      const known = this.#byKey.get(key) ?? { series, columns: new Set<number>() };
      known.columns.add(column);
      this.#byKey.set(key, known);
      if (sets !== undefined && this.#request.needsLabelSets) {
        this.#labelSets.push(mask === undefined ? sets : subset(sets, (set) => mask[set] === 1));
      }
      added = true;
    }
    return added;
  }
}

/** The label sets of one series' samples in the range: a segment is shared by tenants, so none of others may show. */
function ownLabelSets(view: SegmentView, series: number, range: TimeRange): LabelSetTable {
  const { labelSets, keys } = view.symbols;
  const used = new Uint8Array(labelSets.count);
  const { profiles, batches } = view;
  for (let p = 0; p < profiles.count; p++) {
    const start = profiles.startNs[p]!;
    if (profiles.series[p] !== series || start < range.startNs || start >= range.endNs) continue;
    const { key } = batches[profiles.batch[p]!]!;
    const first = profiles.firstRow[p]!;
    for (let i = first; i < first + profiles.rowCount[p]!; i++) used[keys.labelSet[key[i]!]!] = 1;
  }
  return subset(labelSets, (set) => used[set] === 1);
}

function subset(sets: LabelSetTable, keep: (set: number) => boolean): LabelSetTable {
  const kept: number[] = [];
  for (let set = 0; set < sets.count; set++) if (keep(set)) kept.push(set);
  return {
    count: kept.length,
    key: (index) => sets.key(kept[index]!),
    labels: (index) => sets.labels(kept[index]!),
  };
}

/** Distinct label sets of a listing: the same table may be there for many series. */
function* sampleLabels(listing: Listing): Iterable<{ name: string; value: string }> {
  for (const sets of new Set(listing.labelSets)) {
    for (let index = 0; index < sets.count; index++) yield* sets.labels(index).strings;
  }
}

export function listLabelNames(listing: Listing): readonly string[] {
  const names = new Set<string>();
  if (listing.series.length > 0) {
    for (const name of [PROFILE_NAME, PROFILE_TYPE, SERVICE_NAME]) names.add(name);
  }
  for (const { series } of listing.series) for (const { name } of series.labels) names.add(name);
  for (const { name } of sampleLabels(listing)) names.add(name);
  return [...names].sort();
}

export function listLabelValues(listing: Listing, name: string): readonly string[] {
  const values = new Set<string>();
  for (const { series, columns } of listing.series) {
    for (const column of columns) {
      const value = seriesLabel(series, typeIdsOf(series)[column] ?? '', name);
      if (value !== undefined) values.add(value);
    }
  }
  for (const label of sampleLabels(listing)) {
    if (label.name === name && label.value !== '') values.add(label.value);
  }
  return [...values].sort();
}
