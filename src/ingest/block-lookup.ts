import type { SeriesTombstone } from '../manifest/types.js';

/**
 * What ingest asks of the blocks to count each profile once. Answers cover every profile that was reported by
 * `consumed` before the question was asked; they may also cover later ones.
 */
export interface BlockLookup {
  /** The latest start of the series in blocks, or undefined when blocks have none of it. */
  lastStartNs(tenantId: string, seriesKey: string): Promise<bigint | undefined>;
  /** Whether blocks hold this profile, and it was not deleted. */
  contains(profile: StoredProfileKey): Promise<boolean>;
  /** The last segment of this log that the tenant's blocks have, 0 for none. */
  consumedUpTo(tenantId: string, instance: string): Promise<number>;
  /** Deletions of the tenant that some of its data may not have seen yet. */
  tombstones(tenantId: string): Promise<readonly SeriesTombstone[]>;
}

export interface StoredProfileKey {
  readonly tenantId: string;
  /** `seriesKey` of the series. */
  readonly seriesKey: string;
  readonly startNs: bigint;
  readonly profileId: string;
}
