/**
 * Level 0 of one query: the selected profiles of the segments that no block covers, each once, and cumulative ones as
 * deltas.
 *
 * Steps: select series in every segment; collect their profiles (for a cumulative series all before the range's end,
 * because each delta needs the one before it); sort by (start, id) and drop repeated ones; then one source for each
 * segment, and one for all cumulative series together, whose keys are merged so that a stack is the same key in every
 * segment. Compaction runs the same deltas over the same profiles, so the numbers do not change when it has passed.
 */
import { RawRowsReader } from '../head/raw-rows.js';
import type { SegmentView } from '../log/segment-view.js';
import { CarryKeys, type ServiceCarry } from '../manifest/carry.js';
import {
  NOTHING_REMOVED,
  type Removals,
  removalRank,
  removedKeys,
} from '../manifest/series-removal.js';
import type { Series } from '../model/series.js';
import { keyContentIds } from '../symbols/content-id.js';
import { type DeltaRows, DeltaSeries, type SeriesCarry } from '../symbols/deltas.js';
import type { FramePool } from '../symbols/frame-pool.js';
import { SymbolMerger } from '../symbols/merge.js';
import type { SymbolSource } from '../symbols/source.js';
import type { QueryContext } from './context.js';
import { wordsOf } from './kernels.js';
import { keepsRow, keepsSample, type RemovableProfile } from './live-profiles.js';
import type { TimeRange } from './plan.js';
import {
  type DeltaRun,
  DeltaSource,
  type ProfileRef,
  SegmentSource,
  type SeriesProfiles,
} from './segment-source.js';
import { type CompiledSelector, keyOfSeries, matchSeries, typeIdsOf } from '../symbols/select.js';
import type { ProfileSource, SeriesRegistry } from './source.js';

export interface LevelZeroRequest {
  readonly tenantId: string;
  readonly selector: CompiledSelector;
  readonly typeId: string;
  readonly range: TimeRange;
  readonly frames: FramePool;
  /** Undefined where nothing was carried yet. */
  readonly carryOf: (service: string) => Promise<ServiceCarry | undefined>;
  /** What deletions take from a segment. */
  readonly removals: (view: SegmentView) => Removals;
}

interface Selected {
  readonly series: Series;
  readonly column: number;
  readonly deferred: CompiledSelector;
  readonly isCumulative: boolean;
  refs: RemovableProfile[];
}

interface Parts {
  readonly registry: SeriesRegistry;
  readonly context: QueryContext;
}

export interface LevelZeroSources {
  readonly sources: readonly ProfileSource[];
  /** Segments that have a selected profile. */
  readonly segments: number;
}

export async function planLevelZero(
  views: readonly SegmentView[],
  request: LevelZeroRequest,
  parts: Parts,
): Promise<LevelZeroSources> {
  const selected = collect(views, request);
  for (const s of selected) s.refs = distinct(s.refs);
  const asSent = selected
    .filter((s) => !s.isCumulative)
    .map((s) => ({ ...s, refs: s.refs.filter(keepsSample) }));
  const sources: ProfileSource[] = [];
  for (const view of views) {
    const own = asSent.flatMap((s) =>
      seriesProfiles(
        s,
        s.refs.filter((ref) => ref.view === view),
        { request, parts },
      ),
    );
    if (own.length > 0) sources.push(new SegmentSource(view, own));
  }
  const isInRange = ({ view, profile, removed }: RemovableProfile): boolean =>
    removed !== 'all' && view.profiles.startNs[profile]! >= request.range.startNs;
  const cumulative = selected.filter((s) => s.isCumulative && s.refs.some(isInRange));
  const deltas = cumulative.length === 0 ? [] : await deltaSources(cumulative, request, parts);
  const used = [...asSent, ...cumulative].flatMap(({ refs, isCumulative }) =>
    (isCumulative ? refs.filter(isInRange) : refs).map(({ view }) => view),
  );
  return { sources: [...sources, ...deltas], segments: new Set(used).size };
}

