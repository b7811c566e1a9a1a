/**
 * What a deletion means for sums that stand for old profiles: they are taken whole or not at all. A deletion that would
 * take more than it names is refused; one that cannot reach what sums hold says so.
 */
import { invalid, isDamage } from '../base/errors.js';
import { openBlock } from '../block/reader.js';
import type { BlockSeries, BlockSums } from '../block/types.js';
import type { Manifest, ManifestBlock } from '../manifest/types.js';
import { ROLLUP_WIDTH_NS } from '../model/rollup-width.js';
import type { Bucket } from '../objstore/bucket.js';
import { type CompiledSelector, compileSelector, matchSeries } from '../symbols/select.js';

export interface DeletedRange {
  readonly selector: string;
  readonly startMs: number;
  readonly endMs: number;
}

const BLOCKS_AT_ONCE = 8;
const NS_PER_MS = 1_000_000n;

/**
 * The blocks whose sums lack a label that the selector names: what it names stays in them. Throws `invalid` PS_DELETE_SUMS
 * where sums that hold more than that would go. `isLost`: blocks that are not there are damage, not a race.
 */
export async function checkSums(
  bucket: Bucket,
  { tenantId, blocks }: Manifest,
  range: DeletedRange & { readonly isLost: boolean },
): Promise<number> {
  const selector = compileSelector(range.selector);
  const touched = blocks.filter((block) => overlaps(block, range));
  let kept = 0;
  for (let start = 0; start < touched.length; start += BLOCKS_AT_ONCE) {
    const some = touched.slice(start, start + BLOCKS_AT_ONCE);
    const verdicts = await Promise.all(
      some.map((block) => keepsSums(bucket, tenantId, { block, selector, range })),
    );
    kept += verdicts.filter(Boolean).length;
  }
  return kept;
}

function overlaps(
  { startNsMin, startNsMax }: Pick<ManifestBlock, 'startNsMin' | 'startNsMax'>,
  { startMs, endMs }: DeletedRange,
): boolean {
  return startNsMax >= BigInt(startMs) * NS_PER_MS && startNsMin < BigInt(endMs) * NS_PER_MS;
}

async function keepsSums(
  bucket: Bucket,
  tenantId: string,
  of: {
    readonly block: ManifestBlock;
    readonly selector: CompiledSelector;
    readonly range: DeletedRange & { readonly isLost: boolean };
  },
): Promise<boolean> {
  const { block, selector, range } = of;
  const table = await seriesOf(bucket, tenantId, { ...block, isLost: range.isLost });
  if (table === undefined) return false;
  const { sums } = table;
  const matched = table.series
    .filter((series) => overlaps(series, range))
    .map(({ series }) => matchSeries(selector, series, ''))
    .filter((deferred) => deferred !== undefined);
  if (matched.length === 0) return false;
  const blind = matched.flat().filter(({ name }) => sums.droppedLabels.includes(name));
  if (blind.length === 0) {
    checkEdges(block, sums, range);
    return false;
  }
  if (blind.every((matcher) => matcher.test(''))) {
    const names = [...new Set(blind.map(({ name }) => name))].join(', ');
    throw invalid(
      'PS_DELETE_SUMS',
      `cannot delete: got a selector that takes series without ${names}, as sums of old profiles are in block ${block.blockId}; want one that names a value, or none of these labels`,
    );
  }
  return true;
}

/** Undefined for a block without sums, and for one that is damaged: nobody can read from it what is deleted. */
async function seriesOf(
  bucket: Bucket,
  tenantId: string,
  { blockId, isLost }: { readonly blockId: string; readonly isLost: boolean },
): Promise<{ readonly sums: BlockSums; readonly series: readonly BlockSeries[] } | undefined> {
  try {
    const reader = await openBlock(bucket, tenantId, blockId);
    const { sums } = reader.meta;
    return sums === undefined ? undefined : { sums, series: await reader.series() };
  } catch (error) {
    if (!isDamage(error, isLost)) throw error;
    return undefined;
  }
}

/** A sum goes with its start: one whose bucket reaches across an end of the range would go, or stay, whole. */
function checkEdges(
  { blockId, startNsMin, startNsMax }: ManifestBlock,
  { width }: BlockSums,
  range: DeletedRange,
): void {
  const widthNs = ROLLUP_WIDTH_NS[width];
  for (const timeMs of [range.startMs, range.endMs]) {
    const ns = BigInt(timeMs) * NS_PER_MS;
    const isInside = ns > startNsMin && ns < startNsMax + widthNs;
    if (!isInside || ns % widthNs === 0n) continue;
    throw invalid(
      'PS_DELETE_SUMS',
      `cannot delete: got ${timeMs} ms, inside a sum of up to ${width} in block ${blockId}; want a time at which such sums begin`,
    );
  }
}
