import { existsSync, readFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { StoreError } from '../../../src/base/errors.js';
import { PprofDecoder } from '../../../src/formats/pprof/decode.js';
import { cpuProfileToPprof } from '../../../src/formats/v8/cpuprofile.js';
import { heapProfileToPprof } from '../../../src/formats/v8/heapprofile.js';
import { plainOfOurs, type PlainDecoded } from '../../support/decoded-pprof.js';

const V8 = join(import.meta.dirname, '../../../../shared/fixtures/v8');

function read(body: Uint8Array): PlainDecoded {
  const decoded = new PprofDecoder().decode(body);
  expect(decoded.rejections).toEqual([]);
  return plainOfOurs(decoded);
}

/** `root;child;leaf` to its values. */
function folded({ samples }: PlainDecoded): Record<string, bigint[]> {
  return Object.fromEntries(
    samples.map(({ locations, values }) => [
      locations
        .map(({ lines }) => lines[0]?.name)
        .reverse()
        .join(';'),
      [...values],
    ]),
  );
}

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof StoreError) return `${error.kind} ${error.code}`;
    throw error;
  }
  return 'no error';
}

function frame(functionName: string, lineNumber = 0, columnNumber = 0) {
  return { functionName, scriptId: '1', url: 'file:///a.js', lineNumber, columnNumber };
}

const CPU = {
  nodes: [
    // Children before parents: the format does not promise an order.
    {
      id: 5,
      callFrame: frame('leaf', 9),
      hitCount: 2,
      positionTicks: [
        { line: 11, ticks: 1 },
        { line: 12, ticks: 1 },
      ],
    },
    { id: 1, callFrame: { ...frame('(root)', -1, -1), url: '' }, hitCount: 0, children: [2, 3] },
    { id: 2, callFrame: { ...frame('(idle)', -1, -1), url: '' }, hitCount: 1 },
    { id: 3, callFrame: frame('', 4, 7), hitCount: 1, children: [5] },
  ],
  startTime: 1_000,
  endTime: 2_000,
  samples: [3, 5, 2, 5],
  // Times 1100, 1300, 1250 (backwards), 1600.
  timeDeltas: [100, 200, -50, 350],
};