/** Profiles of a series in the order of `refs`, cut where other samples are deleted. */
function seriesProfiles(
  { series, column, deferred }: Selected,
  refs: readonly RemovableProfile[],
  { request, parts }: { readonly request: LevelZeroRequest; readonly parts: Parts },
): readonly SeriesProfiles[] {
  if (refs.length === 0) return [];
  const querySeries = parts.registry.of(series, column, request.typeId);
  querySeries.profileCount += refs.length;
  const out: (SeriesProfiles & { profiles: ProfileRef[]; removedKey: string })[] = [];
  for (const { view, profile, removed } of refs) {
    const samples = removed === 'all' ? NOTHING_REMOVED : removed;
    const removedKey = samples.map((r) => r.key).join();
    const last = out.at(-1);
    const ref = { view, profile };
    if (last?.removedKey === removedKey) last.profiles.push(ref);
    else {
      const slice = { series: querySeries, column, deferred, removed: samples, removedKey };
      out.push({ ...slice, profiles: [ref] });
    }
  }
  return out;
}

function collect(views: readonly SegmentView[], request: LevelZeroRequest): readonly Selected[] {
  const { tenantId, selector, typeId, range } = request;
  const byKey = new Map<string, Selected>();
  for (const view of views) {
    const removals = request.removals(view);
    const chosen = view.series.map(({ tenantId: owner, series }) => {
      const column = owner === tenantId ? typeIdsOf(series).indexOf(typeId) : -1;
      if (column < 0) return undefined;
      const removal = removals.of(series);
      const known = byKey.get(keyOfSeries(series));
      if (known !== undefined) return { selected: known, removal };
      const deferred = matchSeries(selector, series, typeId);
      if (deferred === undefined) return undefined;
      const isCumulative = series.sampleTypes[column]?.temporality === 'cumulative';
      const made: Selected = { series, column, deferred, isCumulative, refs: [] };
      byKey.set(keyOfSeries(series), made);
      return { selected: made, removal };
    });
    const { count, series, startNs } = view.profiles;
    for (let profile = 0; profile < count; profile++) {
      const target = chosen[series[profile]!];
      if (target === undefined) continue;
      const { selected, removal } = target;
      const start = startNs[profile]!;
      if (start >= range.endNs || (start < range.startNs && !selected.isCumulative)) continue;
      const removed = removal?.at(start) ?? NOTHING_REMOVED;
      if (removed === 'all' && !selected.isCumulative) continue;
      selected.refs.push({ view, profile, removed });
    }
  }
  return [...byKey.values()];
}

/** By (start, id), repeated ones dropped: a retry that lies in two segments counts once, and what was sent again wins. */
function distinct(refs: readonly RemovableProfile[]): RemovableProfile[] {
  const start = (r: ProfileRef): bigint => r.view.profiles.startNs[r.profile]!;
  const id = (r: ProfileRef): string => r.view.profiles.id[r.profile]!;
  const sorted = [...refs].sort((a, b) => {
    const x = start(a);
    const y = start(b);
    if (x !== y) return x < y ? -1 : 1;
    if (id(a) !== id(b)) return id(a) < id(b) ? -1 : 1;
    return removalRank(a.removed) - removalRank(b.removed);
  });
  return sorted.filter((ref, i) => {
    const before = sorted[i - 1];
    return before === undefined || start(before) !== start(ref) || id(before) !== id(ref);
  });
}

