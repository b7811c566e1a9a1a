/**
 * Functions by self and total. A stack counts once for a function however often the function is on it: a walk through
 * the trie keeps how often each function is on the current path, and a node adds its total only where its function was
 * not there yet.
 */
import { frameName } from '../../model/frame.js';
import type { SymbolSource } from '../../symbols/source.js';
import type { MergedValues } from '../merge.js';
import type { QueryStats, TopFunction, TopTable } from '../api.js';
import { ExactSums } from '../sums.js';
import { childLists } from './name-tree.js';
import { type NodeSums, type NodeValues, nodeSums } from './node-sums.js';
import { bigintOf } from './tree.js';

interface Functions {
  readonly list: readonly FunctionName[];
  /** By frame number. */
  readonly functionOf: Int32Array;
}

export function renderTop(
  merged: MergedValues,
  settings: { readonly unit: string; readonly stats: QueryStats },
): TopTable {
  const { symbols } = merged;
  const sums = nodeSums(symbols, merged.sums);
  const { list, functionOf } = functionsOf(symbols);
  const { self, total, seen } = sumByFunction(symbols, sums, { functionOf, count: list.length });
  const order = list.map((_, i) => i).filter((i) => seen[i] === 1);
  order.sort((a, b) => {
    const bySize = self.compare(b, a) || total.compare(b, a);
    return bySize || compareNames(list[a]!, list[b]!);
  });
  const functions: TopFunction[] = order.map((i) => ({
    ...list[i]!,
    self: self.bigint(i),
    total: total.bigint(i),
  }));
  return { unit: settings.unit, total: bigintOf(sums.total, 0), functions, stats: settings.stats };
}

function functionsOf(symbols: SymbolSource): Functions {
  const { frames, nodes } = symbols;
  const functionOf = new Int32Array(frames.count).fill(-1);
  const files = new Map<string, Map<string, number>>();
  const list: FunctionName[] = [];
  for (let n = 1; n < nodes.count; n++) {
    const f = nodes.frame[n]!;
    if (functionOf[f] !== -1) continue;
    const frame = frames.frame(f);
    const functionName = frameName(frame);
    const byName = files.get(frame.fileName) ?? new Map<string, number>();
    files.set(frame.fileName, byName);
    let number = byName.get(functionName);
    if (number === undefined) {
      number = list.push({ functionName, fileName: frame.fileName }) - 1;
      byName.set(functionName, number);
    }
    functionOf[f] = number;
  }
  return { list, functionOf };
}

function sumByFunction(
  symbols: SymbolSource,
  sums: NodeSums,
  functions: { readonly functionOf: Int32Array; readonly count: number },
): { self: ExactSums; total: ExactSums; seen: Uint8Array } {
  const { functionOf, count } = functions;
  const { parent, frame } = symbols.nodes;
  const { firstChild, nextSibling } = childLists(parent, sums.weight);
  const self = new ExactSums();
  const total = new ExactSums();
  self.reserve(count);
  total.reserve(count);
  const seen = new Uint8Array(count);
  const onPath = new Int32Array(count);
  let n = firstChild[0]!;
  while (n > 0) {
    const f = functionOf[frame[n]!]!;
    seen[f] = 1;
    addNode(self, f, sums.self, n);
    if (onPath[f] === 0) addNode(total, f, sums.total, n);
    if (firstChild[n]! > 0) {
      onPath[f]!++;
      n = firstChild[n]!;
      continue;
    }
    while (n > 0 && nextSibling[n]! <= 0) {
      n = parent[n]!;
      if (n > 0) onPath[functionOf[frame[n]!]!]!--;
    }
    if (n > 0) n = nextSibling[n]!;
  }
  return { self, total, seen };
}

function addNode(into: ExactSums, at: number, values: NodeValues, node: number): void {
  if (values.high === undefined) into.addDouble(at, values.low[node]!);
  else into.addWords(at, values.low[node]!, values.high[node]!);
}

interface FunctionName {
  readonly functionName: string;
  readonly fileName: string;
}

function compareNames(a: FunctionName, b: FunctionName): number {
  if (a.functionName !== b.functionName) return a.functionName < b.functionName ? -1 : 1;
  return a.fileName < b.fileName ? -1 : a.fileName > b.fileName ? 1 : 0;
}
