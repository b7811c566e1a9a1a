/**
 * What a query costs apart from reading: rows/s of the sum kernels, nodes/s of the merge, and the call tree of a large
 * merged profile. One JSON line a figure; `--quick` for a small run.
 */
import type { BlockReader } from '../src/block/types.js';
import { NO_METADATA } from '../src/log/profile-metadata.js';
import { systemClock } from '../src/env/clock.js';
import { NO_LINEAGE } from '../src/manifest/lineage.js';
import { MemoryBucket } from '../src/objstore/memory-bucket.js';
import { openQueryEngine } from '../src/query/engine.js';
import { FramePool } from '../src/symbols/frame-pool.js';
import { SymbolMerger } from '../src/symbols/merge.js';
import { EMPTY_FRAME, type Frame } from '../src/model/frame.js';
import type { SymbolSource } from '../src/symbols/source.js';
import { sumWords, wordsOf } from '../src/query/kernels.js';
import { acquireSums, releaseSums } from '../src/query/sum-kernel.js';
import { NameTree } from '../src/query/render/name-tree.js';
import { nodeSums } from '../src/query/render/node-sums.js';
import { renderTop } from '../src/query/render/top.js';
import { cut, renderTree } from '../src/query/render/tree.js';
import { ExactSums } from '../src/query/sums.js';

const quick = process.argv.includes('--quick');
const ROUNDS = quick ? 3 : 9;
const STATS = {
  profiles: 0,
  series: 0,
  rows: 0,
  tiles: 0,
  tileRows: 0,
  blocks: 0,
  segments: 0,
  sums: '' as const,
  missing: [],
};

let seed = 12_345;
function random(bound: number): number {
  seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
  return Math.floor((seed / 2 ** 32) * bound);
}

