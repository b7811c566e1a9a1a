/**
 * Rolls up the profiles of one profile name of a service: the buckets of each rollup series in order of time, all widths
 * at once. The finest bucket is summed from samples, a coarser one from finer ones as they end.
 */
import { RollupAccumulator } from './rollup-accumulator.js';
import type { RolledBucket } from './rollup-columns.js';
import { bucketStartNs, coarser, type RollupGroup, type RollupUnit } from './rollup-group.js';
import type { ProfileWalk } from './rollup-walk.js';
import type { RollupWidth } from '../model/rollup-width.js';

export interface RollerOptions {
  readonly group: RollupGroup;
  /** Fine to coarse, one or more. */
  readonly widths: readonly RollupWidth[];
  readonly keyCount: number;
  /** Value columns that are not 0 all over the block, ascending. */
  readonly columns: readonly number[];
  readonly walk: ProfileWalk;
}

/** Takes the buckets that ended, in the order of time for each width; valid until it returns. */
export type TakeBuckets = (width: RollupWidth, buckets: readonly RolledBucket[]) => Promise<void>;

interface Level {
  readonly width: RollupWidth;
  readonly sums: RollupAccumulator;
  /** The bucket that is open. */
  bucket: number | undefined;
  ended: RolledBucket[];
}

/** Rolls up one rollup series of a group after another. One at a time. */
export class Roller {
  readonly #options: RollerOptions;
  readonly #levels: readonly Level[];

  constructor(options: RollerOptions) {
    const { widths, keyCount, columns } = options;
    const isUsed = [0, 1, 2, 3].map((c) => columns.includes(c));
    this.#options = options;
    this.#levels = widths.map(
      (width): Level => ({
        width,
        sums: new RollupAccumulator(keyCount, isUsed),
        bucket: undefined,
        ended: [],
      }),
    );
  }

  async roll({ number, order }: RollupUnit, take: TakeBuckets): Promise<void> {
    const { group, columns, walk } = this.#options;
    const levels = this.#levels;
    const flush = async (): Promise<void> => {
      for (const level of levels) {
        const { ended } = level;
        level.ended = [];
        if (ended.length > 0) await take(level.width, ended);
      }
    };
    const { firstRow, rowCount } = group.profiles;
    await walk.visit(
      { order, firstRow, rowCount, columns, afterPart: flush },
      (profile, { key, words }, start, end) => {
        this.#enter(group.bucket[profile]!, number);
        levels[0]?.sums.add(key, words, start, end);
      },
    );
    for (let l = 0; l < levels.length; l++) this.#close(l, number);
    await flush();
  }

  #enter(bucket: number, unit: number): void {
    for (let l = 0; l < this.#levels.length; l++) {
      const level = this.#levels[l]!;
      const own = coarser(bucket, level.width);
      if (level.bucket !== own) this.#close(l, unit);
      level.bucket = own;
    }
  }

  #close(l: number, unit: number): void {
    const level = this.#levels[l]!;
    if (level.bucket === undefined) return;
    this.#levels[l + 1]?.sums.addAll(level.sums);
    const bucketNs = bucketStartNs(level.bucket, level.width);
    level.ended.push({ unit, bucketNs, rows: level.sums.take() });
    level.bucket = undefined;
  }
}

/** All rollup series of the group, in its order. */
export async function rollGroup(options: RollerOptions, take: TakeBuckets): Promise<void> {
  const roller = new Roller(options);
  for (const unit of options.group.units) await roller.roll(unit, take);
}
