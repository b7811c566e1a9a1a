import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { createConnectTransport, createGrpcWebTransport } from '@connectrpc/connect-node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StoreError } from '../../../src/base/errors.js';
import { LIMITS } from '../../../src/base/limits.js';
import { Temporality } from '../../../src/gen/basalt/v1/common_pb.js';
import { IngestService } from '../../../src/gen/basalt/v1/ingest_pb.js';
import { QueryService } from '../../../src/gen/basalt/v1/query_pb.js';
import { ErrorInfoSchema, RetryInfoSchema } from '../../../src/gen/google/rpc/error_details_pb.js';
import { BIG, startTestServer, TYPE, type TestServer } from './fakes.js';
import { getJson } from './http-client.js';

let test: TestServer;

beforeEach(async () => {
  test = await startTestServer();
});

afterEach(async () => {
  await test.server.close();
});

const RANGE = { selector: '{}', startMs: 1_000n, endMs: 2_000n };
const MERGE = { ...RANGE, profileType: TYPE.id };

const TRANSPORTS = [
  ['Connect, binary', (baseUrl: string) => createConnectTransport({ baseUrl, httpVersion: '1.1' })],
  [
    'Connect, JSON',
    (baseUrl: string) =>
      createConnectTransport({ baseUrl, httpVersion: '1.1', useBinaryFormat: false }),
  ],
  ['gRPC-Web', (baseUrl: string) => createGrpcWebTransport({ baseUrl, httpVersion: '1.1' })],
] as const;

describe.each(TRANSPORTS)('%s', (_name, transportOf) => {
  it('writes', async () => {
    const client = createClient(IngestService, transportOf(test.url));
    const request = {
      labels: [{ name: 'service_name', value: 'api' }],
      profile: Uint8Array.from([1, 2, 3]),
      profileId: 'x',
      temporality: Temporality.GAUGE,
    };
    const answer = await client.writeProfile(request, { headers: { 'x-scope-orgid': 'green' } });
    expect(answer).toMatchObject({ profileId: 'p1', profiles: 2, samples: 900n });
    const written = test.ingest.written[0];
    expect(written?.tenantId).toBe('green');
    expect(written?.request).toMatchObject({
      profileId: 'x',
      temporality: 'gauge',
      labels: request.labels,
    });
    expect([...(written?.request.profile ?? [])]).toEqual([1, 2, 3]);
  });

  it('queries', async () => {
    const client = createClient(QueryService, transportOf(test.url));
    expect((await client.labelNames(RANGE)).names).toEqual(['pod', 'service_name']);
    const { result, stats } = await client.merge(MERGE);
    expect(result.case === 'tree' && result.value.self).toEqual([0n, -5n, BIG]);
    expect(stats?.rows).toBe(70n);
  });

  it('tells errors with their reason and the time to wait', async () => {
    test.query.before = () => {
      throw new StoreError({
        kind: 'limit',
        code: 'PS_TEST',
        message: 'cannot query: got too much; want less',
        details: { retryAfterMs: 250 },
      });
    };
    const client = createClient(QueryService, transportOf(test.url));
    const error = ConnectError.from(await client.series(RANGE).catch((e: unknown) => e));
    expect(error.code).toBe(Code.ResourceExhausted);
    expect(error.rawMessage).toBe('cannot query: got too much; want less');
    expect(error.findDetails(ErrorInfoSchema)[0]?.reason).toBe('PS_TEST');
    expect(error.findDetails(RetryInfoSchema)[0]?.retryDelay?.nanos).toBe(250_000_000);
    expect(error.metadata.get('basalt-reason')).toBe('PS_TEST');
  });

  it('refuses a bad tenant', async () => {
    const client = createClient(QueryService, transportOf(test.url));
    const call = client.labelNames(RANGE, { headers: { 'x-scope-orgid': '.hidden' } });
    await expect(call).rejects.toMatchObject({ code: Code.InvalidArgument });
  });

  it('aborts the query of a client that cancels', async () => {
    let aborted = false;
    test.query.before = (query) =>
      new Promise((_resolve, reject) => {
        query.signal?.addEventListener('abort', () => {
          aborted = true;
          reject(new DOMException('aborted', 'AbortError'));
        });
      });
    const client = createClient(QueryService, transportOf(test.url));
    const controller = new AbortController();
    const call = client.labelNames(RANGE, { signal: controller.signal });
    await expect.poll(() => test.query.calls.length).toBe(1);
    controller.abort();
    await expect(call).rejects.toMatchObject({ code: Code.Canceled });
    await expect.poll(() => aborted).toBe(true);
  });
});

describe('WriteProfiles over HTTP/1.1', () => {
  it('says where streams go', async () => {
    const { status, json } = await getJson(`${test.url}/basalt.v1.IngestService/WriteProfiles`, {
      method: 'POST',
      headers: { 'content-type': 'application/connect+json' },
    });
    expect(status).toBe(400);
    expect(json).toMatchObject({ code: 'invalid_argument', reason: 'PS_STREAM_HTTP' });
  });
});

describe('plain JSON with curl', () => {
  it("says that a caller's own deadline has passed", async () => {
    test.query.before = (query) =>
      new Promise((_resolve, reject) => {
        query.signal?.addEventListener('abort', () => {
          const message = 'cannot go on: got a cancelled call; want a live one';
          reject(new StoreError({ kind: 'cancelled', code: 'PS_CANCELLED', message }));
        });
      });
    const { json } = await getJson(`${test.url}/basalt.v1.QueryService/LabelNames`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'connect-timeout-ms': '50' },
      body: '{"selector":"{}","startMs":1,"endMs":2}',
    });
    expect(json).toMatchObject({ code: 'deadline_exceeded' });
  });

  it('answers a POST', async () => {
    const { status, json } = await getJson(`${test.url}/basalt.v1.QueryService/Merge`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        profileType: TYPE.id,
        startMs: '1000',
        endMs: 2000,
        format: 'MERGE_FORMAT_TOP',
      }),
    });
    expect(status).toBe(200);
    expect(json.top.functions).toEqual([
      { function: 'f', file: 'f.go', self: String(BIG), total: String(BIG + 1n) },
    ]);
  });

  it('refuses unknown fields, broken JSON and messages past the limit', async () => {
    const post = (body: string | Uint8Array) =>
      getJson(`${test.url}/basalt.v1.QueryService/LabelNames`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      });
    expect((await post('{"nope":1}')).json.code).toBe('invalid_argument');
    expect((await post('{')).json.code).toBe('invalid_argument');
    const large = await post(Buffer.alloc(LIMITS.profileBytesMax + (2 << 20), 0x20));
    expect(large.json.code).toBe('resource_exhausted');
  });
});
