/**
 * Visits the rows of profiles in any order of the profiles, with few reads: as many profiles as fit a buffer are read in
 * the order in which they lie, then visited in the order asked for.
 */
import type { RowRange, SampleRows } from './types.js';

/** Rows in memory at once; a profile with more is read alone. 256 Ki rows of a key and four values take 9 MB. */
export const WALK_ROWS = 1 << 18;

export interface WalkRequest {
  /** Profiles in the order of their visit, by position in the arrays below. */
  readonly order: Int32Array;
  readonly firstRow: Float64Array;
  readonly rowCount: Int32Array;
  /** Value columns that are read, ascending. */
  readonly columns: readonly number[];
  readonly rowsMax?: number;
  scan(
    request: { readonly ranges: readonly RowRange[]; readonly valueColumns: readonly number[] },
    visit: (rows: SampleRows) => void,
  ): Promise<void>;
}

/** Rows [start, end) of a profile; `words` by value column v1 ... v4, undefined where not asked for. */
export type VisitProfile = (
  profile: number,
  rows: { readonly key: Int32Array; readonly words: readonly (Int32Array | undefined)[] },
  start: number,
  end: number,
) => void;

/** `afterPart` runs whenever some profiles have been visited: the time for what takes time. */
export async function walkProfiles(
  request: WalkRequest,
  visit: VisitProfile,
  afterPart?: () => Promise<void>,
): Promise<void> {
  const { order, rowCount } = request;
  const buffer = new WalkBuffer(request);
  const rowsMax = request.rowsMax ?? WALK_ROWS;
  for (let start = 0; start < order.length; ) {
    let rows = rowCount[order[start]!]!;
    let end = start + 1;
    while (end < order.length && rows + rowCount[order[end]!]! <= rowsMax) {
      rows += rowCount[order[end]!]!;
      end++;
    }
    const part = order.subarray(start, end);
    await buffer.fill(part, rows);
    for (const profile of part) {
      const at = buffer.startOf(profile);
      visit(profile, buffer, at, at + rowCount[profile]!);
    }
    await afterPart?.();
    start = end;
  }
}

class WalkBuffer {
  key = new Int32Array(0);
  words: (Int32Array | undefined)[] = [undefined, undefined, undefined, undefined];
  readonly #request: WalkRequest;
  readonly #starts = new Map<number, number>();

  constructor(request: WalkRequest) {
    this.#request = request;
  }

  startOf(profile: number): number {
    return this.#starts.get(profile) ?? 0;
  }

  async fill(profiles: Int32Array, rows: number): Promise<void> {
    const { firstRow, rowCount, columns, scan } = this.#request;
    if (this.key.length < rows) {
      this.key = new Int32Array(rows);
      for (const c of columns) this.words[c] = new Int32Array(rows * 2);
    }
    // Rows lie in the order of the profiles.
    const sorted = profiles.slice().sort();
    const ranges: { start: number; end: number }[] = [];
    this.#starts.clear();
    let at = 0;
    for (const profile of sorted) {
      const start = firstRow[profile]!;
      const end = start + rowCount[profile]!;
      const last = ranges.at(-1);
      if (last !== undefined && last.end === start) last.end = end;
      else if (end > start) ranges.push({ start, end });
      this.#starts.set(profile, at);
      at += rowCount[profile]!;
    }
    let filled = 0;
    await scan({ ranges, valueColumns: columns }, (run) => {
      this.key.set(run.key.subarray(0, run.rowCount), filled);
      columns.forEach((c, i) => {
        const { buffer, byteOffset } = run.values[i]!;
        this.words[c]!.set(new Int32Array(buffer, byteOffset, run.rowCount * 2), filled * 2);
      });
      filled += run.rowCount;
    });
  }
}
