/**
 * What deletions of samples leave: which profiles keep a sample (one that loses its last is deleted itself), and which
 * label sets are still in use. Only what a deletion touches and compaction has not rewritten yet is ever looked at.
 */
import {
  type ProfileRemoval,
  removedKeys,
  removesEmpty,
  type SampleRemoval,
  type SeriesRemoval,
} from '../manifest/series-removal.js';
import type { LabelSetTable } from '../symbols/source.js';
import type { BlockHandle, LabelSetBudget } from './block-handle.js';
import { BlockSource } from './block-source.js';
import { type KeptRange, keptRanges, profilesInRange, type TimeRange } from './plan.js';
import type { ProfileRef } from './segment-source.js';
import type { Slice } from './source.js';

/** A profile of a segment with what deletions take from it. */
export interface RemovableProfile extends ProfileRef {
  readonly removed: ProfileRemoval;
}

/** Whether a profile whose values count as sent keeps a sample, or had none to lose. */
export function keepsSample({ view, profile, removed }: RemovableProfile): boolean {
  if (removed === 'all') return false;
  if (removed.length === 0) return true;
  const { batch, firstRow, rowCount } = view.profiles;
  const first = firstRow[profile]!;
  const key = view.batches[batch[profile]!]!.key.subarray(first, first + rowCount[profile]!);
  return keepsRow(key, removed, removedKeys(removed, view.symbols));
}

/** The same for a profile with the keys `key`, of which those marked in `gone` are taken. */
export function keepsRow(
  key: Int32Array,
  removed: readonly SampleRemoval[],
  gone: Uint8Array | undefined,
): boolean {
  if (key.length === 0) return !removesEmpty(removed);
  return gone === undefined || key.some((k) => gone[k] === 0);
}

/** The slices without profiles that lost their last sample. */
export async function withoutEmptied(
  source: BlockSource,
  signal: AbortSignal,
): Promise<readonly Slice[]> {
  const out: Slice[] = [];
  for (const slice of source.slices) {
    if (slice.removed.length === 0) {
      out.push(slice);
      continue;
    }
    const alive = await survivors(source, slice, signal);
    for (let from = 0; from < alive.length; ) {
      const start = alive.indexOf(1, from);
      if (start < 0) break;
      const stop = alive.indexOf(0, start);
      from = stop < 0 ? alive.length : stop;
      out.push({ ...slice, first: slice.first + start, end: slice.first + from });
    }
  }
  return out;
}

/** 1 for each profile of `range` that keeps a sample, or had none to lose. */
async function survivors(
  source: BlockSource,
  range: KeptRange,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const { first, end, removed } = range;
  const alive = new Uint8Array(end - first);
  const { rowCount } = source.profiles;
  const isEmptyKept = !removesEmpty(removed);
  const gone = removedKeys(removed, await source.symbols());
  for (let p = first; p < end; p++) {
    alive[p - first] = Number(rowCount[p] === 0 ? isEmptyKept : gone === undefined);
  }
  if (gone === undefined) return alive;
  await source.scanProfiles({ slices: [range], column: 0, signal }, (position, run) => {
    for (let i = run.start; i < run.end; i++) {
      if (gone[run.key[i]!] !== 0) continue;
      alive[position - first] = 1;
      return;
    }
  });
  return alive;
}

/** A series of a block that deletions touch. */
export interface TouchedSeries {
  readonly service: string;
  /** Its number in the block. */
  readonly number: number;
  readonly removal: SeriesRemoval;
}

const NO_SETS = new Uint8Array(0);

/**
 * The label sets that its profiles in the range still use, as a mask over those of the service (without `needsSets`
 * perhaps none); undefined when no profile is left.
 */
export async function liveLabelSets(
  handle: BlockHandle,
  { service, number, removal }: TouchedSeries,
  {
    range,
    needsSets,
    budget,
  }: { readonly range: TimeRange; readonly needsSets: boolean; readonly budget: LabelSetBudget },
): Promise<Uint8Array | undefined> {
  const profiles = await handle.profiles();
  const inRange = profilesInRange(profiles, number, range);
  const kept = keptRanges(profiles.startNs, inRange, removal);
  if (kept.length === 0) return undefined;
  if (!needsSets && kept.some((part) => part.removed.length === 0)) return NO_SETS;
  const source = new BlockSource(handle, service, { profiles, slices: [], budget });
  const { keys, labelSets } = await source.symbols();
  const used = new Uint8Array(labelSets.count);
  let isAlive = false;
  const { signal } = new AbortController();
  for (const part of kept) {
    isAlive ||= (await survivors(source, part, signal)).includes(1);
    const gone = removedKeys(part.removed, await source.symbols());
    await source.scan({ slices: [part], column: 0, signal }, ({ key, start, end }) => {
      for (let i = start; i < end; i++) {
        if (gone === undefined || gone[key[i]!] === 0) used[keys.labelSet[key[i]!]!] = 1;
      }
    });
  }
  return isAlive ? used : undefined;
}

/** The label sets whose number `keep` takes. */
export function labelSetSubset(sets: LabelSetTable, keep: (set: number) => boolean): LabelSetTable {
  const kept: number[] = [];
  for (let set = 0; set < sets.count; set++) if (keep(set)) kept.push(set);
  return {
    count: kept.length,
    key: (index) => sets.key(kept[index]!),
    labels: (index) => sets.labels(kept[index]!),
  };
}
