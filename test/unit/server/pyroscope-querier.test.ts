import { createClient } from '@connectrpc/connect';
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from '@connectrpc/connect-node';
import { toBinary } from '@bufbuild/protobuf';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ProfileSchema } from '../../../src/gen/google/v1/profile_pb.js';
import {
  HeatmapQueryType,
  ProfileFormat,
  QuerierService,
} from '../../../src/gen/querier/v1/querier_pb.js';
import { ExemplarType } from '../../../src/gen/types/v1/types_pb.js';
import { flamebearerStacks, treeStacks } from '../../support/flamebearer.js';
import {
  CPU,
  HEAP,
  pyroscopeStore,
  RANGE,
  SAMPLES,
  sentStacks,
  SPAN_A,
  SPAN_B,
  T0_MS,
  TRACE,
} from '../../support/pyroscope-data.js';
import { inflate, readPprof } from '../../support/read-pprof.js';
import type { ServedStore } from '../../support/served-store.js';
import { http } from './http-client.js';

/** Every method of querier.v1 as Grafana's data source and Explore Profiles call them, answers field by field. */

let store: ServedStore;

beforeAll(async () => {
  store = await pyroscopeStore();
});

afterAll(async () => {
  await store.close();
});

type Json = Record<string, unknown>;

async function ask(
  method: string,
  request: Json,
  headers: Record<string, string> = {},
): Promise<{ status: number; json: Json }> {
  const answer = await http(`${store.url}/querier.v1.QuerierService/${method}`, {
    method: 'POST',
    body: JSON.stringify(request),
    headers: { 'content-type': 'application/json', ...headers },
  });
  return { status: answer.status, json: JSON.parse(answer.body.toString()) as Json };
}

async function answerOf(method: string, request: Json, headers = {}): Promise<Json> {
  const { status, json } = await ask(method, request, headers);
  expect(json).not.toHaveProperty('message');
  expect(status).toBe(200);
  return json;
}

const MERGE = { profileTypeID: CPU, labelSelector: '{service_name="shop"}', ...RANGE };

interface FlameGraphJson {
  readonly names: string[];
  readonly levels: { values: string[] }[];
  readonly total: string;
  readonly maxSelf: string;
}

function stacksOf(graph: unknown, sides: 1 | 2 = 1): Record<string, bigint | bigint[]> {
  const { names, levels } = graph as FlameGraphJson;
  const read = flamebearerStacks(
    names,
    levels.map((level) => level.values),
    sides,
  );
  return Object.fromEntries([...read].map(([k, v]) => [k, sides === 1 ? (v[0] ?? 0n) : v]));
}

