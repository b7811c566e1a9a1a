import { describe, expect, it } from 'vitest';
import { corrupt, StoreError } from '../../../src/base/errors.js';
import { LIMITS } from '../../../src/base/limits.js';
import type { Series } from '../../../src/model/series.js';
import { openBlock } from '../../../src/block/reader.js';
import type { ByteRange, CallOptions } from '../../../src/objstore/bucket.js';
import { MemoryBucket } from '../../../src/objstore/memory-bucket.js';
import type { MergeQuery } from '../../../src/query/api.js';
import { copyBlock } from '../../support/copy-block.js';
import type { PlainProfile } from '../../support/plain-store.js';
import { type MemoryStore, memoryStore, TENANT } from '../../support/query-store.js';

const GAUGE: Series = {
  service: 'api',
  profileName: 'memory',
  labels: [
    { name: 'pod', value: 'a' },
    { name: 'service_name', value: 'api' },
  ],
  periodType: 'space',
  periodUnit: 'bytes',
  sampleTypes: [{ type: 'inuse', unit: 'bytes', temporality: 'gauge' }],
  group: 0,
};
const TYPE = 'memory:inuse:bytes:space:bytes';
const DELTA: Series = {
  ...GAUGE,
  sampleTypes: [{ type: 'inuse', unit: 'bytes', temporality: 'delta' }],
};

function profile(startMs: number, values: Record<string, bigint>, series = GAUGE): PlainProfile {
  return {
    series,
    startNs: BigInt(startMs) * 1_000_000n,
    id: `p${startMs}`,
    flags: 0,
    samples: Object.entries(values).map(([path, value]) => ({
      functions: path === '' ? [] : path.split(';'),
      labelSet: '',
      values: [value],
    })),
  };
}

const QUERY: MergeQuery = {
  tenantId: TENANT,
  selector: '',
  startMs: 0,
  endMs: 1_000,
  profileType: TYPE,
};

function store(profiles: readonly PlainProfile[], consumedBeforeMs = 500): MemoryStore {
  return memoryStore(profiles, {
    consumedBeforeNs: BigInt(consumedBeforeMs) * 1_000_000n,
    placeOf: (i) => i,
  });
}

async function folded({ engine }: MemoryStore, query: Partial<MergeQuery> = {}): Promise<string> {
  return new TextDecoder().decode((await engine.mergeFolded({ ...QUERY, ...query })).body);
}

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

/** Never reads samples; tells who asks for them. */
class SlowBucket extends MemoryBucket {
  readonly #onRead: (signal: AbortSignal) => void;

  constructor(onRead: (signal: AbortSignal) => void) {
    super();
    this.#onRead = onRead;
  }

  override getRange(key: string, range: ByteRange, options?: CallOptions): Promise<Uint8Array> {
    const signal = options?.signal;
    if (!key.endsWith('samples.parquet') || signal === undefined) {
      return super.getRange(key, range, options);
    }
    this.#onRead(signal);
    return new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error));
    });
  }
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'no error',
    (error: unknown) => (error instanceof StoreError ? error.code : String(error)),
  );
}

describe('what is behind an answer', () => {
  it('counts blocks and segments that have a selected profile, and no others', async () => {
    for (const temporality of ['delta', 'cumulative'] as const) {
      const series: Series = {
        ...GAUGE,
        sampleTypes: [{ type: 'inuse', unit: 'bytes', temporality }],
      };
      const { engine } = store(
        [1, 2, 600, 700, 800].map((startMs) => profile(startMs, { a: BigInt(startMs) }, series)),
      );
      const behind = async (startMs: number, endMs: number): Promise<readonly number[]> => {
        const { stats } = await engine.mergeTree({ ...QUERY, startMs, endMs });
        return [stats.profiles, stats.blocks, stats.segments];
      };
      expect(await behind(0, 1_000)).toEqual([5, 2, 3]);
      expect(await behind(650, 750)).toEqual([1, 0, 1]);
      expect(await behind(0, 700)).toEqual([3, 2, 1]);
      expect(await behind(900, 950)).toEqual([0, 0, 0]);
    }
  });
});

