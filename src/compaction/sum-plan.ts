/**
 * Decides which rolled-up series of a block become sums, and how wide. All series of one become sums together, once each
 * of them is due: a sum does not tell them apart. Nothing becomes a sum where it might not fit 64 bits.
 */
import {
  bucketStartNs,
  forEachBucket,
  type GroupProfiles,
  type RollupGroup,
  type RollupUnit,
  rollupGroup,
} from '../block/rollup-group.js';
import { fitsRollups } from '../block/rollup-plan.js';
import { type SeriesGroup, seriesGroups } from '../block/rollup-source.js';
import { isWider, sumWidthOf } from '../block/sums.js';
import type { BlockMeta, BlockProfiles, BlockSeries } from '../block/types.js';
import type { WidthOf } from '../manifest/retention.js';
import type { RollupWidth } from '../model/rollup-width.js';

/** One rolled-up series that becomes sums. */
export interface SummedUnit {
  readonly unit: RollupUnit;
  readonly width: RollupWidth;
}

/** The profiles of one profile name of a service of which some become sums. */
export interface SummedGroup extends SeriesGroup {
  readonly group: RollupGroup;
  /** By number of the rolled-up series. */
  readonly units: ReadonlyMap<number, SummedUnit>;
}

export interface SumPlan {
  readonly groups: readonly SummedGroup[];
  /** The widest. */
  readonly width: RollupWidth;
  /** Labels that the sums do not tell apart, sorted. */
  readonly droppedLabels: readonly string[];
}

export interface SummableBlock {
  readonly meta: BlockMeta;
  readonly series: readonly BlockSeries[];
  readonly profiles: BlockProfiles;
}

/** Undefined when there is nothing to do. */
export function planSums(block: SummableBlock, widthOf: WidthOf): SumPlan | undefined {
  const widths = dueWidths(block.series, widthOf);
  const groups: SummedGroup[] = [];
  for (const own of seriesGroups(block.series)) {
    const group = rollupGroup(profilesOf(block.profiles, own.profiles), block.series);
    const units = new Map<number, SummedUnit>();
    for (const unit of group.units) {
      const width = widths.get(unit.number);
      if (width === undefined || !saves(block, { group, unit, width, own })) continue;
      units.set(unit.number, { unit, width });
    }
    const { keyCount } = block.meta.services.find((s) => s.service === own.service)!;
    if (units.size === 0 || !fitsRollups(group, block.meta.valueMagnitudeMax, keyCount)) continue;
    groups.push({ ...own, group, units });
  }
  let widest: RollupWidth | undefined;
  for (const { units } of groups) {
    for (const { width } of units.values()) if (isWider(width, widest)) widest = width;
  }
  if (widest === undefined) return undefined;
  return { groups, width: widest, droppedLabels: droppedLabels(block.series, groups) };
}

/** How wide the sums of each rolled-up series are to be: as the series that keeps most of itself wants it. */
function dueWidths(
  series: readonly BlockSeries[],
  widthOf: WidthOf,
): ReadonlyMap<number, RollupWidth> {
  const widths = new Map<number, RollupWidth>();
  const kept = new Set<number>();
  for (const { series: own, rollupSeries } of series) {
    const width = widthOf(own);
    const known = widths.get(rollupSeries);
    if (width === undefined) kept.add(rollupSeries);
    else if (known === undefined || isWider(known, width)) widths.set(rollupSeries, width);
  }
  for (const number of kept) widths.delete(number);
  return widths;
}

/** Whether it has profiles that are not sums of the width yet, or two that one sum can stand for. */
function saves(
  { profiles }: SummableBlock,
  of: {
    readonly group: RollupGroup;
    readonly unit: RollupUnit;
    readonly width: RollupWidth;
    readonly own: SeriesGroup;
  },
): boolean {
  let isDue = false;
  forEachBucket(of.group, of.unit.order, of.width, (_, start, end) => {
    const flags = profiles.flags[of.own.profiles.start + of.unit.order[start]!]!;
    if (end - start > 1 || isWider(of.width, sumWidthOf(flags))) isDue = true;
  });
  return isDue;
}

function profilesOf(
  profiles: BlockProfiles,
  { start, end }: { readonly start: number; readonly end: number },
): GroupProfiles {
  return {
    count: end - start,
    series: profiles.series.subarray(start, end),
    startNs: profiles.startNs.subarray(start, end),
    durationNs: profiles.durationNs.subarray(start, end),
    period: profiles.period.subarray(start, end),
    totals: profiles.totals.map((column) => column.subarray(start, end)),
    rowCount: profiles.rowCount.subarray(start, end),
    firstRow: profiles.firstRow.subarray(start, end),
    profileCounts: profiles.profileCounts?.subarray(start, end),
  };
}

function droppedLabels(
  series: readonly BlockSeries[],
  groups: readonly SummedGroup[],
): readonly string[] {
  const units = new Set(groups.flatMap((group) => [...group.units.keys()]));
  const dropped = new Set<string>();
  for (const { series: own, rollupSeries, rollupLabels } of series) {
    if (!units.has(rollupSeries)) continue;
    const kept = new Set(rollupLabels.map((label) => label.name));
    for (const { name } of own.labels) if (!kept.has(name)) dropped.add(name);
  }
  return [...dropped].sort();
}

/** The buckets of a unit, in order: their starts, and which of `unit.order` lie in each. */
export function bucketsOf(
  group: RollupGroup,
  { unit, width }: SummedUnit,
): readonly { readonly startNs: bigint; readonly first: number; readonly end: number }[] {
  const out: { startNs: bigint; first: number; end: number }[] = [];
  forEachBucket(group, unit.order, width, (bucket, first, end) => {
    out.push({ startNs: bucketStartNs(bucket, width), first, end });
  });
  return out;
}