describe('what there is', () => {
  it('ProfileTypes', async () => {
    const type = (
      name: string,
      sample: string,
      unit: string,
      period: string,
      periodUnit: string,
    ) => ({
      ID: `${name}:${sample}:${unit}:${period}:${periodUnit}`,
      name,
      sampleType: sample,
      sampleUnit: unit,
      periodType: period,
      periodUnit,
    });
    const profileTypes = [
      type('memory', 'inuse_space', 'bytes', 'space', 'bytes'),
      type('process_cpu', 'cpu', 'nanoseconds', 'cpu', 'nanoseconds'),
      type('process_cpu', 'samples', 'count', 'cpu', 'nanoseconds'),
    ];
    expect(await answerOf('ProfileTypes', RANGE)).toEqual({ profileTypes });
    // Without a range all of time; far away nothing.
    expect(await answerOf('ProfileTypes', {})).toEqual({ profileTypes });
    expect(await answerOf('ProfileTypes', { start: '1', end: '2' })).toEqual({});
  });

  it('LabelNames: derived ones too, dotted ones for those who read them', async () => {
    const names = [
      '__name__',
      '__period_type__',
      '__period_unit__',
      '__profile_type__',
      '__service_name__',
      '__type__',
      '__unit__',
      'pod',
      'service_name',
    ];
    expect(await answerOf('LabelNames', RANGE)).toEqual({ names });
    const matchers = [`{__profile_type__="${HEAP}"}`, '{service_name="nobody"}'];
    const accept = { accept: '*/*;allow-utf8-labelnames=true' };
    const all = (await answerOf('LabelNames', RANGE, accept))['names'] as string[];
    expect(all).toEqual([...names, 'k8s.pod.name'].sort());
    const ofHeap = (await answerOf('LabelNames', { ...RANGE, matchers }))['names'] as string[];
    expect(ofHeap).toContain('pod');
    expect(await answerOf('LabelNames', { ...RANGE, matchers: ['{pod="z"}'] })).toEqual({});
  });

  it('LabelValues', async () => {
    const values = async (name: string, matchers: string[] = []) =>
      await answerOf('LabelValues', { ...RANGE, name, matchers });
    expect(await values('service_name')).toEqual({ names: ['shop'] });
    expect(await values('pod')).toEqual({ names: ['a', 'b'] });
    expect(await values('pod', [`{__profile_type__="${HEAP}"}`])).toEqual({ names: ['a'] });
    expect(await values('pod', ['{pod="b"}', '{pod="a"}'])).toEqual({ names: ['a', 'b'] });
    expect(await values('__type__')).toEqual({ names: ['cpu', 'inuse_space', 'samples'] });
    expect(await values('span_id')).toEqual({ names: [SPAN_A] });
    expect(await values('nothing')).toEqual({});
  });

  it('Series: the service list of Explore Profiles', async () => {
    const labelNames = ['service_name', '__profile_type__'];
    const pair = (id: string) => ({
      labels: [
        { name: '__profile_type__', value: id },
        { name: 'service_name', value: 'shop' },
      ],
    });
    const answer = await answerOf('Series', { ...RANGE, matchers: [], labelNames });
    expect(answer).toEqual({ labelsSet: [pair(HEAP), pair(CPU), pair(SAMPLES)] });
  });

  it('Series: by labels of samples, where they are asked for', async () => {
    const listed = async (labelNames: string[], matchers: string[] = []) => {
      const { labelsSet } = await answerOf('Series', { ...RANGE, matchers, labelNames });
      return (labelsSet as { labels?: { name: string; value: string }[] }[]).map(({ labels }) =>
        Object.fromEntries((labels ?? []).map(({ name, value }) => [name, value])),
      );
    };
    expect(await listed(['span_id'])).toEqual([{}, { span_id: SPAN_A }]);
    expect(await listed(['pod', 'span_id', '__type__'], [`{__profile_type__="${CPU}"}`])).toEqual([
      { __type__: 'cpu', pod: 'a', span_id: SPAN_A },
      { __type__: 'cpu', pod: 'a' },
      { __type__: 'cpu', pod: 'b' },
    ]);
    expect(await listed(['span_id'], ['{pod="b"}'])).toEqual([{}]);
    expect(await listed(['nothing', 'pod'])).toEqual([{ pod: 'a' }, { pod: 'b' }]);
  });

  it('Series: all labels', async () => {
    const matchers = ['{pod="b",__type__="cpu"}'];
    const { labelsSet } = await answerOf('Series', { ...RANGE, matchers });
    const labels = {
      __name__: 'process_cpu',
      __period_type__: 'cpu',
      __period_unit__: 'nanoseconds',
      __profile_type__: CPU,
      __service_name__: 'shop',
      __type__: 'cpu',
      __unit__: 'nanoseconds',
      pod: 'b',
      service_name: 'shop',
    };
    const list = Object.entries(labels).map(([name, value]) => ({ name, value }));
    expect(labelsSet).toEqual([{ labels: list }]);
  });

  it('GetProfileStats', async () => {
    expect(await answerOf('GetProfileStats', {})).toEqual({
      dataIngested: true,
      oldestProfileTime: String(T0_MS),
      newestProfileTime: String(T0_MS + 20_000),
    });
    expect(await answerOf('GetProfileStats', {}, { 'x-scope-orgid': 'nobody' })).toEqual({});
  });

  it('AnalyzeQuery', async () => {
    const query = `${CPU}{service_name="shop"}`;
    const { queryScopes, queryImpact } = await answerOf('AnalyzeQuery', { ...RANGE, query });
    expect(queryScopes).toEqual([
      {
        componentType: 'store',
        componentCount: '1',
        blockCount: '1',
        seriesCount: '2',
        profileCount: '3',
      },
    ]);
    expect(queryImpact).toEqual({ totalQueriedSeries: '2' });
  });
});

