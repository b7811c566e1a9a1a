/**
 * Cumulative to delta, for the profiles of one series in order of (start, id). Compaction runs it when level 0 becomes
 * level 1, and a query runs it over level 0: both get the same numbers.
 *
 * Each cumulative value column decides for itself, over the keys where it is not 0 (an absent row is 0):
 *
 * - no profile before it (no carry either): adds nothing;
 * - any key's value is less than before, or the key went missing: the process started anew, all of it counts;
 * - else the difference of each key counts.
 *
 * The other columns of the row pass through. A profile that does not start after the last consumed one, or that is
 * marked PROFILE_INCOMPLETE, adds nothing in its cumulative columns and is not compared with later. Rows that are 0 in
 * every column are left out.
 *
 * A deleted profile is compared with all the same: what was deleted is what it added, not what the next one adds. So a
 * series may have two profiles to compare with: the last one that counts and, if one that was deleted starts after that,
 * this one too. What starts after both is compared with the deleted one. What does not was sent again, and is compared
 * with the last one that counts.
 *
 * How: each key that the series has met owns a *slot* with its last values, found by one table look-up, so neither
 * side has to be sorted. 64-bit values are handled as pairs of 32-bit halves.
 */
import { assert } from '../base/assert.js';
import { VALUE_COLUMNS_MAX, type Temporality } from '../model/series.js';

type FourColumns = readonly [BigInt64Array, BigInt64Array, BigInt64Array, BigInt64Array];

/** Rows [firstRow, firstRow + rowCount) of `key` and `values`, in any order; a profile's keys are distinct. */
export interface RawRows {
  readonly startNs: bigint;
  /** PROFILE_INCOMPLETE is set in its flags. */
  readonly isIncomplete: boolean;
  readonly firstRow: number;
  readonly rowCount: number;
  readonly key: Int32Array;
  readonly values: FourColumns;
  /** The number in [0, keyCount) of each key that occurs; absent when `key` has those numbers itself. */
  readonly keyMap?: Int32Array;
  /** The profile was deleted: it counts for what the next one adds, as if it were there. Default false. */
  readonly isDeleted?: boolean;
}

/** What a profile adds: the first `rowCount` elements, in the order of the input. Valid until the next call. */
export interface DeltaRows {
  rowCount: number;
  key: Int32Array;
  values: [BigInt64Array, BigInt64Array, BigInt64Array, BigInt64Array];
  /** Cumulative columns that counted in full because the process had started anew, as bits. */
  restartedColumns: number;
}

/** A consumed profile, its rows that are not 0. Columns that are not cumulative are 0. */
export interface CarryRows {
  readonly startNs: bigint;
  readonly rowCount: number;
  readonly key: Int32Array;
  readonly values: FourColumns;
}

/** The profiles that what follows is compared with: at least one of them. */
export interface SeriesCarry {
  /** The last profile that counts. */
  readonly live: CarryRows | undefined;
  /** A deleted one that starts after it. Without `rows` they are gone: what starts after it adds nothing. */
  readonly deleted: { readonly startNs: bigint; readonly rows: CarryRows | undefined } | undefined;
}

const NO_SLOT = -1;

/** A profile that others are compared with. */
class Compared {
  /** Whether there is one, and whether its values are known. */
  isSet = false;
  hasValues = false;
  startNs = 0n;
  /** Its values by slot, for each column, as halves: low at 2 s, high at 2 s + 1. 0 where it has no row. */
  last: Int32Array[] = [];
  /** Rows whose value is above 0, for each column. */
  readonly positive = [0, 0, 0, 0];

  constructor() {
    for (let c = 0; c < VALUE_COLUMNS_MAX; c++) this.last.push(new Int32Array(128));
  }

  set(startNs: bigint, hasValues: boolean): void {
    this.isSet = true;
    this.hasValues = hasValues;
    this.startNs = startNs;
  }

  unset(): void {
    this.isSet = false;
    this.hasValues = false;
  }

  clear(slotCount: number): void {
    this.unset();
    for (let c = 0; c < VALUE_COLUMNS_MAX; c++) {
      this.last[c]!.fill(0, 0, slotCount * 2);
      this.positive[c] = 0;
    }
  }
}

