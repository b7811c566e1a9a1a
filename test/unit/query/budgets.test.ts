import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../../src/base/limits.js';
import { openStore } from '../../../src/index.js';
import { sampleLabelsKey } from '../../../src/model/sample-labels.js';
import { DEFAULT_BUDGET, parseBudgetRule, QueryBudgets } from '../../../src/query/budgets.js';
import { labelledPprof } from '../../support/labelled-pprof.js';
import type { PlainProfile } from '../../support/plain-store.js';
import { readPprof } from '../../support/read-pprof.js';
import { mulberry32 } from '../../support/lossy-files.js';
import { API_SERIES, memoryStore, TENANT } from '../../support/query-store.js';

const MINUTE_MS = 60_000;

const layout = { consumedBeforeNs: 1n << 62n, placeOf: () => 0 };
const range = {
  tenantId: TENANT,
  selector: '',
  startMs: 0,
  endMs: 20 * MINUTE_MS,
  profileType: 'cpu:cpu:count:p:u',
};

function profileOf(minute: number, samples: PlainProfile['samples']): PlainProfile {
  return {
    series: API_SERIES,
    startNs: BigInt(minute * MINUTE_MS) * 1_000_000n,
    id: `id-${minute}`,
    flags: 0,
    samples,
  };
}

describe('what one query may spend', () => {
  it('is read', () => {
    expect(parseBudgetRule('deadline:10s/rows:50000000')).toEqual({
      deadlineMs: 10_000,
      rowsMax: 50_000_000,
    });
    expect(parseBudgetRule('team-a=nodes:100000/points:5000/deadline:250ms')).toEqual({
      tenantId: 'team-a',
      nodesMax: 100_000,
      pointsMax: 5_000,
      deadlineMs: 250,
    });
    const wrong = [
      '',
      'rows',
      'rows:',
      'rows:-1',
      'rows:1/rows:2',
      'rows:1s',
      'deadline:10',
      'a b=rows:1',
      'toString:1',
      'rows:1/',
    ];
    for (const text of wrong) {
      expect(() => parseBudgetRule(text), text).toThrowError(
        expect.objectContaining({ code: 'PS_QUERY_BUDGET' }),
      );
    }
    for (const rule of [{ rowsMax: 0 }, { deadlineMs: 0.5 }, { nodesMax: Number.NaN }]) {
      expect(() => new QueryBudgets({}, [rule])).toThrow(/whole number above 0/);
    }
    expect(() => new QueryBudgets({}, [{ tenantId: '../x' }])).toThrow(/tenant/);
  });

  it("is a tenant's own value, else that of all, else the default; the least of several tenants", () => {
    const budgets = new QueryBudgets({ nodesMax: 9 }, [
      { rowsMax: 100, deadlineMs: 1_000 },
      { tenantId: 'a', rowsMax: 500 },
      { tenantId: 'b', deadlineMs: 10, pointsMax: 7 },
    ]);
    const common = { ...DEFAULT_BUDGET, nodesMax: 9, rowsMax: 100, deadlineMs: 1_000 };
    expect(budgets.of('c')).toEqual(common);
    expect(budgets.of('a')).toEqual({ ...common, rowsMax: 500 });
    expect(budgets.of('b')).toEqual({ ...common, deadlineMs: 10, pointsMax: 7 });
    expect(budgets.of('a|b')).toEqual({ ...common, deadlineMs: 10, pointsMax: 7 });
  });

  it('stops a query that would spend more, and no other', async () => {
    const profiles = Array.from({ length: 20 }, (_, i) =>
      profileOf(i, [
        { functions: ['main', `f${i}`], labelSet: '', values: [1n] },
        { functions: ['main'], labelSet: '', values: [2n] },
      ]),
    );
    const fails = async (rule: object): Promise<unknown> => {
      const settings = {
        budgets: [
          { tenantId: TENANT, ...rule },
          { tenantId: 'x', rowsMax: 1 },
        ],
      };
      const { engine } = memoryStore(profiles, { ...layout, settings });
      const steps = { ...range, stepMs: MINUTE_MS, groupBy: [] };
      try {
        const { total } = await engine.mergeTop(range);
        const { series } = await engine.timeSeries(steps);
        return [total, series[0]?.value.length];
      } catch (error) {
        return (error as { code: string }).code;
      }
    };
    expect(await fails({ rowsMax: 40, nodesMax: 23, pointsMax: 20 })).toEqual([60n, 20]);
    expect(await fails({ rowsMax: 39 })).toBe('PS_QUERY_ROWS');
    expect(await fails({ nodesMax: 10 })).toBe('PS_QUERY_NODES');
    expect(await fails({ pointsMax: 19 })).toBe('PS_QUERY_POINTS');
  });

  it('holds no more label sets, and reads none for an answer that does not show them', async () => {
    const profiles = Array.from({ length: 4 }, (_, p) =>
      profileOf(
        p,
        Array.from({ length: 10 }, (_unused, i) => ({
          functions: ['main', `f${p}`],
          labelSet: `[[["request","${p}/${i}"]],[]]`,
          values: [1n],
        })),
      ),
    );
    const bounded = (labelSetsMax: number) => {
      const settings = { budgets: [{ tenantId: TENANT, labelSetsMax }] };
      return memoryStore(profiles, { ...layout, placeOf: (i) => i, settings }).engine;
    };
    const few = bounded(5);
    expect((await few.mergeTree(range)).total).toBe(40n);
    expect((await few.mergeTop({ ...range, focus: 'f1' })).total).toBe(10n);
    const refused = { kind: 'limit', code: 'PS_QUERY_LABEL_SETS' };
    await expect(few.mergePprof(range)).rejects.toMatchObject(refused);
    await expect(few.labelNames(range)).rejects.toMatchObject(refused);
    const byRequest = { ...range, rootLabel: ['request'] };
    await expect(few.mergeTree(byRequest)).rejects.toMatchObject(refused);
    // Of each block, and of all of them together.
    const all = bounded(41);
    expect((await all.mergeTree(byRequest)).total).toBe(40n);
    await expect(bounded(40).mergePprof(range)).rejects.toMatchObject(refused);
    expect(readPprof((await all.mergePprof(range)).body).rows(0).size).toBe(40);
  });

  it('is refused before a group for each request has taken its memory', async () => {
    const samples = Array.from({ length: 1_000 }, (_, i) => ({
      functions: ['main'],
      labelSet: `[[["request","${i}"]],[]]`,
      values: [1n],
    }));
    const { engine } = memoryStore([profileOf(0, samples)], layout);
    const before = process.memoryUsage().arrayBuffers;
    // Each group alone would have a third of all points: 1,000 of them some 10 GB.
    const query = { ...range, endMs: 333_333, stepMs: 1, groupBy: ['request'] };
    const refused = { code: 'PS_QUERY_POINTS', details: { groups: 4, steps: 333_333 } };
    await expect(engine.timeSeries(query)).rejects.toMatchObject(refused);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(200e6);
    const whole = await engine.timeSeries({ ...query, stepMs: 333_333 });
    expect(whole.series).toHaveLength(1_000);
  });

  it('bounds the groups of a tree', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'basalt-groups-'));
    const store = await openStore({ dir, threads: false, compaction: 'manual' });
    const write = (minute: number, count: number): Promise<unknown> =>
      store.write({
        labels: [{ name: 'service_name', value: 'api' }],
        profile: labelledPprof({
          sampleType: 'cpu',
          startMs: minute * MINUTE_MS,
          batch: minute,
          count,
        }),
      });
    try {
      const half = LIMITS.queryGroupsMax / 2;
      for (const minute of [1, 2]) await write(minute, half);
      const profileType = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
      const query = {
        tenantId: 'anonymous',
        selector: '{}',
        startMs: 0,
        endMs: 20 * MINUTE_MS,
        profileType,
        rootLabel: ['request'],
        maxNodes: 10,
      };
      expect((await store.query.mergeTree(query)).total).toBe(BigInt(LIMITS.queryGroupsMax));
      await write(3, 1);
      const refused = { code: 'PS_QUERY_GROUPS' };
      await expect(store.query.mergeTree(query)).rejects.toMatchObject(refused);
    } finally {
      await store.close();
      rmSync(dir, { recursive: true, force: true });
    }
  });
});

