/**
 * Level 0 to 1: the profiles of one tenant in some sealed segments become one block for each aligned day.
 *
 * For each day, and in it for each service:
 *
 * 1. mark the keys that the day's profiles use, in each segment;
 * 2. merge the segments' tries under one provisional numbering;
 * 3. run the deltas once to learn which keys keep a row (of a heap profile two thirds have none);
 * 4. number those depth-first;
 * 5. run the deltas again and write the rows, sorted by key.
 *
 * Running the deltas twice costs less than holding all rows of a service would. The state at the start of a day is what
 * was carried to it. After a service's last day its carry is written as an object.
 */
import type { BlockMeta, BlockWriter } from '../block/types.js';
import { ulid } from '../env/rng.js';
import type { SegmentView } from '../log/segment-view.js';
import { RawRowsReader } from '../head/raw-rows.js';
import {
  CarryBuilder,
  CarryKeys,
  decodeCarry,
  type ServiceCarry,
  withDeletions,
} from '../manifest/carry.js';
import type { BlockLineage } from '../manifest/lineage.js';
import { carryKey } from '../manifest/object-keys.js';
import {
  coversSegment,
  type ProfileRemoval,
  Removals,
  removedKeys,
  removesEmpty,
  tombstonesOf,
} from '../manifest/series-removal.js';
import type { CarryRef, Manifest } from '../manifest/types.js';
import { advanced, sequenceOf } from '../manifest/watermarks.js';
import { keyContentIds } from '../symbols/content-id.js';
import { DeltaSeries, hasTwoWriters, type RawRows, type SeriesCarry } from '../symbols/deltas.js';
import { FramePool } from '../symbols/frame-pool.js';
import { SymbolMerger } from '../symbols/merge.js';
import type { CompactionDependencies } from './dependencies.js';
import {
  DAY_NS,
  gatherLevelZero,
  type InputSeries,
  type InputService,
  type LevelZeroInput,
} from './level-zero-input.js';
import type { LevelZeroSpec } from './plan.js';
import { SortedRows, takeOut } from './sorted-rows.js';

export interface LevelZeroOptions {
  /** A carry older than this beside its service's newest profile is dropped: the series has ended. */
  readonly carryAgeNsMax: bigint;
  readonly signal?: AbortSignal;
  readonly onProfiles?: (count: number) => void;
}

/** What a manifest commit makes live. All objects are durable; until then they are orphans. */
export interface LevelZeroOutput {
  readonly blocks: readonly BlockMeta[];
  readonly carries: readonly CarryRef[];
  readonly profileCount: number;
  readonly duplicateCount: number;
  /** Series that two processes seem to write (PS_CUMULATIVE_WRITERS). */
  readonly twoWriters: readonly string[];
  /** Series that were left out of a carry because it had become too large. */
  readonly carriesDropped: number;
}

/** Objects that an executor has begun to write: what the loser of a race removes. */
export interface Undo {
  push(remove: () => Promise<void>): void;
}

export async function compactLevelZero(
  dependencies: CompactionDependencies,
  base: Manifest,
  spec: LevelZeroSpec,
  options: LevelZeroOptions & { readonly undo: Undo },
): Promise<LevelZeroOutput> {
  const views: SegmentView[] = [];
  for (const segment of spec.segments) {
    options.signal?.throwIfAborted();
    views.push(await dependencies.segments.read(segment, options.signal));
  }
  const input = gatherLevelZero(views, spec.tenantId, ({ position }) => {
    return new Removals(base.seriesTombstones.filter((t) => coversSegment(t, position)));
  });
  const afterSequence = await claimedAfter(dependencies, base, spec);
  const run = new LevelZeroRun(dependencies, { base, spec, input, afterSequence }, options);
  const blocks: BlockMeta[] = [];
  for (const day of input.days) {
    const block = await run.day(day);
    if (block !== undefined) blocks.push(block);
  }
  return {
    blocks,
    carries: run.carries,
    profileCount: input.profileCount,
    duplicateCount: input.duplicateCount,
    twoWriters: run.twoWriters,
    carriesDropped: run.carriesDropped,
  };
}

