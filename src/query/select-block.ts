/** What a query reads of one block: buckets of rollups where they stand in for profiles, else profiles. */
import type { BlockProfiles, BlockTiles, RollupMeta } from '../block/types.js';
import { NOTHING_REMOVED, type Removals } from '../manifest/series-removal.js';
import type { BlockHandle, LabelSetBudget } from './block-handle.js';
import { BlockSource } from './block-source.js';
import type { QueryContext } from './context.js';
import { withoutEmptied } from './live-profiles.js';
import { type SumUse, sumsLeftOut } from './block-sums.js';
import { type BlockRequest, matchBlock, type MatchedSeries, planBlock } from './plan.js';
import { profileCount, type ProfileSource, type SeriesRegistry, type Slice } from './source.js';
import { TileSource, tilesInRange } from './tile-source.js';
import { planTiles, type SeriesCover, type TileUse } from './tiles.js';

export interface SelectRequest extends BlockRequest {
  /** Without it nothing but profiles will do. */
  readonly tiles?: TileUse | undefined;
  /** Without it no sum will do for the profiles that it stands for. */
  readonly sums?: SumUse | undefined;
}

export interface BlockParts {
  readonly handle: BlockHandle;
  readonly removals: Removals;
  readonly registry: SeriesRegistry;
  readonly context: QueryContext;
  /** Told how many profiles the block has as sums that do not answer the request. */
  readonly onLeftOut: (profiles: number) => void;
}

export async function selectBlock(
  parts: BlockParts,
  request: SelectRequest,
): Promise<readonly ProfileSource[]> {
  const { handle, removals, registry } = parts;
  const { services } = handle.reader.meta;
  if (!services.some((s) => s.profileTypes.includes(request.typeId))) return [];
  const series = await handle.series();
  const matched = matchBlock(series, request);
  const { meta } = handle.reader;
  const leavesSumsOut = sumsLeftOut(meta.sums, request.selector, request.sums);
  const isSent = ({ number, ...own }: MatchedSeries): boolean =>
    leavesSumsOut?.({ ...series[number]!, ...own, typeId: request.typeId }) !== true;
  const covers =
    request.tiles === undefined || !matched.every(isSent)
      ? new Map<number, SeriesCover>()
      : planTiles({ services, series, removals }, matched, { ...request, use: request.tiles });
  // Everything is read before anything is noted, so that damage leaves no trace but itself.
  const tiles = await readTiles(handle, covers);
  const isRawRead = matched.some(({ number }) => covers.get(number)?.raw.length !== 0);
  const sources: ProfileSource[] = [];
  const isTotals = request.tiles?.kind === 'steps';
  if (isRawRead) {
    const profiles = await handle.profiles();
    const { onLeftOut } = parts;
    const rest = { registry, removals, rawOf: covers, leavesSumsOut, onLeftOut };
    for (const [service, slices] of planBlock({ series, profiles }, request, rest)) {
      const tables = { profiles, slices, budget: parts.context };
      sources.push(await liveSource(parts, service, tables));
    }
  }
  for (const [rollup, read] of tiles) {
    const slices: Slice[] = [];
    for (const { number, column, deferred } of matched) {
      for (const run of covers.get(number)?.tiles ?? []) {
        const { first, end } = tilesInRange(read, number, run);
        if (run.rollup !== rollup || first === end) continue;
        const own = registry.of(series[number]!.series, column, request.typeId);
        own.profileCount += profileCount({ profileCounts: read.profileCount }, { first, end });
        slices.push({ series: own, column, deferred, removed: NOTHING_REMOVED, first, end });
      }
    }
    const service = slices[0]?.series.series.service;
    if (service === undefined) continue;
    const of = { rollup, tiles: read, slices, isTotals, budget: parts.context };
    sources.push(new TileSource(handle, service, of));
  }
  return sources;
}

async function readTiles(
  handle: BlockHandle,
  covers: ReadonlyMap<number, SeriesCover>,
): Promise<ReadonlyMap<RollupMeta, BlockTiles>> {
  const read = new Map<RollupMeta, BlockTiles>();
  for (const { tiles } of covers.values()) {
    for (const { rollup } of tiles) {
      if (!read.has(rollup)) read.set(rollup, await handle.tiles(rollup));
    }
  }
  return read;
}

/** A source of the slices without profiles that lost their last sample to a deletion. */
async function liveSource(
  { handle, context }: BlockParts,
  service: string,
  tables: {
    readonly profiles: BlockProfiles;
    readonly slices: readonly Slice[];
    readonly budget: LabelSetBudget;
  },
): Promise<BlockSource> {
  const source = new BlockSource(handle, service, tables);
  if (tables.slices.every((slice) => slice.removed.length === 0)) return source;
  const slices = await withoutEmptied(source, context.signal);
  for (const slice of tables.slices) {
    slice.series.profileCount -= profileCount(tables.profiles, slice);
  }
  for (const slice of slices) slice.series.profileCount += profileCount(tables.profiles, slice);
  return new BlockSource(handle, service, { ...tables, slices });
}
