/**
 * Merges symbols that are in depth-first order, as those of blocks are, into one of that order: all of them are walked at
 * once, and nothing is searched, sorted or numbered again.
 *
 * Why the next node is so easy to find: each source's next node hangs below one that was put out, and whatever was put
 * out since then lies below that one too. So its path and that of the last node put out have all but its own frame in
 * common. Of the next nodes the deepest comes first; equally deep ones have one parent, and the least frame comes first.
 */
import { type SampleLabels, sampleLabelsFromKey } from '../model/sample-labels.js';
import type { FramePool } from './frame-pool.js';
import { compareFrames } from './frame-order.js';
import { growInts } from './intern-list.js';
import { neededNodes } from './needed-nodes.js';
import { asOfNow, type LabelSetTable, type SymbolSource } from './source.js';
import { areKeysDistinct, areLabelSetsInOrder } from './trie-order.js';

const NONE = -1;
/** Nodes put out between two calls of `check`. */
const CHECK_EVERY = 1 << 16;

export interface SymbolPart {
  readonly symbols: SymbolSource;
  /** 1 for each key that counts, length `symbols.keys.count`; absent: all do. */
  readonly wanted?: Uint8Array | undefined;
}

export interface MergedParts {
  readonly symbols: SymbolSource;
  /** For each part the merged number of each of its keys, -1 for one that does not count. */
  readonly keyOf: Int32Array[];
}

export interface MergeSettings {
  /** Numbers the frames of the result; it may be shared, and must not be reset during the merge. */
  readonly frames: FramePool;
  /** Told from time to time how many nodes there are; may throw. */
  readonly check?: (nodeCount: number) => void;
  /** Told how many label sets there are; may throw. */
  readonly checkLabelSets?: (count: number) => void;
}

/** Throws what `check` throws. Every part must be in order (trie-order.ts). */
export function mergeInOrder(
  parts: readonly SymbolPart[],
  { frames, check, checkLabelSets }: MergeSettings,
): MergedParts {
  const needed = parts.map(({ symbols, wanted }) => neededNodes(symbols, wanted));
  const only = parts.length === 1 ? wholeOf(parts[0]!, needed[0]!) : undefined;
  if (only !== undefined) {
    check?.(only.symbols.nodes.count);
    return only;
  }
  const labelSets = mergeLabelSets(parts, checkLabelSets);
  const cursors = parts.map(
    (part, i) => new Cursor(part, frames, { needed: needed[i]!, rankOf: labelSets.rankOf[i]! }),
  );
  const out = new Output(cursors, check);
  const heap = new CursorHeap(frames);
  for (const cursor of cursors) heap.push(cursor);
  const standing: Cursor[] = [];
  for (let first = heap.first; first !== undefined; first = heap.first) {
    const { depth, frame } = first;
    let count = 0;
    for (let next = heap.first; next?.depth === depth && next.frame === frame; next = heap.first) {
      standing[count++] = next;
      heap.pop();
    }
    out.put(standing, count);
    // Not before all have been found: whoever moves on goes deeper than those that still stand.
    for (let i = 0; i < count; i++) {
      const cursor = standing[i]!;
      let isOn = cursor.advance();
      // What hangs below a node that only one source has is its own, down to the depth at which others wait.
      const waitingDepth = heap.first?.depth ?? NONE;
      while (count === 1 && isOn && cursor.depth > waitingDepth) {
        out.put(standing, 1);
        isOn = cursor.advance();
      }
      if (isOn) heap.push(cursor);
    }
  }
  check?.(out.nodeCount);
  return {
    symbols: out.symbols(frames, labelSets.table),
    keyOf: cursors.map((cursor) => cursor.keyOf),
  };
}

/** A part that is all wanted is its own merge. */
function wholeOf({ symbols, wanted }: SymbolPart, needed: Uint8Array): MergedParts | undefined {
  const { count } = symbols.keys;
  if (wanted !== undefined && !wanted.subarray(0, count).every(isSet)) return undefined;
  // Labels that were put on the sets leave none empty; two of them, or two keys, may have become equal.
  const { labelSets } = symbols;
  if (labelSets.key(0) !== '' || !areLabelSetsInOrder(labelSets, 1)) return undefined;
  if (!areKeysDistinct(symbols.keys)) return undefined;
  if (!needed.every(isSet)) return undefined;
  const keyOf = Int32Array.from({ length: count }, (_, k) => k);
  return { symbols: asOfNow(symbols), keyOf: [keyOf] };
}

