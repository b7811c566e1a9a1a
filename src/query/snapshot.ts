/**
 * What one attempt of a query looks at: the log position first, then the manifest (ARCHITECTURE.md, "Reading without
 * counting twice"), and from them blocks through the cache and segments that no block covers.
 */
import type { BlockReader } from '../block/types.js';
import type { LogPosition, SegmentPosition, SegmentView } from '../log/segment-view.js';
import { decodeCarry, type ServiceCarry, withDeletions } from '../manifest/carry.js';
import type { CutoffOf } from '../manifest/retention.js';
import { coversSegment, Removals, tombstonesOf } from '../manifest/series-removal.js';
import type { Manifest, ManifestBlock, SeriesTombstone } from '../manifest/types.js';
import type { Bucket } from '../objstore/bucket.js';
import type { FramePool } from '../symbols/frame-pool.js';
import type { MissingPart } from './api.js';
import { BlockHandle, openedBytes } from './block-handle.js';
import type { WeightedCache } from './cache.js';
import type { QueryContext } from './context.js';
import { planLevelZero } from './level-zero.js';
import { mapInOrder } from './ordered.js';
import {
  type BlockTables,
  keptBounds,
  type PlannedParts,
  planParts,
  type TimeBounds,
  type TimeRange,
  widenedBounds,
} from './plan.js';
import { segmentName } from './segment-source.js';
import { type SelectRequest as BlockSelectRequest, selectBlock } from './select-block.js';
import type { ScanHelpers } from './shared-scan.js';
import { type ProfileSource, type QuerySeries, SeriesRegistry } from './source.js';

/** What queries need of others, as narrow as they need it. */
export interface SnapshotParts {
  readonly bucket: Pick<Bucket, 'get'>;
  readonly manifests: {
    load(tenantId: string, options?: { signal?: AbortSignal }): Promise<Manifest>;
  };
  readonly blocks: {
    open(tenantId: string, blockId: string, signal?: AbortSignal): Promise<BlockReader>;
  };
  /** `not-found` when the segment has been deleted since. */
  readonly segments: { view(position: SegmentPosition): Promise<SegmentView> };
  readonly position: () => Promise<LogPosition>;
  /** Threads that take part in large scans. Absent: none. */
  readonly helpers?: ScanHelpers | undefined;
}

export interface SelectedSources {
  readonly sources: readonly ProfileSource[];
  /** In the order of their keys, which does not depend on where they are stored. */
  readonly series: readonly QuerySeries[];
  /** Blocks and segments that have a selected profile. */
  readonly blocks: number;
  readonly segments: number;
  /** Blocks and segments that may have something of the range. */
  readonly blocksInRange: number;
  readonly segmentsInRange: number;
}

export type SelectRequest = Omit<BlockSelectRequest, 'range'>;

const PARTS_AT_ONCE = 8;

export class Snapshot {
  readonly tenantId: string;
  readonly range: TimeRange;
  readonly #parts: SnapshotParts;
  readonly #cache: WeightedCache;
  readonly #context: QueryContext;
  readonly #manifest: Manifest;
  readonly #planned: PlannedParts;
  readonly #cutoffOf: CutoffOf | undefined;

  private constructor(
    fixed: SnapshotRequest,
    state: { readonly manifest: Manifest; readonly planned: PlannedParts },
  ) {
    this.tenantId = fixed.tenantId;
    this.range = fixed.range;
    this.#parts = fixed.parts;
    this.#cache = fixed.cache;
    this.#context = fixed.context;
    this.#cutoffOf = fixed.cutoffOf(fixed.tenantId);
    this.#manifest = state.manifest;
    this.#planned = state.planned;
  }

  static async take(request: SnapshotRequest): Promise<Snapshot> {
    const { parts, context, tenantId, range } = request;
    const position = await parts.position();
    const manifest = await parts.manifests.load(tenantId, { signal: context.signal });
    return new Snapshot(request, { manifest, planned: planParts(manifest, position, range) });
  }

  /** The blocks of the range, in the order of their ids. `visit` runs for one at a time. */
  async forEachBlock(
    visit: (handle: BlockHandle, removals: Removals) => Promise<void> | void,
  ): Promise<void> {
    const handles: (BlockHandle | undefined)[] = [];
    await mapInOrder(
      this.#planned.blocks,
      PARTS_AT_ONCE,
      ({ blockId }) => this.#context.part(`block ${blockId}`, () => this.#openBlock(blockId)),
      (handle) => void handles.push(handle),
    );
    for (const [index, handle] of handles.entries()) {
      this.#context.check();
      const block = this.#planned.blocks[index];
      if (handle === undefined || block === undefined) continue;
      const removals = this.#removalsOfBlock(block);
      await this.#context.part(`block ${block.blockId}`, async () => visit(handle, removals));
    }
  }

  #removalsOfBlock(block: ManifestBlock): Removals {
    return new Removals(tombstonesOf(this.#manifest, block), this.#cutoffOf);
  }

  async #tables({ blockId }: ManifestBlock): Promise<BlockTables> {
    const handle = await this.#openBlock(blockId);
    const [series, profiles] = await Promise.all([handle.series(), handle.profiles()]);
    return { series, profiles };
  }

