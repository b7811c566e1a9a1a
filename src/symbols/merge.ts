/**
 * Merges symbols in any order, as those of segments are, into one trie, top-down by (parent, frame), and numbers the
 * result. What is in order already takes a shorter way (merge-in-order.ts).
 *
 * Steps of `add`: mark the nodes that the wanted keys need, with their ancestors; walk the source's nodes in order
 * (parents come first) and find or make each one's merged node; then do the same for the keys. Only integers are
 * touched, except that a frame's content is compared once (frame-pool.ts).
 *
 * `finish` numbers nodes and keys in depth-first order, children by frame content id and a node's keys by label set
 * key, so that equal sets of stacks get equal numbers whatever the order in which they came.
 */
import { assert } from '../base/assert.js';
import { type SampleLabels, sampleLabelsFromKey } from '../model/sample-labels.js';
import { type MergedSymbols, numberDepthFirst } from './depth-first.js';
import { FramePool } from './frame-pool.js';
import { PairTable } from './int-table.js';
import { neededNodes } from './needed-nodes.js';
import { asOfNow, type LabelSetTable, type SymbolSource } from './source.js';

/** Label sets by text key; 0 is the empty one. */
export class LabelSetPool implements LabelSetTable {
  readonly #keys: string[] = [''];
  readonly #numbers = new Map<string, number>([['', 0]]);

  get count(): number {
    return this.#keys.length;
  }

  key(index: number): string {
    return this.#keys[index] as string;
  }

  labels(index: number): SampleLabels {
    return sampleLabelsFromKey(this.key(index));
  }

  intern(key: string): number {
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const number = this.#keys.length;
    this.#keys.push(key);
    this.#numbers.set(key, number);
    return number;
  }
}

const UNMAPPED = -1;

export class SymbolMerger {
  readonly #frames: FramePool;
  readonly #labelSets = new LabelSetPool();
  /** Entry n is node n; entry 0 is the root. */
  readonly #nodes = new PairTable();
  /** (node, label set). */
  readonly #keys = new PairTable();

  /** A shared `frames` pool saves comparing the same frames again; it must not be reset during the merge. */
  constructor(frames: FramePool = new FramePool()) {
    this.#frames = frames;
    this.#nodes.intern(UNMAPPED, UNMAPPED);
  }

  get nodeCount(): number {
    return this.#nodes.count;
  }

  get keyCount(): number {
    return this.#keys.count;
  }

  get labelSetCount(): number {
    return this.#labelSets.count;
  }

  /**
   * Adds the keys of `source` for which `wanted` is not 0 (all when absent; length `source.keys.count`) and returns
   * the merged number of each, -1 for the others.
   */
  add(source: SymbolSource, wanted?: Uint8Array): Int32Array {
    const { keys } = source;
    assert(wanted === undefined || wanted.length >= keys.count, 'one mask element for each key');
    const nodeOf = this.#addNodes(source, neededNodes(source, wanted));
    const labelSetOf = new Int32Array(source.labelSets.count).fill(UNMAPPED);
    const keyOf = new Int32Array(keys.count).fill(UNMAPPED);
    for (let k = 0; k < keys.count; k++) {
      if (wanted !== undefined && wanted[k] === 0) continue;
      const labelSet = keys.labelSet[k] as number;
      let merged = labelSetOf[labelSet] as number;
      if (merged === UNMAPPED) {
        merged = this.#labelSets.intern(source.labelSets.key(labelSet));
        labelSetOf[labelSet] = merged;
      }
      keyOf[k] = this.#keys.intern(nodeOf[keys.node[k] as number] as number, merged);
    }
    return keyOf;
  }

  #addNodes(source: SymbolSource, needed: Uint8Array): Int32Array {
    const { nodes, frames } = source;
    const frameOf = this.#frames.known(frames);
    const nodeOf = new Int32Array(nodes.count).fill(UNMAPPED);
    nodeOf[0] = 0;
    for (let n = 1; n < nodes.count; n++) {
      if (needed[n] === 0) continue;
      const parent = nodeOf[nodes.parent[n] as number] as number;
      let frame = frameOf[nodes.frame[n] as number] as number;
      if (frame === UNMAPPED) frame = this.#frames.intern(frames, nodes.frame[n] as number);
      nodeOf[n] = this.#nodes.intern(parent, frame);
    }
    return nodeOf;
  }

  /**
   * The merged symbols under the numbers that `add` gave. A view: valid until the next `add`. Parents come before
   * children, but the order depends on the order of the sources.
   */
  provisional(): SymbolSource {
    const nodes = this.#nodes;
    const keys = this.#keys;
    return asOfNow({
      frames: this.#frames,
      nodes: { count: nodes.count, parent: nodes.first, frame: nodes.second },
      keys: { count: keys.count, node: keys.first, labelSet: keys.second },
      labelSets: this.#labelSets,
    });
  }

  /** Gives up what only `add` needs; a later one makes it again. */
  rest(): void {
    this.#nodes.forgetSlots();
    this.#keys.forgetSlots();
  }

  /** Numbers everything depth-first. Keys whose `sampled` element is 0 are left out (remap -1), with nodes that only they need. */
  finish(sampled?: Uint8Array): MergedSymbols {
    // Numbering needs the room.
    this.rest();
    return numberDepthFirst(this.provisional(), sampled);
  }
}