describe('flame graphs', () => {
  const graphOf = async (request: Json, headers = {}) => {
    const answer = await answerOf('SelectMergeStacktraces', { ...MERGE, ...request }, headers);
    return answer['flamegraph'] as FlameGraphJson;
  };

  it('are exact, with names as they were sent', async () => {
    const graph = await graphOf({});
    expect(stacksOf(graph)).toEqual(sentStacks('cpu'));
    expect(graph).toMatchObject({ total: '1119', maxSelf: '1105' });
    expect(graph.names).toContain('/app/main.js:run:7');
    expect(graph.levels[0]).toEqual({ values: ['0', '1119', '0', '0'] });
  });

  it('select by labels of series and of samples', async () => {
    const podB = await graphOf({ labelSelector: '{pod="b"}' });
    expect(stacksOf(podB)).toEqual(sentStacks('cpu', (p) => p.labels['pod'] === 'b'));
    const ofSpan = await graphOf({ labelSelector: `{span_id="${SPAN_A}"}` });
    expect(stacksOf(ofSpan)).toEqual({ 'main;work': 10n });
  });

  it('include both ends of the range', async () => {
    const first = await graphOf({ start: String(T0_MS), end: String(T0_MS) });
    expect(stacksOf(first)).toEqual(sentStacks('cpu', (p) => p.atMs === T0_MS));
    const end = await graphOf({ start: String(T0_MS + 1), end: String(T0_MS + 20_000) });
    expect(stacksOf(end)).toEqual(sentStacks('cpu', (p) => p.atMs > T0_MS));
  });

  it('add gauges up', async () => {
    const graph = await graphOf({ profileTypeID: HEAP });
    expect(stacksOf(graph)).toEqual({ 'main;cache': 8_192n });
  });

  it('are cut to max_nodes, what is hidden as other', async () => {
    const graph = await graphOf({ maxNodes: '3' });
    expect(stacksOf(graph)).toEqual({
      other: 3n,
      'main;other': 1n,
      'main;work': 10n,
      'main;work;other': 1_105n,
    });
  });

  it('read several tenants as one', async () => {
    const both = await graphOf({}, { 'x-scope-orgid': 'anonymous|other' });
    expect(stacksOf(both)).toEqual(sentStacks('cpu', undefined, ['anonymous', 'other']));
    const other = await graphOf({}, { 'x-scope-orgid': 'other' });
    expect(stacksOf(other)).toEqual({ 'main;theirs': 7n });
  });

  it('keep what a call site, a profile, a span or a trace has', async () => {
    const site = (...names: string[]) => ({
      stackTraceSelector: { callSite: names.map((name) => ({ name })) },
    });
    expect(stacksOf(await graphOf(site('main', 'work', 'leaf')))).toEqual({
      'main;work;leaf': 1_105n,
    });
    expect(stacksOf(await graphOf(site('main', 'idle')))).toEqual({ 'main;idle': 1n });
    expect((await graphOf(site('work'))).total).toBeUndefined();
    expect(stacksOf(await graphOf({ profileIdSelector: ['cpu-3', 'cpu-1'] }))).toEqual(
      sentStacks('cpu', (p) => p.id !== 'cpu-2'),
    );
    expect(stacksOf(await graphOf({ spanSelector: [SPAN_A.toUpperCase()] }))).toEqual({
      'main;work': 10n,
    });
    expect(stacksOf(await graphOf({ spanSelector: [SPAN_A, SPAN_B] }))).toEqual({
      'main;work': 10n,
      'main;work;leaf': 1_000n,
    });
    expect(stacksOf(await graphOf({ traceIdSelector: [TRACE] }))).toEqual({ 'main;work': 10n });
  });

  it('SelectMergeSpanProfile', async () => {
    const request = { ...MERGE, spanSelector: [SPAN_B] };
    const { flamegraph } = await answerOf('SelectMergeSpanProfile', request);
    expect(stacksOf(flamegraph)).toEqual({ 'main;work;leaf': 1_000n });
    const format = 'PROFILE_FORMAT_TREE';
    const { tree } = await answerOf('SelectMergeSpanProfile', { ...request, format });
    expect(Object.fromEntries(treeStacks(Buffer.from(String(tree), 'base64')))).toEqual({
      'main;work;leaf': 1_000n,
    });
  });

  it('as TREE, DOT and PPROF', async () => {
    const asked = async (format: string) =>
      await answerOf('SelectMergeStacktraces', { ...MERGE, format });
    const { tree } = await asked('PROFILE_FORMAT_TREE');
    const stacks = treeStacks(Buffer.from(String(tree), 'base64'));
    expect(Object.fromEntries(stacks)).toEqual(sentStacks('cpu'));
    const { dot } = await asked('PROFILE_FORMAT_DOT');
    expect(dot).toMatch(/^digraph /);
    expect(dot).toContain(
      'label="leaf\\n1105 nanoseconds (98.75%)\\nof 1105 nanoseconds (98.75%)"',
    );
    const { pprof } = (await asked('PROFILE_FORMAT_PPROF')) as { pprof: { profile: Json } };
    expect(pprof.profile['timeNanos']).toBe(`${T0_MS}000000`);
    expect(pprof.profile['sample']).toHaveLength(5);
  });

  it('answer a caller who would come back for it at once', async () => {
    const async = { requestId: 'x', type: 'ASYNC_QUERY_TYPE_FORCE' };
    const answer = await answerOf('SelectMergeStacktraces', { ...MERGE, async });
    expect(answer['async']).toEqual({ requestId: 'x', status: 'ASYNC_QUERY_STATUS_SUCCESS' });
    expect(stacksOf(answer['flamegraph'])).toEqual(sentStacks('cpu'));
  });

  it('tell a client of formats that there are not', async () => {
    const { status, json } = await ask('SelectMergeStacktraces', { ...MERGE, format: 9 });
    expect([status, json['code']]).toEqual([501, 'unimplemented']);
  });

  it('Diff', async () => {
    const left = { ...MERGE, labelSelector: '{pod="a"}' };
    const right = { ...MERGE, labelSelector: '{pod="b"}' };
    const { flamegraph } = await answerOf('Diff', { left, right });
    expect(stacksOf(flamegraph, 2)).toEqual({
      'main;work;leaf': [1_100n, 5n],
      'main;work': [10n, 0n],
      'main;idle': [1n, 0n],
      '/app/main.js:run:7': [3n, 0n],
    });
    expect(flamegraph).toMatchObject({ total: '1119', leftTicks: '1114', rightTicks: '5' });
  });
});

