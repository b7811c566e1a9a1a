import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CPU, pyroscopeStore, SPAN_A, SPAN_B, T0_MS } from '../../support/pyroscope-data.js';
import type { ServedStore } from '../../support/served-store.js';
import { getJson } from './http-client.js';

/** Single profiles, spans, heatmaps, counts, comparisons and plans: the same over HTTP and as a service. */

let store: ServedStore;

beforeAll(async () => {
  store = await pyroscopeStore();
});

afterAll(async () => {
  await store.close();
});

const END_MS = T0_MS + 60_000;
const BASE = `type=${CPU}&start=${T0_MS}&end=${END_MS}`;

async function get<T>(path: string): Promise<T> {
  const { status, json } = await getJson(`${store.url}/api/v1/${path}`);
  expect({ status, json }).toMatchObject({ status: 200 });
  return json as T;
}

async function call<T>(method: string, request: object): Promise<T> {
  const { status, json } = await getJson(`${store.url}/basalt.v1.QueryService/${method}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      profileType: CPU,
      startMs: String(T0_MS),
      endMs: String(END_MS),
      ...request,
    }),
  });
  expect({ status, json }).toMatchObject({ status: 200 });
  return json as T;
}

interface Items {
  readonly items: readonly { readonly profileId: string; readonly value: string }[];
  readonly hiddenItems?: string;
}

describe('single profiles and spans', () => {
  it('come with the greatest values first', async () => {
    const { profiles, hidden } = await get<{
      profiles: { profileId: string; value: string }[];
      hidden: number;
    }>(`profiles?${BASE}&limit=2`);
    expect(profiles.map((p) => [p.profileId, p.value])).toEqual([
      ['cpu-2', '1003'],
      ['cpu-1', '111'],
    ]);
    expect(hidden).toBe(1);
    const same = await call<Items>('Items', { limit: 2 });
    expect(same.items.map((p) => [p.profileId, p.value])).toEqual([
      ['cpu-2', '1003'],
      ['cpu-1', '111'],
    ]);
    expect(same.hiddenItems).toBe('1');
  });

  it('are spans where spans are asked for', async () => {
    const { items } = await call<{ items: { spanId: string; value: string }[] }>('Items', {
      kind: 'ITEM_KIND_SPAN',
      filter: { focus: 'work' },
    });
    expect(items.map((s) => [s.spanId, s.value])).toEqual([
      [SPAN_B, '1000'],
      [SPAN_A, '10'],
    ]);
  });
});

interface HeatmapJson {
  readonly bucketStart: readonly number[];
  readonly series: readonly {
    readonly labels: Record<string, string>;
    readonly slots: readonly {
      readonly startMs: number;
      readonly counts: readonly number[];
      readonly exemplar?: { readonly profileId: string };
    }[];
  }[];
}

describe('heatmaps', () => {
  it('count profiles by time and value', async () => {
    const heat = await get<HeatmapJson>(
      `heatmap?${BASE}&step=20s&groupBy=pod&buckets=2&exemplars=true`,
    );
    // From 5 to 1,003: the middle is 504.
    expect(heat.bucketStart).toEqual([5, 504]);
    expect(
      heat.series.map(({ labels, slots }) => [
        labels,
        slots.map((s) => [s.startMs - T0_MS, s.counts, s.exemplar?.profileId]),
      ]),
    ).toEqual([
      [
        { pod: 'a' },
        [
          [0, [1, 0], 'cpu-1'],
          [20_000, [0, 1], 'cpu-2'],
        ],
      ],
      [{ pod: 'b' }, [[20_000, [1, 0], 'cpu-3']]],
    ]);
    const same = await call<{
      bucketStart: number[];
      series: { slots: { timestampMs: string; counts: number[] }[] }[];
    }>('Heatmap', { stepMs: '20000', groupBy: ['pod'], buckets: 2 });
    expect(same.bucketStart).toEqual([5, 504]);
    expect(same.series.map((s) => s.slots.map((slot) => slot.counts))).toEqual([
      [
        [1, 0],
        [0, 1],
      ],
      [[1, 0]],
    ]);
  });

  it.each([
    ['heatmap', 'kind=block', 'PS_ITEM_KIND'],
    ['heatmap', 'buckets=0', 'PS_PARAMETER_NUMBER'],
    ['heatmap', 'aggregation=avg', 'PS_PARAMETER_UNKNOWN'],
    ['profiles', 'aggregation=max', 'PS_PARAMETER_UNKNOWN'],
    ['timeseries', 'measure=bytes', 'PS_QUERY_MEASURE'],
    ['timeseries', 'measure=samples&aggregation=avg', 'PS_QUERY_MEASURE'],
  ])('%s?%s is refused', async (path, search, reason) => {
    const { status, json } = await getJson(`${store.url}/api/v1/${path}?${BASE}&${search}`);
    expect({ status, json }).toMatchObject({ status: 400, json: { reason } });
  });
});

describe('time series', () => {
  const points = async (search: string): Promise<unknown> => {
    const answer = await get<{
      unit: string;
      series: { labels: object; points: [number, string][] }[];
      hidden: number;
    }>(`timeseries?${BASE}&step=20s&${search}`);
    const series = answer.series.map((s) => [s.labels, s.points.map(([, value]) => value)]);
    return [answer.unit, series, answer.hidden];
  };

  it.each([
    ['measure=profiles', ['count', [[{}, ['1', '2']]], 0]],
    ['measure=samples', ['count', [[{}, ['3', '3']]], 0]],
    ['measure=samples&stack=leaf:function="leaf"', ['count', [[{}, ['1', '2']]], 0]],
    ['measure=profiles&focus=idle', ['count', [[{}, ['1']]], 0]],
    ['groupBy=pod&limit=1', ['nanoseconds', [[{ pod: 'a' }, ['111', '1003']]], 1]],
  ])('of %s', async (search, want) => {
    expect(await points(search)).toEqual(want);
  });

  it('of counts, as a service', async () => {
    const answer = await call<{ series: { value: string[] }[]; hiddenSeries: string }>(
      'TimeSeries',
      {
        stepMs: '20000',
        measure: 'TIME_SERIES_MEASURE_SAMPLES',
        groupBy: ['pod'],
        limit: 1,
      },
    );
    expect(answer.series.map((s) => s.value)).toEqual([['3', '2']]);
    expect(answer.hiddenSeries).toBe('1');
  });
});

describe('explain', () => {
  interface Plan {
    readonly stages: readonly { readonly stage: string; readonly ms: number }[];
    readonly parts: readonly { readonly part: string; readonly profiles: number | string }[];
    readonly stats: { readonly profiles: number | string };
  }

  it.each([
    ['merge', 'format=pprof', { merge: { format: 'MERGE_FORMAT_PPROF' } }],
    ['timeseries', 'step=20s', { timeSeries: { stepMs: '20000' } }],
  ])('of %s', async (path, search, message) => {
    const plan = await get<Plan>(`${path}?${BASE}&${search}&explain=true`);
    expect(plan.stats.profiles).toBe(3);
    expect(plan.stages.map(({ stage }) => stage)).toContain('select');
    expect(plan.parts.map(({ profiles }) => Number(profiles))).toEqual([3]);
    const [name, own] = Object.entries(message)[0] as [string, object];
    const range = { profileType: CPU, startMs: String(T0_MS), endMs: String(END_MS) };
    const { status, json } = await getJson(`${store.url}/basalt.v1.QueryService/Explain`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ [name]: { ...range, ...own } }),
    });
    expect(status).toBe(200);
    const same = json as Plan;
    expect(Number(same.stats.profiles)).toBe(3);
    expect(same.parts.map(({ part }) => part)).toEqual(plan.parts.map(({ part }) => part));
  });

  it('wants a query', async () => {
    const { status, json } = await getJson(`${store.url}/basalt.v1.QueryService/Explain`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    });
    expect(status).toBe(400);
    expect(JSON.stringify(json)).toContain('PS_EXPLAIN');
  });
});

describe('diff', () => {
  interface Answer {
    readonly base: { readonly total: string; readonly observedProfiles: number | string };
    readonly comparisons: readonly {
      readonly side: { readonly total: string };
      readonly functions: readonly {
        readonly function: string;
        readonly base: { readonly self?: string };
        readonly other: { readonly self?: string };
        readonly selfChange: number;
      }[];
    }[];
  }

  const rowsOf = ({ comparisons }: Answer): unknown =>
    comparisons.map(({ side, functions }) => [
      side.total,
      functions.map((f) => [f.function, f.base.self ?? '0', f.other.self ?? '0']),
    ]);

  const WANT = [
    [
      '1008',
      [
        ['leaf', '100', '1005'],
        ['work', '10', '0'],
        ['idle', '1', '0'],
        ['/app/main.js:run:7', '0', '3'],
        ['main', '0', '0'],
      ],
    ],
  ];

  it('compares with the time just before, or with what is named', async () => {
    const later = `type=${CPU}&start=${T0_MS + 20_000}&end=${T0_MS + 40_000}`;
    const answer = await get<Answer>(`diff?${later}`);
    expect(answer.base).toMatchObject({ total: '111', observedProfiles: 1 });
    expect(rowsOf(answer)).toEqual(WANT);
    const pods = await get<Answer>(
      `diff?${BASE}&selector={pod="b"}&baseSelector={pod="a"}&focus=leaf&limit=1`,
    );
    expect(pods.base.total).toBe('1100');
    expect(rowsOf(pods)).toEqual([['5', [['leaf', '1100', '5']]]]);
  });

  it('compares several selections with one base', async () => {
    const answer = await get<Answer>(
      `diff?${BASE}&selector={pod="b"}&otherSelector={pod="a"}&otherSelector={pod="z"}&baseSelector={pod="a"}&focus=leaf`,
    );
    const totals = answer.comparisons.map(({ side }) => side.total);
    expect(totals).toEqual(['5', '1100', '0']);
  });

  it('is a call', async () => {
    const { status, json } = await getJson(`${store.url}/basalt.v1.QueryService/Diff`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        profileType: CPU,
        base: { startMs: String(T0_MS), endMs: String(T0_MS + 20_000) },
        others: [{ startMs: String(T0_MS + 20_000), endMs: String(T0_MS + 40_000) }],
      }),
    });
    expect(status).toBe(200);
    expect(rowsOf(json as Answer)).toEqual(WANT);
  });

  it.each([
    ['rate=2', 'PS_QUERY_DIFF'],
    ['hide=main', 'PS_PARAMETER_UNKNOWN'],
    [`baseStart=${T0_MS}&baseEnd=${T0_MS}`, 'PS_RANGE'],
  ])('refuses %s', async (search, reason) => {
    const { status, json } = await getJson(`${store.url}/api/v1/diff?${BASE}&${search}`);
    expect({ status, json }).toMatchObject({ status: 400, json: { reason } });
  });
});

describe('filters that change stacks', () => {
  // They would hold for the sums and not for the profiles that significance is judged by.
  it.each([
    ['Diff', { base: range(), others: [range()] }, 'PS_QUERY_DIFF'],
    ['Regressions', range(), 'PS_QUERY_REGRESSIONS'],
  ])('are refused by %s', async (method, request, reason) => {
    for (const filter of [{ hide: 'main' }, { showFrom: 'main' }, { hideFrame: ['leaf'] }]) {
      const { status, json } = await getJson(`${store.url}/basalt.v1.QueryService/${method}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ ...request, profileType: CPU, filter }),
      });
      expect(status).toBe(400);
      expect(JSON.stringify(json)).toContain(reason);
    }
  });

  it('which leave stacks as they are hold for both', async () => {
    const own = `diff?${BASE}&baseStart=${T0_MS}&baseEnd=${END_MS}`;
    const answer = await get<{ base: { total: string; observedProfiles: number } }>(
      `${own}&profileId=cpu-2`,
    );
    expect(answer.base).toMatchObject({ total: '1003', observedProfiles: 1 });
  });
});

function range(): object {
  return { startMs: String(T0_MS), endMs: String(END_MS) };
}

describe('regressions', () => {
  it('are none here, over HTTP and as a call', async () => {
    // Of three profiles nothing can be told.
    const want = { regressions: [], goneAway: 0, shifted: 0, profiles: 3, partial: true };
    expect(await get(`regressions?${BASE}&focus=main&change=0.05`)).toMatchObject(want);
    const called = await call<{ profiles: string }>('Regressions', { changeMin: 0.05 });
    expect(called.profiles).toBe('3');
  });

  it.each([
    ['change=2', 'PS_QUERY_DIFF'],
    ['limit=1000', 'PS_PARAMETER_NUMBER'],
    ['show=main', 'PS_PARAMETER_UNKNOWN'],
  ])('refuse %s', async (search, reason) => {
    const { status, json } = await getJson(`${store.url}/api/v1/regressions?${BASE}&${search}`);
    expect({ status, json }).toMatchObject({ status: 400, json: { reason } });
  });
});
