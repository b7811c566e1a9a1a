/** Changes bytes at random, from a seed, and looks at what a parser makes of them. */
import { StoreError } from '../../src/base/errors.js';
import type { FuzzTarget } from './targets.js';

/** xorshift32: the same seed gives the same run. */
export class FuzzRng {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0 || 1;
  }

  below(end: number): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return (x >>> 0) % end;
  }
}

const INTERESTING = [0, 1, 0x7f, 0x80, 0xff, 0x0a, 0x0d, 0x20, 0x22, 0x3b, 0x3d, 0x7b, 0x7d, 0x5d];
const SIZE_MAX = 1 << 12;

/** One to eight small changes of one of `seeds`. */
export function mutate(seeds: readonly Uint8Array[], rng: FuzzRng): Uint8Array {
  let bytes = Buffer.from(seeds[rng.below(seeds.length)] ?? []);
  for (let left = 1 + rng.below(1 + rng.below(8)); left > 0; left--) {
    const at = rng.below(bytes.length + 1);
    const span = rng.below(Math.min(32, bytes.length - at) + 1);
    const head = bytes.subarray(0, at);
    const tail = bytes.subarray(at);
    const change = rng.below(17) >> 1;
    if (change === 0) bytes = Buffer.from(head);
    else if (change === 1) bytes = Buffer.concat([head, tail.subarray(span)]);
    else if (change === 2) bytes = Buffer.concat([head, tail.subarray(0, span), tail]);
    else if (change === 3) bytes = Buffer.concat([head, Buffer.from([rng.below(256)]), tail]);
    else if (change === 4) {
      const other = seeds[rng.below(seeds.length)] ?? bytes;
      const from = rng.below(other.length + 1);
      bytes = Buffer.concat([head, other.subarray(from, from + span), tail]);
    } else if (at < bytes.length) {
      bytes = Buffer.from(bytes);
      if (change === 5) bytes[at] = (bytes[at] ?? 0) ^ (1 << rng.below(8));
      else if (change === 6) bytes[at] = INTERESTING[rng.below(INTERESTING.length)] ?? 0;
      else if (change === 7) bytes.fill(0xff, at, at + span);
      else bytes[at] = rng.below(256);
    }
    if (bytes.length > SIZE_MAX) bytes = Buffer.from(bytes.subarray(0, SIZE_MAX));
  }
  return Uint8Array.from(bytes);
}

export interface FuzzOutcome {
  /** Bytes that were taken. */
  taken: number;
  refused: number;
  slowestMs: number;
}

/** Small bytes: what takes longer than this is a loop that has no bound. */
const SLOW_MS = 2_000;
/** By how much a target may raise the process's peak of resident memory, code and garbage of many executions included. */
const GROWTH_KB_MAX = 512 << 10;
const TURN = 500;

/** Throws an Error with the bytes in it when the parser throws anything but a StoreError, calls its own bug, is slow, or takes much memory. */
export async function fuzz(
  target: FuzzTarget,
  executions: number,
  rng: FuzzRng,
): Promise<FuzzOutcome> {
  const outcome: FuzzOutcome = { taken: 0, refused: 0, slowestMs: 0 };
  const peakKb = process.resourceUsage().maxRSS;
  for (let i = 0; i < executions; i++) {
    // zlib frees its memory between turns of the event loop only.
    if (i % TURN === 0) await new Promise((resolve) => setImmediate(resolve));
    const bytes = mutate(target.seeds, rng);
    const begin = performance.now();
    try {
      target.run(bytes);
      outcome.taken++;
    } catch (error) {
      if (!(error instanceof StoreError) || error.kind === 'internal') {
        const hex = Buffer.from(bytes).toString('hex');
        throw new Error(`${target.name} with ${hex}: ${String(error)}`, { cause: error });
      }
      outcome.refused++;
    }
    const ms = performance.now() - begin;
    if (ms > outcome.slowestMs) outcome.slowestMs = ms;
    const growthKb = process.resourceUsage().maxRSS - peakKb;
    if (ms > SLOW_MS || growthKb > GROWTH_KB_MAX) {
      const cost = `took ${ms} ms and ${growthKb} KB`;
      throw new Error(`${target.name} ${cost} with ${Buffer.from(bytes).toString('hex')}`);
    }
  }
  return outcome;
}
