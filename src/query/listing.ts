/**
 * What there is: series, labels and profile types, restricted by selector and range. A block's series counts if its
 * first and last profile enclose any part of the range; a segment's if one of its profiles lies in the range.
 */
import type { SegmentView } from '../log/segment-view.js';
import {
  NOTHING_REMOVED,
  type Removals,
  removedKeys,
  type SeriesRemoval,
} from '../manifest/series-removal.js';
import { PROFILE_NAME, PROFILE_TYPE, SERVICE_NAME } from '../model/labels.js';
import { profileTypesOf } from '../model/profile-type.js';
import type { Series } from '../model/series.js';
import type { ProfileTypeInfo, SeriesLabels } from './api.js';
import type { LabelSetTable } from '../symbols/source.js';
import type { BlockHandle, LabelSetBudget } from './block-handle.js';
import type { Stoppable } from './key-filter.js';
import {
  keepsSample,
  labelSetSubset,
  liveLabelSets,
  type RemovableProfile,
} from './live-profiles.js';
import type { TimeRange } from './plan.js';
import { CHECKED_SETS } from './sample-groups.js';
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
  /** Label sets of samples of the listed series, each table once; empty unless asked for. */
  readonly labelSets: readonly LabelSetTable[];
  /** Throws when the query shall stop. */
  readonly check: () => void;
}

export interface ListRequest {
  readonly selector: CompiledSelector;
  readonly range: TimeRange;
  /** Whether the answer needs the samples' own labels: reads symbols. */
  readonly needsLabelSets: boolean;
  readonly budget: LabelSetBudget & Stoppable;
}

interface ListedBlockSeries {
  readonly series: Series;
  readonly number: number;
  /** Where it may take something. */
  readonly removal: SeriesRemoval | undefined;
}

export class ListingBuilder {
  readonly #request: ListRequest;
  readonly #byKey = new Map<string, { series: Series; columns: Set<number> }>();
  readonly #labelSets = new Set<LabelSetTable>();
  #held = 0;

  constructor(request: ListRequest) {
    this.#request = request;
  }

