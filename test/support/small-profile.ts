import { plainPprof } from './plain-pprof.js';

export const CPU_TYPE = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';

/** A gzip CPU profile: `main` calls `work` (3 s) and `rest` (1 s), started at `startMs`. */
export function smallCpuProfile(startMs: number): Uint8Array {
  return plainPprof({
    types: [
      { type: 'samples', unit: 'count' },
      { type: 'cpu', unit: 'nanoseconds' },
    ],
    periodType: 'cpu',
    periodUnit: 'nanoseconds',
    startMs,
    durationMs: 10_000,
    samples: [
      { functions: ['main', 'work'], values: [300n, 3_000_000_000n] },
      { functions: ['main', 'rest'], values: [100n, 1_000_000_000n] },
    ],
  });
}
