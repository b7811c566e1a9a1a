/**
 * Content ids: what makes equal frames, stacktraces and keys equal in every segment, block and process, for ever.
 * docs/format/content-ids.md has the bytes; test/golden/content-ids.json pins them.
 *
 * - frame: the first 64 bits of hash128 over its canonical serialisation;
 * - stacktrace: 128 bits, chained root first: id(root) = 0, id(node) = hash128(id(parent), id(frame));
 * - key: the stacktrace's id, or hash128(that id, label set key) where the sample has labels.
 */
import { hash128 } from '../base/hash.js';
import { assert } from '../base/assert.js';
import type { Frame } from '../model/frame.js';
import type { SymbolSource } from './source.js';

const VERSION = 1;
const encoder = new TextEncoder();
let scratch = new Uint8Array(4096);
let scratchView = new DataView(scratch.buffer);
const wide = new Uint32Array(4);

function reserve(sizeBytes: number): void {
  if (scratch.length >= sizeBytes) return;
  scratch = new Uint8Array(sizeBytes * 2);
  scratchView = new DataView(scratch.buffer);
}

function putString(at: number, text: string): number {
  const { written } = encoder.encodeInto(text, scratch.subarray(at + 4));
  scratchView.setUint32(at, written, true);
  return at + 4 + written;
}

/** Writes the frame's content id to `out[at]` (high half) and `out[at + 1]` (low half). */
export function frameContentId(frame: Frame, out: Uint32Array, at = 0): void {
  const texts = [
    frame.functionName,
    frame.systemName,
    frame.fileName,
    frame.mappingFile,
    frame.buildId,
    frame.frameType,
  ];
  let bound = 1 + 7 * 8 + 1;
  for (const text of texts) bound += 4 + text.length * 3;
  reserve(bound);
  scratch[0] = VERSION;
  let end = 1;
  for (const text of texts) end = putString(end, text);
  for (const value of [
    frame.line,
    frame.column,
    frame.startLine,
    frame.mappingStart,
    frame.mappingLimit,
    frame.mappingOffset,
    frame.address,
  ]) {
    scratchView.setBigUint64(end, BigInt.asUintN(64, value), true);
    end += 8;
  }
  scratch[end++] = (frame.inlined ? 1 : 0) | (frame.folded ? 2 : 0);
  hash128(scratch.subarray(0, end), wide);
  out[at] = wide[0] as number;
  out[at + 1] = wide[1] as number;
}

const pair = new Uint8Array(24);
const pairWords = new Uint32Array(pair.buffer);

/** 128-bit ids of all nodes, four words each, the first word first; node 0 (the empty stacktrace) is all zero. */
export function stackContentIds(symbols: Pick<SymbolSource, 'nodes' | 'frames'>): Uint32Array {
  const { nodes, frames } = symbols;
  const ids = new Uint32Array(nodes.count * 4);
  for (let n = 1; n < nodes.count; n++) {
    const parent = nodes.parent[n] as number;
    const frame = nodes.frame[n] as number;
    assert(parent < n && parent >= 0, 'a node must come after its parent');
    pairWords[0] = ids[parent * 4] as number;
    pairWords[1] = ids[parent * 4 + 1] as number;
    pairWords[2] = ids[parent * 4 + 2] as number;
    pairWords[3] = ids[parent * 4 + 3] as number;
    pairWords[4] = frames.idHigh[frame] as number;
    pairWords[5] = frames.idLow[frame] as number;
    hash128(pair, ids, n * 4);
  }
  return ids;
}

/** 128-bit ids of all keys of `symbols`, four words each. */
export function keyContentIds(symbols: SymbolSource): Uint32Array {
  const stacks = stackContentIds(symbols);
  const { keys, labelSets } = symbols;
  const ids = new Uint32Array(keys.count * 4);
  for (let k = 0; k < keys.count; k++) {
    const at = (keys.node[k] as number) * 4;
    const labelSet = keys.labelSet[k] as number;
    if (labelSet === 0) {
      ids.set(stacks.subarray(at, at + 4), k * 4);
      continue;
    }
    const text = labelSets.key(labelSet);
    reserve(16 + text.length * 3);
    for (let w = 0; w < 4; w++) scratchView.setUint32(w * 4, stacks[at + w] as number, true);
    const { written } = encoder.encodeInto(text, scratch.subarray(16));
    hash128(scratch.subarray(0, 16 + written), ids, k * 4);
  }
  return ids;
}
