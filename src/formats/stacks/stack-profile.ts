/**
 * A profile that grows stack by stack, for formats that are not pprof: equal frames, stacks and label sets become one,
 * values of equal stack and labels add up. `toPprof` gives the bytes that the pprof path takes, so that limits, ids and
 * symbols are the same whatever the format was. Equal input gives equal bytes: a retry has the same content hash.
 */
import { invalid, type StoreError } from '../../base/errors.js';
import { LIMITS } from '../../base/limits.js';
import { EMPTY_FRAME, type Frame } from '../../model/frame.js';
import {
  canonicalSampleLabels,
  NO_SAMPLE_LABELS,
  type SampleLabels,
  sampleLabelsKey,
} from '../../model/sample-labels.js';
import { encodePprof, type PprofInput } from '../pprof/encode.js';
import type { Rejected } from './rejected.js';

/** The node above every stack. */
export const ROOT = 0;
/** The label set of samples without labels. */
export const NO_LABELS = 0;

const INT64_MAX = (1n << 63n) - 1n;
const INT64_MIN = -(1n << 63n);
/** Above every count of frames, nodes or label sets, so that two of them make one number below 2^53. */
const PAIR = 1 << 24;

export type PprofHeader = Omit<PprofInput, 'symbols' | 'key' | 'values' | 'gzipLevel'>;

export class StackProfile {
  readonly #frames: Frame[] = [];
  readonly #frameKeys: string[] = [];
  readonly #frameOf = new Map<string, number>();
  readonly #parent: number[] = [-1];
  readonly #frame: number[] = [-1];
  readonly #depth: number[] = [0];
  readonly #nodeOf = new Map<number, number>();
  readonly #labelSets: SampleLabels[] = [NO_SAMPLE_LABELS];
  readonly #labelSetOf = new Map<string, number>([['', NO_LABELS]]);
  readonly #keyOf = new Map<number, number>();
  readonly #keyNode: number[] = [];
  readonly #keyLabelSet: number[] = [];
  readonly #valueCount: number;
  #callsCut = 0;
  /** Of all frames' keys. */
  #textLength = 0;
  /** keys x #valueCount, row by row. */
  readonly #values: bigint[] = [];

  /** `valueCount`: values of each sample, 1 or more. */
  constructor(valueCount: number) {
    this.#valueCount = valueCount;
  }

  /** Samples of different stack or labels. */
  get sampleCount(): number {
    return this.#keyNode.length;
  }