/**
 * The segment after which the blocks claim the log. Segments above the watermark that are gone held nothing of this
 * tenant, or a lost manifest knew them: nothing is claimed that was not read.
 */
async function claimedAfter(
  { segments }: CompactionDependencies,
  base: Manifest,
  spec: LevelZeroSpec,
): Promise<number> {
  let first = spec.segments[0]?.sequence ?? 0;
  for (const { instance, sequence } of (await segments.position()).segments) {
    if (instance === spec.instance) first = Math.min(first, sequence);
  }
  return Math.max(sequenceOf(base.watermarks, spec.instance), first - 1);
}

/** Profiles [start, end) of a series' refs that lie on one day. */
interface DaySeries extends InputSeries {
  readonly start: number;
  readonly end: number;
}

/** The symbols of one service on one day, numbered provisionally. */
interface DaySymbols {
  readonly merger: SymbolMerger;
  /** For each view its key numbers' merged numbers, empty where the view has none of the service. */
  readonly keyMaps: readonly Int32Array[];
  /** The merged keys by content, and those of carries after them; of no key where no series is cumulative. */
  readonly carryKeys: CarryKeys;
  /** Carries by series key, as they are when the day begins. */
  readonly carries: ReadonlyMap<string, SeriesCarry>;
  /** 1 for each merged key whose samples a removal takes; undefined when it takes none. */
  readonly goneKeys: (removal: ProfileRemoval) => Uint8Array | undefined;
}

type FinalSymbols = ReturnType<SymbolMerger['finish']>;

const NO_WORDS = new Uint32Array(0);
const NO_MAP = new Int32Array(0);

interface Carried {
  readonly old: ServiceCarry | undefined;
  readonly builder: CarryBuilder;
}

class LevelZeroRun {
  readonly carries: CarryRef[] = [];
  readonly twoWriters: string[] = [];
  carriesDropped = 0;
  readonly #dependencies: CompactionDependencies;
  readonly #base: Manifest;
  readonly #spec: LevelZeroSpec;
  readonly #input: LevelZeroInput;
  readonly #afterSequence: number;
  readonly #options: LevelZeroOptions & { readonly undo: Undo };
  readonly #frames = new FramePool();
  readonly #deltas = new DeltaSeries();
  readonly #reader = new RawRowsReader();
  readonly #rows = new SortedRows();
  /** Of each service's carry what was read, and what this run makes of it. */
  readonly #carried = new Map<string, Carried>();

  constructor(
    dependencies: CompactionDependencies,
    what: {
      readonly base: Manifest;
      readonly spec: LevelZeroSpec;
      readonly input: LevelZeroInput;
      readonly afterSequence: number;
    },
    options: LevelZeroOptions & { readonly undo: Undo },
  ) {
    this.#dependencies = dependencies;
    this.#base = what.base;
    this.#spec = what.spec;
    this.#input = what.input;
    this.#afterSequence = what.afterSequence;
    this.#options = options;
  }

