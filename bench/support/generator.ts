/**
 * A seeded generator of CPU profiles whose stacks behave like those of the recorded servers: it needs no file, runs for
 * any length of time, and keeps bringing new stacks.
 *
 * How: the next sample's stack is drawn by a Pitman-Yor process. With n samples and k distinct stacks so far, it is new
 * with probability (θ + d·k) / (θ + n), else an old one in proportion to (its count − d). The distinct stacks then
 * grow like n^d; θ and d are fitted to the growth counted in the recordings (`RECORDED`, counted from 71 profiles a
 * service). A new stack branches off a random node of the trie of old ones and goes down to a depth drawn from the
 * recorded mean and deviation; each further frame is an old one of that service with probability `REUSE`, else new,
 * which keeps frames far fewer than nodes, as in the recordings.
 */

import { encodePprof } from '../../src/formats/pprof/encode.js';
import { EMPTY_FRAME, type Frame } from '../../src/model/frame.js';
import { NO_SAMPLE_LABELS } from '../../src/model/sample-labels.js';

export interface RecordedService {
  readonly service: string;
  readonly samplesPerProfile: number;
  readonly depthMean: number;
  readonly depthDeviation: number;
  /** Pitman-Yor strength and discount. */
  readonly theta: number;
  readonly discount: number;
  /** Frames of the whole program, as many as come by default. */
  readonly framesMax?: number;
  /** Stacks of the whole program, as many as come by default. */
  readonly stacksMax?: number;
}

/** Counted from the recordings: samples a profile, depth; θ and d fitted to distinct stacks after 1, 9, 36 and 71 profiles. */
export const RECORDED: readonly RecordedService[] = [
  {
    service: 'prometheus',
    samplesPerProfile: 316,
    depthMean: 27.5,
    depthDeviation: 12.2,
    theta: 330,
    discount: 0.75,
  },
  {
    service: 'caddy',
    samplesPerProfile: 173,
    depthMean: 32.3,
    depthDeviation: 19,
    theta: 200,
    discount: 0.81,
  },
  {
    service: 'etcd',
    samplesPerProfile: 63,
    depthMean: 12.3,
    depthDeviation: 6.8,
    theta: 120,
    discount: 0.74,
  },
  {
    service: 'nats',
    samplesPerProfile: 45,
    depthMean: 8.6,
    depthDeviation: 4.6,
    theta: 70,
    discount: 0.7,
  },
];

const REUSE = 0.9;

