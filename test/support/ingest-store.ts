/** A log with its ingest and reader, for tests that look at what was stored. */
import type { FileSystem } from '../../src/env/files.js';
import type { Rng } from '../../src/env/rng.js';
import { SegmentReader } from '../../src/head/segment-reader.js';
import type { WriteRequest } from '../../src/ingest/api.js';
import type { BlockLookup } from '../../src/ingest/block-lookup.js';
import { NO_BLOCKS } from './no-blocks.js';
import { type Ingest, type IngestSettings, openIngest } from '../../src/ingest/ingest.js';
import { mulberry32 } from './lossy-files.js';
import { ManualClock } from './manual-clock.js';
import { plainPprof } from './plain-pprof.js';
import { type StoredProfile, storedProfiles } from './segment-rows.js';

export const LOG_DIR = '/data/log';

export function seededRng(seed: number): Rng {
  const random = mulberry32(seed);
  return {
    fill: (bytes) => {
      for (let i = 0; i < bytes.length; i++) bytes[i] = Math.floor(random() * 256);
      return bytes;
    },
  };
}

export interface TestIngest {
  readonly ingest: Ingest;
  readonly clock: ManualClock;
  /** All profiles of the log, by a reader that saw nothing before. */
  stored(): Promise<StoredProfile[]>;
}

export async function openTestIngest(
  files: FileSystem,
  options: {
    readonly clock?: ManualClock;
    readonly store?: BlockLookup;
    readonly settings?: Partial<IngestSettings>;
  } = {},
): Promise<TestIngest> {
  const clock = options.clock ?? new ManualClock();
  const ingest = await openIngest({
    files,
    clock,
    rng: seededRng(1),
    logDir: LOG_DIR,
    store: options.store ?? NO_BLOCKS,
    ...(options.settings === undefined ? {} : { settings: options.settings }),
  });
  const stored = async (): Promise<StoredProfile[]> => {
    const reader = new SegmentReader({ files, dir: LOG_DIR });
    const { segments } = await ingest.position();
    const views = await Promise.all(segments.map((segment) => reader.view(segment)));
    return views.flatMap(storedProfiles);
  };
  return { ingest, clock, stored };
}

/** A small CPU profile of one pod, its start `seconds` after the epoch of the tests. */
export function cpuRequest(
  pod: string,
  seconds: number,
  extra: { readonly id?: string; readonly stacks?: number; readonly timeless?: boolean } = {},
): WriteRequest {
  const samples = Array.from({ length: extra.stacks ?? 3 }, (_, i) => ({
    functions: ['main', `handle${i}`, `leaf${(i * 7) % 5}`],
    values: [BigInt(i + 1), BigInt((i + 1) * 10_000_000)],
    ...(i % 2 === 0 ? {} : { labels: { thread: `t${i}` } }),
  }));
  return {
    labels: [
      { name: 'service_name', value: 'api' },
      { name: 'pod', value: pod },
    ],
    profile: plainPprof({
      types: [
        { type: 'samples', unit: 'count' },
        { type: 'cpu', unit: 'nanoseconds' },
      ],
      periodType: 'cpu',
      periodUnit: 'nanoseconds',
      startMs: extra.timeless === true ? 0 : 1_600_000_000_000 + seconds * 1000,
      samples,
    }),
    ...(extra.id === undefined ? {} : { profileId: extra.id }),
  };
}
