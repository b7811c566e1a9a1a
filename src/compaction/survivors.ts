/** What deletions leave of one service of a block that is being merged. */
import {
  NOTHING_REMOVED,
  removedKeys,
  removesEmpty,
  type SampleRemoval,
  type SeriesRemoval,
} from '../manifest/series-removal.js';
import type { SymbolSource } from '../symbols/source.js';
import type { BlockCursor, CursorRows } from './block-cursor.js';
import { takeOut } from './sorted-rows.js';

export class Survivors {
  readonly #symbols: SymbolSource;
  readonly #masks = new Map<string, Uint8Array | undefined>();

  constructor(symbols: SymbolSource) {
    this.#symbols = symbols;
  }

  /** Rows that stay of the profile at which the cursor stands; undefined when it is deleted. */
  async rows(
    cursor: BlockCursor,
    removal: SeriesRemoval | undefined,
  ): Promise<CursorRows | undefined> {
    const removed = removal?.at(cursor.current?.startNs ?? 0n) ?? NOTHING_REMOVED;
    if (removed === 'all') return undefined;
    const rows = await cursor.rows();
    if (removed.length === 0) return rows;
    if (rows.rowCount === 0) return removesEmpty(removed) ? undefined : rows;
    const gone = this.#goneKeys(removed);
    if (gone === undefined) return rows;
    const rowCount = takeOut(rows, gone);
    return rowCount === 0 ? undefined : { ...rows, rowCount };
  }

  #goneKeys(removed: readonly SampleRemoval[]): Uint8Array | undefined {
    const name = removed.map((r) => r.key).join();
    if (!this.#masks.has(name)) this.#masks.set(name, removedKeys(removed, this.#symbols));
    return this.#masks.get(name);
  }

  /**
   * Goes with `scout`, a cursor of its own, through the series with these numbers (ascending): which of them keep a
   * profile, and which keys their profiles keep.
   */
  async explore(
    scout: BlockCursor,
    parts: readonly { readonly number: number; readonly removal: SeriesRemoval | undefined }[],
  ): Promise<{ readonly live: ReadonlySet<number>; readonly keys: Uint8Array }> {
    const live = new Set<number>();
    const keys = new Uint8Array(this.#symbols.keys.count);
    for (const { number, removal } of parts) {
      while (scout.current !== undefined && scout.current.series < number) await scout.advance();
      for (; scout.current?.series === number; await scout.advance()) {
        const rows = await this.rows(scout, removal);
        if (rows === undefined) continue;
        live.add(number);
        for (let r = 0; r < rows.rowCount; r++) keys[rows.key[r]!] = 1;
      }
    }
    return { live, keys };
  }
}
