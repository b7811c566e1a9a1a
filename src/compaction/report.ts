import type { StoreError } from '../base/errors.js';
import type { CompactionSpec } from './plan.js';

export interface CompactionProgress {
  readonly tenantId: string;
  readonly kind: CompactionSpec['kind'];
  /** Level of the output. */
  readonly level: number;
  readonly profilesDone: number;
  /** 0 while it is not known. */
  readonly profilesTotal: number;
}

/** What a run did; of all runs together in `status`. */
export interface CompactionCounts {
  levelZeroCompactions: number;
  merges: number;
  profiles: number;
  /** Profiles that were there twice and are now there once. */
  duplicates: number;
  /** Compactions whose inputs another process had compacted meanwhile. */
  conflicts: number;
  carriesDropped: number;
  /** Of which everything was past its age. */
  blocksDropped: number;
  objectsDeleted: number;
  bytesDeleted: number;
  /** Blocks and carries that nothing named: left by crashes and lost races. */
  orphansDeleted: number;
}

export interface CompactionReport extends CompactionCounts {
  /** Orphans left alone because they may be the only copy of something: `basalt gc --dry-run` says which. */
  orphansKept: number;
  /** Series that seem to be written by two processes (PS_CUMULATIVE_WRITERS). */
  readonly twoWriters: string[];
  /** A tenant's failure does not keep others from being compacted; that of the log itself has the tenant ''. */
  readonly failures: { readonly tenantId: string; readonly error: StoreError }[];
}

export function noCounts(): CompactionCounts {
  return {
    levelZeroCompactions: 0,
    merges: 0,
    profiles: 0,
    duplicates: 0,
    conflicts: 0,
    carriesDropped: 0,
    blocksDropped: 0,
    objectsDeleted: 0,
    bytesDeleted: 0,
    orphansDeleted: 0,
  };
}
