/**
 * Stacktraces, and keys (a stacktrace with the labels of its sample).
 *
 * A stack arrives as a sequence of locations, leaf first. The whole sequence is looked up at once and compared item by
 * item, so that a known stack costs one probe however large the trie is. Only a new one is walked into the trie, root
 * first, frame by frame.
 *
 * A location number says which frames it is: a frame's own number, or `-1 - m` for entry m of `inlinedLocations`, the
 * frames root first, where functions were inlined into one another.
 */
import { PairTable } from './int-table.js';
import { growInts, SequenceTable } from './intern-records.js';

const NONE = -1;
export const ROOT = 0;

export class StackInterner {
  readonly inlinedLocations = new SequenceTable();
  /** Entry n is node n, as (parent, frame); entry 0 is the root. */
  readonly nodes = new PairTable();
  /** (node, label set). */
  readonly keys = new PairTable();
  readonly #stacks = new SequenceTable();
  #stackNode = new Int32Array(1024);
  /** The key of a stack without labels, or NONE. */
  #stackKey = new Int32Array(1024);

  constructor() {
    this.nodes.intern(NONE, NONE);
  }

  get sizeBytes(): number {
    return (
      this.inlinedLocations.sizeBytes +
      this.#stacks.sizeBytes +
      this.#stackNode.byteLength * 2 +
      // A PairTable has two numbers and two slots for each element of its capacity.
      (this.nodes.first.byteLength + this.keys.first.byteLength) * 4
    );
  }

  /** Number of the location with these frames, root first, in `inlinedLocations.scratch[0, length)`, length >= 2. */
  inlinedLocation(length: number): number {
    return -1 - this.inlinedLocations.intern(length);
  }

  /**
   * Key of the stack of locations `location[items[i]]` for i in [start, end), leaf first, with `labelSet`.
   */
  key(
    items: Int32Array,
    start: number,
    end: number,
    location: Int32Array,
    labelSet: number,
  ): number {
    const stacks = this.#stacks;
    const length = end - start;
    if (stacks.scratch.length < length) stacks.reserve(length);
    const scratch = stacks.scratch;
    for (let i = 0; i < length; i++) scratch[i] = location[items[start + i]!]!;
    const before = stacks.count;
    const stack = stacks.intern(length);
    if (stacks.count !== before) this.#addStack(stack, length);
    if (labelSet !== 0) return this.keys.intern(this.#stackNode[stack]!, labelSet);
    let key = this.#stackKey[stack]!;
    if (key === NONE) {
      key = this.keys.intern(this.#stackNode[stack]!, 0);
      this.#stackKey[stack] = key;
    }
    return key;
  }

  #addStack(stack: number, length: number): void {
    const scratch = this.#stacks.scratch;
    let node = ROOT;
    for (let i = length - 1; i >= 0; i--) {
      const location = scratch[i]!;
      if (location >= 0) {
        node = this.nodes.intern(node, location);
        continue;
      }
      const { start, items } = this.inlinedLocations;
      const end = start[-location]!;
      for (let f = start[-1 - location]!; f < end; f++) node = this.nodes.intern(node, items[f]!);
    }
    if (stack >= this.#stackNode.length) {
      this.#stackNode = growInts(this.#stackNode, 0);
      this.#stackKey = growInts(this.#stackKey, 0);
    }
    this.#stackNode[stack] = node;
    this.#stackKey[stack] = NONE;
  }
}
