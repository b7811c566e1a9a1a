import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type MergeQuery, openStore, type Store } from '../../../src/index.js';
import { plainPprof } from '../../support/plain-pprof.js';

/** Queries over several tenants, and the labels that no sender sends, over a store with blocks and level 0. */

const GAUGE = 'memory:inuse_space:bytes:space:bytes';
const START_MS = 1_790_000_000_000;

let dir: string;
let store: Store;

/** Two profiles of one series, with the values `value` and three times that. */
async function write(tenantId: string, value: bigint, atMs = START_MS): Promise<void> {
  for (const [i, factor] of [1n, 3n].entries()) {
    await store.ingest.write(tenantId, {
      labels: [
        { name: '__name__', value: 'memory' },
        { name: 'service_name', value: 'api' },
      ],
      temporality: 'gauge',
      profile: plainPprof({
        types: [{ type: 'inuse_space', unit: 'bytes' }],
        periodType: 'space',
        periodUnit: 'bytes',
        startMs: atMs + i * 1_000,
        samples: [{ functions: ['main', tenantId], values: [value * factor] }],
      }),
    });
  }
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'basalt-tenants-'));
  store = await openStore({ dir, threads: false, compaction: 'manual' });
  await write('blue', 10n);
  await write('green', 100n);
  await store.compact();
  await write('green', 1_000n, START_MS + 60_000);
  await write('red', 10_000n, START_MS + 120_000);
});

afterAll(async () => {
  await store.close();
  await rm(dir, { recursive: true });
});

const QUERY: MergeQuery = {
  tenantId: 'blue',
  selector: '{}',
  startMs: START_MS,
  endMs: START_MS + 3_600_000,
  profileType: GAUGE,
};

async function folded(query: Partial<MergeQuery>): Promise<string> {
  const { body } = await store.query.mergeFolded({ ...QUERY, ...query });
  return new TextDecoder().decode(body);
}

describe('a|b', () => {
  it.each([
    ['blue', 'sum', 'main;blue 40\n'],
    ['green|blue', 'sum', 'main;blue 40\nmain;green 4400\n'],
    ['blue|green|blue', 'sum', 'main;blue 40\nmain;green 4400\n'],
    ['red|missing', 'sum', 'main;red 40000\n'],
    // Equal series of two tenants are two series: averages add up.
    ['blue|green', 'avg', 'main;blue 20\nmain;green 1100\n'],
    ['blue|green', 'last', 'main;blue 30\nmain;green 3000\n'],
  ] as const)('reads %s as one (%s)', async (tenantId, aggregation, answer) => {
    expect(await folded({ tenantId, aggregation })).toBe(answer);
  });

  it('adds time series', async () => {
    const { series, stats } = await store.query.timeSeries({
      ...QUERY,
      tenantId: 'blue|green|red',
      aggregation: 'sum',
      stepMs: 60_000,
      groupBy: ['service_name'],
    });
    expect(series.map((s) => [...s.value])).toEqual([[440n, 4_000n, 40_000n]]);
    expect(stats).toMatchObject({ profiles: 8, series: 3 });
  });

  it('lists series once', async () => {
    expect((await store.query.series({ ...QUERY, tenantId: 'blue|green' })).items).toHaveLength(1);
  });

  it.each(['', '|', 'blue|', 'a|../b', Array.from({ length: 33 }, (_, i) => `t${i}`).join('|')])(
    'refuses %j',
    async (tenantId) => {
      await expect(folded({ tenantId })).rejects.toMatchObject({ code: 'PS_TENANT' });
    },
  );
});

describe('profileBounds', () => {
  const ALL = { selector: '{}', startMs: 0, endMs: START_MS * 2 };

  it.each([
    ['blue', { oldestMs: START_MS, newestMs: START_MS + 1_000 }],
    ['green', { oldestMs: START_MS, newestMs: START_MS + 61_000 }],
    ['blue|red', { oldestMs: START_MS, newestMs: START_MS + 121_000 }],
    ['missing', undefined],
  ])('of %s', async (tenantId, bounds) => {
    expect(await store.query.profileBounds({ ...ALL, tenantId })).toEqual(bounds);
  });
});

describe('labels that are parts of the profile type', () => {
  it.each([
    ['{__type__="inuse_space",__unit__="bytes"}', 1],
    ['{__period_type__="space",__period_unit__=~"b.*"}', 1],
    ['{__service_name__="api"}', 1],
    ['{__type__!="inuse_space"}', 0],
    ['{__period_unit__=""}', 0],
  ])('%s selects %i series', async (selector, count) => {
    expect((await store.query.series({ ...QUERY, selector })).items).toHaveLength(count);
    expect(await folded({ selector })).toBe(count === 1 ? 'main;blue 20\n' : '');
  });

  it('have values', async () => {
    const values = async (name: string) =>
      (await store.query.labelValues({ ...QUERY, name })).items;
    expect(await values('__unit__')).toEqual(['bytes']);
    expect(await values('__period_type__')).toEqual(['space']);
    expect(await values('__service_name__')).toEqual(['api']);
  });
});
