/**
 * Rewrites one block with sums in place of profiles that are old enough for it (manifest/retention.ts): one row of
 * `profiles` for each bucket of a rolled-up series. The other series are copied. Memory: a row group of each table, the
 * symbols of one service, and the sums by key of one bucket.
 */
import { assert } from '../base/assert.js';
import { LIMITS } from '../base/limits.js';
import type { RolledBucket } from '../block/rollup-columns.js';
import { Roller } from '../block/rollup-roll.js';
import { usedColumns } from '../block/rollup-source.js';
import { ProfileWalk } from '../block/rollup-walk.js';
import { mergedSums, isWider, sumFlags, sumWidthOf } from '../block/sums.js';
import type { BlockMeta, BlockReader, BlockWriter, ProfileRows } from '../block/types.js';
import { ulid } from '../env/rng.js';
import type { ProfileMetadata } from '../log/segment-view.js';
import { mergedLineage } from '../manifest/lineage.js';
import type { WidthOf } from '../manifest/retention.js';
import type { Manifest, ManifestBlock } from '../manifest/types.js';
import { seriesKey } from '../model/series.js';
import { BlockCursor } from './block-cursor.js';
import type { CompactionDependencies } from './dependencies.js';
import type { Undo } from './level-zero.js';
import { bySeriesOrder, type KeyedSeries } from './series-order.js';
import { type FourColumns, fourColumns } from './sorted-rows.js';
import {
  bucketsOf,
  planSums,
  type SummableBlock,
  type SummedGroup,
  type SummedUnit,
  type SumPlan,
} from './sum-plan.js';
import type { RollupWidth } from '../model/rollup-width.js';

export interface SumOptions {
  readonly widthOf: WidthOf;
  readonly undo: Undo;
  readonly signal: AbortSignal;
  readonly onProfiles?: (count: number) => void;
}

/** Undefined when no profile of the block is due. */
export async function sumBlock(
  { blocks, clock, rng }: CompactionDependencies,
  base: Manifest,
  { blockId, level }: ManifestBlock,
  options: SumOptions,
): Promise<BlockMeta | undefined> {
  const { tenantId } = base;
  const reader = await blocks.open(tenantId, blockId, options.signal);
  const block: SummableBlock = {
    meta: reader.meta,
    series: await reader.series(options.signal),
    profiles: await reader.profiles(options.signal),
  };
  const plan = planSums(block, options.widthOf);
  if (plan === undefined) return undefined;
  const createdMs = clock.nowMs();
  const newId = ulid(createdMs, rng);
  const writer = blocks.createWriter({
    blockId: newId,
    tenantId,
    level,
    createdMs,
    lineage: mergedLineage(base, [reader.meta.lineage]),
    sums: mergedSums([reader.meta, { sums: plan }]),
  });
  options.undo.push(() => writer.abort());
  const metadata = await reader.profileMetadata(options.signal);
  const run = new SumRun({ reader, block, plan, writer, metadata, blockId: newId, options });
  for (const { service } of reader.meta.services) await run.service(service);
  return await writer.finish();
}

/** A series of the new block: one that is copied, or sums. */
interface OutputSeries extends KeyedSeries {
  /** Number of the series in the old block. */
  readonly copied?: number;
  readonly summed?: { readonly group: SummedGroup; readonly own: SummedUnit };
}

interface SumWork {
  readonly reader: BlockReader;
  readonly block: SummableBlock;
  readonly plan: SumPlan;
  readonly writer: BlockWriter;
  /** By profile of the old block. */
  readonly metadata: readonly ProfileMetadata[];
  /** Of the new block. */
  readonly blockId: string;
  readonly options: SumOptions;
}

class SumRun {
  readonly #work: SumWork;
  readonly #walk: ProfileWalk;
  readonly #cursor: BlockCursor;
  readonly #columns: readonly number[];
  #rollers = new Map<string, Roller>();

  constructor(work: SumWork) {
    const { reader, options } = work;
    this.#work = work;
    this.#walk = new ProfileWalk((request, visit) => reader.scan(request, visit));
    this.#cursor = new BlockCursor(reader, options.signal);
    this.#columns = usedColumns(reader.meta);
  }

  async service(service: string): Promise<void> {
    const { reader, writer, options } = this.#work;
    const outputs = this.#outputs(service);
    const symbols = await reader.symbols(service, options.signal);
    await writer.beginService(
      service,
      symbols,
      outputs.map((output) => output.series),
    );
    this.#rollers = new Map();
    for (const [number, { copied, summed }] of outputs.entries()) {
      options.signal.throwIfAborted();
      if (copied !== undefined) await this.#copy(copied, number);
      if (summed !== undefined)
        await this.#sum({ ...summed, keyCount: symbols.keys.count }, number);
    }
  }

