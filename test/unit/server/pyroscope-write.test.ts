/** Pyroscope's write side on a real store: what agents send is what queries answer. */
import { gzipSync } from 'node:zlib';
import { createClient, Code, ConnectError } from '@connectrpc/connect';
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from '@connectrpc/connect-node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PusherService } from '../../../src/gen/push/v1/push_pb.js';
import { plainPprof } from '../../support/plain-pprof.js';
import { readPprof } from '../../support/read-pprof.js';
import { SERVED_NOW_MS, servedStore, type ServedStore } from '../../support/served-store.js';
import { http } from './http-client.js';

const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const START_MS = SERVED_NOW_MS - 60_000;

let store: ServedStore;

beforeEach(async () => {
  store = await servedStore();
});

afterEach(async () => {
  await store.close();
});

function cpu(labels: Record<string, string> = {}, startMs = START_MS): Uint8Array {
  return plainPprof({
    types: [
      { type: 'samples', unit: 'count' },
      { type: 'cpu', unit: 'nanoseconds' },
    ],
    periodType: 'cpu',
    periodUnit: 'nanoseconds',
    startMs,
    samples: [
      { functions: ['main', 'run'], labels, values: [3n, 30_000_000n] },
      { functions: ['main', 'läuft'], values: [1n, 10_000_000n] },
    ],
  });
}

function heap(startMs: number, alloc: bigint, inuse: bigint): Uint8Array {
  return plainPprof({
    types: [
      { type: 'alloc_space', unit: 'bytes' },
      { type: 'inuse_space', unit: 'bytes' },
    ],
    periodType: 'space',
    periodUnit: 'bytes',
    startMs,
    samples: [{ functions: ['main', 'grow'], values: [alloc, inuse] }],
  });
}

function locks(startMs: number): Uint8Array {
  return plainPprof({
    types: [
      { type: 'contentions', unit: 'count' },
      { type: 'delay', unit: 'nanoseconds' },
    ],
    periodType: 'contentions',
    periodUnit: 'count',
    startMs,
    samples: [{ functions: ['main', 'lock'], values: [2n, 50n] }],
  });
}

interface FormPart {
  readonly name: string;
  readonly content: Uint8Array | string;
  readonly quirk?: string;
}

function form(parts: readonly FormPart[], lineEnd = '\r\n') {
  const boundary = '------------------------d74496d66958873e';
  const chunks: Buffer[] = [];
  for (const { name, content, quirk = '' } of parts) {
    const head = `--${boundary}${lineEnd}Content-Disposition: form-data; name="${name}"; filename="${name}"${lineEnd}${quirk}${lineEnd}`;
    chunks.push(Buffer.from(head), Buffer.from(content), Buffer.from('\r\n'));
  }
  chunks.push(Buffer.from(`--${boundary}--\r\n`));
  const headers = { 'content-type': `multipart/form-data; boundary=${boundary}` };
  return { headers, body: Buffer.concat(chunks) };
}

async function ingest(
  query: string,
  request: { headers?: Record<string, string>; body: Uint8Array | string },
) {
  return http(`${store.url}/ingest?${query}`, { method: 'POST', ...request });
}

const seconds = (ms: number): string => String(ms / 1_000);

