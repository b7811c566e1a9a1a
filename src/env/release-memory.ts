import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** From so many nodes on, what a step of a merge leaves behind is worth the time that it takes to collect it. */
export const WIDE_NODES = 1_500_000;

/** Less than this is not worth a collection. */
const COLLECTED_BYTES_MIN = 16 << 20;

let collect: (() => void) | undefined;

/**
 * Collects garbage now: 10 to 150 ms. For work that has just let go of hundreds of megabytes of arrays: V8 sees their
 * small handles, and collects only when it would make room in its own heap (measured in docs/benchmarks.md).
 */
export function releaseMemory(): void {
  if (collect === undefined) {
    // The flag counts for contexts made after it. It stays: it is the process's, and another thread may be between these lines.
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  collect();
}

/** The same where `letGoBytes` are worth it. */
export function releaseMemoryOf(letGoBytes: number): void {
  if (letGoBytes > COLLECTED_BYTES_MIN) releaseMemory();
}
