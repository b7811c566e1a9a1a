/** The three parts of a store, each behind a thread: what the caller holds of them. */
import { errorFromValue, type StoreError } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import type { CompactionProgress, CompactionReport } from '../compaction/report.js';
import { ByteRing } from '../env/byte-ring.js';
import { startThread, type Thread } from '../env/threads.js';
import type { ForeignBody, IngestApi, WriteRequest, WriteResult } from '../ingest/api.js';
import type { LogPosition } from '../log/segment-view.js';
import type { CompactRun, StoreParts } from './parts.js';
import type { PartSettings } from './options.js';
import { QueryThreads } from './query-threads.js';
import { THREAD_LIMITS, ThreadSlot } from './thread-slot.js';
import type { CompactionHandlers } from './threads/compaction-thread.js';
import type { IngestHandlers, IngestThreadData } from './threads/ingest-thread.js';

/** The newest log position that the ingest thread told, for queries and compactions. */
class PositionBox {
  newest: LogPosition = { segments: [] };
  onSegments: (position: LogPosition) => void = () => undefined;

  take(position: LogPosition): void {
    const before = this.newest.segments;
    const now = position.segments;
    this.newest = position;
    const isSameSet =
      before.length === now.length &&
      before[0]?.sequence === now[0]?.sequence &&
      before.at(-1)?.sequence === now.at(-1)?.sequence;
    if (!isSameSet) this.onSegments(position);
  }
}

class ThreadedIngest implements IngestApi {
  readonly #thread: Thread<IngestHandlers>;
  readonly #ring: ByteRing;

  constructor(thread: Thread<IngestHandlers>, ring: ByteRing) {
    this.#thread = thread;
    this.#ring = ring;
  }

  write(tenantId: string, request: WriteRequest): Promise<WriteResult> {
    return this.#thread.call('write', { tenantId, request });
  }

  /** The bytes are copied, not moved: a network buffer may be a view of a shared one. */
  async writeEncoded(tenantId: string, request: Uint8Array): Promise<WriteResult> {
    const run = this.#ring.put(request);
    if (run === undefined) return this.#thread.call('writeEncoded', { tenantId, request });
    try {
      const { at, length } = run;
      return await this.#thread.call('writeShared', { tenantId, at, length });
    } finally {
      // Answered, or never to be: the thread has ended.
      this.#ring.release(run);
    }
  }

  writeForeign(tenantId: string, body: ForeignBody): Promise<readonly WriteResult[]> {
    return this.#thread.call('writeForeign', { tenantId, body });
  }

  position(): Promise<LogPosition> {
    return this.#thread.call('position', undefined);
  }

  seal(): Promise<LogPosition> {
    return this.#thread.call('seal', undefined);
  }

  consumed(tenantId: string, sequence: number): Promise<void> {
    return this.#thread.call('consumed', { tenantId, sequence });
  }

  deleted(tenantId: string): Promise<void> {
    return this.#thread.call('deleted', { tenantId });
  }

  close(): Promise<void> {
    return this.#thread.close();
  }
}

function threadedCompaction(
  settings: PartSettings,
  ingest: IngestApi,
): { run: StoreParts['compact']; rest: () => Promise<void>; close: () => Promise<void> } {
  let onProgress: ((progress: CompactionProgress) => void) | undefined;
  let consuming: Promise<unknown> = Promise.resolve();
  const slot = new ThreadSlot<CompactionHandlers>({
    entry: new URL('./threads/compaction-thread.js', import.meta.url),
    name: 'basalt-compaction',
    data: settings,
    resourceLimits: THREAD_LIMITS,
    onEvent: (name, value) => {
      if (name === 'progress') onProgress?.(value as CompactionProgress);
      if (name !== 'consumed') return;
      const { tenantId, sequence } = value as { tenantId: string; sequence: number };
      // What cannot be told now is told again by the next run, which finds the watermark.
      consuming = consuming.then(() => ingest.consumed(tenantId, sequence)).catch(() => undefined);
    },
  });
  const run = async (call: CompactRun): Promise<CompactionReport> => {
    const thread = await slot.get();
    onProgress = call.onProgress;
    const { position, isFull, isSweep = false, except } = call;
    const { signal } = call;
    const answer = await thread.call('run', { position, isFull, isSweep, except }, { signal });
    await consuming;
    const failures = answer.failures.map((f) => ({ ...f, error: errorFromValue(f.error) }));
    return { ...answer, failures };
  };
  return { run, rest: () => slot.rest(), close: () => slot.close() };
}

/** Starts the ingest thread (the others start when needed). `onFailure` hears when it died: nothing can be written then. */
export async function openThreadedParts(
  settings: PartSettings,
  onFailure: (error: StoreError) => void,
): Promise<StoreParts> {
  const box = new PositionBox();
  const ring = new ByteRing(LIMITS.ingestRingBytes);
  const thread = await startThread<IngestHandlers>({
    entry: new URL('./threads/ingest-thread.js', import.meta.url),
    name: 'basalt-ingest',
    data: { settings, requests: ring.shared } satisfies IngestThreadData,
    resourceLimits: THREAD_LIMITS,
    onEvent: (name, value) => {
      if (name === 'position') box.take(value as LogPosition);
    },
    onExit: (error) => {
      if (error !== undefined) onFailure(error);
    },
  });
  const ingest = new ThreadedIngest(thread, ring);
  const queries = new QueryThreads(
    {
      entry: new URL('./threads/query-thread.js', import.meta.url),
      name: 'basalt-query',
      data: settings,
      resourceLimits: THREAD_LIMITS,
    },
    () => box.newest,
  );
  box.onSegments = (position) => queries.tell(position);
  const compaction = threadedCompaction(settings, ingest);
  await ingest.position();
  return {
    ingest,
    query: queries.api,
    report: () => thread.call('report', undefined),
    compact: compaction.run,
    rest: compaction.rest,
    close: async () => {
      await compaction.close();
      await queries.close();
      await ingest.close();
    },
  };
}