describe('before an end', () => {
  const other: Series = {
    ...GAUGE,
    labels: [
      { name: 'pod', value: 'b' },
      { name: 'service_name', value: 'api' },
    ],
  };
  const pods = store([
    profile(1, { a: 10n, '': 2n }),
    profile(2, { a: 11n, '': 5n }),
    profile(3, { c: 900n }, other),
  ]);
  const query = { ...QUERY, profileType: TYPE };

  it('shows what grew in one instance, the stack without frames too', async () => {
    const answer = await pods.engine.beforeOom({ ...query, selector: '{pod="a"}' });
    expect(answer.paths).toEqual([
      { path: [], before: 2n, after: 5n },
      { path: ['a'], before: 10n, after: 11n },
    ]);
  });

  it('begins with the first profile of all, however many there are, and however small it is', async () => {
    const count = 10_200;
    const many = store([
      profile(0, {}),
      ...Array.from({ length: count - 1 }, (_, i) => profile(i + 1, { a: BigInt(i + 1) })),
    ]);
    const range = { startMs: 0, endMs: count };
    const answer = await many.engine.beforeOom({ ...query, ...range, selector: '' });
    expect(answer).toMatchObject({
      first: { startMs: 0, total: 0n },
      last: { startMs: count - 1, total: BigInt(count - 1) },
      profileCount: count,
      paths: [{ path: ['a'], before: 0n, after: BigInt(count - 1) }],
    });
    expect(answer.profiles.map((p) => p.startMs)).toEqual(
      Array.from({ length: 10 }, (_, i) => count - 10 + i),
    );
  });

  it.each([0, -1, 1.5, Number.NaN])('refuses a limit of %d', async (limit) => {
    await expect(
      pods.engine.beforeOom({ ...query, selector: '{pod="a"}', limit }),
    ).rejects.toMatchObject({ code: 'PS_QUERY_LIMIT' });
  });

  it('is refused over several, with their names', async () => {
    await expect(pods.engine.beforeOom({ ...query, selector: '' })).rejects.toMatchObject({
      kind: 'invalid',
      code: 'PS_OOM_INSTANCES',
      message: expect.stringMatching(/pod="a".* and .*pod="b"/),
    });
  });
});

describe('what a selector cannot mean', () => {
  const other: Series = {
    ...DELTA,
    service: 'web',
    labels: [{ name: 'service_name', value: 'web' }],
  };
  const tagged = (startMs: number, series: Series): PlainProfile => ({
    ...profile(startMs, {}, series),
    samples: [{ functions: ['a'], labelSet: '[[["pod","a"]],[]]', values: [9n] }],
  });
  const plain = (startMs: number, series: Series): PlainProfile =>
    profile(startMs, { a: 1n }, series);

  it.each([0, 500, 1_000])(
    'is not counted behind an answer (in blocks: up to %i ms)',
    async (ms) => {
      // `web` has no label pod: neither its series nor, at first, its samples.
      const profiles = [1, 2, 600, 601].flatMap((t) => [plain(t, DELTA), plain(t, other)]);
      const first = store(profiles, ms);
      const of = async ({ engine }: MemoryStore, selector: string) => {
        const { total, stats } = await engine.mergeTree({ ...QUERY, selector });
        const { base } = await engine.diff({
          ...{ ...QUERY, selector, startMs: 0, endMs: 500 },
          others: [{ selector, startMs: 500, endMs: 1_000 }],
        });
        const { durationNs, observedProfiles } = base;
        return [total, stats.profiles, stats.series, durationNs, observedProfiles].map(Number);
      };
      expect(await of(first, '{pod="a"}')).toEqual([4, 4, 1, 20, 2]);
      expect(await of(first, '{pod="b"}')).toEqual([0, 0, 0, 0, 0]);
      expect(await of(first, '{pod!="b"}')).toEqual([8, 8, 2, 40, 4]);
      // One of its profiles has it on a sample.
      const second = store([...profiles, tagged(3, other)], ms);
      expect(await of(second, '{pod="a"}')).toEqual([13, 9, 2, 50, 3]);
    },
  );
});

