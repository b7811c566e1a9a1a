/**
 * Answers that are kept, least recently used first out. Blocks never change, so the same question about the same profiles of
 * the same blocks has the same answer; one that any profile of the log or any deletion has a part in is made anew.
 */
import { keyOfSeries } from '../symbols/select.js';
import type { RangeQuery } from './api.js';
import { WeightedCache } from './cache.js';
import type { QueryContext } from './context.js';
import type { SelectedSources } from './snapshot.js';

/** A longer key is that of a query over very many series or blocks, which is seldom asked twice. */
const KEY_LENGTH_MAX = 65_536;
/** Of one answer, as a part of all that may be kept. */
const SHARE_MAX = 1 / 4;

export class ResultCache {
  readonly #cache: WeightedCache;

  /** Keeps nothing where `bytesMax` is 0. */
  constructor(bytesMax: number) {
    this.#cache = new WeightedCache(bytesMax);
  }

  get sizeBytes(): number {
    return this.#cache.sizeBytes;
  }

  /** The answer to `query` from what was selected for it, kept or made. The caller may change it. */
  async get<T>(
    kind: string,
    asked: {
      readonly query: RangeQuery;
      readonly selected: SelectedSources;
      readonly context: QueryContext;
    },
    make: () => Promise<T>,
  ): Promise<T> {
    const key = this.#cache.bytesMax === 0 ? undefined : keyOf(kind, asked);
    if (key === undefined) return make();
    const known = await this.#cache.peek<T>(key);
    if (known !== undefined) return structuredClone(known);
    const made = await make();
    const most = this.#cache.bytesMax * SHARE_MAX;
    const sizeBytes = weightOf(made, most) + 2 * key.length;
    // What was found damaged on the way is to be looked for again.
    const isWhole = asked.context.missing.length === 0;
    if (isWhole && sizeBytes <= most) {
      this.#cache.put(key, { value: structuredClone(made), sizeBytes });
    }
    return made;
  }
}

/** Says all that an answer depends on; undefined where it may change. */
function keyOf(
  kind: string,
  {
    query,
    selected,
    context,
  }: {
    readonly query: RangeQuery;
    readonly selected: SelectedSources;
    readonly context: QueryContext;
  },
): string | undefined {
  if (selected.segments > 0 || context.missing.length > 0) return undefined;
  const { signal: _, ...plain } = query;
  const numbers = new Map(selected.series.map((series, number) => [series, number]));
  const parts: unknown[] = [kind, plain, selected.series.map(({ series }) => keyOfSeries(series))];
  let slices = 0;
  for (const source of selected.sources) {
    if (source.slices.some((slice) => slice.removed.length > 0)) return undefined;
    slices += source.slices.length;
    if (slices * 8 > KEY_LENGTH_MAX) return undefined;
    const own = source.slices.map((slice) => [
      numbers.get(slice.series),
      slice.column,
      slice.first,
      slice.end,
    ]);
    parts.push([source.part, source.rolledUp?.width ?? '', own]);
  }
  const key = JSON.stringify(parts);
  return key.length > KEY_LENGTH_MAX ? undefined : key;
}

const NODE_BYTES = 16;

/** Of an answer in memory, roughly; past `most` it is not looked at any further. */
function weightOf(value: unknown, most: number): number {
  if (typeof value === 'string') return NODE_BYTES + 2 * value.length;
  if (ArrayBuffer.isView(value)) return NODE_BYTES + value.buffer.byteLength;
  if (typeof value !== 'object' || value === null) return NODE_BYTES;
  let bytes = NODE_BYTES;
  for (const part of Array.isArray(value) ? value : Object.values(value)) {
    if (bytes > most) break;
    bytes += weightOf(part, most - bytes);
  }
  return bytes;
}
