import { type ParameterNames, readParameters } from './http-parameters.js';
import { JSON_TYPE, type Reply } from './http-respond.js';
import { parseTime } from './http-times.js';

/** A deletion as the store has it. */
export interface ServedDeletion {
  readonly id: number;
  readonly tenantId: string;
  readonly selector: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly createdMs: number;
  readonly blocks: number;
}

/** What changes or shows the store as a whole, as far as the server offers it. */
export interface AdminApi {
  delete(request: {
    readonly tenantId: string;
    readonly selector: string;
    readonly startMs?: number;
    readonly endMs?: number;
  }): Promise<ServedDeletionResult>;
  /** Deletions that compaction has not applied everywhere yet. */
  deletions(tenantId: string): Promise<readonly ServedDeletion[]>;
  /** In force. */
  readonly retention: readonly ServedRetentionRule[];
}

/** What a call that deletes answers. */
export interface ServedDeletionResult extends ServedDeletion {
  readonly sumsKept: number;
}

/** How long something is kept; the first rule that fits a series decides. */
export interface ServedRetentionRule {
  readonly tenantId?: string;
  readonly selector?: string;
  /** Absent: for ever. */
  readonly keepMs?: number;
  /** From which ages on sums of which width stand for profiles. */
  readonly sums?: readonly { readonly afterMs: number; readonly width: string }[];
}

export interface AdminCall {
  readonly admin: AdminApi;
  readonly tenantId: string;
  readonly search: string;
  readonly nowMs: number;
}

const DELETE_NAMES: ParameterNames = { once: ['selector', 'start', 'end'], repeated: [] };
const LIST_NAMES: ParameterNames = { once: [], repeated: [] };

/** `POST /api/v1/delete`: at once for queries, for good when compaction has passed. */
async function deleteProfiles({ admin, tenantId, search, nowMs }: AdminCall): Promise<Reply> {
  const parameters = readParameters(search, DELETE_NAMES);
  const start = parameters.optional('start');
  const end = parameters.optional('end');
  const deletion = await admin.delete({
    tenantId,
    selector: parameters.required('selector'),
    ...(start === undefined ? {} : { startMs: parseTime('start', start, nowMs) }),
    ...(end === undefined ? {} : { endMs: parseTime('end', end, nowMs) }),
  });
  return json(deletion);
}

/** `GET /api/v1/tombstones`. */
async function listDeletions({ admin, tenantId, search }: AdminCall): Promise<Reply> {
  readParameters(search, LIST_NAMES);
  return json({ tombstones: await admin.deletions(tenantId) });
}

/** `GET /api/v1/retention`: the rules that may concern the tenant. */
async function retention({ admin, tenantId, search }: AdminCall): Promise<Reply> {
  readParameters(search, LIST_NAMES);
  const rules = admin.retention.filter((r) => (r.tenantId ?? tenantId) === tenantId);
  return json({ rules });
}

export const ADMIN_ROUTES: ReadonlyMap<
  string,
  { readonly method: 'GET' | 'POST'; readonly run: (call: AdminCall) => Promise<Reply> }
> = new Map([
  ['/api/v1/delete', { method: 'POST', run: deleteProfiles }],
  ['/api/v1/tombstones', { method: 'GET', run: listDeletions }],
  ['/api/v1/retention', { method: 'GET', run: retention }],
]);

function json(value: unknown): Reply {
  return { contentType: JSON_TYPE, body: Buffer.from(JSON.stringify(value)) };
}
