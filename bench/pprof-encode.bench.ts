/**
 * What writing a pprof costs: many distinct stacks to gzip bytes, and the same without gzip. One JSON line a figure.
 *
 *     npx tsx bench/pprof-encode.bench.ts [--quick]
 */
import { encodePprof, type PprofInput } from '../src/formats/pprof/encode.js';
import { EMPTY_FRAME, type Frame } from '../src/model/frame.js';
import { isQuick, printFigure } from './support/figures.js';
import { RECORDED, StackGenerator } from './support/generator.js';

const STACKS = isQuick ? 10_000 : 100_000;
const ROUNDS = isQuick ? 2 : 5;
const SEED = 1;

function manyStacks(): PprofInput {
  const [service] = RECORDED;
  if (service === undefined) throw new Error('no recorded service');
  const generator = new StackGenerator(service, SEED);
  while (generator.distinctStacks < STACKS) generator.profile();
  const parent = [-1];
  const frame = [-1];
  const nodeOf = new Map<string, number>();
  const keys: number[] = [];
  for (let s = 0; s < STACKS; s++) {
    let node = 0;
    for (const f of generator.framesOf(s)) {
      const child = nodeOf.get(`${node},${f}`) ?? frame.push(f) - 1;
      if (child === parent.length) {
        parent.push(node);
        nodeOf.set(`${node},${f}`, child);
      }
      node = child;
    }
    keys.push(node);
  }
  const frames = Array.from(
    { length: generator.frames },
    (_, f): Frame => ({
      ...EMPTY_FRAME,
      functionName: `github.com/example/service/internal/part${f % 97}.(*Type${f % 991}).Method${f >> 2}`,
      fileName: `/src/internal/part${f % 97}/file${f % 991}.go`,
      line: BigInt(f % 1_000),
      mappingFile: '/bin/service',
      inlined: f % 4 === 3,
    }),
  );
  return {
    sampleTypes: [
      { type: 'samples', unit: 'count' },
      { type: 'cpu', unit: 'nanoseconds' },
    ],
    symbols: {
      frames: { count: frames.length, frame: (i) => frames[i] ?? EMPTY_FRAME },
      nodes: {
        count: parent.length,
        parent: Int32Array.from(parent),
        frame: Int32Array.from(frame),
      },
      keys: { node: Int32Array.from(keys), labelSet: new Int32Array(STACKS) },
      labelSets: { count: 1, labels: () => ({ strings: [], numbers: [] }) },
    },
    key: Int32Array.from({ length: STACKS }, (_, k) => k),
    values: [
      BigInt64Array.from({ length: STACKS }, (_, k) => BigInt((k % 50) + 1)),
      BigInt64Array.from({ length: STACKS }, (_, k) => BigInt((k % 50) + 1) * 10_000_000n),
    ],
  };
}

function bestMs(input: PprofInput): { ms: number; sizeBytes: number } {
  let ms = Number.POSITIVE_INFINITY;
  let sizeBytes = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    sizeBytes = encodePprof(input).length;
    ms = Math.min(ms, performance.now() - start);
  }
  return { ms, sizeBytes };
}

const input = manyStacks();
const detail = {
  stacks: STACKS,
  nodes: input.symbols.nodes.count,
  frames: input.symbols.frames.count,
};
const budget = { to: 'budget', value: (500 * STACKS) / 100_000 };
const gzip = bestMs(input);
printFigure({
  figure: 'pprof encode, gzip 1',
  value: gzip.ms,
  unit: 'ms',
  compare: [budget],
  detail: { ...detail, bytes: gzip.sizeBytes },
});
const plain = bestMs({ ...input, gzipLevel: 0 });
printFigure({
  figure: 'pprof encode, plain',
  value: plain.ms,
  unit: 'ms',
  compare: [budget],
  detail: { ...detail, bytes: plain.sizeBytes },
});
