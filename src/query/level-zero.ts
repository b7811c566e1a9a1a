/**
 * Level 0 of one query: the selected profiles of the segments that no block covers, each once, and cumulative ones as
 * deltas.
 *
 * Steps: select series in every segment; collect their profiles (for a cumulative series all before the range's end,
 * because each delta needs the one before it); sort by (start, id) and drop repeated ones; then one source for each
 * segment, and one for all computed series together, whose keys are merged so that a stack is the same key in every
 * segment. Computed are those whose column is cumulative, and those that a deletion touches: whether a profile lost its
 * last sample is a question to the rows that compaction would keep. Compaction runs the same deltas over the same
 * profiles, so the numbers do not change when it has passed.
 */
import { RawRowsReader } from '../head/raw-rows.js';
import type { SegmentView } from '../log/segment-view.js';
import { CarryKeys, type ServiceCarry } from '../manifest/carry.js';
import {
  NOTHING_REMOVED,
  type ProfileRemoval,
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
import { keepsRow, type RemovableProfile } from './live-profiles.js';
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
  readonly deletions: (view: SegmentView) => Removals;
  /** What deletions and age take. */
  readonly removals: (view: SegmentView) => Removals;
}

/** A profile of a segment with what deletions and age take from it, and what deletions do alone. */
interface Ref extends RemovableProfile {
  readonly deleted: ProfileRemoval;
}

interface Selected {
  readonly series: Series;
  readonly column: number;
  readonly deferred: CompiledSelector;
  readonly isComputed: boolean;
  refs: Ref[];
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
  const asSent = selected.filter((s) => !s.isComputed);
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
  const isInRange = ({ view, profile, removed }: Ref): boolean =>
    removed !== 'all' && view.profiles.startNs[profile]! >= request.range.startNs;
  const computed = selected.filter((s) => s.isComputed && s.refs.some(isInRange));
  const deltas = computed.length === 0 ? [] : await deltaSources(computed, request, parts);
  const used = [...asSent, ...computed].flatMap(({ refs }) =>
    refs.filter(isInRange).map(({ view }) => view),
  );
  return { sources: [...sources, ...deltas], segments: new Set(used).size };
}

/** Profiles of a series of which no sample is to be left out any more. */
function seriesProfiles(
  { series, column, deferred }: Selected,
  profiles: readonly ProfileRef[],
  { request, parts }: { readonly request: LevelZeroRequest; readonly parts: Parts },
): readonly SeriesProfiles[] {
  if (profiles.length === 0) return [];
  const querySeries = parts.registry.of(series, column, request.typeId);
  querySeries.profileCount += profiles.length;
  return [{ series: querySeries, column, deferred, removed: NOTHING_REMOVED, profiles }];
}

function collect(views: readonly SegmentView[], request: LevelZeroRequest): readonly Selected[] {
  const { tenantId, selector, typeId, range } = request;
  const byKey = new Map<string, Selected>();
  const allDeletions = views.map((view) => request.deletions(view));
  const isTouched = (series: Series): boolean =>
    allDeletions.some((deletions) => deletions.of(series) !== undefined);
  for (const [v, view] of views.entries()) {
    const removals = request.removals(view);
    const chosen = view.series.map(({ tenantId: owner, series }) => {
      const column = owner === tenantId ? typeIdsOf(series).indexOf(typeId) : -1;
      if (column < 0) return undefined;
      const needsEarlier = series.sampleTypes.some((t) => t.temporality === 'cumulative');
      const taken = { removal: removals.of(series), deletion: allDeletions[v]!.of(series) };
      const known = byKey.get(keyOfSeries(series));
      if (known !== undefined) return { selected: known, needsEarlier, ...taken };
      const deferred = matchSeries(selector, series, typeId);
      if (deferred === undefined) return undefined;
      const isCumulative = series.sampleTypes[column]?.temporality === 'cumulative';
      const isComputed = isCumulative || isTouched(series);
      const made: Selected = { series, column, deferred, isComputed, refs: [] };
      byKey.set(keyOfSeries(series), made);
      return { selected: made, needsEarlier, ...taken };
    });
    const { count, series, startNs } = view.profiles;
    for (let profile = 0; profile < count; profile++) {
      const target = chosen[series[profile]!];
      if (target === undefined) continue;
      const { selected, removal, deletion } = target;
      const start = startNs[profile]!;
      const isNeeded = selected.isComputed && target.needsEarlier;
      if (start >= range.endNs || (start < range.startNs && !isNeeded)) continue;
      const removed = removal?.at(start) ?? NOTHING_REMOVED;
      if (removed === 'all' && !isNeeded) continue;
      selected.refs.push({
        view,
        profile,
        removed,
        deleted: deletion?.at(start) ?? NOTHING_REMOVED,
      });
    }
  }
  return [...byKey.values()];
}

/** By (start, id), repeated ones dropped: a retry that lies in two segments counts once, and what was sent again wins. */
function distinct(refs: readonly Ref[]): Ref[] {
  const start = (r: ProfileRef): bigint => r.view.profiles.startNs[r.profile]!;
  const id = (r: ProfileRef): string => r.view.profiles.id[r.profile]!;
  const sorted = [...refs].sort((a, b) => {
    const x = start(a);
    const y = start(b);
    if (x !== y) return x < y ? -1 : 1;
    if (id(a) !== id(b)) return id(a) < id(b) ? -1 : 1;
    return removalRank(a.deleted) - removalRank(b.deleted);
  });
  return sorted.filter((ref, i) => {
    const before = sorted[i - 1];
    return before === undefined || start(before) !== start(ref) || id(before) !== id(ref);
  });
}

/** Rows of all computed series as one source; none when deletions took all of their profiles. */
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
    const kept: ProfileRef[] = [];
    for (const ref of s.refs) {
      const { view, profile, removed, deleted } = ref;
      const raw = reader.rows(view, profile, keyMaps.get(view)!);
      const rows = deltas.next({ ...raw, isDeleted: deleted === 'all' });
      if (removed === 'all' || view.profiles.startNs[profile]! < request.range.startNs) continue;
      const name = removed.map((r) => r.key).join();
      if (!masks.has(name)) masks.set(name, removedKeys(removed, symbols));
      const gone = masks.get(name);
      if (removed.length > 0 && !keepsRow(rows.key.subarray(0, rows.rowCount), removed, gone)) {
        continue;
      }
      kept.push({ view, profile });
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
