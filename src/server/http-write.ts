import type { IncomingMessage } from 'node:http';
import { invalid } from '../base/errors.js';
import type { IngestApi, WriteRequest } from '../ingest/api.js';
import type { Label } from '../model/labels.js';
import type { Temporality } from '../model/series.js';
import type { BodyBudget } from './body-budget.js';
import { checkContentEncoding, readBody } from './http-body.js';
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
