import { isKind } from '../base/errors.js';
import type { Clock } from '../env/clock.js';
import type { WriteRequest } from '../ingest/api.js';
import { cpuProfileToPprof } from '../formats/v8/cpuprofile.js';
import { heapProfileToPprof } from '../formats/v8/heapprofile.js';
import { PROFILE_NAME, SERVICE_NAME, type Label } from '../model/labels.js';
import { openV8Sessions, type V8Target } from './v8-session.js';

/**
 * Profiles every thread of this process into its own store: CPU in slices, and at the end of every few slices what the
 * heap holds. A slice that cannot be written is reported and lost; profiling goes on.
 *
 * What it costs each thread: V8 lists all compiled functions when a slice starts (25 to 70 ms of each 10 s on a busy
 * machine), takes 100 samples a second of some 10 us each, notes one allocation in 512 KiB, and the slice is converted
 * and stored like a profile that was sent. `bench/self-profile.bench.ts` measures the sum. Bounded by THREADS_MAX.
 */
export interface SelfProfileOptions {
  readonly write: (request: WriteRequest) => Promise<unknown>;
  readonly clock: Clock;
  /** Beside `service_name`, `namespace` and `thread`. */
  readonly labels?: readonly Label[];
  /** Told of each slice that was lost. Must not throw. */
  readonly report?: (error: unknown) => void;
  /** The first slice is short, so that a new user soon sees something. */
  readonly firstSliceMs?: number;
  /** What gets worse if raised: how late a slice is seen; if lowered: the share of time that conversion takes. */
  readonly sliceMs?: number;
}

export interface SelfProfile {
  readonly status: 'running' | 'closed';
  /** Stops the profilers; the slice under way is lost. Idempotent. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const FIRST_SLICE_MS = 3_000;
const SLICE_MS = 10_000;
const CPU_INTERVAL_US = 10_000;
const HEAP_INTERVAL_BYTES = 512 << 10;
/** The heap is looked at after the first slice and then after every sixth: once a minute. */
const HEAP_EVERY_SLICES = 6;
/** Threads profiled at once; later ones are left out. */
const THREADS_MAX = 64;

export async function startSelfProfile(options: SelfProfileOptions): Promise<SelfProfile> {
  const stop = new AbortController();
  const loops = new Set<Promise<void>>();
  const sessions = await openV8Sessions((target) => {
    if (loops.size >= THREADS_MAX || stop.signal.aborted) return;
    const loop = profileThread(options, target, stop.signal).finally(() => loops.delete(loop));
    loops.add(loop);
  });
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closed ??= (async () => {
      stop.abort();
      sessions.close();
      await Promise.all(loops);
    })();
    return closed;
  };
  return {
    get status() {
      return closed === undefined ? 'running' : 'closed';
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** One thread from attaching to its end; never rejects. */
async function profileThread(
  options: SelfProfileOptions,
  target: V8Target,
  signal: AbortSignal,
): Promise<void> {
  const sliceMs = options.sliceMs ?? SLICE_MS;
  try {
    await target.post('Profiler.enable');
    await target.post('Profiler.setSamplingInterval', { interval: CPU_INTERVAL_US });
    await target.post('HeapProfiler.startSampling', { samplingInterval: HEAP_INTERVAL_BYTES });
    for (let slice = 0; !signal.aborted; slice++) {
      const startMs = options.clock.nowMs();
      await target.post('Profiler.start');
      await options.clock.sleep(
        slice === 0 ? (options.firstSliceMs ?? FIRST_SLICE_MS) : sliceMs,
        signal,
      );
      const cpu = await target.post('Profiler.stop');
      await write(options, target.thread, 'process_cpu', () => cpuBody(cpu, startMs));
      if (slice % HEAP_EVERY_SLICES !== 0) continue;
      const heap = await target.post('HeapProfiler.getSamplingProfile');
      const nowMs = options.clock.nowMs();
      await write(options, target.thread, 'memory', () => heapBody(heap, nowMs));
    }
  } catch (error) {
    const isExpected = signal.aborted || isKind(error, 'closed');
    if (!isExpected) options.report?.(error);
  }
}

function cpuBody(answer: unknown, startMs: number): Uint8Array {
  return cpuProfileToPprof((answer as { profile?: unknown }).profile, {
    timeNs: nanoseconds(startMs),
    periodNs: BigInt(CPU_INTERVAL_US) * 1_000n,
  });
}

function heapBody(answer: unknown, nowMs: number): Uint8Array {
  return heapProfileToPprof((answer as { profile?: unknown }).profile, {
    timeNs: nanoseconds(nowMs),
    samplingIntervalBytes: BigInt(HEAP_INTERVAL_BYTES),
  });
}

function nanoseconds(ms: number): bigint {
  return BigInt(Math.round(ms)) * 1_000_000n;
}

/** A slice that cannot be converted or stored is lost, and reported. */
async function write(
  options: SelfProfileOptions,
  thread: string,
  profileName: string,
  body: () => Uint8Array,
): Promise<void> {
  try {
    await options.write({
      labels: [
        ...(options.labels ?? []),
        { name: PROFILE_NAME, value: profileName },
        { name: SERVICE_NAME, value: 'basalt' },
        { name: 'namespace', value: 'basalt' },
        { name: 'thread', value: thread },
      ],
      profile: body(),
    });
  } catch (error) {
    options.report?.(error);
  }
}