describe('pprof', () => {
  it('SelectMergeProfile is the whole profile, the same over protobuf and JSON', async () => {
    const transport = createConnectTransport({ baseUrl: store.url, httpVersion: '1.1' });
    const client = createClient(QuerierService, transport);
    const request = {
      profileTypeID: CPU,
      labelSelector: '{}',
      start: BigInt(RANGE.start),
      end: BigInt(RANGE.end),
    };
    const binary = await client.selectMergeProfile(request);
    const json = createClient(
      QuerierService,
      createConnectTransport({ baseUrl: store.url, httpVersion: '1.1', useBinaryFormat: false }),
    );
    const fromJson = await json.selectMergeProfile(request);
    const bytes = toBinary(ProfileSchema, binary);
    expect(Buffer.from(toBinary(ProfileSchema, fromJson)).equals(bytes)).toBe(true);
    const rows = readPprof(inflate(gzipSync(bytes))).rows(0);
    expect(rows).toEqual(await store.rows(CPU));
  });

  it('go_pgo keeps the last locations', async () => {
    const stackTraceSelector = { goPgo: { keepLocations: 1, aggregateCallees: true } };
    const answer = await answerOf('SelectMergeProfile', { ...MERGE, stackTraceSelector });
    const samples = answer['sample'] as { locationId: string[]; value: string[] }[];
    expect(samples.every((s) => s.locationId.length === 1)).toBe(true);
    const values = samples.map((s) => BigInt(s.value[0] ?? 'none')).sort();
    // leaf, work, run, idle: stacks that end in the same function are one.
    expect(values.map(String).sort()).toEqual(['1', '10', '1105', '3']);
    const heap = await ask('SelectMergeProfile', {
      ...MERGE,
      profileTypeID: HEAP,
      stackTraceSelector,
    });
    expect(heap.status).toBe(400);
  });
});

