/** What a profile with many distinct stacks is made of, for benchmarks that need no recording. */
import type { PprofInput } from '../../src/formats/pprof/encode.js';
import { EMPTY_FRAME, type Frame } from '../../src/model/frame.js';
import { RECORDED, StackGenerator } from './generator.js';

export function manyStacks(stackCount: number, seed = 1): PprofInput {
  const [service] = RECORDED;
  if (service === undefined) throw new Error('no recorded service');
  const generator = new StackGenerator(service, seed);
  while (generator.distinctStacks < stackCount) generator.profile();
  const parent = [-1];
  const frame = [-1];
  const nodeOf = new Map<string, number>();
  const keys: number[] = [];
  for (let s = 0; s < stackCount; s++) {
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
      inlined: f % 16 === 15,
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
      keys: { node: Int32Array.from(keys), labelSet: new Int32Array(stackCount) },
      labelSets: { count: 1, labels: () => ({ strings: [], numbers: [] }) },
    },
    key: Int32Array.from({ length: stackCount }, (_, k) => k),
    values: [
      BigInt64Array.from({ length: stackCount }, (_, k) => BigInt((k % 50) + 1)),
      BigInt64Array.from({ length: stackCount }, (_, k) => BigInt((k % 50) + 1) * 10_000_000n),
    ],
  };
}
