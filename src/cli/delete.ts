import { isKind, StoreError } from '../base/errors.js';
import type { Deletion } from '../index.js';
import { parseTime } from '../server/http-times.js';
import { TENANT_DEFAULT } from '../model/tenant-id.js';
import { command, EXIT_OK, type CommandIo } from './command.js';
import { dataOption, serverOption, tenantOption } from './common-options.js';
import { httpClient } from './http-client.js';
import { BUCKET_OPTIONS, type BucketValues, storePlace } from './store-location.js';
import { chooseTarget } from './target.js';

const DEFAULT_SERVER = 'http://127.0.0.1:4040';

export const deleteCommand = command({
  name: 'delete',
  summary: 'delete what a selector takes, at once for queries and for good at compaction',
  options: {
    selector: {
      type: 'string',
      default: '',
      placeholder: 'SELECTOR',
      help: 'what to delete; matchers about labels of samples delete those samples only',
    },
    from: { type: 'string', placeholder: 'TIME', help: 'start; without it from the beginning' },
    to: {
      type: 'string',
      placeholder: 'TIME',
      help: 'end, exclusive; without it all that is there',
    },
    list: {
      type: 'boolean',
      default: false,
      help: 'only list the deletions that compaction has yet to apply',
    },
    server: serverOption,
    data: dataOption,
    ...BUCKET_OPTIONS,
    tenant: tenantOption,
  },
  examples: [
    `basalt delete --selector '{service_name="shop",version="1.2"}' --from now-7d`,
    'basalt delete --list',
  ],
  async run(context) {
    const { io, values } = context;
    const { server, data } = chooseTarget(context);
    const request: Request = {
      selector: values.selector,
      from: values.from,
      to: values.to,
      tenant: values.tenant,
      isList: values.list,
    };
    const deletions =
      data === undefined
        ? await askServer(io, server ?? DEFAULT_SERVER, request)
        : await inDirectory(io, { data, values }, request);
    await io.out(deletions.map(deletionText).join(''));
    return EXIT_OK;
  },
});

interface Request {
  readonly selector: string;
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly tenant: string;
  readonly isList: boolean;
}

async function askServer(
  io: CommandIo,
  server: string,
  { selector, from, to, tenant, isList }: Request,
): Promise<readonly Deletion[]> {
  const client = httpClient(server, tenant);
  const read = (body: Uint8Array): unknown => JSON.parse(new TextDecoder().decode(body));
  if (isList) {
    const body = await client.get('/api/v1/tombstones', new URLSearchParams(), io.signal);
    return (read(body) as { tombstones: Deletion[] }).tombstones;
  }
  const parameters = new URLSearchParams({ selector });
  if (from !== undefined) parameters.set('start', from);
  if (to !== undefined) parameters.set('end', to);
  const body = await client.post('/api/v1/delete', parameters, new Uint8Array(0), io.signal);
  return [read(body) as Deletion];
}

async function inDirectory(
  io: CommandIo,
  { data, values }: { readonly data: string; readonly values: BucketValues },
  { selector, from, to, tenant, isList }: Request,
): Promise<readonly Deletion[]> {
  const { openStore } = await import('../index.js');
  const place = storePlace(io, data, values);
  const tenantId = tenant === '' ? TENANT_DEFAULT : tenant;
  const nowMs = io.clock.nowMs();
  try {
    const store = await openStore({ ...place, compaction: 'manual', threads: false });
    try {
      if (isList) return await store.deletions(tenantId);
      const deletion = await store.delete({
        tenantId,
        selector,
        ...(from === undefined ? {} : { startMs: parseTime('from', from, nowMs) }),
        ...(to === undefined ? {} : { endMs: parseTime('to', to, nowMs) }),
      });
      return [deletion];
    } finally {
      await store.close();
    }
  } catch (error) {
    const e = StoreError.from(error);
    if (!isKind(e, 'conflict') || e.code !== 'PS_DIR_LOCKED') throw error;
    throw new StoreError({
      kind: 'conflict',
      code: 'PS_DIR_LOCKED',
      message: `cannot delete in ${place.dir}: got a lock (${e.message}); want no process on it: ask its server with --server`,
      cause: error,
    });
  }
}

/** `sumsKept` only of one that has just been made. */
function deletionText(deletion: Deletion & { readonly sumsKept?: number }): string {
  const { id, selector, startMs, endMs, blocks, sumsKept = 0 } = deletion;
  const range = `${timeText(startMs)} to ${timeText(endMs)}`;
  const line = `${id}  ${selector}  ${range}  ${blocks} blocks to rewrite\n`;
  if (sumsKept === 0) return line;
  return `${line}${sumsKept} blocks hold old profiles as sums without a label that it names: those stay\n`;
}

/** Years of more than four digits stand for no bound. */
function timeText(timeMs: number): string {
  return Math.abs(timeMs) > 8_000_000_000_000 ? 'any time' : new Date(timeMs).toISOString();
}