describe('aggregations', () => {
  const two = store([
    profile(1, { a: 10n, 'a;b': -3n }),
    profile(2, { a: 5n }),
    profile(600, { a: 6n, c: -8n, '': 7n }),
  ]);

  it.each([
    // 21 / 3, -3 / 3, -8 / 3 = -2.67, 7 / 3 = 2.33
    ['avg', '[empty] 2\na 7\na;b -1\nc -3\n'],
    [undefined, '[empty] 2\na 7\na;b -1\nc -3\n'],
    ['sum', '[empty] 7\na 21\na;b -3\nc -8\n'],
    ['last', '[empty] 7\na 6\nc -8\n'],
    // A profile without the stack counts as 0, so what is negative in some only is 0.
    ['max', '[empty] 7\na 10\n'],
  ] as const)('%s', async (aggregation, want) => {
    expect(await folded(two, aggregation === undefined ? {} : { aggregation })).toBe(want);
  });

  it('max keeps what is negative in every profile', async () => {
    const both = store([profile(1, { a: -5n }), profile(600, { a: -3n })]);
    expect(await folded(both, { aggregation: 'max' })).toBe('a -3\n');
  });

  it('names: ";" becomes ":", control characters spaces', async () => {
    const odd = store([
      { ...profile(1, {}), samples: [{ functions: ['a;b', 'c\nd'], labelSet: '', values: [1n] }] },
    ]);
    expect(await folded(odd)).toBe('a:b;c d 1\n');
  });

  it.each([2n ** 44n, 2n ** 52n, 2n ** 57n, 2n ** 60n])('sums exactly around %d', async (size) => {
    const [a, b] = [size + 1n, -size + 3n];
    const sent = store([
      profile(1, { a, b }, DELTA),
      profile(600, { a: a + 4n, b }, DELTA),
      profile(900, { a: -3n }, DELTA),
    ]);
    expect(await folded(sent)).toBe(`a ${2n * a + 1n}\nb ${2n * b}\n`);
  });

  it('answers with sums up to 64 bits and refuses more', async () => {
    const half = 2n ** 62n;
    const fits = store([profile(1, { a: half }, DELTA), profile(600, { a: half - 1n }, DELTA)]);
    expect((await fits.engine.mergeTree(QUERY)).total).toBe(2n ** 63n - 1n);
    const past = store([profile(1, { a: half }, DELTA), profile(600, { b: half }, DELTA)]);
    expect(await codeOf(past.engine.mergeTree(QUERY))).toBe('PS_SUM_OVERFLOW');
    expect(await codeOf(past.engine.mergeTop(QUERY))).toBe('PS_SUM_OVERFLOW');
  });
});

describe('flame graph', () => {
  it('shows the heaviest nodes, parents first, siblings by name, and reports the rest', async () => {
    const one = store([profile(1, { 'z;x': 5n, 'z;y': 9n, b: 3n, '': 1n, 'b;q': 1n })]);
    const tree = await one.engine.mergeTree({ ...QUERY, maxNodes: 4 });
    const names = [...tree.name].map((n) => tree.names[n]);
    expect(names).toEqual(['total', 'z', 'x', 'y']);
    expect([...tree.parent]).toEqual([-1, 0, 1, 1]);
    expect([...tree.value]).toEqual([19n, 14n, 5n, 9n]);
    expect([...tree.self]).toEqual([1n, 0n, 5n, 9n]);
    expect([tree.hiddenNodes, tree.hiddenValue, tree.unit]).toEqual([2, 4n, 'bytes']);
  });

  it('is empty where there is nothing', async () => {
    const tree = await store([]).engine.mergeTree(QUERY);
    expect([tree.total, tree.names, [...tree.value], tree.hiddenNodes]).toEqual([
      0n,
      ['total'],
      [0n],
      0,
    ]);
  });
});

