/**
 * What ingest knows of each series: which of its profiles are in level 0, and up to which start the blocks may have
 * one. Together they answer whether a profile is new (design: (series, start, id) counts once).
 *
 * - A profile whose id and start are among the series' `profiles` is in the log, or on its way there.
 * - Else one that starts after everything that blocks have of the series is new.
 * - Else the blocks must be asked.
 */
import { StoreError } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import type { SegmentIndex } from '../log/segment-index.js';
import { PROFILE_RECEIPT_TIME } from '../log/segment-view.js';
import type { StoredIn } from './stored-in.js';

export interface SeriesState {
  readonly tenantId: string;
  /** `seriesKey`. */
  readonly key: string;
  /** Where each profile of level 0 is, by `profileKey`. */
  readonly profiles: Map<string, StoredIn>;
  /** Latest start in blocks; undefined when they have none. Means nothing before `isLookedUp`. */
  blocksLastNs: bigint | undefined;
  isLookedUp: boolean;
  /** The segment in which `number` counts: `RowSegment.serial`. */
  segmentSerial: number;
  number: number;
}

/**
 * The key of a profile among those of its series. Without a time of its own a retry has another start, so that only
 * the id can tell; that holds as long as the profile is in level 0.
 */
export function profileKey(startNs: bigint, profileId: string, flags: number): string {
  return (flags & PROFILE_RECEIPT_TIME) === 0 ? `${startNs}/${profileId}` : `/${profileId}`;
}

export class SeriesRegistry {
  readonly #states = new Map<string, SeriesState>();
  /** Grows when what memory knows of a tenant moved to its blocks: answers asked for before are then void. */
  readonly #epochs = new Map<string, number>();
  readonly #countMax: number;
  profileCount = 0;

  constructor(countMax: number = LIMITS.ingestSeriesMax) {
    this.#countMax = countMax;
  }

  get seriesCount(): number {
    return this.#states.size;
  }

  epoch(tenantId: string): number {
    return this.#epochs.get(tenantId) ?? 0;
  }

  /** Throws `limit` PS_INGEST_SERIES. */
  state(tenantId: string, key: string): SeriesState {
    // No tenant has a space in it.
    const name = `${tenantId} ${key}`;
    let state = this.#states.get(name);
    if (state !== undefined) return state;
    if (this.#states.size >= this.#countMax) this.#forgetIdle();
    if (this.#states.size >= this.#countMax) {
      throw new StoreError({
        kind: 'limit',
        code: 'PS_INGEST_SERIES',
        message: `cannot accept profile: got more than ${this.#countMax} series in level 0; want at most that many`,
      });
    }
    state = {
      tenantId,
      key,
      profiles: new Map(),
      blocksLastNs: undefined,
      isLookedUp: false,
      segmentSerial: 0,
      number: 0,
    };
    this.#states.set(name, state);
    return state;
  }

  /** Forgets series that have nothing in level 0: what is known of them can be asked for again. */
  #forgetIdle(): void {
    for (const [name, state] of this.#states)
      if (state.profiles.size === 0) this.#states.delete(name);
  }

  addProfile(state: SeriesState, key: string, stored: StoredIn): void {
    if (!state.profiles.has(key)) this.profileCount++;
    state.profiles.set(key, stored);
  }

  removeProfile(state: SeriesState, key: string, stored: StoredIn): void {
    if (state.profiles.get(key) !== stored) return;
    state.profiles.delete(key);
    this.profileCount--;
  }

  /** Learns the profiles of a segment that is there at the start. */
  restore(index: SegmentIndex, stored: StoredIn): void {
    const states = index.series.map(({ tenantId, key }) => this.state(tenantId, key));
    for (let p = 0; p < index.profileCount; p++) {
      const flags = index.profileFlags[p]!;
      const key = profileKey(index.profileStartNs[p]!, index.profileId[p]!, flags);
      this.addProfile(states[index.profileSeries[p]!]!, key, stored);
    }
  }

  /** Answers asked for before are void from now on. */
  startEpoch(tenantId: string): void {
    this.#epochs.set(tenantId, this.epoch(tenantId) + 1);
  }

  /** What `isDeleted` says of these segments may be sent again. Taking it out twice does no harm. */
  forgetDeleted(
    tenantId: string,
    segments: readonly { index: SegmentIndex; sequence: number }[],
    isDeleted: (key: string) => ((startNs: bigint) => boolean) | undefined,
  ): void {
    for (const { index, sequence } of segments) {
      const targets = index.series.map((series) => {
        if (series.tenantId !== tenantId) return undefined;
        const state = this.#states.get(`${tenantId} ${series.key}`);
        const test = isDeleted(series.key);
        return state === undefined || test === undefined ? undefined : { state, test };
      });
      for (let p = 0; p < index.profileCount; p++) {
        const target = targets[index.profileSeries[p]!];
        const startNs = index.profileStartNs[p]!;
        if (target?.test(startNs) !== true) continue;
        const { state } = target;
        const key = profileKey(startNs, index.profileId[p]!, index.profileFlags[p]!);
        const stored = state.profiles.get(key);
        if (stored?.sequence === sequence) this.removeProfile(state, key, stored);
      }
    }
  }

  /** The blocks of `tenantId` have what these segments hold: from now on they are asked for it. */
  moveToBlocks(
    tenantId: string,
    segments: readonly { index: SegmentIndex; sequence: number }[],
  ): void {
    this.startEpoch(tenantId);
    for (const { index, sequence } of segments) {
      const states = index.series.map((series) =>
        series.tenantId === tenantId ? this.#states.get(`${tenantId} ${series.key}`) : undefined,
      );
      for (let p = 0; p < index.profileCount; p++) {
        const state = states[index.profileSeries[p]!];
        if (state === undefined) continue;
        const startNs = index.profileStartNs[p]!;
        const key = profileKey(startNs, index.profileId[p]!, index.profileFlags[p]!);
        const stored = state.profiles.get(key);
        if (stored?.sequence === sequence) this.removeProfile(state, key, stored);
        if (state.blocksLastNs === undefined || startNs > state.blocksLastNs)
          state.blocksLastNs = startNs;
      }
    }
  }
}
