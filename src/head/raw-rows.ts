/** The rows of one profile of a segment, widened to 64 bits. */
import { PROFILE_INCOMPLETE, type SegmentView } from '../log/segment-view.js';
import { widenRows } from '../log/wide-column.js';
import type { RawRows } from '../symbols/deltas.js';

export class RawRowsReader {
  #scratch: readonly BigInt64Array[] = [];

  /** `keyMap` numbers the segment's keys anew. The result is valid until the next call. */
  rows({ profiles, batches }: SegmentView, profile: number, keyMap: Int32Array): RawRows {
    const batch = batches[profiles.batch[profile]!]!;
    const start = profiles.firstRow[profile]!;
    const rowCount = profiles.rowCount[profile]!;
    if ((this.#scratch[0]?.length ?? 0) < rowCount) {
      const size = Math.max(1024, rowCount + (rowCount >>> 1));
      this.#scratch = batch.values.map(() => new BigInt64Array(size));
    }
    const column = (c: 0 | 1 | 2 | 3): BigInt64Array =>
      widenRows(batch.values[c], start, rowCount, this.#scratch[c]!);
    return {
      startNs: profiles.startNs[profile]!,
      isIncomplete: (profiles.flags[profile]! & PROFILE_INCOMPLETE) !== 0,
      firstRow: 0,
      rowCount,
      key: batch.key.subarray(start, start + rowCount),
      values: [column(0), column(1), column(2), column(3)],
      keyMap,
    };
  }
}