/** Median and best of some rounds, in ms. */
function measure(run: () => void): { medianMs: number; bestMs: number } {
  const times: number[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    const start = performance.now();
    run();
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  return { medianMs: times[times.length >> 1] ?? 0, bestMs: times[0] ?? 0 };
}

function report(
  name: string,
  count: number,
  unit: string,
  time: { medianMs: number; bestMs: number },
): void {
  const perSecond = Math.round(count / time.medianMs / 1_000);
  const round = (ms: number): number => Math.round(ms * 100) / 100;
  console.log(
    JSON.stringify({
      name,
      count,
      medianMs: round(time.medianMs),
      bestMs: round(time.bestMs),
      [`millions of ${unit} a second`]: perSecond,
    }),
  );
}

/** A random trie of `count` nodes over `frameCount` frames, a key for each third node. */
function randomSymbols(count: number, frameCount: number): SymbolSource {
  const parent = new Int32Array(count);
  const frame = new Int32Array(count);
  parent[0] = -1;
  frame[0] = -1;
  for (let n = 1; n < count; n++) {
    // Mostly a chain, sometimes a new branch: depths of some tens, as in real stacks.
    parent[n] = random(8) === 0 ? random(n) : n - 1 - Math.min(n - 1, random(3));
    frame[n] = random(frameCount);
  }
  const frames: Frame[] = Array.from({ length: frameCount }, (_, f) => ({
    ...EMPTY_FRAME,
    functionName: `package.function${f % Math.ceil(frameCount * 0.7)}`,
    fileName: `file${f % 500}.go`,
    line: BigInt(f),
  }));
  const keyCount = Math.floor(count / 3);
  return {
    frames: {
      count: frameCount,
      idHigh: Uint32Array.from(frames, (_, f) => f * 2_654_435_761),
      idLow: Uint32Array.from(frames, (_, f) => f),
      frame: (index) => frames[index] ?? EMPTY_FRAME,
    },
    nodes: { count, parent, frame },
    keys: {
      count: keyCount,
      node: Int32Array.from({ length: keyCount }, (_, k) => k * 3 + 2),
      labelSet: new Int32Array(keyCount),
    },
    labelSets: { count: 1, key: () => '', labels: () => ({ strings: [], numbers: [] }) },
  };
}

function benchKernels(): void {
  const rows = quick ? 1 << 18 : 1 << 22;
  const keyCount = 100_000;
  const key = new Int32Array(rows);
  const values = new BigInt64Array(rows);
  const words = wordsOf(values);
  // Profiles of some 2,000 rows, sorted by key within each, as blocks have them.
  for (let i = 0; i < rows; i++) {
    key[i] = Math.min(keyCount - 1, Math.floor(((i % 2_000) * keyCount) / 2_000) + random(50));
    words[2 * i] = random(1_000_000);
  }
  const low = new Float64Array(keyCount);
  const high = new Float64Array(keyCount);
  const kernel = acquireSums(keyCount);
  report(
    'sum kernel, WebAssembly',
    rows,
    'rows',
    measure(() => {
      kernel.reset(keyCount);
      kernel.add({ key, words }, 0, rows);
      kernel.finish();
    }),
  );
  releaseSums(kernel);
  report(
    'sum kernel, two words in doubles',
    rows,
    'rows',
    measure(() => sumWords({ low, high }, { key, words }, 0, rows)),
  );
}

function benchMerge(): void {
  const symbols = randomSymbols(quick ? 20_000 : 300_000, 10_000);
  const pool = new FramePool();
  const time = measure(() => {
    const merger = new SymbolMerger(pool);
    merger.add(symbols);
    merger.add(symbols);
  });
  report('merge of two equal tries', symbols.nodes.count * 2, 'nodes', time);
}

function benchTree(nodeCount: number, name: string): void {
  const symbols = randomSymbols(nodeCount, 20_000);
  const sums = new ExactSums();
  sums.reserve(symbols.keys.count);
  for (let k = 0; k < symbols.keys.count; k++) sums.low[k] = 1 + random(1_000) * random(1_000);
  const merged = { symbols, sums };
  report(
    `${name}: backward pass`,
    nodeCount,
    'nodes',
    measure(() => nodeSums(symbols, sums)),
  );
  const cutTree = (): void => void cut(new NameTree(symbols, sums), 8_192);
  report(`${name}: pass, names, cut to 8,192`, nodeCount, 'nodes', measure(cutTree));
  const settings = { unit: 'count', maxNodes: 8_192, stats: STATS };
  report(
    `${name}: flame graph`,
    nodeCount,
    'nodes',
    measure(() => renderTree(merged, settings)),
  );
  report(
    `${name}: top`,
    nodeCount,
    'nodes',
    measure(() => renderTop(merged, settings)),
  );
}

/** One hour of ten pods: 3,600 profiles of 314 rows over some 10,000 stacks, as a block in memory. */
function hourBlock(profileCount: number, symbols: SymbolSource): BlockReader {
  const perProfile = 314;
  const rows = profileCount * perProfile;
  const key = new Int32Array(rows);
  const values = new BigInt64Array(rows);
  const words = wordsOf(values);
  const stride = Math.floor(symbols.keys.count / perProfile);
  for (let i = 0; i < rows; i++) {
    key[i] = (i % perProfile) * stride + random(stride);
    words[2 * i] = 10_000_000 * (1 + random(20));
  }
  const pods = 10;
  const list = Array.from({ length: pods }, (_, pod) => ({
    series: {
      service: 'prometheus',
      profileName: 'process_cpu',
      labels: [
        { name: 'pod', value: `pod-${pod}` },
        { name: 'service_name', value: 'prometheus' },
      ],
      periodType: 'cpu',
      periodUnit: 'nanoseconds',
      sampleTypes: [{ type: 'cpu', unit: 'nanoseconds', temporality: 'delta' as const }],
      group: 0,
    },
    profileCount: profileCount / pods,
    startNsMin: 0n,
    startNsMax: 3_600_000_000_000n,
    rollupSeries: 0,
    rollupLabels: [],
  }));
  const none = new BigInt64Array(profileCount);
  const rowGroups = [];
  for (let firstRow = 0; firstRow < rows; firstRow += 131_072) {
    rowGroups.push({ firstRow, rowCount: Math.min(131_072, rows - firstRow), columns: [] });
  }
  const profileTypes = [PROFILE_TYPE];
  const service = {
    service: 'prometheus',
    firstKeyRow: 0,
    firstNodeRow: 0,
    profileTypes,
    rollups: [],
  };
  return {
    meta: {
      formatVersion: 1,
      blockId: 'b',
      tenantId: 't',
      level: 2,
      createdMs: 0,
      startNsMin: 0n,
      startNsMax: 3_600_000_000_000n,
      profileCount,
      sampleCount: rows,
      valueMagnitudeMax: [200_000_000n, 0n, 0n, 0n],
      services: [
        {
          ...service,
          keyCount: symbols.keys.count,
          nodeCount: symbols.nodes.count,
          labelSetCount: symbols.labelSets.count,
        },
      ],
      tables: [
        { table: 'samples', sizeBytes: 0, rowCount: rows, footer: new Uint8Array(0), rowGroups },
      ],
      lineage: NO_LINEAGE,
    },
    series: async () => list,
    profileGroup: () => Promise.reject(new Error('queries read all profiles at once')),
    profiles: async () => ({
      count: profileCount,
      series: Int32Array.from({ length: profileCount }, (_, p) =>
        Math.floor((p * pods) / profileCount),
      ),
      startNs: BigInt64Array.from(
        { length: profileCount },
        (_, p) => BigInt(p % (profileCount / pods)) * 10_000_000_000n,
      ),
      durationNs: none,
      period: none,
      flags: new Uint8Array(profileCount),
      totals: [none, none, none, none],
      firstRow: Float64Array.from({ length: profileCount }, (_, p) => p * perProfile),
      rowCount: new Int32Array(profileCount).fill(perProfile),
    }),
    tiles: () => Promise.reject(new Error('no rollup')),
    tileMetadata: () => Promise.reject(new Error('no rollup')),
    profileIds: async () => [],
    profileMetadata: async () => new Array<typeof NO_METADATA>(profileCount).fill(NO_METADATA),
    frames: async () => ({ ...symbols.frames, sizeBytes: symbols.frames.count * 100 }),
    stacks: async () => symbols,
    labelSetNumbers: async () => symbols.keys.labelSet,
    labels: async () => ({ labelSet: symbols.keys.labelSet, labelSets: symbols.labelSets }),
    symbols: async () => symbols,
    scan: async ({ ranges }, visit) => {
      for (const { start, end } of ranges) {
        visit({
          firstRow: start,
          rowCount: end - start,
          key: key.subarray(start, end),
          values: [values.subarray(start, end)],
        });
      }
    },
  };
}

const PROFILE_TYPE = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';

async function benchEngine(): Promise<void> {
  const symbols = randomSymbols(30_000, 6_000);
  const block = hourBlock(quick ? 360 : 3_600, symbols);
  const { meta } = block;
  const manifest = {
    formatVersion: 1,
    tenantId: 't',
    version: 1,
    blocks: [{ ...meta, sizeBytes: 0, symbolBytes: 0, seriesTombstones: [], retentionStamp: '' }],
    watermarks: [],
    carries: [],
    tombstones: [],
    seriesTombstones: [],
    fenceVersion: 0,
    recentNonces: [],
  };
  const engine = openQueryEngine({
    clock: systemClock,
    bucket: new MemoryBucket(systemClock),
    manifests: { load: async () => manifest },
    blocks: { open: async () => block },
    segments: { view: () => Promise.reject(new Error('there are no segments')) },
    position: async () => ({ segments: [] }),
  });
  const query = {
    tenantId: 't',
    selector: '',
    startMs: 0,
    endMs: 3_600_001,
    profileType: PROFILE_TYPE,
  };
  const calls: [string, () => Promise<unknown>][] = [
    ['first flame graph', () => engine.mergeTree(query)],
    ['flame graph', () => engine.mergeTree(query)],
    ['top', () => engine.mergeTop(query)],
    ['pprof', () => engine.mergePprof(query)],
    ['folded', () => engine.mergeFolded(query)],
    ['average, flame graph', () => engine.mergeTree({ ...query, aggregation: 'avg' })],
    ['maximum, flame graph', () => engine.mergeTree({ ...query, aggregation: 'max' })],
    ['time series by pod', () => engine.timeSeries({ ...query, stepMs: 15_000, groupBy: ['pod'] })],
  ];
  for (const [name, call] of calls) {
    const times: number[] = [];
    for (let i = 0; i < (name.startsWith('first') ? 1 : ROUNDS); i++) {
      const start = performance.now();
      await call();
      times.push(performance.now() - start);
    }
    times.sort((a, b) => a - b);
    const time = { medianMs: times[times.length >> 1] ?? 0, bestMs: times[0] ?? 0 };
    report(`hour of ten pods, decoded: ${name}`, meta.sampleCount, 'rows', time);
  }
}

benchKernels();
await benchEngine();
benchMerge();
benchTree(quick ? 30_000 : 3_000_000, 'large tree');
benchTree(25_000, 'usual tree');