describe('series', () => {
  const pointsOf = (series: unknown) =>
    (series as { labels?: Json[]; points: Json[] }[]).map(({ labels = [], points }) => [
      labels.map((l) => `${String(l['name'])}=${String(l['value'])}`).join(),
      points.map((p) => [p['timestamp'], p['value']]),
    ]);
  const at = (ms: number): string => String(T0_MS + ms);

  it('SelectSeries, grouped, points at the ends of their steps', async () => {
    const request = { ...MERGE, step: 15, groupBy: ['pod'] };
    const { series } = await answerOf('SelectSeries', request);
    expect(pointsOf(series)).toEqual([
      [
        'pod=a',
        [
          [at(15_000), 111],
          [at(30_000), 1_003],
        ],
      ],
      ['pod=b', [[at(30_000), 5]]],
    ]);
  });

  it('sums gauges, and averages them when told', async () => {
    const request = { ...MERGE, profileTypeID: HEAP, step: 3_600 };
    const sum = await answerOf('SelectSeries', request);
    // The range ends before the step does.
    expect(pointsOf(sum['series'])).toEqual([['', [[at(60_000), 8_192]]]]);
    const aggregation = 'TIME_SERIES_AGGREGATION_TYPE_AVERAGE';
    const average = await answerOf('SelectSeries', { ...request, aggregation });
    expect(pointsOf(average['series'])).toEqual([['', [[at(60_000), 4_096]]]]);
  });

  it('keeps the greatest series and honours the call site', async () => {
    const request = { ...MERGE, step: 3_600, groupBy: ['pod'], limit: '1' };
    const top = await answerOf('SelectSeries', request);
    expect(pointsOf(top['series'])).toEqual([['pod=a', [[at(60_000), 1_114]]]]);
    const callSite = [{ name: 'main' }, { name: 'work' }];
    const work = await answerOf('SelectSeries', {
      ...request,
      stackTraceSelector: { callSite },
    });
    expect(pointsOf(work['series'])).toEqual([['pod=a', [[at(60_000), 1_110]]]]);
  });

  it('names exemplars', async () => {
    const exemplars = async (exemplarType: string) => {
      const request = { ...MERGE, step: 3_600, groupBy: ['pod'], exemplarType };
      const { series } = await answerOf('SelectSeries', request);
      return (series as { points: { exemplars?: Json[] }[] }[]).map((s) =>
        s.points.map((p) => p.exemplars?.[0]),
      );
    };
    const [[ofA], [ofB]] = (await exemplars('EXEMPLAR_TYPE_INDIVIDUAL')) as [[Json], [Json]];
    expect(ofA).toMatchObject({ timestamp: at(20_000), profileId: 'cpu-2', value: '1003' });
    expect(ofB).toMatchObject({ profileId: 'cpu-3', value: '5' });
    expect(ofB['labels']).toContainEqual({ name: 'service_name', value: 'shop' });
    expect(ofB['labels']).not.toContainEqual({ name: 'pod', value: 'b' });
    const [[span], [none]] = (await exemplars('EXEMPLAR_TYPE_SPAN')) as [[Json], [undefined]];
    expect(span).toMatchObject({ spanId: SPAN_B, value: '1000', profileId: 'cpu-2' });
    expect(none).toBeUndefined();
    expect((await exemplars('EXEMPLAR_TYPE_NONE'))[0]).toEqual([undefined]);
  });

  it('SelectHeatmap', async () => {
    const request = {
      ...MERGE,
      step: 15,
      queryType: 'HEATMAP_QUERY_TYPE_INDIVIDUAL',
      exemplarType: 'EXEMPLAR_TYPE_INDIVIDUAL',
    };
    const { series } = await answerOf('SelectHeatmap', request);
    const [one] = series as [
      { slots: { timestamp: string; yMin: number[]; counts: number[]; exemplars: Json[] }[] },
    ];
    expect(one.slots.map((s) => s.timestamp)).toEqual([at(15_000), at(30_000)]);
    const [first, second] = one.slots;
    // 111, then 1,003 and 5: the buckets go from 5 to 1,003, 49.9 wide.
    expect(first?.yMin).toHaveLength(20);
    expect([first?.yMin[0], first?.yMin[1]]).toEqual([5, 54.9]);
    const filled = (counts: number[] = []) => counts.flatMap((c, i) => (c > 0 ? [[i, c]] : []));
    expect(filled(first?.counts)).toEqual([[2, 1]]);
    expect(filled(second?.counts)).toEqual([
      [0, 1],
      [19, 1],
    ]);
    expect(second?.exemplars[0]).toMatchObject({ profileId: 'cpu-2', value: '1003' });
  });

  it('SelectHeatmap of spans', async () => {
    const request = { ...MERGE, step: 3_600, queryType: 'HEATMAP_QUERY_TYPE_SPAN' };
    const { series } = await answerOf('SelectHeatmap', request);
    const [{ slots }] = series as [{ slots: { counts: number[]; exemplars?: Json[] }[] }];
    expect(slots).toHaveLength(1);
    expect(slots[0]?.counts.reduce((a, b) => a + b)).toBe(2);
    expect(slots[0]?.exemplars).toBeUndefined();
  });
});

