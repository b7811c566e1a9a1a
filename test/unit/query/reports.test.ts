/** Formats of merges, each read back by something that is not their writer. */
import { gunzipSync } from 'node:zlib';
import { tableFromIPC } from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import { cpuProfileToPprof } from '../../../src/formats/v8/cpuprofile.js';
import { sampleLabelsKey } from '../../../src/model/sample-labels.js';
import type { Series } from '../../../src/model/series.js';
import type { RenderFormat } from '../../../src/query/formats.js';
import { TextChunks } from '../../../src/query/render/text-chunks.js';
import type { PlainProfile } from '../../support/plain-store.js';
import { memoryStore, TENANT } from '../../support/query-store.js';
import { stackRows } from '../../support/go-pprof.js';

const SERIES: Series = {
  service: 'api',
  profileName: 'cpu',
  labels: [{ name: 'service_name', value: 'api' }],
  periodType: 'cpu',
  periodUnit: 'nanoseconds',
  sampleTypes: [
    { type: 'cpu', unit: 'nanoseconds', temporality: 'delta' },
    { type: 'bytes', unit: 'bytes', temporality: 'delta' },
  ],
  group: 0,
};
const STACKS: [string[], bigint][] = [
  [['main', 'run', 'a', 'b', 'c', 'd', 'leaf'], 7_000n],
  [['main', 'run', 'x', 'b', 'c', 'd', 'leaf'], 2_000n],
  [['main', 'run'], 3_000n],
  [['main', 'λ "q"\\'], 1_500n],
  [[], 4_000n],
  [['main', 'gone'], -1_000n],
];
const PROFILE: PlainProfile = {
  series: SERIES,
  startNs: 5_000_000n,
  id: 'p',
  flags: 0,
  samples: STACKS.map(([functions, value]) => ({ functions, labelSet: '', values: [value, 1n] })),
};
const { engine } = memoryStore([PROFILE], { consumedBeforeNs: 0n, placeOf: () => 0 });
const QUERY = {
  tenantId: TENANT,
  selector: '',
  profileType: 'cpu:cpu:nanoseconds:cpu:nanoseconds',
  startMs: 0,
  endMs: 10,
};
const render = async (format: RenderFormat, options = {}): Promise<Uint8Array> =>
  (await engine.mergeRendered({ ...QUERY, ...options, format })).body;
const json = async (format: RenderFormat): Promise<Record<string, never>> =>
  JSON.parse(new TextDecoder().decode(await render(format))) as Record<string, never>;

/** Positive stacks of STACKS by joined names. */
const positive = new Map(
  STACKS.filter(([, value]) => value > 0n).map(([names, value]) => [names.join(';'), value]),
);