describe('push.v1', () => {
  const series = (ID = '0b6c9c1a-2b55-4d1e-8f0a-000000000001') => [
    {
      labels: [
        { name: '__name__', value: 'process_cpu' },
        { name: 'service_name', value: 'shop' },
        { name: '__session_id__', value: 'ad7e' },
        { name: 'k8s.pod/name', value: 'shop (1)' },
      ],
      samples: [{ rawProfile: cpu({ vehicle: 'car' }), ID }],
    },
  ];

  it.each([
    ['Connect', (baseUrl: string) => createConnectTransport({ baseUrl, httpVersion: '1.1' })],
    [
      'Connect over h2c',
      (baseUrl: string) => createConnectTransport({ baseUrl, httpVersion: '2' }),
    ],
    [
      'JSON',
      (baseUrl: string) =>
        createConnectTransport({ baseUrl, httpVersion: '1.1', useBinaryFormat: false }),
    ],
    ['gRPC', (baseUrl: string) => createGrpcTransport({ baseUrl })],
    ['gRPC-Web', (baseUrl: string) => createGrpcWebTransport({ baseUrl, httpVersion: '1.1' })],
  ])('stores over %s, once for each id', async (_name, transportOf) => {
    const client = createClient(PusherService, transportOf(store.url));
    expect(await client.push({ series: series() })).toMatchObject({});
    await client.push({ series: series() });
    expect(await store.rows(CPU)).toEqual(readPprof(cpu({ vehicle: 'car' })).rows(1));
    expect(await store.series()).toEqual([
      JSON.stringify([
        ['__name__', 'process_cpu'],
        ['k8s.pod/name', 'shop (1)'],
        ['service_name', 'shop'],
      ]),
    ]);
    // The same profile under another id was sent on purpose.
    await client.push({ series: series('another') });
    expect([...(await store.rows(CPU)).values()]).toEqual([60_000_000n, 20_000_000n]);
  });

  it('takes plain JSON and gzip as curl and the Python agent send them', async () => {
    const json = {
      series: [
        {
          labels: [{ name: 'service_name', value: 'shop' }],
          samples: [{ rawProfile: Buffer.from(cpu()).toString('base64'), ID: 'a' }],
        },
      ],
    };
    const answer = await http(`${store.url}/push.v1.PusherService/Push`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
      body: gzipSync(JSON.stringify(json)),
    });
    expect([answer.status, answer.body.toString()]).toEqual([200, '{}']);
    expect(await store.rows(CPU)).toEqual(readPprof(cpu()).rows(1));
  });

  it('selects by a label of the samples as by one of the series', async () => {
    const client = createClient(PusherService, createGrpcTransport({ baseUrl: store.url }));
    await client.push({ series: series() });
    expect(await store.folded(CPU, '{vehicle="car"}')).toBe('main;run 30000000\n');
    expect(await store.folded(CPU, '{vehicle="bike"}')).toBe('');
  });

  it('stores what it can, and tells of what it cannot', async () => {
    const client = createClient(PusherService, createGrpcTransport({ baseUrl: store.url }));
    const [good] = series();
    const bad = { labels: [], samples: [{ rawProfile: Buffer.from('<html>'), ID: '' }] };
    const error = await client.push({ series: [bad, good ?? bad] }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(ConnectError);
    expect((error as ConnectError).code).toBe(Code.InvalidArgument);
    expect((error as ConnectError).rawMessage).toContain('1 of 2 profiles failed');
    expect((await store.rows(CPU)).size).toBe(2);
  });

  it('refuses a request without profiles, and duplicate labels', async () => {
    const post = (body: string) =>
      http(`${store.url}/push.v1.PusherService/Push`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      });
    expect((await post('{}')).status).toBe(400);
    const twice = [
      { name: 'a', value: '1' },
      { name: 'a', value: '2' },
    ];
    const samples = [{ rawProfile: Buffer.from(cpu()).toString('base64') }];
    const answer = await post(JSON.stringify({ series: [{ labels: twice, samples }] }));
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body.toString())).toMatchObject({ code: 'invalid_argument' });
    expect((await http(`${store.url}/push.v1.PusherService/Push`, { method: 'PUT' })).status).toBe(
      405,
    );
  });

  it.each([
    ['a scraper', [], 'cumulative'],
    ['__delta__="false"', [{ name: '__delta__', value: 'false' }], 'delta'],
    ['godeltaprof', [{ name: '__name__', value: 'godeltaprof_memory' }], 'delta'],
    [
      'an SDK that says who it is',
      [{ name: 'otel.scope.name', value: 'com.grafana.pyroscope/python' }],
      'delta',
    ],
    ['another SDK', [{ name: 'otel.scope.name', value: 'my.scope' }], 'cumulative'],
  ])('reads the temporality of what %s sends', async (_name, labels, temporality) => {
    const client = createClient(PusherService, createGrpcTransport({ baseUrl: store.url }));
    await client.push({
      series: [{ labels, samples: [{ rawProfile: heap(START_MS, 10n, 7n), ID: '' }] }],
    });
    const types = await store.types();
    expect(types.map((t) => [t.id.split(':')[1], t.temporality])).toEqual([
      ['alloc_space', temporality],
      ['inuse_space', 'gauge'],
    ]);
  });
});