describe('what is missing', () => {
  const profiles = [
    profile(1, { a: 1n }, DELTA),
    profile(2, { b: 2n }, DELTA),
    profile(600, { c: 4n }, DELTA),
  ];

  it('reports a damaged block and answers with the rest (I8)', async () => {
    const damaged = store(profiles);
    const [id, block] = [...damaged.blocks][0]!;
    const scan = (): Promise<never> => Promise.reject(corrupt('PS_BLOCK_CHECKSUM', 'damaged'));
    damaged.blocks.set(id, { ...block, scan });
    const { total, stats } = await damaged.engine.mergeTree(QUERY);
    expect(total).toBe(6n);
    expect(stats.missing).toEqual([
      { part: `block ${id}`, code: 'PS_BLOCK_CHECKSUM', message: 'damaged' },
    ]);
  });

  it('says of a list what it could not look at', async () => {
    const damaged = store(profiles);
    const [id, block] = [...damaged.blocks][0]!;
    const series = (): Promise<never> => Promise.reject(corrupt('PS_BLOCK_CHECKSUM', 'damaged'));
    damaged.blocks.set(id, { ...block, series });
    const missing = [{ part: `block ${id}`, code: 'PS_BLOCK_CHECKSUM', message: 'damaged' }];
    const { engine } = damaged;
    for (const list of [
      await engine.profileTypes(QUERY),
      await engine.labelNames(QUERY),
      await engine.labelValues({ ...QUERY, name: 'pod' }),
      await engine.series(QUERY),
    ]) {
      expect(list.missing).toEqual(missing);
      expect(list.items.length).toBeGreaterThan(0);
    }
  });

  it('reports rows with keys that do not exist', async () => {
    const damaged = store(profiles);
    const view = damaged.views.get(2)!;
    const batches = view.batches.map((b) => ({ ...b, key: b.key.map((k) => k + 100) }));
    damaged.views.set(2, { ...view, batches });
    const { total, stats } = await damaged.engine.mergeTree(QUERY);
    expect(total).toBe(3n);
    expect(stats.missing.map((m) => m.code)).toEqual(['PS_SAMPLE_KEY']);
  });

  it('plans again when a block vanished, with the manifest that replaced it', async () => {
    const moved = store(profiles);
    const [id, block] = [...moved.blocks][0]!;
    const { manifest } = moved;
    moved.blocks.delete(id);
    moved.blocks.set('merged', { ...block, meta: { ...block.meta, blockId: 'merged' } });
    let loads = 0;
    Object.defineProperty(moved, 'manifest', {
      get: () =>
        ++loads === 1
          ? manifest
          : {
              ...manifest,
              blocks: manifest.blocks.map((b) =>
                b.blockId === id ? { ...b, blockId: 'merged' } : b,
              ),
            },
    });
    const { total, stats } = await moved.engine.mergeTree(QUERY);
    expect([total, stats.missing, loads]).toEqual([7n, [], 2]);
  });

  it('reports what stays away', async () => {
    const lost = store(profiles);
    const [id] = [...lost.blocks][0]!;
    lost.blocks.delete(id);
    const { total, stats } = await lost.engine.mergeTree(QUERY);
    expect([total, stats.missing.map((m) => m.code)]).toEqual([6n, ['PS_OBJECT_NOT_FOUND']]);
  });
});

