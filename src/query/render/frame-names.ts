/**
 * Names of frames by number, equal names sharing a number. They are kept with the frame table, which the engine shares
 * between queries: making and sorting them again took a sixth of a query.
 */
import { frameName } from '../../model/frame.js';
import type { FrameTable, SymbolSource } from '../../symbols/source.js';

const NONE = -1;

/** Ranks of names by code units; names that were not asked for may have none. */
export interface NameRanks {
  /** Ranks are below it. */
  readonly count: number;
  readonly rank: Int32Array;
}

export interface FrameNames {
  readonly names: readonly string[];
  /** By frame number; -1 for a frame that no node used so far. */
  readonly nameOf: Int32Array;
  readonly ranks: NameRanks;
}

const BOOKS = new WeakMap<FrameTable, NameBook>();

/** Names of the frames of `symbols`. Valid until the next call for the same frame table. */
export function namesOf(symbols: SymbolSource): FrameNames {
  let book = BOOKS.get(symbols.frames);
  if (book === undefined) {
    book = new NameBook();
    BOOKS.set(symbols.frames, book);
  }
  return book.look(symbols);
}

class NameBook {
  readonly #names: string[] = [];
  readonly #numbers = new Map<string, number>();
  #nameOf = new Int32Array(0);
  #ranks: NameRanks = { count: 0, rank: new Int32Array(0) };

  look({ frames, nodes }: SymbolSource): FrameNames {
    if (this.#nameOf.length < frames.count) {
      const nameOf = new Int32Array(Math.max(frames.count, this.#nameOf.length * 2)).fill(NONE);
      nameOf.set(this.#nameOf);
      this.#nameOf = nameOf;
    }
    const nameOf = this.#nameOf;
    for (let n = 1; n < nodes.count; n++) {
      const f = nodes.frame[n]!;
      if (nameOf[f] === NONE) nameOf[f] = this.#number(frameName(frames.frame(f)));
    }
    return { names: this.#names, nameOf, ranks: this.#rankUsed(nodes.frame) };
  }

  #number(name: string): number {
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    this.#numbers.set(name, this.#names.length);
    return this.#names.push(name) - 1;
  }

  /** Ranks of all names are kept, but made only where most of them are used: a small query must not sort a big book. */
  #rankUsed(frame: Int32Array): NameRanks {
    const names = this.#names;
    if (this.#ranks.rank.length === names.length) return this.#ranks;
    const isUsed = new Uint8Array(names.length);
    const used: number[] = [];
    for (let n = 1; n < frame.length; n++) {
      const name = this.#nameOf[frame[n]!]!;
      if (isUsed[name] === 1) continue;
      isUsed[name] = 1;
      used.push(name);
    }
    const isMost = used.length * 2 >= names.length;
    const ranks = rankOf(names, isMost ? [...names.keys()] : used);
    if (isMost) this.#ranks = ranks;
    return ranks;
  }
}

function rankOf(names: readonly string[], order: number[]): NameRanks {
  order.sort((a, b) => (names[a]! < names[b]! ? -1 : 1));
  const rank = new Int32Array(names.length).fill(NONE);
  for (let i = 0; i < order.length; i++) rank[order[i]!] = i;
  return { count: order.length, rank };
}
