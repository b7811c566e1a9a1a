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
 * Running the deltas twice costs less than holding all rows of a service would. The state at the start of a day is the
 * carry or, on a later day, the last profile before it. After a service's last day its carry is written as an object.
 */
import type { BlockMeta, BlockWriter } from '../block/types.js';
import { ulid } from '../env/rng.js';
import { PROFILE_INCOMPLETE, type SegmentView } from '../log/segment-view.js';
import { RawRowsReader } from '../head/raw-rows.js';
import { CarryBuilder, carryRows, decodeCarry, type ServiceCarry } from '../manifest/carry.js';
import type { BlockLineage } from '../manifest/lineage.js';
import { carryKey } from '../manifest/object-keys.js';
import type { CarryRef, Manifest } from '../manifest/types.js';
import { advanced, sequenceOf } from '../manifest/watermarks.js';
import { keyContentIds } from '../symbols/content-id.js';
import { type CarryRows, DeltaSeries, hasTwoWriters, type RawRows } from '../symbols/deltas.js';
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
import { SortedRows } from './sorted-rows.js';

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
  const input = gatherLevelZero(views, spec.tenantId);
  const run = new LevelZeroRun(dependencies, { base, spec, input }, options);
  const blocks: BlockMeta[] = [];
  for (const day of input.days) blocks.push(await run.day(day));
  return {
    blocks,
    carries: run.carries,
    profileCount: input.profileCount,
    duplicateCount: input.duplicateCount,
    twoWriters: run.twoWriters,
    carriesDropped: run.carriesDropped,
  };
}

/** Profiles [start, end) of a series' refs that lie on one day. */
interface DaySeries extends InputSeries {
  readonly start: number;
  readonly end: number;
  /** Profile to take as the last one before `start`, -1 for none but the carry. */
  readonly seed: number;
}

/** The symbols of one service on one day, numbered provisionally. */
interface DaySymbols {
  readonly merger: SymbolMerger;
  /** For each view its key numbers' merged numbers, empty where the view has none of the service. */
  readonly keyMaps: readonly Int32Array[];
  /** Carries under the merged numbers, by series key. */
  readonly carries: ReadonlyMap<string, CarryRows>;
  /** Content ids of the merged keys; empty when no series of the service is cumulative. */
  readonly keyIds: Uint32Array;
}

const NO_WORDS = new Uint32Array(0);
const NO_MAP = new Int32Array(0);

class LevelZeroRun {
  readonly carries: CarryRef[] = [];
  readonly twoWriters: string[] = [];
  carriesDropped = 0;
  readonly #dependencies: CompactionDependencies;
  readonly #base: Manifest;
  readonly #spec: LevelZeroSpec;
  readonly #input: LevelZeroInput;
  readonly #options: LevelZeroOptions & { readonly undo: Undo };
  readonly #frames = new FramePool();
  readonly #deltas = new DeltaSeries();
  readonly #reader = new RawRowsReader();
  readonly #rows = new SortedRows();
  readonly #builders = new Map<string, CarryBuilder>();

  constructor(
    dependencies: CompactionDependencies,
    what: {
      readonly base: Manifest;
      readonly spec: LevelZeroSpec;
      readonly input: LevelZeroInput;
    },
    options: LevelZeroOptions & { readonly undo: Undo },
  ) {
    this.#dependencies = dependencies;
    this.#base = what.base;
    this.#spec = what.spec;
    this.#input = what.input;
    this.#options = options;
  }

