import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { flamebearerStacks } from '../../support/flamebearer.js';
import {
  CPU,
  HEAP,
  pyroscopeStore,
  SAMPLES,
  sentStacks,
  T0_MS,
} from '../../support/pyroscope-data.js';
import type { ServedStore } from '../../support/served-store.js';
import { getJson, http } from './http-client.js';

/** Pyroscope's older GETs, answers field by field. */

let store: ServedStore;

beforeAll(async () => {
  store = await pyroscopeStore();
});

afterAll(async () => {
  await store.close();
});

// Seconds, milliseconds and nanoseconds are told apart by size.
const FROM = String(T0_MS / 1_000);
const UNTIL = `${T0_MS + 60_000}000000`;

async function get(path: string, parameters: Record<string, string>, headers = {}) {
  const url = `${store.url}${path}?${new URLSearchParams(parameters)}`;
  const { status, json } = await getJson(url, { headers });
  expect(status).toBe(200);
  return json;
}

const render = (query: string, more: Record<string, string> = {}, headers = {}) =>
  get('/pyroscope/render', { query, from: FROM, until: UNTIL, ...more }, headers);

interface FlamebearerJson {
  readonly names: string[];
  readonly levels: number[][];
  readonly numTicks: number;
  readonly maxSelf: number;
}

function stacksOf({ names, levels }: FlamebearerJson): Record<string, bigint | undefined> {
  return Object.fromEntries([...flamebearerStacks(names, levels, 1)].map(([k, [v]]) => [k, v]));
}

describe('/pyroscope/render', () => {
  it('has the flame graph, what it is, and a timeline', async () => {
    const answer = await render(`${CPU}{service_name="shop"}`);
    expect(stacksOf(answer.flamebearer)).toEqual(sentStacks('cpu'));
    expect(answer).toMatchObject({
      version: 1,
      flamebearer: { numTicks: 1_119, maxSelf: 1_105 },
      metadata: { format: 'single', units: 'samples', sampleRate: 1_000_000_000, name: 'cpu' },
      heatmap: null,
      groups: {},
    });
    expect(answer.flamebearer.levels[0]).toEqual([0, 1_119, 0, 0]);
    expect(answer.timeline).toEqual({
      startTime: T0_MS / 1_000,
      samples: [111, 1_008, 0, 0, 0],
      durationDelta: 15,
      watermarks: null,
    });
  });

  it('says a step that is the one it took, so that the last point is where it is shown', async () => {
    const dayMs = 86_400_000;
    const from = String(T0_MS + 60_000 - dayMs);
    const answer = await render(`${CPU}{}`, { from, until: String(T0_MS + 60_000) });
    const timeline = answer.timeline as {
      startTime: number;
      samples: number[];
      durationDelta: number;
    };
    // 57.6 s would be 1,500 points.
    expect(timeline.durationDelta).toBe(58);
    const last = timeline.samples.findLastIndex((value) => value !== 0);
    const shownMs = (timeline.startTime + last * timeline.durationDelta) * 1_000;
    expect(Math.abs(shownMs - T0_MS)).toBeLessThanOrEqual(58_000);
    expect(timeline.samples.reduce((sum, value) => sum + value, 0)).toBe(1_119);
  });

  it('names units, adds gauges up', async () => {
    const { metadata, flamebearer } = await render(`${HEAP}{}`);
    expect(metadata).toMatchObject({ units: 'bytes', name: 'inuse_space' });
    expect(flamebearer.numTicks).toBe(8_192);
    const count = await render(`${SAMPLES}{}`);
    expect(count.metadata).toMatchObject({ units: 'objects', name: 'samples' });
  });

  it('groups timelines', async () => {
    const { groups, timeline } = await render(`${CPU}{}`, { groupBy: 'pod' });
    expect(groups.a.samples).toEqual([111, 1_003, 0, 0, 0]);
    expect(groups.b.samples).toEqual([0, 5, 0, 0, 0]);
    expect(timeline.samples).toEqual([111, 1_008, 0, 0, 0]);
  });

  it('cuts to maxNodes', async () => {
    const { flamebearer } = await render(`${CPU}{}`, { maxNodes: '2' });
    expect(stacksOf(flamebearer)).toEqual({ 'main;other': 1_116n, other: 3n });
  });

  it('reads several tenants', async () => {
    const { flamebearer } = await render(`${CPU}{}`, {}, { 'x-scope-orgid': 'other|anonymous' });
    expect(flamebearer.numTicks).toBe(1_126);
  });

  it('is empty where nothing is', async () => {
    const { flamebearer } = await render(`${CPU}{pod="z"}`);
    expect(flamebearer).toEqual({
      names: ['total'],
      levels: [[0, 0, 0, 0]],
      numTicks: 0,
      maxSelf: 0,
    });
    const query = new URLSearchParams({ query: `${CPU}{pod="z"}`, from: FROM, until: UNTIL });
    const dot = await http(`${store.url}/pyroscope/render?${query}&format=dot`);
    expect([dot.status, dot.body.length]).toEqual([200, 0]);
  });

  it('draws graphs', async () => {
    const query = new URLSearchParams({ query: `${CPU}{}`, from: FROM, until: UNTIL });
    const dot = await http(`${store.url}/pyroscope/render?${query}&format=dot&maxNodes=3`);
    expect(dot.headers['content-type']).toMatch(/^text\/plain/);
    const text = dot.body.toString();
    expect(text.match(/^N\d+ \[/gm)).toHaveLength(3);
    expect(text).toContain('N1 -> N2 [label=" 1115 nanoseconds"');
  });
});

describe('/pyroscope/render-diff', () => {
  it('has both sides', async () => {
    const side = (name: string, pod: string) => ({
      [`${name}Query`]: `${CPU}{pod="${pod}"}`,
      [`${name}From`]: FROM,
      [`${name}Until`]: UNTIL,
    });
    const answer = await get('/pyroscope/render-diff', {
      ...side('left', 'a'),
      ...side('right', 'b'),
    });
    expect(answer).toMatchObject({
      leftTicks: 1_114,
      rightTicks: 5,
      metadata: { format: 'double' },
    });
    const stacks = flamebearerStacks(answer.flamebearer.names, answer.flamebearer.levels, 2);
    expect(stacks.get('main;work;leaf')).toEqual([1_100n, 5n]);
  });
});

describe('/pyroscope/label-values', () => {
  it('lists the label that was asked for', async () => {
    const values = (label: string, more = {}) => get('/pyroscope/label-values', { label, ...more });
    expect(await values('pod')).toEqual(['a', 'b']);
    expect(await values('pod', { query: `{__profile_type__="${HEAP}"}` })).toEqual(['a']);
    expect(await values('__name__')).toEqual([HEAP, CPU, SAMPLES]);
    expect(await values('pod', { from: '1', until: '2' })).toEqual([]);
  });
});