describe.each([
  ['gRPC', (baseUrl: string) => createGrpcTransport({ baseUrl })],
  ['gRPC-Web', (baseUrl: string) => createGrpcWebTransport({ baseUrl, httpVersion: '1.1' })],
  [
    'Connect, protobuf',
    (baseUrl: string) => createConnectTransport({ baseUrl, httpVersion: '1.1' }),
  ],
  [
    'Connect over HTTP/2',
    (baseUrl: string) => createConnectTransport({ baseUrl, httpVersion: '2' }),
  ],
] as const)('over %s', (_name, transportOf) => {
  it('answers the same', async () => {
    const client = createClient(QuerierService, transportOf(store.url));
    const start = BigInt(RANGE.start);
    const merge = { profileTypeID: CPU, labelSelector: '{}', start, end: BigInt(RANGE.end) };
    const types = await client.profileTypes({ start, end: BigInt(RANGE.end) });
    expect(types.profileTypes.map((t) => t.ID)).toEqual([HEAP, CPU, SAMPLES]);
    const { flamegraph } = await client.selectMergeStacktraces(merge);
    const levels = (flamegraph?.levels ?? []).map((level) => level.values);
    const stacks = flamebearerStacks(flamegraph?.names ?? [], levels, 1);
    expect(Object.fromEntries([...stacks].map(([k, [v]]) => [k, v]))).toEqual(sentStacks('cpu'));
    const { pprof } = await client.selectMergeStacktraces({
      ...merge,
      format: ProfileFormat.PPROF,
    });
    expect(pprof?.profile?.sample).toHaveLength(5);
    const heatmap = await client.selectHeatmap({
      ...merge,
      step: 60,
      queryType: HeatmapQueryType.INDIVIDUAL,
      exemplarType: ExemplarType.NONE,
    });
    expect(heatmap.series).toHaveLength(1);
    await expect(client.selectMergeStacktraces({ ...merge, start: 0n })).rejects.toMatchObject({
      code: 3,
    });
  });
});