const isSet = (element: number): boolean => element !== 0;

/** Walks the needed nodes of one source in order. */
class Cursor {
  readonly keyOf: Int32Array;
  /** Of the node that it stands on; the frame by its number in the pool, -1 for the root. */
  depth = 0;
  frame = NONE;
  readonly needed: Uint8Array;
  readonly #part: SymbolPart;
  readonly #frames: FramePool;
  readonly #frameOf: Int32Array;
  readonly #rankOf: Int32Array;
  /** The nodes above and the one that it stands on, by depth. */
  readonly #path: number[] = [0];
  #node = 0;
  /** Keys before it are done with. */
  #key = 0;

  constructor(
    part: SymbolPart,
    frames: FramePool,
    { needed, rankOf }: { readonly needed: Uint8Array; readonly rankOf: Int32Array },
  ) {
    const { symbols } = part;
    this.#part = part;
    this.#frames = frames;
    this.#frameOf = frames.known(symbols.frames);
    this.#rankOf = rankOf;
    this.needed = needed;
    this.keyOf = new Int32Array(symbols.keys.count).fill(NONE);
  }

  /** To the next needed node; false at the end. */
  advance(): boolean {
    const { nodes, frames } = this.#part.symbols;
    const { needed } = this;
    let node = this.#node + 1;
    while (node < nodes.count && needed[node] === 0) node++;
    this.#node = node;
    if (node >= nodes.count) return false;
    const parent = nodes.parent[node]!;
    const path = this.#path;
    let depth = this.depth;
    while (path[depth] !== parent) depth--;
    path[++depth] = node;
    this.depth = depth;
    const frame = nodes.frame[node]!;
    const known = this.#frameOf[frame]!;
    this.frame = known === NONE ? this.#frames.intern(frames, frame) : known;
    return true;
  }

