/**
 * Rolls up the profiles of one profile name of a service: the buckets of each rollup series in order of time, all widths
 * at once. The finest bucket is summed from samples, a coarser one from finer ones as they end.
 */
import { RollupAccumulator } from './rollup-accumulator.js';
import type { RolledBucket } from './rollup-columns.js';
import { bucketStartNs, coarser, type RollupGroup } from './rollup-group.js';
import type { ProfileWalk } from './rollup-walk.js';

import type { RollupWidth } from './types.js';

export interface RollRequest {
  readonly group: RollupGroup;
  /** Fine to coarse, one or more. */
  readonly widths: readonly RollupWidth[];
  readonly keyCount: number;
  /** Value columns that are not 0 all over the block, ascending. */
  readonly columns: readonly number[];
  readonly walk: ProfileWalk;
  /** Takes the buckets that ended, in the order of (rollup series, bucket) for each width. */
  take(width: RollupWidth, buckets: readonly RolledBucket[]): Promise<void>;
}

interface Level {
  readonly width: RollupWidth;
  readonly sums: RollupAccumulator;
  /** The bucket that is open. */
  bucket: number | undefined;
  ended: RolledBucket[];
}

export async function rollGroup(request: RollRequest): Promise<void> {
  const { group, widths, keyCount, columns } = request;
  const isUsed = [0, 1, 2, 3].map((c) => columns.includes(c));
  const levels = widths.map(
    (width): Level => ({
      width,
      sums: new RollupAccumulator(keyCount, isUsed),
      bucket: undefined,
      ended: [],
    }),
  );
  for (const { number, order } of group.units) {
    const close = (level: Level, coarserLevel: Level | undefined): void => {
      if (level.bucket === undefined) return;
      coarserLevel?.sums.addAll(level.sums);
      const bucketNs = bucketStartNs(level.bucket, level.width);
      level.ended.push({ unit: number, bucketNs, rows: level.sums.take() });
      level.bucket = undefined;
    };
    const enter = (bucket: number): void => {
      for (let l = 0; l < levels.length; l++) {
        const level = levels[l]!;
        const own = coarser(bucket, level.width);
        if (level.bucket !== own) close(level, levels[l + 1]);
        level.bucket = own;
      }
    };
    const flush = async (): Promise<void> => {
      for (const level of levels) {
        const { ended } = level;
        level.ended = [];
        if (ended.length > 0) await request.take(level.width, ended);
      }
    };
    const { firstRow, rowCount } = group.profiles;
    await request.walk.visit(
      { order, firstRow, rowCount, columns, afterPart: flush },
      (profile, { key, words }, start, end) => {
        enter(group.bucket[profile]!);
        levels[0]?.sums.add(key, words, start, end);
      },
    );
    for (let l = 0; l < levels.length; l++) close(levels[l]!, levels[l + 1]);
    await flush();
  }
}