describe('formats of merges', () => {
  it('arrow is the tree, one row a node, as apache-arrow reads it', async () => {
    const tree = await engine.mergeTree(QUERY);
    const table = tableFromIPC(await render('arrow'));
    expect(table.schema.fields.map((f) => f.name).join()).toBe('node,parent,depth,name,self,value');
    expect(table.batches).toHaveLength(1);
    const rows = table.toArray().map((row) => row.toJSON() as Record<string, unknown>);
    expect(rows.map((r) => r['parent'])).toEqual([...tree.parent]);
    expect(rows.map((r) => r['name'])).toEqual([...tree.name].map((n) => tree.names[n]));
    expect(rows.map((r) => r['self'])).toEqual([...tree.self]);
    expect(rows.map((r) => r['value'])).toEqual([...tree.value]);
    const depthOf = (n: number): number => (n === 0 ? 0 : 1 + depthOf(tree.parent[n]!));
    expect(rows.map((r) => r['depth'])).toEqual([...tree.parent].map((_, n) => depthOf(n)));
  });

  it('speedscope has every positive stack with its weight', async () => {
    const file = (await json('speedscope')) as unknown as {
      shared: { frames: { name: string }[] };
      profiles: { unit: string; endValue: number; samples: number[][]; weights: number[] }[];
    };
    const [profile] = file.profiles;
    const stacks = profile!.samples.map((s) => s.map((f) => file.shared.frames[f]!.name).join(';'));
    expect(new Map(stacks.map((s, i) => [s, BigInt(profile!.weights[i]!)]))).toEqual(positive);
    expect(profile).toMatchObject({ unit: 'nanoseconds', endValue: 17_500 });
  });

  it('cpuprofile has the same stacks and times when it is read as V8 writes it', async () => {
    const pprof = cpuProfileToPprof(await json('cpuprofile'), { clock: 'wall' });
    const rows = stackRows(pprof).rows(1);
    const byNames = new Map(
      [...rows].map(([stack, value]) => {
        const names = (JSON.parse(stack) as string[]).map((f) => f.split('|')[0]);
        return [names.join(';'), value];
      }),
    );
    // Whole microseconds: the ends of samples are rounded down, so each may be off by less than one.
    expect([...byNames.keys()].sort()).toEqual([...positive.keys()].sort());
    for (const [stack, value] of positive) {
      expect(Math.abs(Number(byNames.get(stack)! - value))).toBeLessThan(1_000);
    }
  });

  it('pgo keeps the last locations and sums what is equal then', async () => {
    const names = (body: Uint8Array): [string, bigint][] =>
      [...stackRows(gunzipSync(body)).rows(0)].map(([stack, value]) => [
        (JSON.parse(stack) as string[]).map((f) => f.split('|')[0]).join(';'),
        value,
      ]);
    expect(names(await render('pgo', { keepLocations: 3 })).sort()).toEqual([
      ['', 4_000n],
      ['c;d;leaf', 9_000n],
      ['main;gone', -1_000n],
      ['main;run', 3_000n],
      ['main;λ "q"\\', 1_500n],
    ]);
    await expect(
      engine.mergeRendered({
        ...QUERY,
        profileType: 'cpu:bytes:bytes:cpu:nanoseconds',
        format: 'pgo',
      }),
    ).rejects.toMatchObject({ code: 'PS_PGO_TYPE' });
  });

  it.each([
    ['pprof', {}, 0, 0n],
    ['folded', {}, 0, 0n],
    ['flamebearer', {}, 0, 0n],
    // Of fourteen nodes below the root two are shown: the heaviest.
    ['flamebearer', { maxNodes: 3 }, 12, 9_500n],
    ['arrow', { maxNodes: 3 }, 12, 9_500n],
    ['dot', { maxNodes: 2 }, 8, 9_500n],
    ['speedscope', {}, 1, -1_000n],
    ['cpuprofile', {}, 1, -1_000n],
  ] as const)('%s says what it hides (%o)', async (format, options, count, value) => {
    const { hidden } = await engine.mergeRendered({ ...QUERY, ...options, format });
    expect(hidden).toEqual({ count, value });
  });

  it('looks at the clock while a text grows', () => {
    let left = 3;
    const text = new TextChunks('a report', () => {
      if (--left < 0) throw new Error('too late');
    });
    const grow = (): void => {
      for (let i = 0; i < 100_000; i++) text.append('some words ');
    };
    expect(grow).toThrow('too late');
  });

  it('flamebearer and dot tell the total', async () => {
    expect(await json('flamebearer')).toMatchObject({
      flamebearer: { numTicks: 16_500 },
      metadata: { units: 'nanoseconds' },
    });
    const dot = new TextDecoder().decode(await render('dot'));
    expect(dot).toMatch(/^digraph/);
    expect(dot).toContain('16500 nanoseconds');
  });

  it.each([
    [{ format: 'folded' as const, maxNodes: 3 }, 'PS_FORMAT_OPTION'],
    [{ format: 'pgo' as const, keepLocations: 0 }, 'PS_FORMAT_OPTION'],
    [{ format: 'pgo' as const, inverted: true }, 'PS_FORMAT_OPTION'],
    [{ format: 'pgo' as const, granularity: 'line' as const }, 'PS_FORMAT_OPTION'],
    [{ format: 'pgo' as const, rootLabel: ['pod'] }, 'PS_FORMAT_OPTION'],
    [{ format: 'svg' as never }, 'PS_FORMAT'],
    [{ format: 'folded' as const, granularity: 'module' as never }, 'PS_STACK_VIEW'],
    [{ format: 'folded' as const, stack: ['nonsense'] }, 'PS_STACK_PATTERN'],
    [{ format: 'folded' as const, focus: '(' }, 'PS_REGEX_SYNTAX'],
    [{ format: 'folded' as const, hideFrame: Array(65).fill('*') }, 'PS_STACK_FILTERS'],
  ])('refuses %j', async (options, code) => {
    await expect(engine.mergeRendered({ ...QUERY, ...options })).rejects.toMatchObject({ code });
  });
});

