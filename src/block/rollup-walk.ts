/**
 * Visits the rows of profiles in any order of the profiles, with few reads: as many profiles as fit a buffer are read in
 * the order in which they lie, then visited in the order asked for.
 */
import type { RowRange, SampleRows } from './types.js';

/** Rows in memory at once; a profile with more is read alone. 256 Ki rows of a key and four values take 9 MB. */
export const WALK_ROWS = 1 << 18;

export type ScanRows = (
  request: { readonly ranges: readonly RowRange[]; readonly valueColumns: readonly number[] },
  visit: (rows: SampleRows) => void,
) => Promise<void>;

export interface WalkRequest {
  /** Profiles in the order of their visit, by position in the arrays below. */
  readonly order: Int32Array;
  readonly firstRow: Float64Array;
  readonly rowCount: Int32Array;
  /** Value columns that are read, ascending. */
  readonly columns: readonly number[];
  /** Runs whenever some profiles have been visited: the time for what takes time. */
  readonly afterPart?: () => Promise<void>;
}

/** Rows [start, end) of a profile; `words` by value column v1 ... v4, undefined where not asked for. */
export type VisitProfile = (
  profile: number,
  rows: { readonly key: Int32Array; readonly words: readonly (Int32Array | undefined)[] },
  start: number,
  end: number,
) => void;

/** Keeps its buffer from one walk to the next. One walk at a time. */
export class ProfileWalk {
  readonly #scan: ScanRows;
  readonly #rowsMax: number;
  readonly #starts = new Map<number, number>();
  #key = new Int32Array(0);
  #words: (Int32Array | undefined)[] = [undefined, undefined, undefined, undefined];

  constructor(scan: ScanRows, rowsMax = WALK_ROWS) {
    this.#scan = scan;
    this.#rowsMax = rowsMax;
  }

  async visit(request: WalkRequest, visit: VisitProfile): Promise<void> {
    const { order, rowCount, columns } = request;
    for (let start = 0; start < order.length; ) {
      let rows = rowCount[order[start]!]!;
      let end = start + 1;
      while (end < order.length && rows + rowCount[order[end]!]! <= this.#rowsMax) {
        rows += rowCount[order[end]!]!;
        end++;
      }
      const part = order.subarray(start, end);
      await this.#fill(request, part, rows);
      const words = this.#words.map((column, c) => (columns.includes(c) ? column : undefined));
      for (const profile of part) {
        const at = this.#starts.get(profile) ?? 0;
        visit(profile, { key: this.#key, words }, at, at + rowCount[profile]!);
      }
      await request.afterPart?.();
      start = end;
    }
  }

  #reserve(columns: readonly number[], rows: number): void {
    if (this.#key.length < rows) {
      // A little more rows in the next part would mean a new buffer each time.
      const size = Math.max(rows, Math.min(this.#rowsMax, rows * 2));
      this.#key = new Int32Array(size);
      this.#words = [undefined, undefined, undefined, undefined];
    }
    for (const c of columns) this.#words[c] ??= new Int32Array(this.#key.length * 2);
  }

  async #fill(request: WalkRequest, profiles: Int32Array, rows: number): Promise<void> {
    const { firstRow, rowCount, columns } = request;
    this.#reserve(columns, rows);
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
    await this.#scan({ ranges, valueColumns: columns }, (run) => {
      this.#key.set(run.key.subarray(0, run.rowCount), filled);
      columns.forEach((c, i) => {
        const { buffer, byteOffset } = run.values[i]!;
        this.#words[c]!.set(new Int32Array(buffer, byteOffset, run.rowCount * 2), filled * 2);
      });
      filled += run.rowCount;
    });
  }
}