describe('a query that would take too long', () => {
  it('is stopped at its deadline while it tests names', async () => {
    const random = mulberry32(5);
    const name = (): string =>
      Array.from({ length: 1_000 }, () => 'abcdef'[Math.floor(random() * 6)]).join('');
    const samples = Array.from({ length: 1_000 }, () => ({
      functions: [name()],
      labelSet: '',
      values: [1n],
    }));
    const { engine } = memoryStore([profileOf(0, samples)], {
      ...layout,
      settings: { budgets: [parseBudgetRule('deadline:300ms')] },
    });
    const startedMs = performance.now();
    await expect(engine.mergeTop({ ...range, focus: '[ab].{600}[xyz]' })).rejects.toMatchObject({
      code: 'PS_QUERY_DEADLINE',
    });
    // All of the names take half a minute.
    expect(performance.now() - startedMs).toBeLessThan(10_000);
  });

  it('holds no more counts of a heatmap than points of a series', async () => {
    const samples = Array.from({ length: 400 }, (_, i) => ({
      functions: ['main'],
      labelSet: sampleLabelsKey({ strings: [{ name: 'req', value: `${i}` }], numbers: [] }),
      values: [1n],
    }));
    const { engine } = memoryStore([profileOf(0, samples)], {
      ...layout,
      settings: { budgets: [parseBudgetRule('points:10000')] },
    });
    const heatmap = (buckets: number) =>
      engine.heatmap({
        ...range,
        kind: 'profile',
        groupBy: ['req'],
        stepMs: 20 * MINUTE_MS,
        buckets,
        withExemplars: false,
      });
    expect((await heatmap(20)).series).toHaveLength(400);
    await expect(heatmap(30)).rejects.toMatchObject({ code: 'PS_QUERY_POINTS' });
  });
});
