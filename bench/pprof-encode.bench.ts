/**
 * What writing a pprof costs: many distinct stacks to gzip bytes, and the same without gzip. One JSON line a figure.
 *
 *     npx tsx bench/pprof-encode.bench.ts [--quick]
 */
import { encodePprof, type PprofInput } from '../src/formats/pprof/encode.js';
import { isQuick, printFigure } from './support/figures.js';
import { manyStacks } from './support/stacks.js';

const STACKS = isQuick ? 10_000 : 100_000;
const ROUNDS = isQuick ? 2 : 5;

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

const input = manyStacks(STACKS);
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