export class DeltaSeries {
  /** Profiles compared with one before them, and how many of those had started anew in some column. */
  compared = 0;
  restarted = 0;

  #slotOf: Int32Array = new Int32Array(0);
  #slotKey: Int32Array = new Int32Array(64);
  #slotCount = 0;
  /** Slot of each row of the current profile. */
  #rowSlot: Int32Array = new Int32Array(64);
  /** Number of the profile that last had the slot's key. */
  #seen: Int32Array = new Int32Array(64);
  #sequence = 0;
  readonly #live = new Compared();
  /** Starts after `#live` while it is set. */
  readonly #deleted = new Compared();
  #cumulative: number[] = [];
  #hasConsumed = false;
  readonly #out: DeltaRows;
  #outHalves: Int32Array[] = [];
  #kept: Int32Array = new Int32Array(0);
  /** Value columns in use. */
  #columnCount = 0;

  constructor() {
    this.#out = { rowCount: 0, key: new Int32Array(0), values: columns(0), restartedColumns: 0 };
  }

  /**
   * Starts a series. `keyCount` bounds the keys of its carry and profiles; `temporalities` has one element for each
   * value column in use.
   */
  begin(temporalities: readonly Temporality[], keyCount: number, carry?: SeriesCarry): void {
    assert(temporalities.length <= VALUE_COLUMNS_MAX, 'a series has at most four value columns');
    for (let s = 0; s < this.#slotCount; s++) this.#slotOf[this.#slotKey[s]!] = NO_SLOT;
    this.#live.clear(this.#slotCount);
    this.#deleted.clear(this.#slotCount);
    this.#slotCount = 0;
    if (this.#slotOf.length < keyCount) {
      this.#slotOf = new Int32Array(keyCount + (keyCount >>> 2)).fill(NO_SLOT);
    }
    for (let c = temporalities.length; c < this.#columnCount; c++) this.#out.values[c]!.fill(0n);
    this.#columnCount = temporalities.length;
    this.#hasConsumed = false;
    this.compared = 0;
    this.restarted = 0;
    this.#cumulative = [];
    temporalities.forEach((t, c) => {
      if (t === 'cumulative') this.#cumulative.push(c);
    });
    if (carry?.live !== undefined) this.#load(this.#live, carry.live.startNs, carry.live);
    if (carry?.deleted !== undefined) {
      this.#load(this.#deleted, carry.deleted.startNs, carry.deleted.rows);
    }
  }

  /** Whether the series needs this at all. */
  get isCumulative(): boolean {
    return this.#cumulative.length > 0;
  }

  /** What `rows` adds. Takes the profile as the last one if it is to be. */
  next(rows: RawRows): DeltaRows {
    const out = this.#out;
    this.#reserveOut(rows.rowCount);
    out.restartedColumns = 0;
    this.#mapKeys(rows);
    const live = this.#live;
    const deleted = this.#deleted;
    const isAfterDeleted = deleted.isSet && rows.startNs > deleted.startNs;
    const before = isAfterDeleted ? deleted : live;
    const target = rows.isDeleted === true ? deleted : live;
    const isLater =
      isAfterDeleted ||
      ((!live.isSet || rows.startNs > live.startNs) && (target === live || !deleted.isSet));
    const isConsumed = isLater && !rows.isIncomplete && this.#cumulative.length > 0;
    if (isConsumed) this.#assignSlots(rows);
    for (let c = 0; c < this.#columnCount; c++) {
      const column = rows.values[c]!;
      if (!this.#cumulative.includes(c)) {
        const end = rows.firstRow + rows.rowCount;
        out.values[c]!.set(column.subarray(rows.firstRow, end));
      } else if (isConsumed) {
        if (this.#column(c, rows, before, target)) out.restartedColumns |= 1 << c;
      } else {
        out.values[c]!.fill(0n, 0, rows.rowCount);
      }
    }
    if (isConsumed) {
      if (before.hasValues) {
        this.compared++;
        if (out.restartedColumns !== 0) this.restarted++;
      }
      this.#hasConsumed = true;
      target.set(rows.startNs, true);
      if (target === live && live.startNs >= deleted.startNs) deleted.unset();
    }
    this.#dropZeroRows(rows.rowCount);
    return out;
  }

  /**
   * What follows is to be compared with; undefined if nothing was consumed since `begin`, so that an older carry stays as
   * it is. The caller may keep it.
   */
  carry(): SeriesCarry | undefined {
    if (!this.#hasConsumed) return undefined;
    const { isSet, hasValues, startNs } = this.#deleted;
    const rows = hasValues ? this.#rowsOf(this.#deleted) : undefined;
    return {
      live: this.#live.isSet ? this.#rowsOf(this.#live) : undefined,
      deleted: isSet ? { startNs, rows } : undefined,
    };
  }

  #rowsOf({ startNs, last }: Compared): CarryRows {
    const slots: number[] = [];
    for (let s = 0; s < this.#slotCount; s++) {
      if (this.#cumulative.some((c) => (last[c]![2 * s]! | last[c]![2 * s + 1]!) !== 0)) {
        slots.push(s);
      }
    }
    const values = columns(slots.length);
    for (const c of this.#cumulative) {
      const target = halves(values[c]!);
      slots.forEach((s, i) => {
        target[2 * i] = last[c]![2 * s]!;
        target[2 * i + 1] = last[c]![2 * s + 1]!;
      });
    }
    const key = Int32Array.from(slots, (s) => this.#slotKey[s]!);
    return { startNs, rowCount: slots.length, key, values };
  }

  #load(into: Compared, startNs: bigint, rows: CarryRows | undefined): void {
    into.set(startNs, rows !== undefined);
    if (rows === undefined) return;
    for (let r = 0; r < rows.rowCount; r++) {
      const slot = this.#slot(rows.key[r]!);
      for (const c of this.#cumulative) {
        const source = halves(rows.values[c]!);
        const low = source[2 * r]!;
        const high = source[2 * r + 1]!;
        if (isPositive(low, high)) into.positive[c]!++;
        into.last[c]![2 * slot] = low;
        into.last[c]![2 * slot + 1] = high;
      }
    }
  }

  #mapKeys(rows: RawRows): void {
    const { key, keyMap, firstRow, rowCount } = rows;
    const out = this.#out.key;
    if (keyMap === undefined) out.set(key.subarray(firstRow, firstRow + rowCount));
    else for (let r = 0; r < rowCount; r++) out[r] = keyMap[key[firstRow + r]!]!;
  }

  #assignSlots(rows: RawRows): void {
    if (this.#rowSlot.length < rows.rowCount) this.#rowSlot = new Int32Array(rows.rowCount * 2);
    const sequence = ++this.#sequence;
    const end = rows.rowCount;
    for (let r = 0; r < end; r++) {
      const k = this.#out.key[r]!;
      let slot = this.#slotOf[k]!;
      if (slot === NO_SLOT) slot = this.#slot(k);
      this.#rowSlot[r] = slot;
      this.#seen[slot] = sequence;
    }
  }

  #slot(key: number): number {
    assert(key >= 0 && key < this.#slotOf.length, 'a key is below the key count');
    const known = this.#slotOf[key]!;
    if (known !== NO_SLOT) return known;
    const slot = this.#slotCount++;
    if (slot >= this.#slotKey.length) {
      this.#slotKey = grown(this.#slotKey);
      this.#seen = grown(this.#seen);
      for (const compared of [this.#live, this.#deleted]) compared.last = compared.last.map(grown);
    }
    this.#slotOf[key] = slot;
    this.#slotKey[slot] = key;
    return slot;
  }

  /** Writes what column `c` adds to `before` and takes its values as those of `target`; true if it had started anew. */
  #column(c: number, rows: RawRows, before: Compared, target: Compared): boolean {
    const now = halves(rows.values[c]!);
    const last = before.last[c]!;
    const kept = target.last[c]!;
    const out = this.#outHalves[c]!;
    const rowSlot = this.#rowSlot;
    const base = rows.firstRow * 2;
    const end = rows.rowCount;
    let hasFallen = false;
    let positiveBefore = 0;
    let positiveNow = 0;
    for (let r = 0; r < end; r++) {
      const at = rowSlot[r]! * 2;
      const low = now[base + 2 * r]!;
      const high = now[base + 2 * r + 1]!;
      const lastLow = last[at]!;
      const lastHigh = last[at + 1]!;
      kept[at] = low;
      kept[at + 1] = high;
      const borrow = low >>> 0 < lastLow >>> 0 ? 1 : 0;
      out[2 * r] = low - lastLow;
      out[2 * r + 1] = high - lastHigh - borrow;
      if (isPositive(low, high)) positiveNow++;
      if ((lastLow | lastHigh) === 0) continue;
      if (lastHigh >= 0) positiveBefore++;
      if (high < lastHigh || (high === lastHigh && borrow === 1)) hasFallen = true;
    }
    if (positiveBefore < before.positive[c]!) hasFallen = true;
    target.positive[c] = positiveNow;
    // Rows are distinct keys, so as many rows as slots means that every slot was seen.
    if (end < this.#slotCount) this.#clearUnseen(kept);
    if (!before.hasValues) out.fill(0, 0, 2 * end);
    else if (hasFallen) out.set(now.subarray(base, base + 2 * end));
    return before.hasValues && hasFallen;
  }

  /** A key that the profile has no row for is 0 from now on. */
  #clearUnseen(last: Int32Array): void {
    const sequence = this.#sequence;
    for (let s = 0; s < this.#slotCount; s++) {
      if (this.#seen[s] === sequence) continue;
      last[2 * s] = 0;
      last[2 * s + 1] = 0;
    }
  }

  /** Column by column: a row stays if any of its halves is not 0. Columns that are not in use are 0 already. */
  #dropZeroRows(rowCount: number): void {
    const kept = this.#kept;
    const columnCount = this.#columnCount;
    for (let c = 0; c < columnCount; c++) {
      const column = this.#outHalves[c]!;
      if (c === 0) for (let r = 0; r < rowCount; r++) kept[r] = column[2 * r]! | column[2 * r + 1]!;
      else for (let r = 0; r < rowCount; r++) kept[r]! |= column[2 * r]! | column[2 * r + 1]!;
    }
    let count = 0;
    for (let r = 0; r < rowCount; r++) if (kept[r] !== 0) kept[count++] = r;
    this.#out.rowCount = count;
    if (count === rowCount) return;
    const key = this.#out.key;
    for (let i = 0; i < count; i++) key[i] = key[kept[i]!]!;
    for (let c = 0; c < columnCount; c++) {
      const column = this.#outHalves[c]!;
      for (let i = 0; i < count; i++) {
        const from = 2 * kept[i]!;
        column[2 * i] = column[from]!;
        column[2 * i + 1] = column[from + 1]!;
      }
    }
  }

  #reserveOut(rowCount: number): void {
    if (this.#out.key.length >= rowCount && this.#outHalves.length > 0) return;
    const size = Math.max(1024, rowCount + (rowCount >>> 1));
    this.#out.key = new Int32Array(size);
    this.#kept = new Int32Array(size);
    this.#out.values = columns(size);
    this.#outHalves = this.#out.values.map(halves);
  }
}

/** A series that started anew so often that two processes must be writing it. */
export function hasTwoWriters(series: {
  readonly compared: number;
  readonly restarted: number;
}): boolean {
  return series.restarted >= 4 && series.restarted * 2 > series.compared;
}

function isPositive(low: number, high: number): boolean {
  return high > 0 || (high === 0 && low !== 0);
}

function halves(column: BigInt64Array): Int32Array {
  return new Int32Array(column.buffer, column.byteOffset, column.length * 2);
}

function columns(length: number): [BigInt64Array, BigInt64Array, BigInt64Array, BigInt64Array] {
  return [
    new BigInt64Array(length),
    new BigInt64Array(length),
    new BigInt64Array(length),
    new BigInt64Array(length),
  ];
}

function grown(source: Int32Array): Int32Array {
  const out = new Int32Array(source.length * 2);
  out.set(source);
  return out;
}
