/**
 * From values by key to self, total and weight by node of the trie: one pass over the keys, one backward pass over the
 * nodes (parents have smaller numbers). All sums are exact: in one double while the sum of all magnitudes is below
 * 2^53, else as words.
 *
 * The *weight* of a node is the sum of the magnitudes under it: never less than a descendant's, also with negative
 * values, so that a cut by weight leaves a tree. It is an exact integer too (scaled down where it would not be), which
 * makes cuts the same for equal data whatever the order of the nodes.
 */
import type { SymbolSource } from '../../symbols/source.js';
import { EXACT_MAX, WORD } from '../kernels.js';
import type { ExactSums } from '../sums.js';

/** Without `high`, `low` is the whole value; with it 0 <= low < 2^32. */
export interface NodeValues {
  readonly low: Float64Array;
  readonly high: Float64Array | undefined;
}

export interface NodeSums {
  readonly self: NodeValues;
  readonly total: NodeValues;
  /** The same array as `total.low` where no value is negative and all is small. */
  readonly weight: Float64Array;
}

export function nodeSums(symbols: SymbolSource, sums: ExactSums): NodeSums {
  const { magnitude, hasNegative } = magnitudeOf(sums, symbols.keys.count);
  if (magnitude >= EXACT_MAX) return wideSums(symbols, sums, magnitude);
  const { keys, nodes } = symbols;
  const self = new Float64Array(nodes.count);
  for (let k = 0; k < keys.count; k++) self[keys.node[k]!]! += sums.low[k]! + sums.high[k]! * WORD;
  const total = self.slice();
  addToParents(total, nodes.parent);
  const weight = hasNegative ? weights(symbols, sums, 1) : total;
  return { self: { low: self, high: undefined }, total: { low: total, high: undefined }, weight };
}

function magnitudeOf(
  sums: ExactSums,
  keyCount: number,
): { magnitude: number; hasNegative: boolean } {
  let magnitude = 0;
  let hasNegative = false;
  for (let k = 0; k < keyCount; k++) {
    const value = sums.low[k]! + sums.high[k]! * WORD;
    if (value < 0) hasNegative = true;
    magnitude += Math.abs(value);
  }
  return { magnitude, hasNegative };
}

function addToParents(values: Float64Array, parent: Int32Array): void {
  for (let n = values.length - 1; n > 0; n--) values[parent[n]!]! += values[n]!;
}

/** Sums of magnitudes, each divided by `scale` (a power of two) and rounded up so that none becomes 0. */
function weights(symbols: SymbolSource, sums: ExactSums, scale: number): Float64Array {
  const { keys, nodes } = symbols;
  const weight = new Float64Array(nodes.count);
  for (let k = 0; k < keys.count; k++) {
    const value = Math.abs(sums.low[k]! + sums.high[k]! * WORD);
    weight[keys.node[k]!]! += Math.ceil(value / scale);
  }
  addToParents(weight, nodes.parent);
  return weight;
}

function wideSums(symbols: SymbolSource, sums: ExactSums, magnitude: number): NodeSums {
  const { keys, nodes } = symbols;
  const self = { low: new Float64Array(nodes.count), high: new Float64Array(nodes.count) };
  for (let k = 0; k < keys.count; k++) addPair(self, keys.node[k]!, sums.low[k]!, sums.high[k]!);
  const total = { low: self.low.slice(), high: self.high.slice() };
  for (let n = nodes.count - 1; n > 0; n--) {
    addPair(total, nodes.parent[n]!, total.low[n]!, total.high[n]!);
  }
  // Rounding up adds less than one for each key, of which there are fewer than 2^31.
  const scale = 2 ** Math.max(0, Math.ceil(Math.log2(magnitude)) - 51);
  return { self, total, weight: weights(symbols, sums, scale) };
}

function addPair(
  into: { readonly low: Float64Array; readonly high: Float64Array },
  at: number,
  low: number,
  high: number,
): void {
  const sum = into.low[at]! + low;
  if (sum >= WORD) {
    into.low[at] = sum - WORD;
    into.high[at]! += high + 1;
  } else {
    into.low[at] = sum;
    into.high[at]! += high;
  }
}