  /** Undefined when deletions leave nothing of the day. */
  async day(day: number): Promise<BlockMeta | undefined> {
    const { blocks, clock, rng } = this.#dependencies;
    const { tenantId } = this.#spec;
    let opened: BlockWriter | undefined;
    const writer = (): BlockWriter => {
      if (opened !== undefined) return opened;
      const createdMs = clock.nowMs();
      const blockId = ulid(createdMs, rng);
      const lineage = this.#lineage(day);
      const made = blocks.createWriter({ blockId, tenantId, level: 1, createdMs, lineage });
      this.#options.undo.push(() => made.abort());
      opened = made;
      return made;
    };
    for (const service of this.#input.services) {
      const series = seriesOfDay(service, day);
      if (series.length === 0) continue;
      const isCumulative = series.some((s) => s.isCumulative);
      await this.#service(writer, {
        service: service.service,
        series,
        carried: isCumulative ? await this.#carriedBy(service.service) : undefined,
      });
      if (lastDay(service) === day) await this.#finishCarry(service);
    }
    return opened?.finish();
  }

  #lineage(day: number): BlockLineage {
    const { version, watermarks } = this.#base;
    const { instance, segments } = this.#spec;
    return {
      baseVersion: version,
      watermarks,
      claims: [
        {
          instance,
          afterSequence: this.#afterSequence,
          sequence: segments.at(-1)?.sequence ?? 0,
          startNs: BigInt(day) * DAY_NS,
          endNs: BigInt(day + 1) * DAY_NS,
        },
      ],
      firstSequence: segments[0]?.sequence ?? 0,
      isLast: day === lastKeptDay(this.#input),
    };
  }

  async #service(
    writer: () => BlockWriter,
    day: {
      readonly service: string;
      readonly series: readonly DaySeries[];
      readonly carried: Carried | undefined;
    },
  ): Promise<void> {
    const { service, series, carried } = day;
    const symbols = this.#merge(series, carried);
    const sampled = new Uint8Array(symbols.merger.keyCount);
    const kept = series.map((entry) => this.#markSampled(entry, symbols, sampled));
    const final = symbols.merger.finish(sampled);
    const live = series.filter((_, i) => kept[i]!.includes(1)).map((s) => s.series);
    if (live.length > 0) await writer().beginService(service, final.symbols, live);
    let number = 0;
    for (const [i, entry] of series.entries()) {
      this.#options.signal?.throwIfAborted();
      const isKept = kept[i]!;
      if (isKept.includes(1)) {
        await this.#writeSeries(writer(), number++, { entry, symbols, final, isKept });
      } else this.#replay(entry, symbols);
      const carry = entry.isCumulative ? this.#deltas.carry() : undefined;
      if (carry !== undefined) carried?.builder.set(entry.seriesKey, carry, symbols.carryKeys.ids);
      this.#options.onProfiles?.(entry.end - entry.start);
    }
  }

  async #writeSeries(
    writer: BlockWriter,
    number: number,
    what: {
      readonly entry: DaySeries;
      readonly symbols: DaySymbols;
      readonly final: FinalSymbols;
      /** 0 for profiles of the entry that are deleted. */
      readonly isKept: Uint8Array;
    },
  ): Promise<void> {
    const { entry, symbols, final, isKept } = what;
    const keyCount = final.symbols.keys.count;
    this.#begin(entry, symbols);
    for (let at = entry.start; at < entry.end; at++) {
      const delta = this.#deltas.next(this.#raw(entry, at, symbols));
      if (isKept[at - entry.start] === 0) continue;
      const gone = symbols.goneKeys(entry.refs.removed[at]!);
      const rowCount = gone === undefined ? delta.rowCount : takeOut(delta, gone);
      const { key, values } = this.#rows.take({ ...delta, rowCount }, final.remap, keyCount);
      const { profiles } = this.#input.views[entry.refs.view[at]!]!;
      const p = entry.refs.profile[at]!;
      await writer.writeProfile({
        series: number,
        profileId: profiles.id[p]!,
        startNs: profiles.startNs[p]!,
        durationNs: profiles.durationNs[p]!,
        period: profiles.period[p]!,
        flags: profiles.flags[p]!,
        metadata: profiles.metadata[p]!,
        rowCount,
        key,
        values,
      });
    }
  }

  /** Brings the deltas of a series to its end without writing anything. */
  #replay(entry: DaySeries, symbols: DaySymbols): void {
    if (!entry.isCumulative) return;
    this.#begin(entry, symbols);
    for (let at = entry.start; at < entry.end; at++) {
      this.#deltas.next(this.#raw(entry, at, symbols));
    }
  }

  #merge(series: readonly DaySeries[], carried: Carried | undefined): DaySymbols {
    const { views } = this.#input;
    const wanted: (Uint8Array | undefined)[] = views.map(() => undefined);
    for (const entry of series) {
      for (let at = entry.start; at < entry.end; at++) markWanted(views, entry, at, wanted);
    }
    const merger = new SymbolMerger(this.#frames);
    const keyMaps = views.map((view, v) => {
      const mask = wanted[v];
      return mask === undefined ? NO_MAP : merger.add(view.symbols, mask);
    });
    const goneKeys = goneKeysOf(merger);
    const carryKeys = new CarryKeys(
      carried === undefined ? NO_WORDS : keyContentIds(merger.provisional()),
    );
    const carries = new Map<string, SeriesCarry>();
    for (const carry of [carried?.old, carried?.builder.carry]) {
      if (carry === undefined) continue;
      for (const [key, own] of carryKeys.numbered(carry)) carries.set(key, own);
    }
    return { merger, keyMaps, carryKeys, carries, goneKeys };
  }

  #begin(entry: DaySeries, { merger, carryKeys, carries }: DaySymbols): void {
    const temporalities = entry.series.sampleTypes.map((t) => t.temporality);
    const keyCount = Math.max(merger.keyCount, carryKeys.count);
    this.#deltas.begin(temporalities, keyCount, carries.get(entry.seriesKey));
  }

  /** Marks the keys of the rows that will be written; returns 1 for each profile that will be. */
  #markSampled(entry: DaySeries, symbols: DaySymbols, sampled: Uint8Array): Uint8Array {
    const isKept = new Uint8Array(entry.end - entry.start).fill(1);
    const { removed } = entry.refs;
    if (!entry.isCumulative && removed.every((r) => r.length === 0)) {
      for (let at = entry.start; at < entry.end; at++)
        markRows(this.#raw(entry, at, symbols), sampled);
      return isKept;
    }
    this.#begin(entry, symbols);
    for (let at = entry.start; at < entry.end; at++) {
      const { rowCount, key } = this.#deltas.next(this.#raw(entry, at, symbols));
      const removal = removed[at]!;
      const gone = symbols.goneKeys(removal);
      let kept = 0;
      for (let r = 0; r < rowCount && removal !== 'all'; r++) {
        if (gone !== undefined && gone[key[r]!] !== 0) continue;
        sampled[key[r]!] = 1;
        kept++;
      }
      const isEmptied =
        kept === 0 && (rowCount > 0 || (removal !== 'all' && removesEmpty(removal)));
      if (removal === 'all' || (removal.length > 0 && isEmptied)) isKept[at - entry.start] = 0;
    }
    if (hasTwoWriters(this.#deltas)) this.twoWriters.push(entry.seriesKey);
    return isKept;
  }

  #raw({ refs }: DaySeries, at: number, { keyMaps }: DaySymbols): RawRows {
    const v = refs.view[at]!;
    const rows = this.#reader.rows(this.#input.views[v]!, refs.profile[at]!, keyMaps[v]!);
    return refs.removed[at] === 'all' ? { ...rows, isDeleted: true } : rows;
  }

  async #carriedBy(service: string): Promise<Carried> {
    const known = this.#carried.get(service);
    if (known !== undefined) return known;
    const carried = { old: await this.#readCarry(service), builder: new CarryBuilder(service) };
    this.#carried.set(service, carried);
    return carried;
  }

  async #readCarry(service: string): Promise<ServiceCarry | undefined> {
    const ref = this.#base.carries.find((c) => c.service === service);
    if (ref === undefined) return undefined;
    const { body } = await this.#dependencies.bucket.get(ref.objectKey);
    const carry = decodeCarry(ref, body);
    return withDeletions(carry, new Removals(tombstonesOf(this.#base, ref)));
  }

  async #finishCarry({ service }: InputService): Promise<void> {
    const carried = this.#carried.get(service);
    this.#carried.delete(service);
    if (carried === undefined || carried.builder.seriesCount === 0) return;
    const { old, builder } = carried;
    const { bucket, clock, rng } = this.#dependencies;
    if (old !== undefined) builder.inherit(old, this.#options.carryAgeNsMax);
    const { version, watermarks } = this.#base;
    const { tenantId, instance, segments } = this.#spec;
    const sequence = segments.at(-1)?.sequence ?? 0;
    const consumed = advanced(watermarks, { instance, sequence });
    const objectKey = carryKey(tenantId, ulid(clock.nowMs(), rng));
    const { bytes, dropped } = builder.encode(objectKey, { baseVersion: version, consumed });
    this.carriesDropped += dropped;
    this.#options.undo.push(() => bucket.delete(objectKey));
    await bucket.put(objectKey, bytes);
    const deletedSinceMs = builder.hasDeleted
      ? this.#base.carries.find((c) => c.service === service)?.deletedSinceMs || clock.nowMs()
      : 0;
    const sizeBytes = bytes.length;
    this.carries.push({ service, objectKey, sizeBytes, seriesTombstones: [], deletedSinceMs });
  }
}

/** `DaySymbols.goneKeys`: removals are few, and many profiles have the same. */
function goneKeysOf(merger: SymbolMerger): DaySymbols['goneKeys'] {
  const masks = new Map<string, Uint8Array | undefined>();
  return (removal) => {
    if (removal === 'all' || removal.length === 0) return undefined;
    const name = removal.map((r) => r.key).join();
    if (!masks.has(name)) masks.set(name, removedKeys(removal, merger.provisional()));
    return masks.get(name);
  };
}

/** Marks the keys of rows that are not 0 in every column. */
function markRows({ firstRow, rowCount, key, values, keyMap }: RawRows, sampled: Uint8Array): void {
  for (const column of values) {
    const halves = new Int32Array(column.buffer, column.byteOffset + firstRow * 8, rowCount * 2);
    for (let r = 0; r < rowCount; r++) {
      if ((halves[2 * r]! | halves[2 * r + 1]!) === 0) continue;
      const k = key[firstRow + r]!;
      sampled[keyMap === undefined ? k : keyMap[k]!] = 1;
    }
  }
}

function markWanted(
  views: readonly SegmentView[],
  { refs }: DaySeries,
  at: number,
  wanted: (Uint8Array | undefined)[],
): void {
  const v = refs.view[at]!;
  const { profiles, batches, symbols } = views[v]!;
  const mask = wanted[v] ?? new Uint8Array(symbols.keys.count);
  wanted[v] = mask;
  const p = refs.profile[at]!;
  const { key } = batches[profiles.batch[p]!]!;
  const start = profiles.firstRow[p]!;
  const end = start + profiles.rowCount[p]!;
  for (let r = start; r < end; r++) mask[key[r]!] = 1;
}

function lastDay({ series }: InputService): number {
  return series.reduce(
    (day, { refs }) => Math.max(day, refs.day.at(-1) ?? day),
    Number.MIN_SAFE_INTEGER,
  );
}

/** The last day of which a block is written. */
function lastKeptDay({ services }: LevelZeroInput): number | undefined {
  let last: number | undefined;
  for (const { refs } of services.flatMap((s) => s.series)) {
    refs.removed.forEach((removed, i) => {
      const day = refs.day[i]!;
      if (removed !== 'all' && (last === undefined || day > last)) last = day;
    });
  }
  return last;
}

function seriesOfDay({ series }: InputService, day: number): DaySeries[] {
  const out: DaySeries[] = [];
  for (const entry of series) {
    const start = entry.refs.day.indexOf(day);
    if (start < 0) continue;
    const end = entry.refs.day.lastIndexOf(day) + 1;
    out.push({
      ...entry,
      start,
      end,
    });
  }
  return out;
}
