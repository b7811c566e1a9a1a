import { assert } from '../base/assert.js';

/** Bytes in the ring, until they are released. */
export interface ByteRun {
  readonly at: number;
  readonly length: number;
}

interface Placed extends ByteRun {
  readonly end: number;
  isFree: boolean;
}

const ALIGNMENT = 8;

/**
 * Memory that two threads share, for bytes that one hands to the other: they are copied once, and neither thread's
 * garbage collector ever hears of them. One thread puts and releases; the other may read a run until then. Runs are
 * given back in the order in which they were put, so one that is held for long holds up those after it.
 */
export class ByteRing {
  readonly shared: SharedArrayBuffer;
  readonly #bytes: Uint8Array;
  /** Oldest first. */
  readonly #runs: Placed[] = [];
  /** Behind the newest run. */
  #head = 0;

  constructor(sizeBytes: number) {
    this.shared = new SharedArrayBuffer(sizeBytes);
    this.#bytes = new Uint8Array(this.shared);
  }

  /** Copies `bytes` in; undefined when there is no room. */
  put(bytes: Uint8Array): ByteRun | undefined {
    const sizeBytes = Math.max(ALIGNMENT, Math.ceil(bytes.length / ALIGNMENT) * ALIGNMENT);
    const at = this.#place(sizeBytes);
    if (at < 0) return undefined;
    this.#bytes.set(bytes, at);
    const run = { at, length: bytes.length, end: at + sizeBytes, isFree: false };
    this.#runs.push(run);
    this.#head = run.end;
    return run;
  }

  #place(sizeBytes: number): number {
    const oldest = this.#runs[0];
    if (oldest === undefined) return sizeBytes <= this.#bytes.length ? 0 : -1;
    // The end never meets the start of the oldest, which would look like an empty ring.
    if (this.#head <= oldest.at) return this.#head + sizeBytes < oldest.at ? this.#head : -1;
    if (this.#head + sizeBytes <= this.#bytes.length) return this.#head;
    return sizeBytes < oldest.at ? 0 : -1;
  }

  /** The other thread must not read `run` any more. Once for each run. */
  release(run: ByteRun): void {
    const placed = run as Placed;
    assert(!placed.isFree, 'a run is released once');
    placed.isFree = true;
    while (this.#runs[0]?.isFree === true) this.#runs.shift();
  }
}