  /** What was left out so far. */
  get rejections(): readonly Rejected[] {
    if (this.#callsCut === 0) return [];
    const message = `cannot keep ${this.#callsCut} calls: got more than ${LIMITS.stackDepthMax} frames; want at most that`;
    return [{ reason: 'PS_STACKS_DEPTH', count: this.#callsCut, message }];
  }

  /** The number of a frame; `key` must differ for different frames. Throws `invalid` PS_STACKS_TOO_LARGE. */
  frame(key: string, make: () => Frame): number {
    const known = this.#frameOf.get(key);
    if (known !== undefined) return known;
    this.#textLength += key.length;
    if (this.#textLength > LIMITS.convertedTextBytesMax) {
      throw tooLarge('characters of names', LIMITS.convertedTextBytesMax);
    }
    const frame = this.#frames.push(make()) - 1;
    if (frame >= LIMITS.convertedNodesMax) throw tooLarge('frames', LIMITS.convertedNodesMax);
    this.#frameOf.set(key, frame);
    this.#frameKeys.push(key);
    return frame;
  }

  /** A frame of which only the name is known. */
  named(name: string): number {
    return this.frame(name, () => ({ ...EMPTY_FRAME, functionName: name }));
  }

  /** The node of `frame` called from `parent`; `parent` itself where a stack is too deep. Throws `invalid` PS_STACKS_TOO_LARGE. */
  child(parent: number, frame: number): number {
    const pair = parent * PAIR + frame;
    const known = this.#nodeOf.get(pair);
    if (known !== undefined) return known;
    const depth = (this.#depth[parent] ?? 0) + 1;
    if (depth > LIMITS.stackDepthMax) {
      this.#callsCut++;
      return parent;
    }
    const node = this.#parent.push(parent) - 1;
    if (node >= LIMITS.convertedNodesMax) throw tooLarge('nodes', LIMITS.convertedNodesMax);
    this.#frame.push(frame);
    this.#depth.push(depth);
    this.#nodeOf.set(pair, node);
    return node;
  }

  /** Throws `invalid` PS_STACKS_TOO_LARGE. */
  labelSet(labels: SampleLabels): number {
    const canonical = canonicalSampleLabels(labels);
    const key = sampleLabelsKey(canonical);
    const known = this.#labelSetOf.get(key);
    if (known !== undefined) return known;
    const set = this.#labelSets.push(canonical) - 1;
    if (set >= LIMITS.convertedNodesMax) throw tooLarge('label sets', LIMITS.convertedNodesMax);
    this.#labelSetOf.set(key, set);
    return set;
  }

  /** Adds to the values of a stack. Throws `invalid` PS_STACKS_TOO_LARGE. */
  add(node: number, labelSet: number, values: readonly bigint[]): void {
    const pair = node * PAIR + labelSet;
    let key = this.#keyOf.get(pair);
    if (key === undefined) {
      key = this.#keyNode.push(node) - 1;
      if (key >= LIMITS.convertedNodesMax) throw tooLarge('samples', LIMITS.convertedNodesMax);
      this.#keyLabelSet.push(labelSet);
      this.#keyOf.set(pair, key);
      for (let v = 0; v < this.#valueCount; v++) this.#values.push(0n);
    }
    const first = key * this.#valueCount;
    for (let v = 0; v < this.#valueCount; v++) {
      this.#values[first + v] = (this.#values[first + v] ?? 0n) + (values[v] ?? 0n);
    }
  }

  /** Adds value `index` of every sample, where it is not 0, to `target`, which has one value a sample. */
  copyTo(target: StackProfile, index: number): void {
    target.#callsCut += this.#callsCut;
    const nodes = Int32Array.from({ length: this.#parent.length }, () => -1);
    nodes[ROOT] = ROOT;
    const nodeIn = (node: number): number => {
      const path: number[] = [];
      let at = node;
      for (; (nodes[at] ?? -1) < 0; at = this.#parent[at] ?? ROOT) path.push(at);
      for (const below of path.reverse()) {
        const frame = this.#frames[this.#frame[below] ?? 0] ?? EMPTY_FRAME;
        const key = this.#frameKeys[this.#frame[below] ?? 0] ?? '';
        nodes[below] = target.child(
          nodes[this.#parent[below] ?? ROOT] ?? ROOT,
          target.frame(key, () => frame),
        );
      }
      return nodes[node] ?? ROOT;
    };
    this.#keyNode.forEach((node, key) => {
      const value = this.#values[key * this.#valueCount + index] ?? 0n;
      if (value === 0n) return;
      const labels = this.#labelSets[this.#keyLabelSet[key] ?? NO_LABELS] ?? NO_SAMPLE_LABELS;
      target.add(nodeIn(node), target.labelSet(labels), [value]);
    });
  }

  /** Plain pprof. `scale` changes each sum before it is written. Throws `invalid` PS_STACKS_VALUE past 64 bits. */
  toPprof(header: PprofHeader, scale: (sum: bigint) => bigint = (sum) => sum): Uint8Array {
    const frames = this.#frames;
    const labelSets = this.#labelSets;
    const count = this.sampleCount;
    const values = Array.from({ length: this.#valueCount }, (_, v) =>
      BigInt64Array.from({ length: count }, (_, k) =>
        checked64(scale(this.#values[k * this.#valueCount + v] ?? 0n)),
      ),
    );
    return encodePprof({
      ...header,
      symbols: {
        frames: { count: frames.length, frame: (index) => frames[index] ?? EMPTY_FRAME },
        nodes: {
          count: this.#parent.length,
          parent: Int32Array.from(this.#parent),
          frame: Int32Array.from(this.#frame),
        },
        keys: {
          node: Int32Array.from(this.#keyNode),
          labelSet: Int32Array.from(this.#keyLabelSet),
        },
        labelSets: {
          count: labelSets.length,
          labels: (index) => labelSets[index] ?? NO_SAMPLE_LABELS,
        },
      },
      key: Int32Array.from({ length: count }, (_, k) => k),
      values,
      gzipLevel: 0,
    });
  }
}

function checked64(value: bigint): bigint {
  if (value <= INT64_MAX && value >= INT64_MIN) return value;
  throw invalid(
    'PS_STACKS_VALUE',
    'cannot convert profile: got a value past 64 bits; want one that fits',
  );
}

function tooLarge(what: string, max: number): StoreError {
  return invalid(
    'PS_STACKS_TOO_LARGE',
    `cannot convert profile: got more than ${max} ${what}; want at most that`,
  );
}
