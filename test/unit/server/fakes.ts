import { MetricsRegistry } from '../../../src/base/metrics.js';
import { systemClock } from '../../../src/env/clock.js';
import type { ForeignBody, IngestApi, WriteRequest, WriteResult } from '../../../src/ingest/api.js';
import type {
  FlameTree,
  BeforeOomQuery,
  DiffQuery,
  ExplainQuery,
  HeatmapQuery,
  ItemsQuery,
  LabelValuesQuery,
  MergeQuery,
  ProfileTypeInfo,
  QueryApi,
  QueryStats,
  RangeQuery,
  RegressionsQuery,
  RenderQuery,
  SandwichQuery,
  TimeSeriesQuery,
  TreeQuery,
} from '../../../src/query/api.js';
import { startServer, type RunningServer, type ServerOptions } from '../../../src/server/server.js';

/** Stand-ins for the store, for tests of the protocol layer alone: they record what arrives and answer what is set. */

export const STATS: QueryStats = {
  profiles: 3,
  series: 2,
  rows: 70,
  tiles: 0,
  tileRows: 0,
  blocks: 1,
  segments: 1,
  sums: '',
  missing: [],
};

export const PARTIAL: QueryStats = {
  ...STATS,
  missing: [{ part: 'block 01J', code: 'PS_BLOCK_CHECKSUM', message: 'cannot read block: got é' }],
};

export const BIG = 2n ** 53n + 1n;

export const TREE: FlameTree = {
  unit: 'nanoseconds',
  total: BIG + 7n,
  names: ['total', 'main "quoted"', 'läuft→'],
  parent: Int32Array.from([-1, 0, 1]),
  name: Int32Array.from([0, 1, 2]),
  self: BigInt64Array.from([0n, -5n, BIG]),
  value: BigInt64Array.from([BIG + 7n, BIG + 7n, BIG]),
  hiddenNodes: 4,
  hiddenValue: 12n,
  stats: STATS,
};

export const TYPE: ProfileTypeInfo = {
  id: 'process_cpu:cpu:nanoseconds:cpu:nanoseconds',
  name: 'process_cpu',
  sampleType: 'cpu',
  sampleUnit: 'nanoseconds',
  periodType: 'cpu',
  periodUnit: 'nanoseconds',
  temporality: 'delta',
};

export class FakeIngest implements IngestApi {
  readonly encoded: { tenantId: string; bytes: Uint8Array }[] = [];
  readonly foreign: { tenantId: string; body: ForeignBody }[] = [];
  readonly written: { tenantId: string; request: WriteRequest }[] = [];
  /** Decides each answer; may throw. */
  answer: (bytes: Uint8Array) => WriteResult | Promise<WriteResult> = () => ({
    profileId: 'p1',
    profiles: 2,
    samples: 900,
    rejections: [],
  });

  async writeEncoded(tenantId: string, bytes: Uint8Array): Promise<WriteResult> {
    this.encoded.push({ tenantId, bytes });
    return await this.answer(bytes);
  }

  async write(tenantId: string, request: WriteRequest): Promise<WriteResult> {
    this.written.push({ tenantId, request });
    return await this.answer(request.profile);
  }

  async writeForeign(tenantId: string, body: ForeignBody): Promise<readonly WriteResult[]> {
    this.foreign.push({ tenantId, body });
    return [await this.answer(body.body)];
  }

  position(): never {
    throw new Error('not called by the server');
  }

  seal(): never {
    throw new Error('not called by the server');
  }

  consumed(): never {
    throw new Error('not called by the server');
  }

  deleted(): never {
    throw new Error('not called by the server');
  }

  async close(): Promise<void> {}
}

const HIDDEN = { count: 3, value: 12n };

export class FakeQuery implements QueryApi {
  readonly calls: { method: string; query: RangeQuery }[] = [];
  tree: FlameTree = TREE;
  stats: QueryStats = STATS;
  /** Runs before each answer; may throw or wait. */
  before: (query: RangeQuery) => void | Promise<void> = () => undefined;

  private async note(method: string, query: RangeQuery): Promise<void> {
    this.calls.push({ method, query });
    await this.before(query);
  }

  last(): { method: string; query: RangeQuery } {
    const call = this.calls.at(-1);
    if (call === undefined) throw new Error('no call was made');
    return call;
  }

  async profileTypes(query: RangeQuery) {
    await this.note('profileTypes', query);
    return { items: [TYPE], missing: this.stats.missing };
  }

  async labelNames(query: RangeQuery) {
    await this.note('labelNames', query);
    return { items: ['pod', 'service_name'], missing: this.stats.missing };
  }

  async labelValues(query: LabelValuesQuery) {
    await this.note('labelValues', query);
    return { items: [`${query.name}-1`], missing: this.stats.missing };
  }

  async series(query: RangeQuery) {
    await this.note('series', query);
    const items = [{ service_name: 'api', __name__: 'process_cpu' }];
    return { items, missing: this.stats.missing };
  }

