import { afterEach, describe, expect, it } from 'vitest';
import { AdminService } from '../../../src/gen/basalt/v1/admin_pb.js';
import { type AdminApi, ADMIN_ROUTES } from '../../../src/server/http-admin.js';
import { startTestServer } from './fakes.js';
import { grpcClient, metadataOf, unary } from './grpc-client.js';
import { getJson } from './http-client.js';

const NOW_MS = 1_790_000_000_000;
const calls: unknown[] = [];
afterEach(() => void calls.splice(0));

const admin: AdminApi = {
  delete: async (request) => {
    calls.push(request);
    return { id: 3, startMs: 1, endMs: 2, createdMs: NOW_MS, blocks: 4, sumsKept: 0, ...request };
  },
  deletions: async (tenantId) => [
    { id: 3, tenantId, selector: '{a="b"}', startMs: 1, endMs: 2, createdMs: 5, blocks: 0 },
  ],
  retention: [{ keepMs: 1 }, { tenantId: 'other', keepMs: 2 }, { tenantId: 't', keepMs: 3 }],
};

async function ask(path: string, search: string): Promise<unknown> {
  const route = ADMIN_ROUTES.get(path)!;
  const reply = await route.run({ admin, tenantId: 't', search, nowMs: NOW_MS });
  return JSON.parse(Buffer.from(reply.body as Uint8Array).toString());
}

describe('admin calls', () => {
  it('hand a deletion on, its times read', async () => {
    const search = new URLSearchParams({ selector: '{a="b"}', start: 'now-1h', end: '7' });
    expect(await ask('/api/v1/delete', search.toString())).toMatchObject({ id: 3, blocks: 4 });
    const times = { startMs: NOW_MS - 3_600_000, endMs: 7 };
    expect(calls).toEqual([{ tenantId: 't', selector: '{a="b"}', ...times }]);
  });

  it('leave out what was not said, and want a selector', async () => {
    await ask('/api/v1/delete', 'selector=x');
    expect(calls).toEqual([{ tenantId: 't', selector: 'x' }]);
    await expect(ask('/api/v1/delete', 'start=1')).rejects.toMatchObject({
      code: 'PS_PARAMETER_MISSING',
    });
    await expect(ask('/api/v1/delete', 'selectors=x')).rejects.toMatchObject({
      code: 'PS_PARAMETER_UNKNOWN',
    });
  });

  it('are of the method that fits, list deletions, and rules that concern the tenant', async () => {
    expect([...ADMIN_ROUTES].map(([path, { method }]) => `${method} ${path}`)).toEqual([
      'POST /api/v1/delete',
      'GET /api/v1/tombstones',
      'GET /api/v1/retention',
    ]);
    expect(await ask('/api/v1/tombstones', '')).toMatchObject({ tombstones: [{ tenantId: 't' }] });
    expect(await ask('/api/v1/retention', '')).toEqual({
      rules: [{ keepMs: 1 }, { tenantId: 't', keepMs: 3 }],
    });
  });
});

describe('AdminService', () => {
  it('deletes, lists and says what is kept, over gRPC and Connect', async () => {
    const server = await startTestServer({ admin });
    const client = grpcClient(server.grpcAddress);
    try {
      const { method } = AdminService;
      const { deletion } = await unary(client, method.delete, {
        selector: '{a="b"}',
        endMs: 7n,
      });
      expect(deletion).toMatchObject({ id: 3n, selector: '{a="b"}', endMs: 7n, blocks: 4n });
      expect(calls).toEqual([{ tenantId: 'anonymous', selector: '{a="b"}', endMs: 7 }]);
      const { deletions } = await unary(client, method.deletions, {});
      expect(deletions.map((d) => [d.id, d.selector, d.createdMs])).toEqual([[3n, '{a="b"}', 5n]]);
      const { rules } = await unary(
        client,
        method.retention,
        {},
        {
          metadata: metadataOf({ 'x-scope-orgid': 't' }),
        },
      );
      expect(rules.map((r) => r.keepMs)).toEqual([1n, 3n]);
      await expect(unary(client, method.delete, {})).rejects.toMatchObject({ code: 3 });
      const post = (name: string, body: object) =>
        getJson(`${server.url}/basalt.v1.AdminService/${name}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
        });
      expect((await post('Delete', { selector: '{x="y"}' })).json).toMatchObject({
        deletion: { id: '3', selector: '{x="y"}' },
      });
      expect((await post('Retention', {})).json).toEqual({ rules: [{ keepMs: '1' }] });
      expect((await post('Delete', {})).status).toBe(400);
    } finally {
      client.close();
      await server.server.close();
    }
  });

  it('is not there where the server offers nothing of it', async () => {
    const server = await startTestServer();
    const { status } = await getJson(`${server.url}/basalt.v1.AdminService/Deletions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    });
    expect(status).toBe(404);
    await server.server.close();
  });
});
