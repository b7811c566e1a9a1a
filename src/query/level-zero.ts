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
import { carryRows, type ServiceCarry } from '../manifest/carry.js';
import type { Series } from '../model/series.js';
import { keyContentIds } from '../symbols/content-id.js';
import { type CarryRows, DeltaSeries } from '../symbols/deltas.js';
import type { FramePool } from '../symbols/frame-pool.js';
import { SymbolMerger } from '../symbols/merge.js';
import type { SymbolSource } from '../symbols/source.js';
import type { QueryContext } from './context.js';
import { wordsOf } from './kernels.js';
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
}

interface Selected {
  readonly series: Series;
  readonly column: number;
  readonly deferred: CompiledSelector;
  readonly isCumulative: boolean;
  refs: ProfileRef[];
}

export async function planLevelZero(
  views: readonly SegmentView[],
  request: LevelZeroRequest,
  parts: { readonly registry: SeriesRegistry; readonly context: QueryContext },
): Promise<readonly ProfileSource[]> {
  const { registry, context } = parts;
  const selected = collect(views, request);
  for (const s of selected) s.refs = distinct(s.refs);
  const inRange = (ref: ProfileRef): boolean =>
    ref.view.profiles.startNs[ref.profile]! >= request.range.startNs;
  const chosen = new Map<Selected, SeriesProfiles>();
  for (const s of selected) {
    const profiles = s.refs.filter(inRange);
    if (profiles.length === 0) continue;
    const series = registry.of(s.series, s.column, request.typeId);
    series.profileCount += profiles.length;
    chosen.set(s, { series, column: s.column, deferred: s.deferred, profiles });
  }
  const sources: ProfileSource[] = [];
  for (const view of views) {
    const own = [...chosen]
      .filter(([s]) => !s.isCumulative)
      .map(([, c]) => ({ ...c, profiles: c.profiles.filter((ref) => ref.view === view) }))
      .filter((c) => c.profiles.length > 0);
    if (own.length > 0) sources.push(new SegmentSource(view, own));
  }
  const cumulative = [...chosen.keys()].filter((s) => s.isCumulative);
  if (cumulative.length > 0) {
    sources.push(await deltaSource(cumulative, chosen, { ...request, context }));
  }
  return sources;
}

function collect(views: readonly SegmentView[], request: LevelZeroRequest): readonly Selected[] {
  const { tenantId, selector, typeId, range } = request;
  const byKey = new Map<string, Selected>();
  for (const view of views) {
    const chosen = view.series.map(({ tenantId: owner, series }) => {
      const column = owner === tenantId ? typeIdsOf(series).indexOf(typeId) : -1;
      if (column < 0) return undefined;
      const known = byKey.get(keyOfSeries(series));
      if (known !== undefined) return known;
      const deferred = matchSeries(selector, series, typeId);
      if (deferred === undefined) return undefined;
      const isCumulative = series.sampleTypes[column]?.temporality === 'cumulative';
      const made: Selected = { series, column, deferred, isCumulative, refs: [] };
      byKey.set(keyOfSeries(series), made);
      return made;
    });
    const { count, series, startNs } = view.profiles;
    for (let profile = 0; profile < count; profile++) {
      const target = chosen[series[profile]!];
      if (target === undefined) continue;
      const start = startNs[profile]!;
      if (start >= range.endNs || (start < range.startNs && !target.isCumulative)) continue;
      target.refs.push({ view, profile });
    }
  }
  return [...byKey.values()];
}

/** By (start, id), repeated ones dropped: a retry that lies in two segments counts once. */
function distinct(refs: readonly ProfileRef[]): ProfileRef[] {
  const start = (r: ProfileRef): bigint => r.view.profiles.startNs[r.profile]!;
  const id = (r: ProfileRef): string => r.view.profiles.id[r.profile]!;
  const sorted = [...refs].sort((a, b) => {
    const x = start(a);
    const y = start(b);
    if (x !== y) return x < y ? -1 : 1;
    return id(a) < id(b) ? -1 : id(a) > id(b) ? 1 : 0;
  });
  return sorted.filter((ref, i) => {
    const before = sorted[i - 1];
    return before === undefined || start(before) !== start(ref) || id(before) !== id(ref);
  });
}

async function deltaSource(
  selected: readonly Selected[],
  chosen: ReadonlyMap<Selected, SeriesProfiles>,
  request: LevelZeroRequest & { readonly context: QueryContext },
): Promise<ProfileSource> {
  const { symbols, keyMaps } = mergeKeys(selected, request.frames);
  const services = new Set(selected.map((s) => s.series.service));
  const carries = await readCarries(services, symbols, request);
  const runs: DeltaRun[] = [];
  const deltas = new DeltaSeries();
  const reader = new RawRowsReader();
  for (const s of selected) {
    request.context.check();
    const temporalities = s.series.sampleTypes.map((t) => t.temporality);
    deltas.begin(temporalities, symbols.keys.count, carries.get(keyOfSeries(s.series)));
    for (const { view, profile } of s.refs) {
      const rows = deltas.next(reader.rows(view, profile, keyMaps.get(view)!));
      if (view.profiles.startNs[profile]! < request.range.startNs) continue;
      runs.push(keepNonZero(rows.key, wordsOf(rows.values[s.column]!), rows.rowCount));
    }
  }
  return new DeltaSource(
    selected.map((s) => chosen.get(s)!),
    symbols,
    runs,
  );
}

/** The carries of `services` by series key, their keys numbered as in `symbols`. */
async function readCarries(
  services: ReadonlySet<string>,
  symbols: SymbolSource,
  request: LevelZeroRequest & { readonly context: QueryContext },
): Promise<ReadonlyMap<string, CarryRows>> {
  const out = new Map<string, CarryRows>();
  let keyIds: Uint32Array | undefined;
  for (const service of services) {
    const read = (): Promise<ServiceCarry | undefined> => request.carryOf(service);
    const carry = await request.context.part(`carry of ${service}`, read);
    if (carry === undefined) continue;
    keyIds ??= keyContentIds(symbols);
    for (const [seriesKey, rows] of carryRows(carry, keyIds)) out.set(seriesKey, rows);
  }
  return out;
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

/** A copy of the rows whose value in the queried column is not 0. */
function keepNonZero(key: Int32Array, words: Int32Array, rowCount: number): DeltaRun {
  let kept = 0;
  for (let i = 0; i < rowCount; i++) if ((words[2 * i]! | words[2 * i + 1]!) !== 0) kept++;
  const run = { key: new Int32Array(kept), words: new Int32Array(kept * 2) };
  let at = 0;
  for (let i = 0; i < rowCount; i++) {
    if ((words[2 * i]! | words[2 * i + 1]!) === 0) continue;
    run.key[at] = key[i]!;
    run.words[2 * at] = words[2 * i]!;
    run.words[2 * at + 1] = words[2 * i + 1]!;
    at++;
  }
  return run;
}