/** Deltas of all cumulative series as one source; none when deletions took all of their profiles. */
async function deltaSources(
  selected: readonly Selected[],
  request: LevelZeroRequest,
  parts: Parts,
): Promise<readonly ProfileSource[]> {
  const { context } = parts;
  const { symbols, keyMaps } = mergeKeys(selected, request.frames);
  const services = new Set(selected.map((s) => s.series.service));
  const { keyCount, carries } = await readCarries(services, symbols, { ...request, context });
  const masks = new Map<string, Uint8Array | undefined>();
  const chosen: SeriesProfiles[] = [];
  const runs: DeltaRun[] = [];
  const deltas = new DeltaSeries();
  const reader = new RawRowsReader();
  for (const s of selected) {
    context.check();
    const temporalities = s.series.sampleTypes.map((t) => t.temporality);
    deltas.begin(temporalities, keyCount, carries.get(keyOfSeries(s.series)));
    const kept: RemovableProfile[] = [];
    for (const ref of s.refs) {
      const { view, profile, removed } = ref;
      const raw = reader.rows(view, profile, keyMaps.get(view)!);
      const rows = deltas.next({ ...raw, isDeleted: removed === 'all' });
      if (removed === 'all' || view.profiles.startNs[profile]! < request.range.startNs) continue;
      const name = removed.map((r) => r.key).join();
      if (!masks.has(name)) masks.set(name, removedKeys(removed, symbols));
      const gone = masks.get(name);
      if (removed.length > 0 && !keepsRow(rows.key.subarray(0, rows.rowCount), removed, gone)) {
        continue;
      }
      // The rows are cut already: nothing is left to be removed later.
      kept.push({ view, profile, removed: NOTHING_REMOVED });
      runs.push(keepNonZero(rows, s.column, gone));
    }
    chosen.push(...seriesProfiles(s, kept, { request, parts }));
  }
  return chosen.length === 0 ? [] : [new DeltaSource(chosen, symbols, runs)];
}

/** The carries of `services` by series key, their keys numbered as in `symbols` and beyond. */
async function readCarries(
  services: ReadonlySet<string>,
  symbols: SymbolSource,
  request: LevelZeroRequest & { readonly context: QueryContext },
): Promise<{
  readonly keyCount: number;
  readonly carries: ReadonlyMap<string, SeriesCarry>;
}> {
  const carries = new Map<string, SeriesCarry>();
  let keys: CarryKeys | undefined;
  for (const service of services) {
    const read = (): Promise<ServiceCarry | undefined> => request.carryOf(service);
    const carry = await request.context.part(`carry of ${service}`, read);
    if (carry === undefined) continue;
    keys ??= new CarryKeys(keyContentIds(symbols));
    for (const [seriesKey, own] of keys.numbered(carry)) carries.set(seriesKey, own);
  }
  return { keyCount: keys?.count ?? symbols.keys.count, carries };
}

/** One numbering for the keys of all profiles of `selected`, and each segment's keys in it (-1: of other series). */
function mergeKeys(
  selected: readonly Selected[],
  frames: FramePool,
): { symbols: SymbolSource; keyMaps: ReadonlyMap<SegmentView, Int32Array> } {
  const wanted = new Map<SegmentView, Uint8Array>();
  for (const { refs } of selected) {
    for (const { view, profile } of refs) {
      let mask = wanted.get(view);
      if (mask === undefined) {
        mask = new Uint8Array(view.symbols.keys.count);
        wanted.set(view, mask);
      }
      const { batch, firstRow, rowCount } = view.profiles;
      const { key } = view.batches[batch[profile]!]!;
      const start = firstRow[profile]!;
      for (let i = start; i < start + rowCount[profile]!; i++) mask[key[i]!] = 1;
    }
  }
  const merger = new SymbolMerger(frames);
  const keyMaps = new Map<SegmentView, Int32Array>();
  for (const [view, mask] of wanted) keyMaps.set(view, merger.add(view.symbols, mask));
  return { symbols: merger.provisional(), keyMaps };
}

/** A copy of the rows whose value in the queried column is not 0 and whose keys are not gone. */
function keepNonZero(rows: DeltaRows, column: number, gone: Uint8Array | undefined): DeltaRun {
  const { key, rowCount } = rows;
  const words = wordsOf(rows.values[column]!);
  const isKept = (i: number): boolean =>
    (words[2 * i]! | words[2 * i + 1]!) !== 0 && (gone === undefined || gone[key[i]!] === 0);
  let kept = 0;
  for (let i = 0; i < rowCount; i++) if (isKept(i)) kept++;
  const run = { key: new Int32Array(kept), words: new Int32Array(kept * 2) };
  let at = 0;
  for (let i = 0; i < rowCount; i++) {
    if (!isKept(i)) continue;
    run.key[at] = key[i]!;
    run.words[2 * at] = words[2 * i]!;
    run.words[2 * at + 1] = words[2 * i + 1]!;
    at++;
  }
  return run;
}