  async profileBounds(query: RangeQuery) {
    await this.note('profileBounds', query);
    return { oldestMs: 1_000, newestMs: 2_000 };
  }

  async mergeTree(query: TreeQuery) {
    await this.note('mergeTree', query);
    return { ...this.tree, stats: this.stats };
  }

  async mergeTop(query: MergeQuery) {
    await this.note('mergeTop', query);
    const functions = [{ functionName: 'f', fileName: 'f.go', self: BIG, total: BIG + 1n }];
    return { unit: 'nanoseconds', total: BIG + 7n, functions, stats: this.stats };
  }

  async mergeSandwich(query: SandwichQuery) {
    await this.note('mergeSandwich', query);
    const trees = { callees: this.tree, callers: this.tree };
    return { unit: 'nanoseconds', total: BIG + 7n, ...trees, stats: this.stats };
  }

  async mergeRendered(query: RenderQuery) {
    await this.note('mergeRendered', query);
    const text = new TextEncoder().encode('main;läuft 7\n');
    return {
      body: query.format === 'folded' ? text : Uint8Array.from([0x1f, 0x8b, 1, 2]),
      ...{ stats: this.stats, hidden: HIDDEN },
    };
  }

  async mergePprof(query: MergeQuery) {
    await this.note('mergePprof', query);
    return { body: Uint8Array.from([0x1f, 0x8b, 1, 2]), stats: this.stats, hidden: HIDDEN };
  }

  async mergeFolded(query: MergeQuery) {
    await this.note('mergeFolded', query);
    return { body: new TextEncoder().encode('main;läuft 7\n'), stats: this.stats, hidden: HIDDEN };
  }

  async items(query: ItemsQuery) {
    await this.note('items', query);
    return { unit: 'nanoseconds', items: [], hiddenItems: 0, stats: this.stats };
  }

  async heatmap(query: HeatmapQuery) {
    await this.note('heatmap', query);
    const bucketStart = new Float64Array(query.buckets);
    return { unit: 'nanoseconds', bucketStart, series: [], stats: this.stats };
  }

  async beforeOom(query: BeforeOomQuery): Promise<never> {
    await this.note('beforeOom', query);
    throw new Error('the fake has no memory');
  }

  async regressions(query: RegressionsQuery) {
    await this.note('regressions', query);
    const nothing = { hiddenRegressions: 0, goneAway: 1, shifted: 2, profiles: 3, missing: [] };
    return { stepMs: 1, regressions: [], ...nothing };
  }

  async diff(query: DiffQuery) {
    await this.note('diff', query);
    const side = { total: BIG, durationNs: 9n, observedProfiles: 2, stats: this.stats };
    return { unit: 'nanoseconds', base: side, comparisons: [] };
  }

  async explain(query: ExplainQuery) {
    await this.note('explain', query);
    const part = { part: 'block 1', rollup: '1h' as const, tiles: 2, series: 1, profiles: 9 };
    return {
      stages: [{ stage: 'wait' as const, ms: 0.25 }],
      parts: [{ ...part, rows: 7, requests: 3, bytes: 4_096 }],
      blocksInRange: 2,
      segmentsInRange: 1,
      requests: 4,
      bytes: 5_000,
      stats: this.stats,
    };
  }

  async timeSeries(query: TimeSeriesQuery) {
    await this.note('timeSeries', query);
    const series = [
      {
        labels: { service_name: 'api', pod: 'a' },
        timestampMs: Float64Array.from([1_700_000_000_000, 1_700_000_015_000]),
        value: BigInt64Array.from([5n, BIG]),
      },
    ];
    return { unit: 'nanoseconds', series, hiddenSeries: 0, stats: this.stats };
  }
}

export interface TestServer {
  readonly server: RunningServer;
  readonly ingest: FakeIngest;
  readonly query: FakeQuery;
  readonly metrics: MetricsRegistry;
  readonly reported: { method: string; error: unknown }[];
  ready: boolean;
  readonly url: string;
  readonly grpcAddress: string;
}

export async function startTestServer(options: Partial<ServerOptions> = {}): Promise<TestServer> {
  const ingest = new FakeIngest();
  const query = new FakeQuery();
  const metrics = new MetricsRegistry();
  const reported: { method: string; error: unknown }[] = [];
  const state = { ready: true };
  const server = await startServer({
    ingest,
    query,
    clock: systemClock,
    metrics,
    ready: () => state.ready,
    ui: new Map([
      ['/', { contentType: 'text/html; charset=utf-8', body: Buffer.from('<!doctype html>') }],
    ]),
    report: (method, error) => reported.push({ method, error }),
    httpAddress: '127.0.0.1:0',
    grpcAddress: '127.0.0.1:0',
    ...options,
  });
  return Object.assign(state, {
    server,
    ingest,
    query,
    metrics,
    reported,
    url: `http://127.0.0.1:${server.httpPort}`,
    grpcAddress: `127.0.0.1:${server.grpcPort}`,
  });
}