describe('/ingest', () => {
  const name = encodeURIComponent('shop.api{region=eu,path=/a b (c),__session_id__=12,x=1,2}');
  const labels = [
    ['__name__', 'process_cpu'],
    ['path', '/a b (c)'],
    ['pyroscope_spy', 'gospy'],
    ['region', 'eu'],
    ['service_name', 'shop.api'],
    ['x', '1,2'],
  ];

  it.each(['/ingest', '/pyroscope/ingest'])('takes multipart pprof at %s', async (path) => {
    const url = `${store.url}${path}?name=${name}&spyName=gospy&from=1&until=2&units=samples`;
    const request = form([
      { name: 'profile', content: cpu(), quirk: 'Content-Type: application/octet-stream\r\n' },
    ]);
    const answer = await http(url, { method: 'POST', ...request });
    expect([answer.status, answer.body.length]).toEqual([200, 0]);
    expect(answer.headers['content-type']).toBeUndefined();
    await http(url, { method: 'POST', ...request });
    // The time in the profile counts, not `from`; the same again changes nothing.
    expect(await store.rows(CPU)).toEqual(readPprof(cpu()).rows(1));
    expect(await store.series()).toEqual([JSON.stringify(labels)]);
  });

  it.each([
    ['raw', 'application/octet-stream', cpu()],
    ['raw and not compressed', 'binary/octet-stream', cpu()],
    ['gzip of gzip', 'application/octet-stream', gzipSync(cpu())],
  ])('takes pprof %s', async (_name, contentType, body) => {
    const headers = {
      'content-type': contentType,
      ...(body[0] === 0x1f ? { 'content-encoding': 'gzip' } : {}),
    };
    const { status } = await ingest('name=shop&format=pprof', { headers, body });
    expect(status).toBe(200);
    expect(await store.rows(CPU)).toEqual(readPprof(cpu()).rows(1));
  });

  it('takes a gzip multipart body, and line ends of one character', async () => {
    const { headers, body } = form([{ name: 'profile', content: cpu() }], '\n');
    const { status } = await ingest('name=shop', { headers, body: gzipSync(body) });
    expect(status).toBe(200);
    expect((await store.rows(CPU)).size).toBe(2);
  });

  it('adds app_name beside a service_name of the sender', async () => {
    await ingest(`name=${encodeURIComponent('a{service_name=b}')}&format=pprof`, { body: cpu() });
    expect(await store.series()).toEqual([
      JSON.stringify([
        ['__name__', 'process_cpu'],
        ['app_name', 'a'],
        ['pyroscope_spy', 'unknown'],
        ['service_name', 'b'],
      ]),
    ]);
  });

  it('tells profiles of mutexes and of blocking apart by their display names', async () => {
    for (const kind of ['mutex', 'block']) {
      const config = JSON.stringify({
        contentions: { units: 'lock_samples', 'display-name': `${kind}_count` },
        delay: { units: 'lock_nanoseconds', 'display-name': `${kind}_duration` },
      });
      const parts = [
        { name: 'sample_type_config', content: config },
        { name: 'profile', content: locks(START_MS) },
      ];
      expect((await ingest('name=shop', form(parts))).status).toBe(200);
    }
    const types = await store.types();
    expect(types.map((t) => [t.id, t.temporality])).toEqual([
      ['block:contentions:count:contentions:count', 'delta'],
      ['block:delay:nanoseconds:contentions:count', 'delta'],
      ['mutex:contentions:count:contentions:count', 'delta'],
      ['mutex:delay:nanoseconds:contentions:count', 'delta'],
    ]);
  });

  it('takes the difference to a previous profile, each difference once', async () => {
    const config = JSON.stringify({ alloc_space: { cumulative: true } });
    const send = (previous: Uint8Array, now: Uint8Array) =>
      ingest(
        'name=shop',
        form([
          { name: 'profile', content: now },
          { name: 'prev_profile', content: previous },
          { name: 'sample_type_config', content: config },
        ]),
      );
    const at = [0, 1, 2].map((i) =>
      heap(START_MS + i * 10_000, BigInt([100, 130, 137][i] ?? 0), BigInt([50, 60, 80][i] ?? 0)),
    );
    const [first, second, third] = at as [Uint8Array, Uint8Array, Uint8Array];
    expect((await send(first, second)).status).toBe(200);
    expect((await send(second, third)).status).toBe(200);
    expect((await send(second, third)).status).toBe(200);
    expect(await store.folded('memory:alloc_space:bytes:space:bytes')).toBe('main;grow 37\n');
    // A gauge counts as it was at the end of each interval: the mean of 60 and 80.
    expect(await store.folded('memory:inuse_space:bytes:space:bytes')).toBe('main;grow 70\n');
  });

  it('keeps processes with the same labels apart by their session', async () => {
    const body = cpu();
    for (const session of ['1', '2', '2']) {
      const name = encodeURIComponent(`shop{__session_id__=${session},zone=eu}`);
      expect((await ingest(`name=${name}&format=pprof`, { body })).status).toBe(200);
    }
    expect(await store.folded(CPU)).toBe('main;läuft 20000000\nmain;run 60000000\n');
  });

  it.each([
    ['name=shop', 'process_cpu:cpu:nanoseconds:cpu:nanoseconds', 'shop', [70_000_000, 20_000_000]],
    [
      'name=shop&sampleRate=0',
      'process_cpu:cpu:nanoseconds:cpu:nanoseconds',
      'shop',
      [70_000_000, 20_000_000],
    ],
    [
      'name=shop.cpu&sampleRate=7',
      'process_cpu:cpu:nanoseconds:cpu:nanoseconds',
      'shop',
      [1_000_000_000, 285_714_286],
    ],
    ['name=my.shop.alloc_space', 'memory:alloc_space:bytes::', 'my.shop', [7, 2]],
    ['name=shop.goroutines', 'goroutines:goroutine:count::', 'shop', [7, 2]],
    ['name=shop.mutex_duration', 'mutex:delay:nanoseconds::', 'shop', [7, 2]],
    [
      'name=shop.wall&format=groups',
      'wall:wall:nanoseconds:wall:nanoseconds',
      'shop',
      [70_000_000, 20_000_000],
    ],
  ])('takes folded stacks as %s says', async (query, type, service, values) => {
    const { status } = await ingest(
      `${query}&from=${seconds(START_MS)}&until=${seconds(START_MS + 10_000)}`,
      {
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: 'main;run 3\nmain;läuft 2\r\n\nmain;run 4\n',
      },
    );
    expect(status).toBe(200);
    const [run, other] = values;
    expect(await store.folded(type)).toBe(`main;läuft ${other}\nmain;run ${run}\n`);
    expect((await store.series())[0]).toContain(`["service_name","${service}"]`);
  });

  it('takes lines, and lines of any length', async () => {
    const deep = Array.from({ length: 2_000 }, (_, i) => `${'f'.repeat(60)}${i}`).join(';');
    expect(deep.length).toBeGreaterThan(65_536);
    const query = `name=shop&sampleRate=1000&from=${seconds(START_MS)}`;
    await ingest(`${query}&format=lines`, { body: `${deep}\nmain;run\nmain;run\n` });
    await ingest(`${query}&format=folded`, { body: `${deep} 5\nmain;run 6\n` });
    const rows = await store.folded(CPU);
    expect(
      rows
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => line.slice(line.lastIndexOf(' '))),
    ).toEqual([' 6000000', ' 8000000']);
  });

  it('takes the times of a URL in all their units', async () => {
    const profile = { body: 'main;run 1\n' };
    for (const from of ['1789999200', '1789999201000', '1789999202000000', '1789999203000000000']) {
      expect((await ingest(`name=shop&from=${from}`, profile)).status).toBe(200);
    }
    expect(await store.folded(CPU)).toBe('main;run 40000000\n');
    expect((await ingest('name=shop&from=yesterday', profile)).status).toBe(400);
  });

  it.each([
    ['no name', '', {}, 'main 1', 400],
    ['a broken name', 'name=a%7Bb', {}, 'main 1', 400],
    ['a tag without a value', 'name=a%7Bb%7D', {}, 'main 1', 400],
    ['an unknown type', 'name=my.app', {}, 'main 1', 400],
    ['an unknown format', 'name=app&format=xml', {}, 'main 1', 400],
    ['another encoding', 'name=app', { 'content-encoding': 'br' }, 'main 1', 400],
    ['a start in the future', 'name=app&from=1999999999', {}, 'main 1', 400],
    ['a page', 'name=app&format=pprof', {}, '<html></html>', 422],
    ['text that is no stacks', 'name=app', {}, 'hello\n', 422],
    [
      'a broken form',
      'name=app',
      { 'content-type': 'multipart/form-data; boundary=x' },
      'main 1',
      422,
    ],
    ['a form without a boundary', 'name=app', { 'content-type': 'multipart/form-data' }, 'x', 422],
  ])('refuses %s', async (_name, query, headers, body, status) => {
    const answer = await ingest(query, { headers, body });
    expect([answer.status, answer.body.toString()]).toEqual([status, expect.any(String)]);
    const error = JSON.parse(answer.body.toString()) as Record<string, unknown>;
    expect(error['code']).toBe('invalid_argument');
    expect(error['reason']).toMatch(/^PS_/);
    expect(await store.series()).toEqual([]);
  });

  it('refuses other methods, tenants that are none, and forms without a profile', async () => {
    expect((await http(`${store.url}/ingest?name=a`)).status).toBe(405);
    const headers = { 'x-scope-orgid': '../a' };
    expect((await ingest('name=a', { headers, body: 'main 1' })).status).toBe(400);
    const noProfile = form([{ name: 'prof', content: cpu() }]);
    expect((await ingest('name=a', noProfile)).status).toBe(422);
  });
});

