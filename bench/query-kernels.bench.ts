/**
 * What a query costs apart from reading: rows/s of the sum kernels, nodes/s of the merge, and the call tree of a large
 * merged profile. One JSON line a figure; `--quick` for a small run.
 */
import { FramePool } from '../src/symbols/frame-pool.js';
import { SymbolMerger } from '../src/symbols/merge.js';
import { EMPTY_FRAME, type Frame } from '../src/model/frame.js';
import type { SymbolSource } from '../src/symbols/source.js';
import { sumDoubles, sumWords, wordsOf } from '../src/query/kernels.js';
import { NameTree } from '../src/query/render/name-tree.js';
import { nodeSums } from '../src/query/render/node-sums.js';
import { renderTop } from '../src/query/render/top.js';
import { cut, renderTree } from '../src/query/render/tree.js';
import { ExactSums } from '../src/query/sums.js';

const quick = process.argv.includes('--quick');
const ROUNDS = quick ? 3 : 9;
const STATS = { profiles: 0, series: 0, rows: 0, blocks: 0, segments: 0, missing: [] };

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
  report(
    'sum kernel, one double',
    rows,
    'rows',
    measure(() => sumDoubles(low, { key, words }, 0, rows)),
  );
  report(
    'sum kernel, two words',
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
  const cutTree = (): void => void cut(new NameTree(symbols, sums), 8_192, nodeCount);
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

benchKernels();
benchMerge();
benchTree(quick ? 30_000 : 3_000_000, 'large tree');
benchTree(25_000, 'usual tree');