  /** Rank of the label set of the next key of its node that counts, -1 if there is none. */
  nextRank(): number {
    const { symbols, wanted } = this.#part;
    const { count, node, labelSet } = symbols.keys;
    let k = this.#key;
    // Nodes that are not needed have keys as well, and none of them counts.
    if (wanted !== undefined) while (k < count && node[k]! <= this.#node && wanted[k] === 0) k++;
    this.#key = k;
    return k < count && node[k]! <= this.#node ? this.#rankOf[labelSet[k]!]! : NONE;
  }

  /** Gives the number `merged` to the next keys whose label set has that rank. */
  takeKeys(rank: number, merged: number): void {
    while (this.nextRank() === rank) this.keyOf[this.#key++] = merged;
  }
}

/** Cursors by whose node comes next. */
class CursorHeap {
  readonly #heap: Cursor[] = [];
  readonly #frames: FramePool;

  constructor(frames: FramePool) {
    this.#frames = frames;
  }

  get first(): Cursor | undefined {
    return this.#heap[0];
  }

  push(cursor: Cursor): void {
    const heap = this.#heap;
    let at = heap.push(cursor) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!this.#isBefore(cursor, heap[above]!)) break;
      heap[at] = heap[above]!;
      at = above;
    }
    heap[at] = cursor;
  }

  /** Takes the first one out. */
  pop(): void {
    const heap = this.#heap;
    const moved = heap.pop()!;
    const size = heap.length;
    if (size === 0) return;
    let at = 0;
    for (let child = 1; child < size; child = 2 * at + 1) {
      if (child + 1 < size && this.#isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!this.#isBefore(heap[child]!, moved)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = moved;
  }

  #isBefore(a: Cursor, b: Cursor): boolean {
    if (a.depth !== b.depth) return a.depth > b.depth;
    return a.frame !== b.frame && compareFrames(this.#frames, a.frame, b.frame) < 0;
  }
}

/** What is put out. */
class Output {
  nodeCount = 0;
  readonly #check: MergeSettings['check'];
  #keyCount = 0;
  #parent: Int32Array;
  #frame: Int32Array;
  #keyNode: Int32Array;
  #keyLabelSet: Int32Array;
  /** The nodes above and the last node, by depth. */
  readonly #path: number[] = [];

  constructor(cursors: readonly Cursor[], check: MergeSettings['check']) {
    this.#check = check;
    // No less than the widest source has, and twice that if there are more of them: pages that nothing is written to cost nothing.
    const room = (counts: readonly number[]): number =>
      Math.min(
        counts.reduce((sum, n) => sum + n, 0),
        2 * Math.max(...counts),
      );
    const nodes = room(cursors.map((c) => c.needed.length));
    const keys = room(cursors.map((c) => c.keyOf.length));
    this.#parent = new Int32Array(nodes);
    this.#frame = new Int32Array(nodes);
    this.#keyNode = new Int32Array(keys);
    this.#keyLabelSet = new Int32Array(keys);
  }

  /** The node that the first `count` of `standing` stand on, and its keys by label set: keys of one label set are one. */
  put(standing: readonly Cursor[], count: number): void {
    const { depth, frame } = standing[0]!;
    if (this.nodeCount % CHECK_EVERY === 0) this.#check?.(this.nodeCount);
    const node = this.nodeCount++;
    if (node === this.#parent.length) {
      this.#parent = growInts(this.#parent, node + 1);
      this.#frame = growInts(this.#frame, node + 1);
    }
    this.#parent[node] = depth === 0 ? NONE : this.#path[depth - 1]!;
    this.#frame[node] = frame;
    this.#path[depth] = node;
    for (;;) {
      let least = NONE;
      for (let i = 0; i < count; i++) {
        const rank = standing[i]!.nextRank();
        if (rank !== NONE && (least === NONE || rank < least)) least = rank;
      }
      if (least === NONE) return;
      const key = this.#key(node, least);
      for (let i = 0; i < count; i++) standing[i]!.takeKeys(least, key);
    }
  }

  #key(node: number, labelSet: number): number {
    const key = this.#keyCount++;
    if (key === this.#keyNode.length) {
      this.#keyNode = growInts(this.#keyNode, key + 1);
      this.#keyLabelSet = growInts(this.#keyLabelSet, key + 1);
    }
    this.#keyNode[key] = node;
    this.#keyLabelSet[key] = labelSet;
    return key;
  }

  symbols(frames: FramePool, labelSets: LabelSetTable): SymbolSource {
    return asOfNow({
      frames,
      nodes: { count: this.nodeCount, parent: this.#parent, frame: this.#frame },
      keys: { count: this.#keyCount, node: this.#keyNode, labelSet: this.#keyLabelSet },
      labelSets,
    });
  }
}

/** The label sets of keys that count, by text; each source's numbers in that order. */
function mergeLabelSets(
  parts: readonly SymbolPart[],
  check: MergeSettings['checkLabelSets'],
): {
  readonly table: LabelSetTable;
  readonly rankOf: readonly Int32Array[];
} {
  const used = parts.map(usedLabelSets);
  const texts = new Set(['']);
  for (const sets of used) {
    for (const text of sets.values()) texts.add(text);
    check?.(texts.size);
  }
  const sorted = [...texts].sort();
  const ranks = new Map(sorted.map((text, rank) => [text, rank]));
  const rankOf = parts.map(({ symbols }, i) => {
    const own = new Int32Array(symbols.labelSets.count).fill(NONE);
    for (const [set, text] of used[i]!) own[set] = ranks.get(text)!;
    return own;
  });
  const table: LabelSetTable = {
    count: sorted.length,
    key: (index) => sorted[index]!,
    labels: (index): SampleLabels => sampleLabelsFromKey(sorted[index]!),
  };
  return { table, rankOf };
}

/** Texts of the label sets of keys that count, by number. */
function usedLabelSets({
  symbols: { keys, labelSets },
  wanted,
}: SymbolPart): ReadonlyMap<number, string> {
  if (labelSets.count === 1) return new Map([[0, labelSets.key(0)]]);
  const isUsed = new Uint8Array(labelSets.count);
  for (let k = 0; k < keys.count; k++) {
    if (wanted === undefined || wanted[k] !== 0) isUsed[keys.labelSet[k]!] = 1;
  }
  const used = new Map<number, string>();
  isUsed.forEach((flag, set) => {
    if (flag === 1) used.set(set, labelSets.key(set));
  });
  return used;
}
