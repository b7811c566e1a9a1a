import type { RolledBucket, RowsOfBucket } from './rollup-columns.js';
import { ROLLUP_WIDTH_NS, type RollupWidth } from '../model/rollup-width.js';

/** Where the rows of each bucket were written. */
export class WrittenRows {
  readonly #widths = new Map<RollupWidth, WrittenWidth>();

  begin(width: RollupWidth, firstRow: number): void {
    this.#widths.set(width, { firstRow, rowCount: 0, units: new Map() });
  }

  add(width: RollupWidth, buckets: readonly RolledBucket[]): void {
    const written = this.#widths.get(width)!;
    for (const { unit, bucketNs, rows } of buckets) {
      const bucket = Number(bucketNs / ROLLUP_WIDTH_NS[width]);
      const own = written.units.get(unit) ?? new Map();
      written.units.set(unit, own);
      const firstRow = written.firstRow + written.rowCount;
      own.set(bucket, { firstRow, rowCount: rows.rowCount });
      written.rowCount += rows.rowCount;
    }
  }

  of(width: RollupWidth): {
    readonly firstRow: number;
    readonly rowCount: number;
    readonly rowsOf: RowsOfBucket;
  } {
    const { firstRow, rowCount, units } = this.#widths.get(width) ?? NOTHING_WRITTEN;
    return { firstRow, rowCount, rowsOf: (u, b) => units.get(u)?.get(b) ?? NO_ROWS };
  }
}

interface WrittenWidth {
  readonly firstRow: number;
  rowCount: number;
  readonly units: Map<number, Map<number, { firstRow: number; rowCount: number }>>;
}

const NO_ROWS = { firstRow: 0, rowCount: 0 };
const NOTHING_WRITTEN: WrittenWidth = { ...NO_ROWS, units: new Map() };
