/** The keys of an answer that have a value, numbered depth-first, so that equal data gives equal bytes wherever it lay. */
import { releaseMemory, WIDE_NODES } from '../../env/release-memory.js';
import { orderDepthFirst } from '../../symbols/depth-first.js';
import type { SymbolSource } from '../../symbols/source.js';
import type { HiddenPart } from '../api.js';
import type { MergedValues } from '../merge.js';
import { storeWords, within64 } from '../sums.js';

export interface SampledKeys {
  /** Frames are numbered as they come: renderers must not show their numbers. */
  readonly symbols: SymbolSource;
  /** By key. */
  readonly values: BigInt64Array<ArrayBuffer>;
}

/** Keys for formats that have no place for a sum that is not positive, and what they leave out. Throws `limit` PS_SUM_OVERFLOW. */
export function positiveKeys(values: BigInt64Array): {
  readonly keys: readonly number[];
  readonly hidden: HiddenPart;
} {
  const keys: number[] = [];
  const hidden = { count: 0, value: 0n };
  for (let k = 0; k < values.length; k++) {
    if (values[k]! > 0n) keys.push(k);
    else {
      hidden.count++;
      hidden.value += values[k]!;
    }
  }
  return { keys, hidden: { count: hidden.count, value: within64(hidden.value) } };
}

/** Takes over the sums, which are gone afterwards. Throws `limit` PS_SUM_OVERFLOW. */
export function sampledKeys({ symbols, sums }: MergedValues): SampledKeys {
  const { count } = symbols.keys;
  const sampled = new Uint8Array(count);
  for (let k = 0; k < count; k++) sampled[k] = sums.low[k] === 0 && sums.high[k] === 0 ? 0 : 1;
  const numbered = orderDepthFirst(symbols, sampled);
  const values = new BigInt64Array(numbered.symbols.keys.count);
  const words = new Int32Array(values.buffer);
  for (let k = 0; k < count; k++) {
    const key = numbered.remap[k]!;
    if (key >= 0) storeWords(words, key, sums.low[k]!, sums.high[k]!);
  }
  sums.release();
  if (symbols.nodes.count > WIDE_NODES) releaseMemory();

  return { symbols: numbered.symbols, values };
}