  /** In the order of a block. */
  #outputs(service: string): readonly OutputSeries[] {
    const { block, plan } = this.#work;
    const groups = plan.groups.filter((group) => group.service === service);
    const outputs: OutputSeries[] = [];
    for (const [number, { series, rollupSeries, rollupLabels }] of block.series.entries()) {
      if (series.service !== service) continue;
      const group = groups.find((g) => g.profileName === series.profileName);
      const own = group?.units.get(rollupSeries);
      if (group === undefined || own === undefined) {
        outputs.push({ series, seriesKey: seriesKey(series), copied: number });
      } else if (number === rollupSeries) {
        const summed = { ...series, labels: rollupLabels };
        outputs.push({ series: summed, seriesKey: seriesKey(summed), summed: { group, own } });
      }
    }
    return outputs.sort(bySeriesOrder);
  }

  /** Copied series come in the order of the old block, so the cursor goes through it once. */
  async #copy(old: number, number: number): Promise<void> {
    const { writer, options } = this.#work;
    const cursor = this.#cursor;
    if (cursor.current === undefined) await cursor.advance();
    while (cursor.current !== undefined && cursor.current.series < old) await cursor.advance();
    let count = 0;
    for (; cursor.current?.series === old; await cursor.advance()) {
      const { id: profileId, ...profile } = cursor.current;
      const { rowCount, key, values } = await cursor.rows();
      await writer.writeProfile({ ...profile, series: number, profileId, rowCount, key, values });
      count++;
    }
    options.onProfiles?.(count);
  }

  async #sum(
    of: { readonly group: SummedGroup; readonly own: SummedUnit; readonly keyCount: number },
    number: number,
  ): Promise<void> {
    const { writer, options } = this.#work;
    const { unit } = of.own;
    const buckets = bucketsOf(of.group.group, of.own);
    let next = 0;
    await this.#roller(of).roll(unit, async (_, ended) => {
      for (const bucket of ended) {
        const own = buckets[next++];
        assert(own?.startNs === bucket.bucketNs, 'each bucket ends once, in order');
        const profiles = unit.order.subarray(own.first, own.end);
        await writer.writeProfile({
          ...this.#sumOf(of.group, of.own.width, profiles),
          series: number,
          startNs: own.startNs,
          ...withoutZeros(bucket),
        });
      }
    });
    assert(next === buckets.length, 'each bucket ends once');
    options.onProfiles?.(unit.order.length);
  }

  #roller({
    group,
    own,
    keyCount,
  }: {
    readonly group: SummedGroup;
    readonly own: SummedUnit;
    readonly keyCount: number;
  }): Roller {
    const name = `${own.width} ${group.profileName}`;
    const known = this.#rollers.get(name);
    if (known !== undefined) return known;
    const made = new Roller({
      group: group.group,
      widths: [own.width],
      keyCount,
      columns: this.#columns,
      walk: this.#walk,
    });
    this.#rollers.set(name, made);
    return made;
  }

  /** What is said of profiles (positions in the group) together. */
  #sumOf(
    { profiles: range }: SummedGroup,
    due: RollupWidth,
    positions: Int32Array,
  ): Pick<
    ProfileRows,
    'profileId' | 'durationNs' | 'period' | 'flags' | 'profileCount' | 'metadata'
  > {
    const { profiles } = this.#work.block;
    let durationNs = 0n;
    let period = 0n;
    let flags = 0;
    let profileCount = 0;
    let width = due;
    const metadata = new Set<ProfileMetadata>();
    for (const position of positions) {
      const p = range.start + position;
      durationNs += profiles.durationNs[p]!;
      if (profiles.period[p]! > period) period = profiles.period[p]!;
      const own = sumWidthOf(profiles.flags[p]!);
      if (own !== undefined && isWider(own, width)) width = own;
      flags |= sumFlags(profiles.flags[p]!, due);
      profileCount += profiles.profileCounts?.[p] ?? 1;
      metadata.add(this.#work.metadata[p]!);
    }
    return {
      profileId: `sum/${width}/${this.#work.blockId}`,
      durationNs,
      period,
      flags: sumFlags(flags, width),
      profileCount,
      metadata: commonMetadata([...metadata]),
    };
  }
}

/** Comments of all, as many as a profile may have; of the rest what all of them say. */
function commonMetadata(list: readonly ProfileMetadata[]): ProfileMetadata {
  const [first, ...others] = list;
  assert(first !== undefined, 'a sum is of profiles');
  if (others.length === 0) return first;
  const common = (of: (metadata: ProfileMetadata) => string): string =>
    others.every((other) => of(other) === of(first)) ? of(first) : '';
  const comments = [...new Set(list.flatMap((metadata) => metadata.comments))].sort();
  return {
    comments: comments.slice(0, LIMITS.commentsMax),
    dropFrames: common((m) => m.dropFrames),
    keepFrames: common((m) => m.keepFrames),
    defaultSampleType: common((m) => m.defaultSampleType),
    docUrl: common((m) => m.docUrl),
  };
}

/** Values that cancel out leave no row. */
function withoutZeros({ rows }: RolledBucket): Pick<ProfileRows, 'rowCount' | 'key' | 'values'> {
  const zeros = new BigInt64Array(rows.rowCount);
  const values = fourColumns(0).map((_, c) => rows.sums[c] ?? zeros) as FourColumns;
  const kept: number[] = [];
  for (let r = 0; r < rows.rowCount; r++) {
    if (values.some((column) => column[r] !== 0n)) kept.push(r);
  }
  if (kept.length === rows.rowCount) return { rowCount: rows.rowCount, key: rows.key, values };
  return {
    rowCount: kept.length,
    key: Int32Array.from(kept, (r) => rows.key[r]!),
    values: values.map((column) => BigInt64Array.from(kept, (r) => column[r]!)) as FourColumns,
  };
}
