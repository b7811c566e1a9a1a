/**
 * What `nodes` stores beside the trie itself, computed in two passes over nodes in depth-first order: the interval of
 * keys below each node, its depth, and whether it is the outermost call of its function on its path.
 */
import { assert } from '../base/assert.js';
import type { FrameTable, SymbolSource } from '../symbols/source.js';

export interface TrieColumns {
  /** Keys of the node and everything below it: [firstKey, endKey). */
  readonly firstKey: Int32Array;
  readonly endKey: Int32Array;
  /** 0 for the root. */
  readonly depth: Int32Array;
  /** 1 where no ancestor has the same function (name and file); 0 for the root. */
  readonly outermost: Uint8Array;
}

/** Asserts that nodes and keys are in depth-first order. */
export function trieColumns(symbols: SymbolSource): TrieColumns {
  const { nodes, keys } = symbols;
  const firstKey = new Int32Array(nodes.count);
  const endKey = new Int32Array(nodes.count);
  const ownKeys = new Int32Array(nodes.count);
  let lastNode = 0;
  for (let k = 0; k < keys.count; k++) {
    const node = keys.node[k] as number;
    assert(node >= lastNode && node < nodes.count, 'keys must be in the order of their nodes');
    lastNode = node;
    ownKeys[node] = (ownKeys[node] as number) + 1;
  }
  let before = 0;
  for (let n = 0; n < nodes.count; n++) {
    firstKey[n] = before;
    before += ownKeys[n] as number;
    endKey[n] = before;
  }
  for (let n = nodes.count - 1; n > 0; n--) {
    const parent = nodes.parent[n] as number;
    assert(parent >= 0 && parent < n, 'a node must come after its parent');
    if ((endKey[n] as number) > (endKey[parent] as number)) endKey[parent] = endKey[n] as number;
  }
  return { firstKey, endKey, ...walkPaths(symbols) };
}

/** Keeps the path to the current node; a function's count on it says whether a call is the outermost. */
function walkPaths(symbols: SymbolSource): { depth: Int32Array; outermost: Uint8Array } {
  const { nodes, frames } = symbols;
  const { functionOf, count } = numberFunctions(frames, nodes.frame, nodes.count);
  const onPath = new Int32Array(count);
  const depth = new Int32Array(nodes.count);
  const outermost = new Uint8Array(nodes.count);
  const path: number[] = [0];
  for (let n = 1; n < nodes.count; n++) {
    const parent = nodes.parent[n] as number;
    while (path.length > 1 && path[path.length - 1] !== parent) {
      leave(onPath, functionOf, nodes.frame[path.pop() as number] as number);
    }
    assert(path[path.length - 1] === parent, 'nodes must be in depth-first order');
    const number = functionOf[nodes.frame[n] as number] as number;
    outermost[n] = onPath[number] === 0 ? 1 : 0;
    onPath[number] = (onPath[number] as number) + 1;
    depth[n] = path.length;
    path.push(n);
  }
  return { depth, outermost };
}

function leave(onPath: Int32Array, functionOf: Int32Array, frame: number): void {
  const number = functionOf[frame] as number;
  onPath[number] = (onPath[number] as number) - 1;
}

/** Numbers the functions of the frames that nodes use: a function is a name in a file. */
function numberFunctions(
  frames: FrameTable,
  used: Int32Array,
  nodeCount: number,
): { functionOf: Int32Array; count: number } {
  const functionOf = new Int32Array(frames.count).fill(-1);
  const numbers = new Map<string, number>();
  for (let n = 1; n < nodeCount; n++) {
    const index = used[n] as number;
    assert(index >= 0 && index < frames.count, 'a node must have a frame');
    if (functionOf[index] !== -1) continue;
    const text = functionText(frames, index);
    let number = numbers.get(text);
    if (number === undefined) {
      number = numbers.size;
      numbers.set(text, number);
    }
    functionOf[index] = number;
  }
  return { functionOf, count: numbers.size };
}

/** A frame without a function is a function of its own at its address. */
function functionText(frames: FrameTable, index: number): string {
  const frame = frames.frame(index);
  const name = frame.functionName === '' ? frame.systemName : frame.functionName;
  return name === ''
    ? `\0${frame.address}\0${frame.mappingFile}\0${frame.buildId}`
    : `${name}\0${frame.fileName}`;
}
