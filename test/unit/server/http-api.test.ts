import { connect } from 'node:net';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StoreError } from '../../../src/base/errors.js';
import { LIMITS } from '../../../src/base/limits.js';
import { BIG, PARTIAL, STATS, startTestServer, TREE, TYPE, type TestServer } from './fakes.js';
import { getJson, http } from './http-client.js';

let test: TestServer;

beforeEach(async () => {
  test = await startTestServer();
});

afterEach(async () => {
  await test.server.close();
});

const HOUR = 3_600_000;
const MERGE = `/api/v1/merge?type=${encodeURIComponent(TYPE.id)}&selector=${encodeURIComponent('{a="b"}')}`;

describe('lists', () => {
  it('answers profile types, labels, values and series', async () => {
    const types = await getJson(`${test.url}/api/v1/profile-types?start=1000&end=2000`);
    expect(types.status).toBe(200);
    expect(types.headers['content-type']).toBe('application/json');
    expect(types.json).toEqual({ profileTypes: [TYPE] });
    expect(test.query.last().query).toMatchObject({ startMs: 1_000, endMs: 2_000, selector: '' });
    expect((await getJson(`${test.url}/api/v1/labels?match=%7B%7D`)).json).toEqual({
      labels: ['pod', 'service_name'],
    });
    expect(test.query.last().query.selector).toBe('{}');
    const values = await getJson(`${test.url}/api/v1/labels/k8s%2Fpod/values`);
    expect(values.json).toEqual({ values: ['k8s/pod-1'] });
    expect((await getJson(`${test.url}/api/v1/series`)).json).toEqual({
      series: [{ __name__: 'process_cpu', service_name: 'api' }],
    });
  });

  it('takes the last hour when no time is given', async () => {
    const before = Date.now();
    await getJson(`${test.url}/api/v1/labels`);
    const { startMs, endMs } = test.query.last().query;
    expect(endMs).toBeGreaterThanOrEqual(before);
    expect(endMs).toBeLessThanOrEqual(Date.now());
    expect(endMs - startMs).toBe(HOUR);
  });

  it('takes the tenant from x-scope-orgid', async () => {
    await getJson(`${test.url}/api/v1/labels`, { headers: { 'x-scope-orgid': 'blue' } });
    expect(test.query.last().query.tenantId).toBe('blue');
  });
});

