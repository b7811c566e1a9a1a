/** The thread that compacts. It lives only while there is something to do, which gives its memory back. */
import { errorToValue, type ErrorValue } from '../../base/errors.js';
import type { CompactionReport } from '../../compaction/report.js';
import { type CallContext, serveThread } from '../../env/thread-handler.js';
import { yieldToOtherThreads } from '../../env/thread-priority.js';
import { ownThread } from '../../env/threads.js';
import type { LogPosition } from '../../log/segment-view.js';
import { openCompactionPart } from '../compaction-part.js';
import type { PartSettings } from '../options.js';
import { openPlace } from './settings.js';

const { port, data } = ownThread();
/** A tenth of the share that a thread of normal priority gets where all want to run. */
const NICENESS = 10;
yieldToOtherThreads(NICENESS);
let position: LogPosition = { segments: [] };

export interface CompactionCall {
  readonly position: LogPosition;
  readonly isFull: boolean;
  readonly isSweep: boolean;
  readonly except: readonly string[] | undefined;
}

/** A report that survives the way between threads. */
export interface CompactionAnswer extends Omit<CompactionReport, 'failures'> {
  readonly failures: readonly { readonly tenantId: string; readonly error: ErrorValue }[];
}

async function handlers() {
  const settings = data as PartSettings;
  const place = await openPlace(settings);
  const { retention = [], rollupLabels } = settings;
  return {
    run: async (
      call: CompactionCall,
      { signal, notify }: CallContext,
    ): Promise<CompactionAnswer> => {
      position = call.position;
      const compactor = openCompactionPart({
        ...place,
        ...(rollupLabels === undefined ? {} : { rollupLabels }),
        retention,
        position: async () => position,
        consumed: async (tenantId, sequence) => notify('consumed', { tenantId, sequence }),
      });
      const { isSweep, except } = call;
      const onProgress = (progress: unknown): void => notify('progress', progress);
      const options = { isSweep, except, signal, onProgress };
      const report = call.isFull
        ? await compactor.runFull(options)
        : await compactor.runOnce(options);
      await compactor.close();
      const failures = report.failures.map(({ tenantId, error }) => ({
        tenantId,
        error: errorToValue(error),
      }));
      return { ...report, failures };
    },
  };
}

export type CompactionHandlers = Awaited<ReturnType<typeof handlers>>;

await serveThread(port, handlers());