/** Names that mean something to the language or to a renderer, and sums at the ends of 64 bits. */
describe('odd names and sums', () => {
  const storeOf = (unit: string, samples: readonly [string[], string, bigint][]) =>
    memoryStore(
      [
        {
          ...PROFILE,
          series: {
            ...SERIES,
            sampleTypes: [{ type: 'cpu', unit, temporality: 'delta' as const }],
          },
          samples: samples.map(([functions, labelSet, value]) => ({
            functions,
            labelSet,
            values: [value],
          })),
        },
      ],
      { consumedBeforeNs: 0n, placeOf: () => 0 },
    ).engine;
  const labelSet = (name: string, value: string): string =>
    sampleLabelsKey({ strings: [{ name, value }], numbers: [] });

  it('a unit called as a method is a unit', async () => {
    const own = storeOf('constructor', [[['main'], '', 5n]]);
    const profileType = 'cpu:cpu:constructor:cpu:nanoseconds';
    const { body } = await own.mergeRendered({ ...QUERY, profileType, format: 'cpuprofile' });
    expect(JSON.parse(new TextDecoder().decode(body))).toMatchObject({ timeDeltas: [0] });
  });

  it('a label called __proto__ makes groups', async () => {
    const own = storeOf('nanoseconds', [
      [['main'], labelSet('__proto__', 'x'), 5n],
      [['main'], labelSet('__proto__', 'y'), 7n],
    ]);
    const groupBy = ['__proto__'];
    const { series } = await own.timeSeries({ ...QUERY, stepMs: 10, groupBy });
    expect(series.map((one) => Object.entries(one.labels))).toEqual([
      [['__proto__', 'x']],
      [['__proto__', 'y']],
    ]);
    const heatmap = { ...QUERY, stepMs: 10, groupBy, buckets: 2, withExemplars: false };
    expect((await own.heatmap({ ...heatmap, kind: 'profile' })).series).toHaveLength(2);
  });

  it('a label that is a number makes groups, in series of time as in the graph', async () => {
    const bytes = (...values: readonly bigint[]): string =>
      sampleLabelsKey({
        strings: [],
        numbers: values.map((value) => ({ name: 'bytes', value, unit: 'bytes' })),
      });
    const own = storeOf('nanoseconds', [
      [['main'], bytes(512n), 5n],
      [['main'], bytes(512n, 1024n), 7n],
      [['main'], '', 11n],
    ]);
    const groupBy = ['bytes'];
    const { series } = await own.timeSeries({ ...QUERY, stepMs: 10, groupBy });
    const groups = [
      ['512bytes', 5n],
      ['512bytes,1024bytes', 7n],
      ['', 11n],
    ];
    expect(series.map((one) => [one.labels['bytes'] ?? '', one.value[0]])).toEqual(groups);
    const tree = await own.mergeTree({ ...QUERY, rootLabel: groupBy });
    const roots = [...tree.parent.keys()].filter((n) => tree.parent[n] === 0);
    expect(roots.map((n) => [tree.names[tree.name[n]!], tree.value[n]])).toEqual([
      ['512bytes', 5n],
      ['512bytes,1024bytes', 7n],
      ['[none]', 11n],
    ]);
  });

  it('a function called total is not the root, and is once in a dictionary', async () => {
    const own = storeOf('nanoseconds', [[['main', 'total'], '', 5n]]);
    const { body } = await own.mergeRendered({ ...QUERY, format: 'arrow' });
    const names = tableFromIPC(body).getChild('name')!;
    expect([...names]).toEqual(['total', 'main', 'total']);
    expect(names.data[0]?.dictionary?.toArray()).toHaveLength(2);
  });

  it('what is hidden past 64 bits is refused as totals are', async () => {
    const low = -9n * 10n ** 18n;
    const own = storeOf('nanoseconds', [
      [['a'], '', low],
      [['b'], '', low],
      [['c'], '', 9n * 10n ** 18n],
      [['d'], '', 9n * 10n ** 18n],
    ]);
    for (const format of ['speedscope', 'cpuprofile'] as const) {
      await expect(own.mergeRendered({ ...QUERY, format })).rejects.toMatchObject({
        code: 'PS_SUM_OVERFLOW',
      });
    }
  });

  it('shares of a graph are of all values without their signs', async () => {
    const own = storeOf('nanoseconds', [
      [['m', 'a'], '', 10n],
      [['n', 'b'], '', -4n],
      [['n', 'c'], '', -3n],
    ]);
    const { body } = await own.mergeRendered({ ...QUERY, format: 'dot' });
    const dot = new TextDecoder().decode(body);
    for (const part of ['58.82%', '23.53%', '17.65%']) expect(dot).toContain(part);
    expect(dot).not.toContain('100.00%');
  });

  it('a label given twice is one frame', async () => {
    const own = storeOf('nanoseconds', [[['main'], '', 5n]]);
    const rootLabel = ['service_name', 'service_name'];
    const { body } = await own.mergeRendered({ ...QUERY, rootLabel, format: 'folded' });
    expect(new TextDecoder().decode(body)).toBe('api;main 5\n');
  });
});
