import type { IncomingMessage } from 'node:http';
import { StoreError, invalid } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import type { IngestApi, WriteRequest } from '../ingest/api.js';
import type { Label } from '../model/labels.js';
import type { Temporality } from '../model/series.js';
import type { BodyBudget } from './body-budget.js';
import { readParameters, type ParameterNames } from './http-parameters.js';
import { JSON_TYPE, type Reply } from './http-respond.js';

const NAMES: ParameterNames = { once: ['profile_id', 'temporality'], repeated: ['label'] };
const TEMPORALITIES: readonly Temporality[] = ['delta', 'cumulative', 'gauge'];

function labelOf(text: string): Label {
  const at = text.indexOf('=');
  if (at > 0) return { name: text.slice(0, at), value: text.slice(at + 1) };
  throw invalid(
    'PS_PARAMETER_LABEL',
    `cannot read parameter label: got ${JSON.stringify(text.slice(0, 64))}; want name=value`,
  );
}

function bodyTooLarge(sizeBytes: number): StoreError {
  return invalid(
    'PS_BODY_SIZE',
    `cannot receive body: got ${sizeBytes} bytes or more; want at most ${LIMITS.profileBytesMax}`,
  );
}

/** A body, and the bytes that it holds of the budget: give them back when the body is no longer needed. */
interface HeldBody {
  readonly body: Uint8Array;
  readonly heldBytes: number;
}

/** Reads the whole body within the limits; what was taken from the budget is given back when it fails. */
async function readBody(request: IncomingMessage, budget: BodyBudget): Promise<HeldBody> {
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > LIMITS.profileBytesMax) throw bodyTooLarge(declared);
  let heldBytes = 0;
  const parts: Buffer[] = [];
  try {
    budget.take(declared);
    heldBytes = declared;
    let sizeBytes = 0;
    for await (const part of request as AsyncIterable<Buffer>) {
      sizeBytes += part.length;
      if (sizeBytes > LIMITS.profileBytesMax) throw bodyTooLarge(sizeBytes);
      if (sizeBytes > heldBytes) {
        budget.take(sizeBytes - heldBytes);
        heldBytes = sizeBytes;
      }
      parts.push(part);
    }
  } catch (error) {
    budget.give(heldBytes);
    if (error instanceof StoreError) throw error;
    throw new StoreError({
      kind: 'cancelled',
      code: 'PS_CANCELLED',
      message: 'cannot receive body: got the end of the connection; want the whole body',
      cause: error,
    });
  }
  const only = parts.length === 1 ? parts[0] : undefined;
  return { body: only ?? Buffer.concat(parts), heldBytes };
}

/** `gzip` is what a pprof is anyway, and both forms are accepted; nothing else is undone here. */
function checkContentEncoding(request: IncomingMessage): void {
  const encoding = request.headers['content-encoding'];
  if (encoding === undefined || encoding === 'gzip' || encoding === 'identity') return;
  throw invalid(
    'PS_CONTENT_ENCODING',
    `cannot receive body: got content-encoding ${JSON.stringify(encoding)}; want gzip or identity`,
  );
}

export interface WriteCall {
  readonly ingest: IngestApi;
  readonly tenantId: string;
  readonly request: IncomingMessage;
  readonly search: string;
  readonly budget: BodyBudget;
}

/** `POST /api/v1/write?label=name=value&profile_id=&temporality=` with a pprof as the body. */
export async function write(call: WriteCall): Promise<Reply> {
  const parameters = readParameters(call.search, NAMES);
  const labels = parameters.all('label').map(labelOf);
  const temporality = parameters.choice('temporality', TEMPORALITIES, 'PS_TEMPORALITY');
  const profileId = parameters.optional('profile_id');
  checkContentEncoding(call.request);
  const { body, heldBytes } = await readBody(call.request, call.budget);
  try {
    const request: WriteRequest = {
      labels,
      profile: body,
      ...(profileId === undefined ? {} : { profileId }),
      ...(temporality === undefined ? {} : { temporality }),
    };
    const result = await call.ingest.write(call.tenantId, request);
    const answer = {
      profileId: result.profileId,
      profiles: result.profiles,
      samples: String(result.samples),
      rejections: result.rejections.map(({ reason, count, message }) => ({
        reason,
        count: String(count),
        message,
      })),
    };
    return { contentType: JSON_TYPE, body: Buffer.from(JSON.stringify(answer)) };
  } finally {
    call.budget.give(heldBytes);
  }
}