describe('bounds (I6)', () => {
  const profiles = [profile(1, { a: 1n }), profile(600, { b: 1n })];
  const bounded = (settings: object): MemoryStore =>
    memoryStore(profiles, { consumedBeforeNs: 500_000_000n, placeOf: () => 0, settings });

  it('refuses bad requests', async () => {
    const { engine } = store(profiles);
    expect(await codeOf(engine.mergeTree({ ...QUERY, endMs: 0 }))).toBe('PS_QUERY_RANGE');
    expect(await codeOf(engine.mergeTree({ ...QUERY, startMs: Number.NaN }))).toBe(
      'PS_QUERY_RANGE',
    );
    expect(await codeOf(engine.mergeTree({ ...QUERY, selector: '{' }))).toBe('PS_SELECTOR_SYNTAX');
    expect(await codeOf(engine.mergeTree({ ...QUERY, profileType: 'cpu' }))).toBe(
      'PS_PROFILE_TYPE',
    );
    expect(await codeOf(engine.mergeTree({ ...QUERY, maxNodes: 0 }))).toBe('PS_QUERY_NODES_SHOWN');
    expect(await codeOf(engine.mergeTree({ ...QUERY, tenantId: '' }))).toBe('PS_TENANT');
    const steps = { ...QUERY, stepMs: 0, groupBy: [] };
    expect(await codeOf(engine.timeSeries(steps))).toBe('PS_QUERY_STEP');
    const long = { ...steps, stepMs: 1, endMs: LIMITS.queryPointsMax + 1 };
    expect(await codeOf(engine.timeSeries(long))).toBe('PS_QUERY_POINTS');
  });

  it.each([
    [{ tenantId: undefined }, 'PS_QUERY_TYPE'],
    [{ selector: 7 }, 'PS_QUERY_TYPE'],
    [{ profileType: undefined }, 'PS_QUERY_TYPE'],
    [{ profileIds: 'abc' }, 'PS_QUERY_TYPE'],
    [{ stack: 'leaf:name=a' }, 'PS_QUERY_TYPE'],
    [{ rootLabel: ['pod', 3] }, 'PS_QUERY_TYPE'],
    [{ focus: /a/ }, 'PS_QUERY_TYPE'],
  ])('refuses %j from a caller without types', async (wrong, code) => {
    const { engine } = store(profiles);
    const query = { ...QUERY, ...wrong } as never;
    expect(await codeOf(engine.mergeTree(query))).toBe(code);
  });

  it('refuses comparisons and series without their lists', async () => {
    const { engine } = store(profiles);
    for (const others of [undefined, [null], 'x']) {
      expect(await codeOf(engine.diff({ ...QUERY, others } as never))).toBe('PS_QUERY_DIFF');
    }
    const steps = { ...QUERY, stepMs: 10 } as never;
    expect(await codeOf(engine.timeSeries(steps))).toBe('PS_QUERY_TYPE');
    expect(await codeOf(engine.heatmap(steps))).toBe('PS_QUERY_TYPE');
  });

  it('keeps rows and nodes within budget', async () => {
    expect(await codeOf(bounded({ rowsMax: 1 }).engine.mergeTree(QUERY))).toBe('PS_QUERY_ROWS');
    expect(await codeOf(bounded({ nodesMax: 2 }).engine.mergeTree(QUERY))).toBe('PS_QUERY_NODES');
  });

  it('keeps answers over blocks, each for itself, until something changes', async () => {
    const asked = { ...QUERY, endMs: 500 };
    for (const [settings, reads] of [
      [{}, 1],
      [{ resultBytes: 0 }, 2],
    ] as const) {
      const own = memoryStore(profiles, {
        consumedBeforeNs: 500_000_000n,
        placeOf: () => 0,
        // Nothing but answers: each scan is a read.
        settings: { cacheBytes: 0, ...settings },
      });
      const [id, block] = [...own.blocks][0]!;
      let scans = 0;
      own.blocks.set(id, {
        ...block,
        scan: (request, visit) => {
          scans++;
          return block.scan(request, visit);
        },
      });
      const first = await own.engine.mergeTree(asked);
      const want = structuredClone(first);
      first.self.fill(7n);
      expect(await own.engine.mergeTree(asked)).toEqual(want);
      expect(scans).toBe(reads);
      expect((await own.engine.mergeTree({ ...asked, maxNodes: 1 })).parent).toHaveLength(1);
      const deletion = { id: 1, selector: '{pod="a"}', startMs: 0, endMs: 1_000, createdMs: 0 };
      own.manifest = {
        ...own.manifest,
        seriesTombstones: [{ ...deletion, covered: [] }],
        blocks: own.manifest.blocks.map((b) => ({ ...b, seriesTombstones: [1] })),
      };
      expect((await own.engine.mergeTree(asked)).total).toBe(0n);
    }
  });

  it('stops the read itself, down to the bucket', async () => {
    const own = bounded({});
    const { promise: reached, resolve: reach } = deferred<AbortSignal>();
    const bucket = new SlowBucket(reach);
    const [id, block] = [...own.blocks][0]!;
    await copyBlock(block, bucket, id);
    own.blocks.set(id, await openBlock(bucket, 'anonymous', id));
    const caller = new AbortController();
    const running = codeOf(own.engine.mergeTree({ ...QUERY, signal: caller.signal }));
    const signal = await reached;
    expect(signal.aborted).toBe(false);
    caller.abort();
    expect(await running).toBe('PS_CANCELLED');
    expect(signal.aborted).toBe(true);
  });

  it('does not wait for a read that others share, and holds its slot until that ends', async () => {
    const own = bounded({ deadlineMs: 200, concurrency: 1 });
    const [id, block] = [...own.blocks][0]!;
    const { promise: series, resolve } = deferred<Awaited<ReturnType<typeof block.series>>>();
    own.blocks.set(id, { ...block, series: () => series });
    const caller = new AbortController();
    const cancelled = codeOf(own.engine.mergeTree({ ...QUERY, signal: caller.signal }));
    await new Promise((done) => setImmediate(done));
    caller.abort();
    expect(await cancelled).toBe('PS_CANCELLED');
    expect(await codeOf(own.engine.mergeTree(QUERY))).toBe('PS_QUERY_DEADLINE');
    resolve(await block.series());
    expect(await codeOf(own.engine.mergeTree(QUERY))).toBe('no error');
  });

  it('has one deadline for all that a comparison is made of', async () => {
    // Without a cache each of the queries that it consists of waits for this.
    const own = bounded({ deadlineMs: 1_500, cacheBytes: 0 });
    const [id, block] = [...own.blocks][0]!;
    const series = async () => {
      await new Promise((done) => setTimeout(done, 100));
      return block.series();
    };
    own.blocks.set(id, { ...block, series });
    const diff = (count: number) => {
      const others = Array.from({ length: count }, () => QUERY);
      return codeOf(own.engine.diff({ ...QUERY, others }));
    };
    expect(await diff(1)).toBe('no error');
    expect(await diff(16)).toBe('PS_QUERY_DEADLINE');
  });

  it('stops at the deadline, when cancelled, and lets the next one in', async () => {
    const late = bounded({ deadlineMs: 20, concurrency: 1 });
    const [id, block] = [...late.blocks][0]!;
    const forever = new Promise<never>(() => undefined);
    const stuck = {
      ...block,
      scan: ({ signal }: { signal?: AbortSignal }) =>
        Promise.race([
          forever,
          new Promise<never>((_, reject) => {
            signal?.addEventListener('abort', () => reject(signal.reason as Error));
          }),
        ]),
    };
    late.blocks.set(id, stuck);
    const running = codeOf(late.engine.mergeTree(QUERY));
    const waiting = codeOf(late.engine.mergeTree({ ...QUERY, signal: AbortSignal.abort() }));
    expect(await waiting).toBe('PS_CANCELLED');
    expect(await running).toBe('PS_QUERY_DEADLINE');
    late.blocks.set(id, block);
    expect(await codeOf(late.engine.profileTypes(QUERY))).toBe('no error');
  });
});