  async day(day: number): Promise<BlockMeta> {
    const { blocks, clock, rng } = this.#dependencies;
    const { tenantId } = this.#spec;
    const createdMs = clock.nowMs();
    const blockId = ulid(createdMs, rng);
    const lineage = this.#lineage(day);
    const writer = blocks.createWriter({ blockId, tenantId, level: 1, createdMs, lineage });
    this.#options.undo.push(() => writer.abort());
    for (const service of this.#input.services) {
      const series = seriesOfDay(this.#input, service, day);
      if (series.length === 0) continue;
      await this.#service(writer, service, series);
      if (lastDay(service) === day) await this.#finishCarry(service);
    }
    return await writer.finish();
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
          afterSequence: sequenceOf(watermarks, instance),
          sequence: segments.at(-1)?.sequence ?? 0,
          startNs: BigInt(day) * DAY_NS,
          endNs: BigInt(day + 1) * DAY_NS,
        },
      ],
      firstSequence: segments[0]?.sequence ?? 0,
      isLast: day === this.#input.days.at(-1),
    };
  }

  async #service(
    writer: BlockWriter,
    { service }: InputService,
    series: readonly DaySeries[],
  ): Promise<void> {
    const old = series.some((s) => s.isCumulative) ? await this.#oldCarry(service) : undefined;
    const symbols = this.#merge(series, old);
    const sampled = new Uint8Array(symbols.merger.keyCount);
    for (const entry of series) this.#markSampled(entry, symbols, sampled);
    const final = symbols.merger.finish(sampled);
    const keyCount = final.symbols.keys.count;
    await writer.beginService(
      service,
      final.symbols,
      series.map((s) => s.series),
    );
    for (let number = 0; number < series.length; number++) {
      const entry = series[number]!;
      this.#options.signal?.throwIfAborted();
      this.#begin(entry, symbols);
      for (let at = entry.start; at < entry.end; at++) {
        const rows = this.#deltas.next(this.#raw(entry, at, symbols));
        const { key, values } = this.#rows.take(rows, final.remap, keyCount);
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
          rowCount: rows.rowCount,
          key,
          values,
        });
      }
      if (entry.isCumulative) this.#takeCarry(service, entry, symbols);
      this.#options.onProfiles?.(entry.end - entry.start);
    }
  }

  #merge(series: readonly DaySeries[], old: ServiceCarry | undefined): DaySymbols {
    const { views } = this.#input;
    const wanted: (Uint8Array | undefined)[] = views.map(() => undefined);
    for (const entry of series) {
      for (let at = entry.start; at < entry.end; at++) markWanted(views, entry, at, wanted);
      if (entry.seed >= 0) markWanted(views, entry, entry.seed, wanted);
    }
    const merger = new SymbolMerger(this.#frames);
    const keyMaps = views.map((view, v) => {
      const mask = wanted[v];
      return mask === undefined ? NO_MAP : merger.add(view.symbols, mask);
    });
    if (!series.some((s) => s.isCumulative)) {
      return { merger, keyMaps, carries: new Map(), keyIds: NO_WORDS };
    }
    const keyIds = keyContentIds(merger.provisional());
    const carries = old === undefined ? new Map<string, CarryRows>() : carryRows(old, keyIds);
    return { merger, keyMaps, carries, keyIds };
  }

  #begin(entry: DaySeries, { merger, keyMaps, carries, keyIds }: DaySymbols): void {
    const deltas = this.#deltas;
    const temporalities = entry.series.sampleTypes.map((t) => t.temporality);
    const carry = carries.get(entry.seriesKey);
    deltas.begin(temporalities, merger.keyCount, carry);
    if (entry.seed < 0) return;
    const seed = this.#raw(entry, entry.seed, { merger, keyMaps, carries, keyIds });
    if (carry !== undefined && seed.startNs <= carry.startNs) return;
    deltas.begin(temporalities, merger.keyCount);
    deltas.next(seed);
  }

  #markSampled(entry: DaySeries, symbols: DaySymbols, sampled: Uint8Array): void {
    if (!entry.isCumulative) {
      for (let at = entry.start; at < entry.end; at++)
        markRows(this.#raw(entry, at, symbols), sampled);
      return;
    }
    this.#begin(entry, symbols);
    for (let at = entry.start; at < entry.end; at++) {
      const { rowCount, key } = this.#deltas.next(this.#raw(entry, at, symbols));
      for (let r = 0; r < rowCount; r++) sampled[key[r]!] = 1;
    }
    if (hasTwoWriters(this.#deltas)) this.twoWriters.push(entry.seriesKey);
  }

  #raw({ refs }: DaySeries, at: number, { keyMaps }: DaySymbols): RawRows {
    const v = refs.view[at]!;
    return this.#reader.rows(this.#input.views[v]!, refs.profile[at]!, keyMaps[v]!);
  }

  #takeCarry(service: string, entry: DaySeries, { keyIds }: DaySymbols): void {
    const carry = this.#deltas.carry();
    if (carry === undefined) return;
    let builder = this.#builders.get(service);
    if (builder === undefined) {
      builder = new CarryBuilder(service);
      this.#builders.set(service, builder);
    }
    builder.set(entry.seriesKey, carry, keyIds);
  }

  async #oldCarry(service: string): Promise<ServiceCarry | undefined> {
    const ref = this.#base.carries.find((c) => c.service === service);
    if (ref === undefined) return undefined;
    const { body } = await this.#dependencies.bucket.get(ref.objectKey);
    return decodeCarry(service, body);
  }

  async #finishCarry({ service }: InputService): Promise<void> {
    const builder = this.#builders.get(service);
    if (builder === undefined) return;
    this.#builders.delete(service);
    const { bucket, clock, rng } = this.#dependencies;
    const old = await this.#oldCarry(service);
    if (old !== undefined) builder.inherit(old, this.#options.carryAgeNsMax);
    const { version, watermarks } = this.#base;
    const { tenantId, instance, segments } = this.#spec;
    const sequence = segments.at(-1)?.sequence ?? 0;
    const consumed = advanced(watermarks, { instance, sequence });
    const { bytes, dropped } = builder.encode({ baseVersion: version, consumed });
    this.carriesDropped += dropped;
    const objectKey = carryKey(tenantId, ulid(clock.nowMs(), rng));
    this.#options.undo.push(() => bucket.delete(objectKey));
    await bucket.put(objectKey, bytes);
    this.carries.push({ service, objectKey, sizeBytes: bytes.length });
  }
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

function seriesOfDay(input: LevelZeroInput, { series }: InputService, day: number): DaySeries[] {
  const out: DaySeries[] = [];
  for (const entry of series) {
    const start = entry.refs.day.indexOf(day);
    if (start < 0) continue;
    const end = entry.refs.day.lastIndexOf(day) + 1;
    out.push({
      ...entry,
      start,
      end,
      seed: entry.isCumulative ? seedBefore(input, entry, start) : -1,
    });
  }
  return out;
}

/** The profile that is the last consumed one before profile `start`: complete, and the first of its start time. */
function seedBefore({ views }: LevelZeroInput, { refs }: InputSeries, start: number): number {
  let seed = -1;
  for (let at = start - 1; at >= 0; at--) {
    const { profiles } = views[refs.view[at]!]!;
    const p = refs.profile[at]!;
    if ((profiles.flags[p]! & PROFILE_INCOMPLETE) !== 0) continue;
    const before =
      seed < 0 ? undefined : views[refs.view[seed]!]!.profiles.startNs[refs.profile[seed]!];
    if (before !== undefined && profiles.startNs[p] !== before) break;
    seed = at;
  }
  return seed;
}