describe('merge', () => {
  it('answers a tree as flat arrays with 64-bit values as strings', async () => {
    const { json } = await getJson(`${test.url}${MERGE}&maxNodes=50&aggregation=avg`);
    expect(test.query.last()).toMatchObject({
      method: 'mergeTree',
      query: { profileType: TYPE.id, selector: '{a="b"}', maxNodes: 50, aggregation: 'avg' },
    });
    expect(json).toEqual({
      unit: 'nanoseconds',
      total: String(BIG + 7n),
      names: TREE.names,
      nodes: {
        parent: [-1, 0, 1],
        name: [0, 1, 2],
        self: ['0', '-5', String(BIG)],
        value: [String(BIG + 7n), String(BIG + 7n), String(BIG)],
      },
      hidden: { nodes: 4, value: '12' },
      stats: STATS,
      partial: false,
    });
  });

  it('says that a list is partial where it is', async () => {
    const path = `${test.url}/api/v1/labels`;
    expect((await getJson(path)).json).toEqual({ labels: ['pod', 'service_name'] });
    test.query.stats = PARTIAL;
    for (const list of ['labels', 'labels/pod/values', 'series', 'profile-types']) {
      expect((await getJson(`${test.url}/api/v1/${list}`)).json).toMatchObject({
        partial: true,
        missing: PARTIAL.missing,
      });
    }
  });

  it('answers top, pprof and folded; the last two tell of missing parts in headers', async () => {
    test.query.stats = PARTIAL;
    const top = await getJson(`${test.url}${MERGE}&format=top`);
    expect(top.json).toMatchObject({
      unit: 'nanoseconds',
      functions: [{ function: 'f', file: 'f.go', self: String(BIG), total: String(BIG + 1n) }],
      partial: true,
      stats: { missing: PARTIAL.missing },
    });
    const pprof = await http(`${test.url}${MERGE}&format=pprof`, {
      headers: { 'accept-encoding': 'gzip' },
    });
    expect([...pprof.body]).toEqual([0x1f, 0x8b, 1, 2]);
    expect(pprof.headers['content-encoding']).toBeUndefined();
    expect(pprof.headers['basalt-partial']).toBe('true');
    const folded = await http(`${test.url}${MERGE}&format=folded`);
    expect(folded.body.toString()).toBe('main;läuft 7\n');
    expect(folded.headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(JSON.parse(String(folded.headers['basalt-stats']))).toMatchObject({
      rows: 70,
      hidden: { count: 3, value: '12' },
      missing: PARTIAL.missing.map(({ part, code }) => ({ part, code })),
    });
  });

  it('hands filters, views and options of formats on', async () => {
    const search =
      '&focus=a&show_from=b&stack=leaf:function=x&stack=!file=y&spanId=0123456789abcdef' +
      '&granularity=line&rootLabel=pod&inverted=true&collapseRecursion=false&function=f&levels=3';
    const { json } = await getJson(`${test.url}${MERGE}&format=sandwich${search}`);
    expect(test.query.last()).toMatchObject({
      method: 'mergeSandwich',
      query: {
        focus: 'a',
        showFrom: 'b',
        stack: ['leaf:function=x', '!file=y'],
        spanIds: ['0123456789abcdef'],
        granularity: 'line',
        rootLabel: ['pod'],
        inverted: true,
        function: 'f',
        levels: 3,
      },
    });
    expect(test.query.last().query).not.toHaveProperty('collapseRecursion');
    expect(json).toMatchObject({
      total: String(BIG + 7n),
      callees: { total: String(TREE.total), nodes: { parent: [-1, 0, 1] } },
      callers: { names: TREE.names, hidden: { nodes: 4, value: '12' } },
    });
    const pgo = await http(`${test.url}${MERGE}&format=pgo&keepLocations=4`);
    expect(pgo.headers['content-disposition']).toContain('default.pgo');
    expect(test.query.last()).toMatchObject({
      method: 'mergeRendered',
      query: { format: 'pgo', keepLocations: 4 },
    });
  });

  it('compresses large answers as the caller accepts', async () => {
    const names = Array.from({ length: 5_000 }, (_, i) => `function number ${i}`);
    test.query.tree = { ...TREE, names };
    const plain = await http(`${test.url}${MERGE}`);
    expect(plain.headers['content-encoding']).toBeUndefined();
    const gzip = await http(`${test.url}${MERGE}`, {
      headers: { 'accept-encoding': 'gzip, br;q=0' },
    });
    expect(gzip.headers['content-encoding']).toBe('gzip');
    expect(gunzipSync(gzip.body).equals(plain.body)).toBe(true);
    const br = await http(`${test.url}${MERGE}`, { headers: { 'accept-encoding': 'gzip, br' } });
    expect(br.headers['content-encoding']).toBe('br');
    expect(br.headers['vary']).toBe('accept-encoding');
    expect(brotliDecompressSync(br.body).equals(plain.body)).toBe(true);
  });

  it('aborts the query when the client goes away', async () => {
    let aborted = false;
    test.query.before = (query) =>
      new Promise((_resolve, reject) => {
        query.signal?.addEventListener('abort', () => {
          aborted = true;
          reject(new DOMException('aborted', 'AbortError'));
        });
      });
    const controller = new AbortController();
    const call = fetch(`${test.url}${MERGE}`, { signal: controller.signal });
    await expect.poll(() => test.query.calls.length).toBe(1);
    controller.abort();
    await expect(call).rejects.toThrow();
    await expect.poll(() => aborted).toBe(true);
  });
});

describe('timeseries', () => {
  it('answers points by group', async () => {
    const url = `${test.url}${MERGE.replace('merge', 'timeseries')}&step=15s&groupBy=pod,zone&groupBy=x`;
    const { json } = await getJson(url);
    expect(test.query.last().query).toMatchObject({
      stepMs: 15_000,
      groupBy: ['pod', 'zone', 'x'],
    });
    expect(json).toEqual({
      unit: 'nanoseconds',
      stepMs: 15_000,
      series: [
        {
          labels: { pod: 'a', service_name: 'api' },
          points: [
            [1_700_000_000_000, '5'],
            [1_700_000_015_000, String(BIG)],
          ],
        },
      ],
      hidden: 0,
      stats: STATS,
      partial: false,
    });
  });

  it('chooses a step when none is given', async () => {
    await getJson(`${test.url}${MERGE.replace('merge', 'timeseries')}&start=now-1d`);
    expect(test.query.last().query).toMatchObject({ stepMs: 300_000 });
  });
});

describe('write', () => {
  it('stores a body with the labels of the query string', async () => {
    const url = `${test.url}/api/v1/write?label=service_name%3Dapi&label=a%3Db%3Dc&profile_id=i&temporality=gauge`;
    const { status, json } = await getJson(url, { method: 'POST', body: 'pprof' });
    expect(status).toBe(200);
    expect(json).toEqual({ profileId: 'p1', profiles: 2, samples: '900', rejections: [] });
    const written = test.ingest.written[0];
    expect(written?.request).toMatchObject({
      labels: [
        { name: 'service_name', value: 'api' },
        { name: 'a', value: 'b=c' },
      ],
      profileId: 'i',
      temporality: 'gauge',
    });
    expect(Buffer.from(written?.request.profile ?? []).toString()).toBe('pprof');
  });

  it('refuses a body past the limit, declared or not (I6)', async () => {
    const url = `${test.url}/api/v1/write`;
    const declared = await getJson(url, {
      method: 'POST',
      headers: { 'content-length': String(LIMITS.profileBytesMax + 1), expect: '100-continue' },
    }).catch((error: unknown) => error);
    expect(declared).toMatchObject({ status: 400, json: { reason: 'PS_BODY_SIZE' } });
    expect(test.ingest.written).toHaveLength(0);
    expect(test.metrics.render()).toContain('basalt_http_body_bytes 0\n');
  });
});

describe('errors', () => {
  it.each([
    [`${MERGE}&form=top`, 400, 'PS_PARAMETER_UNKNOWN', 'want format'],
    [`${MERGE}&maxnodes=7`, 400, 'PS_PARAMETER_UNKNOWN', 'want maxNodes'],
    [`${MERGE}&format=tre`, 400, 'PS_FORMAT', 'want tree, top, pprof, folded'],
    [`${MERGE}&maxNodes=0`, 400, 'PS_PARAMETER_NUMBER', 'want 1 to'],
    [`${MERGE}&maxNodes=5&format=top`, 400, 'PS_FORMAT_OPTION', 'want it with tree'],
    [`${MERGE}&inverted=yes`, 400, 'PS_PARAMETER_FLAG', 'want true or false'],
    [`${MERGE}&granularity=module`, 400, 'PS_STACK_VIEW', 'want function, file'],
    [`${MERGE}&levels=3`, 400, 'PS_FORMAT_OPTION', 'want it with sandwich'],
    [`${MERGE}&aggregation=mean`, 400, 'PS_AGGREGATION', 'want sum, avg, last, max'],
    [`${MERGE}&start=yesterday`, 400, 'PS_TIME', 'got "yesterday"'],
    [`${MERGE}&start=5&end=5`, 400, 'PS_RANGE', 'empty range'],
    [`${MERGE}&start=1&start=2`, 400, 'PS_PARAMETER_REPEATED', 'twice'],
    ['/api/v1/merge', 400, 'PS_PARAMETER_MISSING', 'type'],
    ['/api/v1/labels/%zz/values', 400, 'PS_PATH', 'broken escape'],
    ['/api/v1/merg', 404, 'PS_PATH_UNKNOWN', 'want /api/v1/merge'],
    ['/basalt.v1.QueryService/Nope', 404, 'PS_PATH_UNKNOWN', ''],
  ])('%s', async (path, status, reason, text) => {
    const answer = await getJson(`${test.url}${path}`);
    expect(answer.status).toBe(status);
    expect(answer.json).toEqual({
      code: status === 404 ? 'not_found' : 'invalid_argument',
      reason,
      message: expect.stringContaining(text),
    });
  });

  it('maps what the store throws, with the time to wait', async () => {
    test.query.before = () => {
      throw new StoreError({
        kind: 'limit',
        code: 'PS_QUERIES',
        message: 'cannot query: got 65 at once; want at most 64',
        details: { retryAfterMs: 2_100 },
      });
    };
    const busy = await getJson(`${test.url}/api/v1/labels`);
    expect(busy.status).toBe(429);
    expect(busy.headers['retry-after']).toBe('3');
    expect(busy.json).toMatchObject({ code: 'resource_exhausted', reason: 'PS_QUERIES' });
    test.query.before = () => {
      throw new RangeError('secret');
    };
    const broken = await getJson(`${test.url}/api/v1/labels`);
    expect(broken.status).toBe(500);
    expect(broken.body.toString()).not.toContain('secret');
    expect(test.reported).toHaveLength(1);
  });

  it('refuses other methods with 405', async () => {
    const answer = await http(`${test.url}/api/v1/labels`, { method: 'DELETE' });
    expect(answer.status).toBe(405);
    expect(answer.headers['allow']).toBe('GET, HEAD');
    expect((await http(`${test.url}/api/v1/write`)).status).toBe(405);
  });

  it('refuses what a page of another site makes a browser send', async () => {
    const answer = await getJson(`${test.url}/api/v1/write`, {
      method: 'POST',
      headers: { 'sec-fetch-site': 'cross-site' },
      body: 'pprof',
    });
    expect(answer.json.reason).toBe('PS_CROSS_SITE');
    expect(test.ingest.written).toHaveLength(0);
  });

  it('lives on after broken requests', async () => {
    const raw = (text: string) =>
      new Promise<string>((resolve, reject) => {
        const socket = connect(test.server.httpPort, '127.0.0.1', () => socket.end(text));
        let answer = '';
        socket.on('data', (part) => {
          answer += part.toString();
        });
        socket.on('error', reject);
        socket.on('close', () => resolve(answer));
      });
    const path = '/basalt.v1.QueryService/LabelNames';
    const host = await raw(`POST ${path} HTTP/1.1\r\nHost: [\r\nContent-Length: 0\r\n\r\n`);
    expect(host).toContain('PS_HOST');
    expect(await raw(`POST ${path} HTTP/1.0\r\nContent-Length: 0\r\n\r\n`)).toContain('PS_HOST');
    expect(await raw('GET // HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')).toContain('404');
    expect(
      await raw('GET /api/v1/labels?%zz=% HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'),
    ).toContain('400');
    expect(await raw('nonsense\r\n\r\n')).toContain('400');
    expect((await http(`${test.url}/healthz`)).status).toBe(200);
  });
});

describe('probes, metrics and the page', () => {
  it('tells liveness and readiness apart', async () => {
    expect((await http(`${test.url}/ready`)).status).toBe(200);
    test.ready = false;
    const notReady = await getJson(`${test.url}/ready`);
    expect(notReady.status).toBe(503);
    expect(notReady.json.reason).toBe('PS_NOT_READY');
    expect((await http(`${test.url}/healthz`)).body.toString()).toBe('ok\n');
  });

  it('serves metrics as Prometheus text', async () => {
    await getJson(`${test.url}/api/v1/labels`);
    const { body, headers } = await http(`${test.url}/metrics`);
    expect(headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(body.toString()).toContain(
      'basalt_requests_total{protocol="http",method="/api/v1/labels",code="ok"} 1\n',
    );
  });

  it('serves the page, without a body for HEAD', async () => {
    const page = await http(`${test.url}/`);
    expect(page.body.toString()).toBe('<!doctype html>');
    const head = await http(`${test.url}/`, { method: 'HEAD' });
    expect(head.status).toBe(200);
    expect(head.headers['content-length']).toBe('15');
    expect(head.body).toHaveLength(0);
  });
});

describe('close', () => {
  it('lets calls under way finish, refuses new ones, and may be called twice', async () => {
    let release = (): void => undefined;
    test.query.before = () =>
      new Promise((resolve) => {
        release = resolve;
      });
    const call = getJson(`${test.url}/api/v1/labels`);
    await expect.poll(() => test.query.calls.length).toBe(1);
    const closing = test.server.close();
    const again = test.server.close();
    expect(test.server.status).toBe('closing');
    await expect(http(`${test.url}/healthz`)).rejects.toThrow();
    release();
    expect((await call).status).toBe(200);
    await Promise.all([closing, again]);
    expect(test.server.status).toBe('closed');
  });

  it('cuts calls that outlast the drain time, and connections that never asked', async () => {
    const stuck = await startTestServer({ drainMs: 50 });
    stuck.query.before = () => new Promise(() => undefined);
    const call = http(`${stuck.url}/api/v1/labels`);
    const cut = expect(call).rejects.toThrow();
    const silent = connect(stuck.server.httpPort, '127.0.0.1');
    await expect.poll(() => stuck.query.calls.length).toBe(1);
    await stuck.server.close();
    await cut;
    silent.destroy();
  });

  it('says which address it cannot take', async () => {
    const taken = `127.0.0.1:${test.server.httpPort}`;
    await expect(startTestServer({ httpAddress: taken })).rejects.toMatchObject({
      code: 'PS_LISTEN',
    });
    await expect(startTestServer({ grpcAddress: taken })).rejects.toMatchObject({
      code: 'PS_LISTEN',
    });
    await expect(startTestServer({ httpAddress: 'nope' })).rejects.toMatchObject({
      code: 'PS_ADDRESS',
    });
  });
});
