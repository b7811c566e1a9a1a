/**
 * What series tombstones take away, the same for queries, compaction and de-duplication:
 *
 * - A selector whose matchers are all about labels of the series takes whole profiles.
 * - One with matchers about names that are no labels of the series takes those samples whose own labels match, as a
 *   query with that selector would. A profile that loses its last sample that way is taken as well; one that never had
 *   a sample is taken if a sample without labels would be.
 *
 * What is past its retention (manifest/retention.ts) is taken in the same way, as whole profiles.
 *
 * A profile that was sent again after its deletion is another one, and there once more.
 */
import type { Series } from '../model/series.js';
import {
  type CompiledSelector,
  compileSelector,
  deferredKey,
  labelSetMask,
  matchSeries,
} from '../symbols/select.js';
import type { LabelSetTable, SymbolSource } from '../symbols/source.js';
import type { CutoffOf } from './retention.js';
import type { Manifest, SeriesTombstone, Watermark } from './types.js';

const NS_PER_MS = 1_000_000n;

/** Takes samples whose own labels match `deferred`. */
export interface SampleRemoval {
  /** Equal for equal removals. */
  readonly key: string;
  readonly deferred: CompiledSelector;
}

/** What is taken of one profile: nothing, samples, or all of it. */
export type ProfileRemoval = readonly SampleRemoval[] | 'all';

export const NOTHING_REMOVED: readonly SampleRemoval[] = [];

/** Of two profiles with one start and id, the one with the lower rank counts: it was sent again after a deletion. */
export function removalRank(removal: ProfileRemoval): number {
  return removal === 'all' ? 2 : Math.min(1, removal.length);
}

interface RemovalPart extends SampleRemoval {
  readonly startNs: bigint;
  /** Exclusive. */
  readonly endNs: bigint;
}

/** What is taken of one series, by profile start. */
export class SeriesRemoval {
  readonly #parts: readonly RemovalPart[];

  constructor(parts: readonly RemovalPart[]) {
    this.#parts = parts;
  }

  at(startNs: bigint): ProfileRemoval {
    let samples = NOTHING_REMOVED;
    for (const part of this.#parts) {
      if (startNs < part.startNs || startNs >= part.endNs) continue;
      if (part.deferred.length === 0) return 'all';
      samples = [...samples, part];
    }
    return samples;
  }

  /** Starts at which `at` may change, ascending: between two of them it does not. */
  boundariesNs(): readonly bigint[] {
    const all = new Set(this.#parts.flatMap(({ startNs, endNs }) => [startNs, endNs]));
    return [...all].sort((a, b) => (a < b ? -1 : 1));
  }

  /** Whether a profile that starts in [startNs, endNs] may lose something. */
  overlaps(startNs: bigint, endNs: bigint): boolean {
    return this.#parts.some((part) => part.startNs <= endNs && part.endNs > startNs);
  }
}

const BEGINNING_NS = -(1n << 63n);

interface CompiledTombstone {
  readonly id: number;
  readonly selector: CompiledSelector;
  readonly startNs: bigint;
  readonly endNs: bigint;
}

const compiled = new WeakMap<SeriesTombstone, CompiledTombstone>();

function compile(tombstone: SeriesTombstone): CompiledTombstone {
  const known = compiled.get(tombstone);
  if (known !== undefined) return known;
  const made = {
    id: tombstone.id,
    selector: compileSelector(tombstone.selector),
    startNs: BigInt(tombstone.startMs) * NS_PER_MS,
    endNs: BigInt(tombstone.endMs) * NS_PER_MS,
  };
  compiled.set(tombstone, made);
  return made;
}

/** Some tombstones, asked series by series. */
export class Removals {
  readonly #tombstones: readonly CompiledTombstone[];
  readonly #cutoffOf: CutoffOf | undefined;

  /** `cutoffOf`: what is past its age is taken as well. */
  constructor(tombstones: readonly SeriesTombstone[], cutoffOf?: CutoffOf) {
    this.#tombstones = tombstones.map(compile);
    this.#cutoffOf = cutoffOf;
  }

  get isEmpty(): boolean {
    return this.#tombstones.length === 0 && this.#cutoffOf === undefined;
  }

  /** Undefined where nothing is taken. */
  of(series: Series): SeriesRemoval | undefined {
    if (this.isEmpty) return undefined;
    const parts = this.#tombstones.flatMap(({ id, selector, startNs, endNs }) => {
      // A tombstone never names a profile type: siblings share rows.
      const deferred = matchSeries(selector, series, '');
      if (deferred === undefined) return [];
      return { key: `${id}/${deferredKey(selector, deferred)}`, deferred, startNs, endNs };
    });
    const endNs = this.#cutoffOf?.(series);
    if (endNs !== undefined) parts.push({ key: 'age', deferred: [], startNs: BEGINNING_NS, endNs });
    return parts.length === 0 ? undefined : new SeriesRemoval(parts);
  }
}

/** 1 for each label set whose samples are taken; undefined when none are. */
export function removedLabelSets(
  removal: readonly SampleRemoval[],
  labelSets: LabelSetTable,
): Uint8Array | undefined {
  let out: Uint8Array | undefined;
  for (const { deferred } of removal) {
    const mask = labelSetMask(deferred, labelSets);
    if (mask === undefined) return new Uint8Array(labelSets.count).fill(1);
    if (!mask.includes(1)) continue;
    if (out === undefined) out = mask;
    else for (let set = 0; set < out.length; set++) if (mask[set] === 1) out[set] = 1;
  }
  return out;
}

/** 1 for each key whose samples are taken; undefined when none are. */
export function removedKeys(
  removal: readonly SampleRemoval[],
  symbols: SymbolSource,
): Uint8Array | undefined {
  if (removal.length === 0) return undefined;
  const sets = removedLabelSets(removal, symbols.labelSets);
  if (sets === undefined) return undefined;
  const { keys } = symbols;
  const mask = new Uint8Array(keys.count);
  for (let k = 0; k < keys.count; k++) mask[k] = sets[keys.labelSet[k] as number] as number;
  return mask;
}

/** Whether a profile without samples is taken. */
export function removesEmpty(removal: readonly SampleRemoval[]): boolean {
  return removal.some(({ deferred }) => deferred.every((matcher) => matcher.test('')));
}

/** The tombstones that a block or a carry is to be read through. */
export function tombstonesOf(
  manifest: Manifest,
  marked: { readonly seriesTombstones: readonly number[] },
): readonly SeriesTombstone[] {
  const ids = new Set(marked.seriesTombstones);
  return ids.size === 0 ? [] : manifest.seriesTombstones.filter((t) => ids.has(t.id));
}

/** Whether what a segment holds was committed before the tombstone. */
export function coversSegment(tombstone: SeriesTombstone, segment: Watermark): boolean {
  return tombstone.covered.some(
    ({ instance, sequence }) => instance === segment.instance && segment.sequence <= sequence,
  );
}
