/**
 * Sums, counts and sums of squares by key of what falls into one bucket: dense arrays and a list of the keys touched,
 * so that a bucket costs what it holds. 64-bit sums are kept as words; the caller has made sure that none overflows.
 *
 * Squares are doubles, added in the order of rows: the same rows in the same order give the same bits.
 */
const WORD = 4_294_967_296;

/** Rows of one bucket by ascending key; valid until the accumulator is used again. */
export interface RolledRows {
  readonly rowCount: number;
  readonly key: Int32Array;
  readonly count: Int32Array;
  /** By value column; undefined where all are 0. */
  readonly sums: readonly (BigInt64Array | undefined)[];
  readonly squares: readonly (Float64Array | undefined)[];
}

/** Bytes of an accumulator for each key. */
export function accumulatorKeyBytes(columnCount: number): number {
  return 8 + 16 * columnCount;
}

export class RollupAccumulator {
  /** Keys touched, in order of first touch; the first `keyCount` elements. */
  readonly #touched: Int32Array;
  #keyCount = 0;
  readonly #count: Int32Array;
  readonly #sums: readonly (BigInt64Array | undefined)[];
  readonly #words: readonly (Int32Array | undefined)[];
  readonly #squares: readonly (Float64Array | undefined)[];

  /** For keys below `keyCount` and the value columns for which `isUsed`. */
  constructor(keyCount: number, isUsed: readonly boolean[]) {
    this.#touched = new Int32Array(keyCount);
    this.#count = new Int32Array(keyCount);
    this.#sums = isUsed.map((used) => (used ? new BigInt64Array(keyCount) : undefined));
    this.#words = this.#sums.map((sums) => sums && new Int32Array(sums.buffer));
    this.#squares = isUsed.map((used) => (used ? new Float64Array(keyCount) : undefined));
  }

  get isEmpty(): boolean {
    return this.#keyCount === 0;
  }

  /** Adds rows [start, end) of one profile. `words` are those of the value columns in use, undefined for others. */
  add(
    key: Int32Array,
    words: readonly (Int32Array | undefined)[],
    start: number,
    end: number,
  ): void {
    for (let i = start; i < end; i++) this.#touch(key[i]!, 1);
    for (let c = 0; c < words.length; c++) {
      const own = words[c];
      if (own !== undefined) this.#addColumn(c, key, own, { start, end });
    }
  }

  #touch(k: number, count: number): void {
    if (this.#count[k] === 0) this.#touched[this.#keyCount++] = k;
    this.#count[k]! += count;
  }

  #addColumn(
    column: number,
    key: Int32Array,
    words: Int32Array,
    { start, end }: { readonly start: number; readonly end: number },
  ): void {
    const sums = this.#words[column]!;
    const squares = this.#squares[column]!;
    for (let i = start; i < end; i++) {
      const k = key[i]!;
      const low = words[2 * i]! >>> 0;
      const high = words[2 * i + 1]!;
      addWords(sums, k, low, high);
      const value = high * WORD + low;
      squares[k]! += value * value;
    }
  }

  /** Adds all of a finer bucket. */
  addAll(finer: RollupAccumulator): void {
    for (let t = 0; t < finer.#keyCount; t++) {
      const k = finer.#touched[t]!;
      this.#touch(k, finer.#count[k]!);
    }
    for (let c = 0; c < this.#words.length; c++) {
      const sums = this.#words[c];
      const finerSums = finer.#words[c];
      if (sums === undefined || finerSums === undefined) continue;
      const squares = this.#squares[c]!;
      const finerSquares = finer.#squares[c]!;
      for (let t = 0; t < finer.#keyCount; t++) {
        const k = finer.#touched[t]!;
        addWords(sums, k, finerSums[2 * k]! >>> 0, finerSums[2 * k + 1]!);
        squares[k]! += finerSquares[k]!;
      }
    }
  }

  /** Hands out the rows and starts anew. */
  take(): RolledRows {
    const rowCount = this.#keyCount;
    const key = this.#touched.slice(0, rowCount).sort();
    // Loops, because `from` makes an object a row on its way.
    const count = new Int32Array(rowCount);
    for (let r = 0; r < rowCount; r++) count[r] = this.#count[key[r]!]!;
    const sums = this.#sums.map((from) => {
      if (from === undefined) return undefined;
      const out = new BigInt64Array(rowCount);
      for (let r = 0; r < rowCount; r++) out[r] = from[key[r]!]!;
      return out;
    });
    const squares = this.#squares.map((from) => {
      if (from === undefined) return undefined;
      const out = new Float64Array(rowCount);
      for (let r = 0; r < rowCount; r++) out[r] = from[key[r]!]!;
      return out;
    });
    for (let r = 0; r < rowCount; r++) {
      const k = key[r]!;
      this.#count[k] = 0;
      for (let c = 0; c < this.#sums.length; c++) {
        const own = this.#sums[c];
        if (own === undefined) continue;
        own[k] = 0n;
        this.#squares[c]![k] = 0;
      }
    }
    this.#keyCount = 0;
    return { rowCount, key, count, sums, squares };
  }
}

/** Adds a pair with 0 <= low < 2^32 to element k. */
function addWords(words: Int32Array, k: number, low: number, high: number): void {
  const sum = (words[2 * k]! >>> 0) + low;
  words[2 * k] = sum;
  words[2 * k + 1]! += high + (sum >= WORD ? 1 : 0);
}
