/** The snapshots of all tenants of one query, read as if they were one. Equal series of two tenants stay two series. */
import type { SegmentView } from '../log/segment-view.js';
import type { Removals } from '../manifest/series-removal.js';
import type { FramePool } from '../symbols/frame-pool.js';
import type { BlockHandle } from './block-handle.js';
import { type TimeBounds, type TimeRange, widenedBounds } from './plan.js';
import { keyOfSeries } from '../symbols/select.js';
import {
  type SelectedSources,
  type SelectRequest,
  Snapshot,
  type SnapshotRequest,
} from './snapshot.js';

export class Snapshots {
  readonly range: TimeRange;
  /** In the order of the tenants' names. */
  readonly #snapshots: readonly Snapshot[];

  private constructor(range: TimeRange, snapshots: readonly Snapshot[]) {
    this.range = range;
    this.#snapshots = snapshots;
  }

  static async take(
    tenantIds: readonly string[],
    request: Omit<SnapshotRequest, 'tenantId'>,
  ): Promise<Snapshots> {
    const taken = tenantIds.map((tenantId) => Snapshot.take({ ...request, tenantId }));
    return new Snapshots(request.range, await Promise.all(taken));
  }

  async forEachBlock(
    visit: (handle: BlockHandle, removals: Removals) => Promise<void> | void,
  ): Promise<void> {
    for (const snapshot of this.#snapshots) await snapshot.forEachBlock(visit);
  }

  async forEachSegment(
    visit: (view: SegmentView, tenantId: string, removals: Removals) => void,
  ): Promise<void> {
    for (const snapshot of this.#snapshots) {
      for (const view of await snapshot.segments()) {
        visit(view, snapshot.tenantId, snapshot.removalsOf(view));
      }
    }
  }

  async select(request: SelectRequest, frames: FramePool): Promise<SelectedSources> {
    const all: SelectedSources[] = [];
    for (const snapshot of this.#snapshots) all.push(await snapshot.select(request, frames));
    const [only] = all;
    if (only !== undefined && all.length === 1) return only;
    return {
      sources: all.flatMap((s) => s.sources),
      // A stable sort: equal series in the order of their tenants, so that answers do not depend on timing.
      series: all
        .flatMap((s) => s.series)
        .map((series) => ({ series, key: keyOfSeries(series.series) }))
        .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
        .map(({ series }) => series),
      blocks: all.reduce((sum, s) => sum + s.blocks, 0),
      segments: all.reduce((sum, s) => sum + s.segments, 0),
      blocksInRange: all.reduce((sum, s) => sum + s.blocksInRange, 0),
      segmentsInRange: all.reduce((sum, s) => sum + s.segmentsInRange, 0),
    };
  }

  /** Starts of the oldest and the newest profile in the range's blocks and segments, or undefined without any. */
  async bounds(): Promise<TimeBounds | undefined> {
    let bounds: TimeBounds | undefined;
    for (const snapshot of this.#snapshots) bounds = widenedBounds(bounds, await snapshot.bounds());
    return bounds;
  }
}
