import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkLinkTemplates, linksOf } from '../../../src/server/links.js';
import { CPU, pyroscopeStore, SPAN_A, SPAN_B, T0_MS, TRACE } from '../../support/pyroscope-data.js';
import type { ServedStore } from '../../support/served-store.js';
import { startTestServer } from './fakes.js';
import { getJson, http } from './http-client.js';

/** From a span to its flame graph, from a flame graph to the spans behind a stack, and the links of both. */

let store: ServedStore;

beforeAll(async () => {
  store = await pyroscopeStore();
});

afterAll(async () => {
  await store.close();
});

const BASE = `type=${CPU}&start=${T0_MS}&end=${T0_MS + 60_000}`;

const folded = async (search: string): Promise<string> =>
  (await http(`${store.url}/api/v1/merge?${BASE}&format=folded&${search}`)).body.toString();

describe('merge', () => {
  it.each([
    [`spanId=${SPAN_A}`, 'main;work 10\n'],
    ['spanId=AA', 'main;work 10\n'],
    [`spanId=${SPAN_A}&spanId=${SPAN_B}`, 'main;work 10\nmain;work;leaf 1000\n'],
    [`traceId=${TRACE.toUpperCase()}`, 'main;work 10\n'],
    [`traceId=${TRACE}&spanId=${SPAN_B}`, ''],
    ['callSite=main&callSite=idle', 'main;idle 1\n'],
    [`callSite=main&callSite=idle&spanId=${SPAN_A}`, ''],
    ['profileId=cpu-3', 'main;work;leaf 5\n'],
    ['profileId=nothing', ''],
  ])('of %s', async (search, answer) => {
    expect(await folded(search)).toBe(answer);
  });

  it('of a span over time', async () => {
    const url = `${store.url}/api/v1/timeseries?${BASE}&step=10s&spanId=${SPAN_B}`;
    const { json } = await getJson(url);
    expect(json.series).toEqual([{ labels: {}, points: [[T0_MS + 20_000, '1000']] }]);
  });

  it.each(['spanId=xyz', 'spanId=00000000000000aa0', 'traceId=g'])('refuses %s', async (search) => {
    const { status, json } = await getJson(`${store.url}/api/v1/merge?${BASE}&${search}`);
    expect([status, json.reason]).toEqual([400, 'PS_QUERY_SPAN']);
  });
});

describe('spans and profiles', () => {
  it('lists the spans behind a selection, greatest first', async () => {
    const { json } = await getJson(`${store.url}/api/v1/spans?${BASE}`);
    const common = {
      links: {},
      labels: {
        __name__: 'process_cpu',
        __profile_type__: CPU,
        'k8s.pod.name': 'a-1',
        pod: 'a',
        service_name: 'shop',
      },
    };
    expect(json).toMatchObject({ unit: 'nanoseconds', hidden: 0, partial: false });
    expect(json.spans).toEqual([
      {
        ...common,
        spanId: SPAN_B,
        traceId: '',
        profileId: 'cpu-2',
        startMs: T0_MS + 20_000,
        value: '1000',
      },
      {
        ...common,
        spanId: SPAN_A,
        traceId: TRACE,
        profileId: 'cpu-1',
        startMs: T0_MS,
        value: '10',
      },
    ]);
  });

  it('lists those behind a stack, of a trace, and as many as asked', async () => {
    const spans = async (search: string) => {
      const { json } = await getJson(`${store.url}/api/v1/spans?${BASE}&${search}`);
      return [json.spans.map((s: { spanId: string }) => s.spanId), json.hidden];
    };
    expect(await spans('callSite=main&callSite=work&callSite=leaf')).toEqual([[SPAN_B], 0]);
    expect(await spans(`traceId=${TRACE}`)).toEqual([[SPAN_A], 0]);
    expect(await spans('limit=1')).toEqual([[SPAN_B], 1]);
    expect(await spans('selector={pod="b"}')).toEqual([[], 0]);
  });

  it('lists single profiles', async () => {
    const { json } = await getJson(`${store.url}/api/v1/profiles?${BASE}&limit=2`);
    expect(json.profiles).toMatchObject([
      { profileId: 'cpu-2', value: '1003' },
      { profileId: 'cpu-1', value: '111' },
    ]);
    expect(json.profiles[0]).not.toHaveProperty('links');
    expect(json.hidden).toBe(1);
  });
});

describe('links', () => {
  const item = {
    labels: { service_name: 'a b&c' },
    startMs: T0_MS,
    profileId: 'p',
    spanId: SPAN_A,
    traceId: TRACE,
    value: 1n,
  };

  it('fills templates, and leaves out what is not known', () => {
    const trace = 'https://t.example/x?id={traceId}&s={spanId}';
    const log = '/logs?q={service}&from={startMs}&to={endMs}';
    expect(linksOf(item, { trace, log })).toEqual({
      trace: `https://t.example/x?id=${TRACE}&s=${SPAN_A}`,
      log: `/logs?q=a%20b%26c&from=${T0_MS - 60_000}&to=${T0_MS + 60_000}`,
    });
    expect(linksOf({ ...item, traceId: '' }, { trace, log: undefined })).toEqual({});
  });

  it.each(['https://x/{traceID}', 'javascript:alert({traceId})', 'x', 'https://x/{toString}'])(
    'refuses the template %s',
    async (trace) => {
      expect(() => checkLinkTemplates({ trace })).toThrow(/cannot make trace links/);
      await expect(startTestServer({ links: { trace } })).rejects.toMatchObject({
        code: 'PS_LINK',
      });
    },
  );
});