describe('cpuProfileToPprof', () => {
  it('gives each sample the time until the next', () => {
    const plain = read(cpuProfileToPprof(CPU, { clock: 'wall', timeNs: 77n, comments: ['c'] }));
    expect(folded(plain)).toEqual({
      '(anonymous:5:8)': [1n, 200_000n],
      // 1300 to 1250 is 0; 1600 to the end is 400.
      '(anonymous:5:8);leaf': [2n, 400_000n],
      // From the latest time before (1300) to 1600.
      '(idle)': [1n, 300_000n],
    });
    expect(plain.sampleTypes).toEqual([
      ['samples', 'count'],
      ['wall', 'nanoseconds'],
    ]);
    expect([plain.timeNs, plain.durationNs, plain.comments]).toEqual([77n, 1_000_000n, ['c']]);
  });

  it('leaves idle samples out of CPU', () => {
    const plain = read(cpuProfileToPprof(JSON.stringify(CPU)));
    expect(Object.keys(folded(plain)).sort()).toEqual(['(anonymous:5:8)', '(anonymous:5:8);leaf']);
    const leaf = plain.samples
      .flatMap((s) => s.locations)
      .flatMap((l) => l.lines)
      .find((l) => l.name === 'leaf');
    expect([leaf?.startLine, leaf?.line, leaf?.file]).toEqual([10n, 0n, 'file:///a.js']);
  });

  it('splits by line on request, losing nothing', () => {
    const { samples } = read(cpuProfileToPprof(CPU, { lines: true }));
    const lines = samples.map(({ locations, values }) => [locations[0]?.lines[0]?.line, ...values]);
    expect(lines).toEqual([
      [0n, 1n, 200_000n],
      [11n, 1n, 200_000n],
      [12n, 1n, 200_000n],
    ]);
  });

  it.each([
    ['no JSON', '{'],
    ['a list', '[]'],
    ['no nodes', { ...CPU, nodes: undefined }],
    ['a time that is no number', { ...CPU, timeDeltas: [1, 2, 'x', 4] }],
    ['more samples than times', { ...CPU, samples: [3, 5, 2, 5, 5] }],
    ['an unknown node', { ...CPU, samples: [3, 5, 2, 99] }],
    ['an unknown child', { ...CPU, nodes: [{ id: 1, callFrame: frame('a'), children: [9] }] }],
    [
      'two parents',
      {
        ...CPU,
        nodes: [
          { id: 1, callFrame: frame('a'), children: [2, 2] },
          { id: 2, callFrame: frame('b') },
        ],
      },
    ],
    [
      'a circle',
      {
        ...CPU,
        nodes: [
          { id: 3, callFrame: frame('a'), children: [5] },
          { id: 5, callFrame: frame('b'), children: [3] },
        ],
      },
    ],
    ['a Chrome trace', { traceEvents: [] }],
    ['a name that is no text', { ...CPU, nodes: [{ id: 1, callFrame: { functionName: 5 } }] }],
  ])('refuses %s', (_, profile) => {
    expect(codeOf(() => cpuProfileToPprof(profile))).toBe('invalid PS_V8_PROFILE');
  });

  it.skipIf(!existsSync(V8))('converts recorded profiles', () => {
    for (const name of ['sucrase', 'simple', 'example']) {
      const body = readFileSync(join(V8, `${name}.cpuprofile`));
      const json = JSON.parse(body.toString()) as {
        samples: number[];
        startTime: number;
        endTime: number;
        timestamps?: number[];
      };
      const { samples } = read(cpuProfileToPprof(body, { clock: 'wall' }));
      const sum = (type: number): bigint =>
        samples.reduce((total, s) => total + (s.values[type] ?? 0n), 0n);
      expect(sum(0), name).toBe(BigInt(json.samples.length));
      const { timestamps } = json;
      const us =
        timestamps === undefined
          ? json.endTime - json.startTime
          : (timestamps.at(-1) ?? 0) - (timestamps[0] ?? 0);
      expect(Number(sum(1)), name).toBeLessThanOrEqual(us * 1_000);
      // What is missing came before the first sample.
      expect(Number(sum(1)), name).toBeGreaterThan(us * 700);
    }
  });

  it('converts what node:inspector gives', () => {
    const session = new Session();
    session.connect();
    const post = (method: string, params: object = {}): Record<string, unknown> => {
      let answer: Record<string, unknown> = {};
      // In the same thread the callback runs before post returns.
      session.post(method, params, (error: Error | null, result?: object) => {
        if (error !== null) throw error;
        answer = (result ?? {}) as Record<string, unknown>;
      });
      return answer;
    };
    post('Profiler.enable');
    post('Profiler.setSamplingInterval', { interval: 200 });
    post('HeapProfiler.startSampling', { samplingInterval: 1_024 });
    post('Profiler.start');
    const held: object[] = [];
    let spun = 0;
    for (let i = 0; i < 300_000; i++) {
      spun += JSON.stringify({ i }).length;
      if (i % 10 === 0) held.push({ i });
    }
    const cpu = read(cpuProfileToPprof(post('Profiler.stop')['profile']));
    const heap = read(heapProfileToPprof(post('HeapProfiler.getSamplingProfile')['profile']));
    session.disconnect();
    expect(spun + held.length).toBeGreaterThan(0);
    expect(cpu.samples.length).toBeGreaterThan(0);
    expect(heap.samples.length).toBeGreaterThan(0);
    const files = cpu.samples
      .flatMap((s) => s.locations)
      .flatMap((l) => l.lines)
      .map((l) => l.file);
    expect(files.some((file) => file.includes('v8.test'))).toBe(true);
  });
});

describe('heapProfileToPprof', () => {
  const HEAP = {
    head: {
      callFrame: frame('(root)', -1, -1),
      selfSize: 5,
      children: [
        {
          callFrame: frame('a'),
          selfSize: 0,
          children: [{ callFrame: frame('b', 1), selfSize: 70, children: [] }],
        },
        { callFrame: frame('b', 1), selfSize: 30 },
      ],
    },
  };

  it('keeps bytes by stack', () => {
    const plain = read(heapProfileToPprof(HEAP, { timeNs: 5n, samplingIntervalBytes: 512n }));
    expect(folded(plain)).toEqual({ '': [5n], b: [30n], 'a;b': [70n] });
    expect(plain.sampleTypes).toEqual([['inuse_space', 'bytes']]);
    expect([plain.texts['periodType'], plain.texts['periodUnit'], plain.period]).toEqual([
      'space',
      'bytes',
      512n,
    ]);
  });

  it('refuses what is none, and stacks without end', () => {
    let deep: object = { callFrame: frame('x'), selfSize: 1 };
    for (let i = 0; i < 10_000; i++)
      deep = { callFrame: frame('x'), selfSize: 1, children: [deep] };
    for (const profile of [
      CPU,
      {},
      null,
      5,
      'x',
      { head: deep },
      { head: { ...HEAP.head, selfSize: -1 } },
    ]) {
      expect(codeOf(() => heapProfileToPprof(profile))).toBe('invalid PS_V8_PROFILE');
    }
  });

  it.skipIf(!existsSync(V8))('converts a recorded profile', () => {
    const body = readFileSync(join(V8, 'heap.heapprofile'));
    let total = 0;
    JSON.parse(body.toString(), (key, value: unknown) => {
      if (key === 'selfSize') total += value as number;
      return value;
    });
    const { samples } = read(heapProfileToPprof(body));
    expect(samples.reduce((sum, s) => sum + (s.values[0] ?? 0n), 0n)).toBe(BigInt(total));
  });
});
