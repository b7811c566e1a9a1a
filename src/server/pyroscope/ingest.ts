/** `POST /ingest` and `/pyroscope/ingest`: the agents for Go, Node, .NET and Java, and what posts text. */
import type { IncomingMessage } from 'node:http';
import type { Clock } from '../../env/clock.js';
import type { IngestApi } from '../../ingest/api.js';
import type { BodyBudget } from '../body-budget.js';
import { checkContentEncoding, readBody } from '../http-body.js';
import type { Reply } from '../http-respond.js';
import { wireError, type WireError } from '../wire-errors.js';
import type { DiscardedWrites } from './discarded.js';
import { readIngestQuery } from './ingest-query.js';

export const INGEST_PATHS: readonly string[] = ['/ingest', '/pyroscope/ingest'];

export interface IngestCall {
  readonly ingest: IngestApi;
  readonly tenantId: string;
  readonly request: IncomingMessage;
  readonly search: string;
  readonly budget: BodyBudget;
  readonly clock: Clock;
  readonly discarded: DiscardedWrites;
}

/** Agents want 200 and no body. */
const NOTHING: Reply = { contentType: '', body: new Uint8Array(0) };

export async function ingestProfiles(call: IngestCall): Promise<Reply> {
  const { request, budget } = call;
  const contentType = request.headers['content-type'] ?? '';
  let sizeBytes = 0;
  let heldBytes = 0;
  try {
    const query = readIngestQuery(call.search, contentType, call.clock.nowMs());
    checkContentEncoding(request);
    const read = await readBody(request, budget);
    ({ heldBytes } = read);
    sizeBytes = read.body.length;
    await call.ingest.writeForeign(call.tenantId, { query, contentType, body: read.body });
    return NOTHING;
  } catch (error) {
    call.discarded.note(call.tenantId, error, sizeBytes);
    throw error;
  } finally {
    budget.give(heldBytes);
  }
}

/** Parameters and labels that are wrong: 400. What else is invalid is a body that cannot be read: 422. */
const BAD_PARAMETERS: ReadonlySet<string> = new Set([
  'PS_CONTENT_ENCODING',
  'PS_CROSS_SITE',
  'PS_INGEST_FORMAT',
  'PS_INGEST_NAME',
  'PS_INGEST_TYPE',
  'PS_LABELS_COUNT',
  'PS_LABELS_DUPLICATE',
  'PS_LABELS_LENGTH',
  'PS_LABELS_NAME',
  'PS_LABELS_NAME_LENGTH',
  'PS_PARAMETER_COUNT',
  'PS_PROFILE_EXPIRED',
  'PS_PROFILE_FUTURE',
  'PS_PROFILE_TIME',
  'PS_TENANT',
  'PS_TIME',
]);
const TOO_LARGE: ReadonlySet<string> = new Set([
  'PS_BODY_SIZE',
  'PS_PPROF_TOO_LARGE',
  'PS_STACKS_TOO_LARGE',
]);

/** Agents tell errors apart by the status alone: those of Pyroscope. */
export function ingestError(error: unknown): WireError {
  const wire = wireError(error);
  if (wire.codeName === 'canceled') return { ...wire, httpStatus: 408 };
  if (wire.codeName !== 'invalid_argument' || BAD_PARAMETERS.has(wire.reason)) return wire;
  return { ...wire, httpStatus: TOO_LARGE.has(wire.reason) ? 413 : 422 };
}