  /** What deletions and age take from a segment. */
  removalsOf({ position }: SegmentView): Removals {
    return new Removals(this.#deletionsOf(position), this.#cutoffOf);
  }

  #deletionsOf(position: SegmentPosition): readonly SeriesTombstone[] {
    return this.#manifest.seriesTombstones.filter((t) => coversSegment(t, position));
  }

  /** The segments that no block covers, oldest first. */
  async segments(): Promise<readonly SegmentView[]> {
    const views: SegmentView[] = [];
    await mapInOrder(
      this.#planned.segments,
      PARTS_AT_ONCE,
      (position) =>
        this.#context.part(segmentName({ position }), () => this.#parts.segments.view(position)),
      (view) => {
        if (view !== undefined) views.push(view);
      },
    );
    return views;
  }

  /** All selected profiles of one profile type. */
  async select(request: SelectRequest, frames: FramePool): Promise<SelectedSources> {
    const registry = new SeriesRegistry();
    const sources: ProfileSource[] = [];
    const { range, tenantId } = this;
    let blocks = 0;
    await this.forEachBlock(async (handle, removals) => {
      const context = this.#context;
      let leftOut = 0;
      const onLeftOut = (profiles: number): void => {
        leftOut += profiles;
      };
      const parts = { handle, removals, registry, context, onLeftOut };
      const own = await selectBlock(parts, { ...request, range });
      if (leftOut > 0) context.noteMissing(sumsPart(handle, leftOut));
      sources.push(...own);
      if (own.length > 0) blocks++;
    });
    const views = await this.segments();
    const levelZero = await planLevelZero(
      views,
      {
        ...request,
        tenantId,
        range,
        frames,
        carryOf: (service) => this.#carry(service),
        deletions: ({ position }) => new Removals(this.#deletionsOf(position)),
        removals: (view) => this.removalsOf(view),
      },
      { registry, context: this.#context },
    );
    sources.push(...levelZero.sources);
    return {
      sources,
      series: registry.sorted(),
      blocks,
      segments: levelZero.segments,
      blocksInRange: this.#planned.blocks.length,
      segmentsInRange: this.#planned.segments.length,
    };
  }

  /** Of the profiles in the range's blocks and of the tenant's profiles in segments. */
  async bounds(): Promise<TimeBounds | undefined> {
    let bounds: TimeBounds | undefined;
    for (const block of this.#planned.blocks) {
      const removals = this.#removalsOfBlock(block);
      bounds = widenedBounds(
        bounds,
        removals.isEmpty
          ? { firstNs: block.startNsMin, lastNs: block.startNsMax }
          : keptBounds(await this.#tables(block), removals),
      );
    }
    for (const view of await this.segments()) {
      const { series, profiles } = view;
      const removals = this.removalsOf(view);
      const isOwn = series.map(({ tenantId }) => tenantId === this.tenantId);
      const removal = series.map((s) => removals.of(s.series));
      for (let p = 0; p < profiles.count; p++) {
        const start = profiles.startNs[p]!;
        const number = profiles.series[p]!;
        if (!isOwn[number] || removal[number]?.at(start) === 'all') continue;
        bounds = widenedBounds(bounds, { firstNs: start, lastNs: start });
      }
    }
    return bounds;
  }

  #openBlock(blockId: string): Promise<BlockHandle> {
    const prefix = blockCachePrefix(this.tenantId, blockId);
    return this.#cache.get(`${prefix}/open`, async () => {
      const reader = await this.#parts.blocks.open(this.tenantId, blockId);
      const sizeBytes = openedBytes(reader.meta);
      return {
        value: new BlockHandle(reader, this.#cache, prefix, this.#parts.helpers),
        sizeBytes,
      };
    });
  }

  async #carry(service: string): Promise<ServiceCarry | undefined> {
    const ref = this.#manifest.carries.find((c) => c.service === service);
    if (ref === undefined) return undefined;
    const carry = await this.#cache.get(`carry/${ref.objectKey}`, async () => {
      const { body } = await this.#parts.bucket.get(ref.objectKey);
      return { value: decodeCarry(ref, body), sizeBytes: 200 + body.length * 4 };
    });
    return withDeletions(carry, new Removals(tombstonesOf(this.#manifest, ref)));
  }
}

/** Says that profiles are there as sums only, which do not answer the request. */
function sumsPart({ reader }: BlockHandle, profiles: number): MissingPart {
  const { blockId, sums } = reader.meta;
  const dropped = sums?.droppedLabels.join(', ') ?? '';
  return {
    part: `sums of block ${blockId}`,
    code: 'PS_SUMS',
    message: `cannot count ${profiles} profiles that are kept as sums of up to ${sums?.width}: got a request for single profiles, last, max or one of the labels that sums do not have (${dropped}); want sum or avg by other labels`,
  };
}

/** JSON keeps a tenant's name from running into the block's. */
function blockCachePrefix(tenantId: string, blockId: string): string {
  return `block/${JSON.stringify([tenantId, blockId])}`;
}

export interface SnapshotRequest {
  /** What is past its age, by tenant. */
  readonly cutoffOf: (tenantId: string) => CutoffOf | undefined;
  readonly tenantId: string;
  readonly range: TimeRange;
  readonly parts: SnapshotParts;
  readonly cache: WeightedCache;
  readonly context: QueryContext;
}
