/** The thread that decodes, interns and logs. It alone holds the open segment. */
import { type CallContext, serveThread } from '../../env/thread-handler.js';
import { ownThread } from '../../env/threads.js';
import type { ForeignBody, WriteRequest, WriteResult } from '../../ingest/api.js';
import type { LogPosition } from '../../log/segment-view.js';
import { type IngestReport, openIngestPart, reportOf } from '../ingest-part.js';
import type { PartSettings } from '../options.js';
import { openPlace } from './settings.js';

export interface IngestThreadData {
  readonly settings: PartSettings;
  /** Of the owner's ByteRing. */
  readonly requests: SharedArrayBuffer;
}

const { port, data } = ownThread();
const { settings, requests } = data as IngestThreadData;
const opening = open();

async function open(): Promise<Awaited<ReturnType<typeof openIngestPart>>> {
  const place = await openPlace(settings);
  const { retention } = settings;
  return openIngestPart({
    ...place,
    ...(retention === undefined ? {} : { retention }),
    ...(settings.segmentBytesMax === undefined
      ? {}
      : { segmentBytesMax: settings.segmentBytesMax }),
  });
}

let told = '';

/** The owner hears of a new position before it hears of the ack that needs it (I1). */
async function tellPosition({ notify }: CallContext): Promise<LogPosition> {
  const { api } = await opening;
  const position = await api.position();
  const newest = position.segments.at(-1);
  const text = `${position.segments.length}/${position.segments[0]?.sequence}/${newest?.sequence}/${newest?.committedBytes}/${newest?.sealed}`;
  if (text !== told) {
    told = text;
    notify('position', position);
  }
  return position;
}

async function handlers() {
  const { api, ingest } = await opening;
  return {
    write: async (
      { tenantId, request }: { tenantId: string; request: WriteRequest },
      context: CallContext,
    ): Promise<WriteResult> => {
      const result = await api.write(tenantId, request);
      await tellPosition(context);
      return result;
    },
    writeEncoded: async (
      { tenantId, request }: { tenantId: string; request: Uint8Array },
      context: CallContext,
    ): Promise<WriteResult> => {
      const result = await api.writeEncoded(tenantId, request);
      await tellPosition(context);
      return result;
    },
    writeForeign: async (
      { tenantId, body }: { tenantId: string; body: ForeignBody },
      context: CallContext,
    ): Promise<readonly WriteResult[]> => {
      // Also after an error: other profiles of the body may be stored.
      try {
        return await api.writeForeign(tenantId, body);
      } finally {
        await tellPosition(context);
      }
    },
    /** A request in the shared memory, which stays there until the answer. */
    writeShared: async (
      { tenantId, at, length }: { tenantId: string; at: number; length: number },
      context: CallContext,
    ): Promise<WriteResult> => {
      const result = await api.writeEncoded(tenantId, new Uint8Array(requests, at, length));
      await tellPosition(context);
      return result;
    },
    position: (_: undefined, context: CallContext): Promise<LogPosition> => tellPosition(context),
    seal: async (_: undefined, context: CallContext): Promise<LogPosition> => {
      await api.seal();
      return tellPosition(context);
    },
    consumed: async (
      { tenantId, sequence }: { tenantId: string; sequence: number },
      context: CallContext,
    ): Promise<void> => {
      await api.consumed(tenantId, sequence);
      await tellPosition(context);
    },
    deleted: ({ tenantId }: { tenantId: string }): Promise<void> => api.deleted(tenantId),
    report: (): IngestReport => reportOf(ingest),
  };
}

export type IngestHandlers = Awaited<ReturnType<typeof handlers>>;

await serveThread(port, handlers(), {
  onClose: async () => {
    const { api } = await opening;
    await api.close();
  },
});