  /** Adds what a block has; true if it had something. */
  async addBlock(handle: BlockHandle, removals: Removals): Promise<boolean> {
    const { range, budget } = this.#request;
    const byService = new Map<string, ListedBlockSeries[]>();
    for (const [number, { series, startNsMin, startNsMax }] of (await handle.series()).entries()) {
      if (startNsMin >= range.endNs || startNsMax < range.startNs) continue;
      const known = byService.get(series.service);
      const found = removals.of(series);
      const removal = found?.overlaps(startNsMin, startNsMax) === true ? found : undefined;
      const entry = { series, number, removal };
      if (known === undefined) byService.set(series.service, [entry]);
      else known.push(entry);
    }
    let added = false;
    for (const [service, list] of byService) {
      for (const { series, number, removal } of list) {
        const matched = this.#match(series);
        if (matched.length === 0) continue;
        const needsSets = this.#needsSets(matched);
        let sets = needsSets ? (await handle.symbols(service, budget)).labelSets : undefined;
        if (removal !== undefined) {
          const touched = { service, number, removal };
          const live = await liveLabelSets(handle, touched, { range, needsSets, budget });
          if (live === undefined) continue;
          if (sets !== undefined) sets = labelSetSubset(sets, (set) => live[set] === 1);
        }
        if (this.#take(series, matched, sets)) added = true;
      }
    }
    return added;
  }

  /** Adds what a segment has of one tenant; true if it had something. */
  addSegment(view: SegmentView, tenantId: string, removals: Removals): boolean {
    const { profiles } = view;
    const removalOf = view.series.map(({ series }) => removals.of(series));
    const live: RemovableProfile[][] = view.series.map(() => []);
    for (let profile = 0; profile < profiles.count; profile++) {
      const start = profiles.startNs[profile]!;
      if (start < this.#request.range.startNs || start >= this.#request.range.endNs) continue;
      const series = profiles.series[profile]!;
      const removed = removalOf[series]?.at(start) ?? NOTHING_REMOVED;
      if (keepsSample({ view, profile, removed })) live[series]!.push({ view, profile, removed });
    }
    let added = false;
    view.series.forEach(({ tenantId: owner, series }, number) => {
      const own = live[number]!;
      if (owner !== tenantId || own.length === 0) return;
      const matched = this.#match(series);
      const sets = matched.length > 0 && this.#needsSets(matched) ? ownLabelSets(own) : undefined;
      if (this.#take(series, matched, sets)) added = true;
    });
    return added;
  }

  #needsSets(matched: readonly { readonly deferred: CompiledSelector }[]): boolean {
    return this.#request.needsLabelSets || matched.some((m) => m.deferred.length > 0);
  }

  finish(): Listing {
    const series = [...this.#byKey.entries()]
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
      .map(([, s]) => ({ series: s.series, columns: [...s.columns].sort((a, b) => a - b) }));
    const { budget } = this.#request;
    return { series, labelSets: [...this.#labelSets], check: () => budget.check() };
  }

  #match(series: Series): readonly { column: number; deferred: CompiledSelector }[] {
    return typeIdsOf(series).flatMap((typeId, column) => {
      const deferred = matchSeries(this.#request.selector, series, typeId);
      return deferred === undefined ? [] : [{ column, deferred }];
    });
  }

  #maskOf(deferred: CompiledSelector, sets: LabelSetTable): Uint8Array | undefined {
    return labelSetMask(deferred, sets, () => this.#request.budget.check());
  }

  #hold(sets: LabelSetTable): void {
    if (this.#labelSets.has(sets)) return;
    this.#labelSets.add(sets);
    this.#held += sets.count;
    this.#request.budget.checkLabelSets(this.#held);
  }

  #take(
    series: Series,
    matched: readonly { column: number; deferred: CompiledSelector }[],
    sets: LabelSetTable | undefined,
  ): boolean {
    let added = false;
    for (const { column, deferred } of matched) {
      const mask = sets === undefined ? undefined : this.#maskOf(deferred, sets);
      if (mask?.includes(1) === false) continue;
      const key = keyOfSeries(series);
      const known = this.#byKey.get(key) ?? { series, columns: new Set<number>() };
      known.columns.add(column);
      this.#byKey.set(key, known);
      if (sets !== undefined && this.#request.needsLabelSets) {
        this.#hold(mask === undefined ? sets : labelSetSubset(sets, (set) => mask[set] === 1));
      }
      added = true;
    }
    return added;
  }
}

/** The label sets of one series' samples: a segment is shared by tenants, so none of others may show. */
function ownLabelSets(profiles: readonly RemovableProfile[]): LabelSetTable {
  const { view } = profiles[0]!;
  const { labelSets, keys } = view.symbols;
  const used = new Uint8Array(labelSets.count);
  const { batch, firstRow, rowCount } = view.profiles;
  for (const { profile, removed } of profiles) {
    const gone = removed === 'all' ? undefined : removedKeys(removed, view.symbols);
    const { key } = view.batches[batch[profile]!]!;
    const first = firstRow[profile]!;
    for (let i = first; i < first + rowCount[profile]!; i++) {
      if (gone === undefined || gone[key[i]!] === 0) used[keys.labelSet[key[i]!]!] = 1;
    }
  }
  return labelSetSubset(labelSets, (set) => used[set] === 1);
}

/** Those of the sets whose text has `part`, as far as that tells; the others need not be taken apart. */
function* sampleLabels(listing: Listing, part = ''): Iterable<{ name: string; value: string }> {
  for (const sets of listing.labelSets) {
    for (let index = 0; index < sets.count; index++) {
      if (index % CHECKED_SETS === 0) listing.check();
      if (sets.key(index).includes(part)) yield* sets.labels(index).strings;
    }
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
  for (const label of sampleLabels(listing, JSON.stringify(name))) {
    if (label.name === name && label.value !== '') values.add(label.value);
  }
  return [...values].sort();
}

/** The profile types of the series, sorted by id. */
export function listProfileTypes(listing: Listing): readonly ProfileTypeInfo[] {
  const byId = new Map<string, ProfileTypeInfo>();
  for (const { series, columns } of listing.series) {
    const types = profileTypesOf(series);
    for (const column of columns) {
      const id = typeIdsOf(series)[column];
      const type = types[column];
      const temporality = series.sampleTypes[column]?.temporality;
      if (id === undefined || type === undefined || temporality === undefined) continue;
      if (!byId.has(id)) byId.set(id, { id, ...type, temporality });
    }
  }
  return [...byId.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** One for each series and value column. */
export function listSeries(listing: Listing): readonly SeriesLabels[] {
  return listing.series.flatMap(({ series, columns }) =>
    columns.map((column) => ({
      ...Object.fromEntries(series.labels.map((label) => [label.name, label.value])),
      [SERVICE_NAME]: series.service,
      [PROFILE_NAME]: series.profileName,
      [PROFILE_TYPE]: typeIdsOf(series)[column] ?? '',
    })),
  );
}