/** mulberry32: 32 bits of state, good enough for test data, the same everywhere. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export class StackGenerator {
  readonly #random: () => number;
  readonly #of: RecordedService;
  readonly #parent: number[] = [-1];
  readonly #frame: number[] = [-1];
  readonly #depth: number[] = [0];
  /** Node of each distinct stack, and how often it was drawn. */
  readonly #stacks: number[] = [];
  readonly #counts: number[] = [];
  #frameCount = 0;
  #drawn = 0;
  /** Past draws, for drawing an old stack in proportion to its count. */
  readonly #history: number[] = [];

  constructor(of: RecordedService, seed: number) {
    this.#of = of;
    this.#random = seededRandom(seed);
  }

  get distinctStacks(): number {
    return this.#stacks.length;
  }

  get frames(): number {
    return this.#frameCount;
  }

  /** One profile: distinct stacks (frame numbers, root first) and how many samples hit each. */
  profile(): Map<number, number> {
    const out = new Map<number, number>();
    for (let i = 0; i < this.#of.samplesPerProfile; i++) {
      const stack = this.#draw();
      out.set(stack, (out.get(stack) ?? 0) + 1);
    }
    return out;
  }

  /** Frames of a stack, root first. */
  framesOf(stack: number): number[] {
    const frames: number[] = [];
    for (let n = this.#stacks[stack] as number; n > 0; n = this.#parent[n] as number) {
      frames.unshift(this.#frame[n] as number);
    }
    return frames;
  }

  /** A profile as gzip pprof bytes: samples/count and cpu/nanoseconds at 100 Hz. */
  pprof(startMs: number): Uint8Array {
    return this.drawn(startMs).pprof;
  }

  /** The same, with the number of values in it that are not 0. */
  drawn(startMs: number): { readonly pprof: Uint8Array; readonly values: number } {
    const drawn = [...this.profile()].sort(([a], [b]) => a - b);
    const counts = BigInt64Array.from(drawn, ([, count]) => BigInt(count));
    const pprof = encodePprof({
      sampleTypes: [
        { type: 'samples', unit: 'count' },
        { type: 'cpu', unit: 'nanoseconds' },
      ],
      periodType: 'cpu',
      periodUnit: 'nanoseconds',
      period: 10_000_000n,
      timeNs: BigInt(startMs) * 1_000_000n,
      durationNs: 10_000_000_000n,
      key: Int32Array.from(drawn, ([stack]) => stack),
      values: [counts, counts.map((count) => count * 10_000_000n)],
      symbols: {
        frames: { count: this.#frameCount, frame: (index) => this.#frameOf(index) },
        nodes: {
          count: this.#parent.length,
          parent: Int32Array.from(this.#parent),
          frame: Int32Array.from(this.#frame),
        },
        keys: {
          node: Int32Array.from(this.#stacks),
          labelSet: new Int32Array(this.#stacks.length),
        },
        labelSets: { count: 1, labels: () => NO_SAMPLE_LABELS },
      },
    });
    return { pprof, values: counts.length * 2 };
  }

  #frameOf(index: number): Frame {
    const module = `github.com/example/${this.#of.service}/p${index % 97}`;
    return {
      ...EMPTY_FRAME,
      functionName: `${module}.(*T${index % 31}).Func${index}`,
      systemName: `${module}.(*T${index % 31}).Func${index}`,
      fileName: `/src/${module}/file${index % 7}.go`,
      line: BigInt(index % 900) + 1n,
      mappingFile: `/bin/${this.#of.service}`,
    };
  }

  #draw(): number {
    const { theta, discount, stacksMax = Infinity } = this.#of;
    const isFull = this.#stacks.length >= stacksMax;
    const fresh = (theta + discount * this.#stacks.length) / (theta + this.#drawn);
    let stack = -1;
    if (isFull || this.#random() >= fresh) stack = this.#old(discount);
    if (stack < 0) stack = isFull ? this.#any() : this.#make();
    this.#drawn++;
    this.#counts[stack] = (this.#counts[stack] ?? 0) + 1;
    this.#history.push(stack);
    return stack;
  }

  /** By rejection: a past draw is in proportion to the count; it is kept with probability (count − d) / count. */
  #old(discount: number): number {
    for (let tries = 0; tries < 100; tries++) {
      const stack = this.#history[Math.floor(this.#random() * this.#history.length)];
      if (stack === undefined) return -1;
      const count = this.#counts[stack] as number;
      if (this.#random() < (count - discount) / count) return stack;
    }
    return -1;
  }

  #any(): number {
    return Math.floor(this.#random() * this.#stacks.length);
  }

  #make(): number {
    const { depthMean, depthDeviation, framesMax = Infinity } = this.#of;
    const gauss =
      Math.sqrt(-2 * Math.log(1 - this.#random())) * Math.cos(2 * Math.PI * this.#random());
    const depth = Math.max(1, Math.round(depthMean + depthDeviation * gauss));
    let node = Math.floor(this.#random() * this.#parent.length);
    while ((this.#depth[node] as number) >= depth) node = this.#parent[node] as number;
    while ((this.#depth[node] as number) < depth) {
      const isFull = this.#frameCount >= framesMax;
      const known = isFull || (this.#frameCount > 0 && this.#random() < REUSE);
      const frame = known ? Math.floor(this.#random() * this.#frameCount) : this.#frameCount++;
      this.#parent.push(node);
      this.#frame.push(frame);
      this.#depth.push((this.#depth[node] as number) + 1);
      node = this.#parent.length - 1;
    }
    this.#stacks.push(node);
    return this.#stacks.length - 1;
  }
}