describe('listings', () => {
  const web: Series = {
    ...GAUGE,
    service: 'web',
    labels: [{ name: 'service_name', value: 'web' }],
    profileName: 'cpu',
    sampleTypes: [
      { type: 'samples', unit: 'count', temporality: 'delta' },
      { type: 'cpu', unit: 'nanoseconds', temporality: 'delta' },
    ],
  };
  const labelled: PlainProfile = {
    ...profile(700, {}, web),
    samples: [
      { functions: ['f'], labelSet: '[[["thread","7"],["pod","x"]],[]]', values: [1n, 1n] },
    ],
  };
  const { engine } = store([profile(1, { a: 1n }), labelled]);
  const all = { tenantId: TENANT, selector: '', startMs: 0, endMs: 1_000 };

  it('lists types, names, values and series', async () => {
    expect((await engine.profileTypes(all)).items.map((t) => `${t.id} ${t.temporality}`)).toEqual([
      'cpu:cpu:nanoseconds:space:bytes delta',
      'cpu:samples:count:space:bytes delta',
      `${TYPE} gauge`,
    ]);
    expect((await engine.labelNames(all)).items).toEqual([
      '__name__',
      '__profile_type__',
      'pod',
      'service_name',
      'thread',
    ]);
    expect((await engine.labelValues({ ...all, name: 'pod' })).items).toEqual(['a', 'x']);
    expect((await engine.labelValues({ ...all, name: 'service_name' })).items).toEqual([
      'api',
      'web',
    ]);
    expect((await engine.labelValues({ ...all, name: '__name__' })).items).toEqual([
      'cpu',
      'memory',
    ]);
    expect((await engine.series({ ...all, selector: '{service_name="api"}' })).items).toEqual([
      { __name__: 'memory', __profile_type__: TYPE, pod: 'a', service_name: 'api' },
    ]);
  });

  it('is restricted by selector, range and tenant', async () => {
    expect((await engine.labelNames({ ...all, startMs: 2, endMs: 700 })).items).toEqual([]);
    expect((await engine.labelValues({ ...all, endMs: 700, name: 'thread' })).items).toEqual([]);
    expect(
      (await engine.labelValues({ ...all, selector: '{thread="7"}', name: '__name__' })).items,
    ).toEqual(['cpu']);
    expect(
      (await engine.labelValues({ ...all, selector: '{thread="8"}', name: '__name__' })).items,
    ).toEqual([]);
    expect((await engine.series({ ...all, tenantId: 'nobody', startMs: 500 })).items).toEqual([]);
  });
});