describe('what is refused', () => {
  it("is counted under Pyroscope's reasons, by tenant", async () => {
    const transport = createConnectTransport({ baseUrl: store.url, httpVersion: '1.1' });
    const client = createClient(PusherService, transport);
    const labels = (more: Record<string, string>) =>
      Object.entries({ __name__: 'process_cpu', service_name: 'shop', ...more }).map(
        ([name, value]) => ({ name, value }),
      );
    const future = cpu({}, SERVED_NOW_MS + 3_600_000);
    const push = (own: Record<string, string>, rawProfile: Uint8Array) =>
      client.push(
        { series: [{ labels: labels(own), samples: [{ rawProfile, ID: '' }] }] },
        { headers: { 'x-scope-orgid': 'team-a' } },
      );
    await expect(push({}, future)).rejects.toThrow();
    await expect(push({ long: 'x'.repeat(10_000) }, cpu())).rejects.toThrow();
    await expect(push({ ['x'.repeat(5_000)]: 'y' }, cpu())).rejects.toThrow();
    await expect(push({}, Buffer.from('no profile'))).rejects.toThrow();
    await push({}, cpu());
    const bad = await ingest('name=shop&format=pprof', { body: 'no profile' });
    expect(bad.status).toBe(422);
    expect((await ingest('format=pprof', { body: cpu() })).status).toBe(400);
    const { body } = await http(`${store.url}/metrics`);
    const lines = body.toString().split('\n');
    const of = (what: string) =>
      lines.filter((line) => line.startsWith(`pyroscope_discarded_${what}_total{`)).sort();
    expect(of('samples')).toEqual([
      'pyroscope_discarded_samples_total{reason="label_name_too_long",tenant="team-a"} 1',
      'pyroscope_discarded_samples_total{reason="label_value_too_long",tenant="team-a"} 1',
      'pyroscope_discarded_samples_total{reason="malformed_profile",tenant="anonymous"} 1',
      'pyroscope_discarded_samples_total{reason="malformed_profile",tenant="team-a"} 1',
      'pyroscope_discarded_samples_total{reason="missing_labels",tenant="anonymous"} 1',
      'pyroscope_discarded_samples_total{reason="not_in_ingestion_window",tenant="team-a"} 1',
    ]);
    expect(of('bytes')).toContain(
      `pyroscope_discarded_bytes_total{reason="not_in_ingestion_window",tenant="team-a"} ${future.length}`,
    );
  });
});
