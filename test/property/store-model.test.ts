/**
 * The whole store against the obvious one (test/support/model-store.ts): random profiles, written, retried, deleted,
 * sent again, past their age, flushed, compacted, reopened and queried in random order. Every merge must be equal to the last unit (I1,
 * I2, I3).
 */
import fc from 'fast-check';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { nodeFileSystem } from '../../src/env/node-files.js';
import { systemRng } from '../../src/env/rng.js';
import { openStore, type Store } from '../../src/index.js';
import { ROLLUP_WIDTH_NS, ROLLUP_WIDTHS, type RollupWidth } from '../../src/model/rollup-width.js';
import type { RetentionRule } from '../../src/manifest/retention.js';
import type { Aggregation } from '../../src/query/api.js';
import {
  type ModelProfile,
  type ModelType,
  ModelStore,
  stackText,
} from '../support/model-store.js';
import { plainPprof } from '../support/plain-pprof.js';
import { WallClock } from '../support/wall-clock.js';

const RUNS = Number(process.env['BASALT_PROPERTY_RUNS'] ?? 300);
const BASE_MS = 1_790_000_000_000;
/** After the last profile. Between two minutes, so that no age ends at a profile's start. */
const NOW_MS = BASE_MS + 4_401 * 60_000 + 30_000;

interface Shape {
  readonly name: string;
  readonly periodType: string;
  readonly periodUnit: string;
  readonly types: readonly ModelType[];
  /** What the sender says; undefined lets the table of known types decide. */
  readonly temporality?: 'delta' | 'gauge' | 'cumulative';
}

const delta = (type: string, unit: string): ModelType => ({ type, unit, temporality: 'delta' });
const SHAPES: readonly Shape[] = [
  {
    name: 'process_cpu',
    periodType: 'cpu',
    periodUnit: 'nanoseconds',
    types: [delta('samples', 'count'), delta('cpu', 'nanoseconds')],
  },
  {
    name: 'memory',
    periodType: 'space',
    periodUnit: 'bytes',
    types: [
      { type: 'alloc_objects', unit: 'count', temporality: 'cumulative' },
      { type: 'alloc_space', unit: 'bytes', temporality: 'cumulative' },
      { type: 'inuse_objects', unit: 'count', temporality: 'gauge' },
      { type: 'inuse_space', unit: 'bytes', temporality: 'gauge' },
    ],
  },
  {
    name: 'level',
    periodType: 'x',
    periodUnit: 'count',
    types: [{ type: 'level', unit: 'count', temporality: 'gauge' }],
    temporality: 'gauge',
  },
  {
    name: 'six',
    periodType: 'x',
    periodUnit: 'count',
    types: ['a', 'b', 'c', 'd', 'e', 'f'].map((type) => ({
      type,
      unit: 'count',
      temporality: 'cumulative' as const,
    })),
    temporality: 'cumulative',
  },
];

const functions = fc.array(fc.constantFrom('main', 'run', 'gc', 'read'), { maxLength: 3 });
const sampleLabels = fc.constantFrom<Record<string, string>>(
  {},
  {},
  { thread: 'a' },
  { thread: 'b', pod: 'mine' },
);
const value = fc.oneof(
  { weight: 6, arbitrary: fc.bigInt({ min: 0n, max: 20n }) },
  { weight: 1, arbitrary: fc.bigInt({ min: 2n ** 53n, max: 2n ** 55n }) },
);

const profile: fc.Arbitrary<ModelProfile> = fc
  .record({
    shape: fc.nat(SHAPES.length - 1),
    service: fc.constantFrom('api', 'web'),
    pod: fc.constantFrom('p1', 'p2'),
    // Minutes, over three days, dense at the start so that series collide.
    minute: fc.oneof(fc.nat(8), fc.nat(4_400)),
    id: fc.constantFrom('x', 'y', 'z'),
    rows: fc.array(
      fc.tuple(functions, sampleLabels, fc.array(value, { minLength: 6, maxLength: 6 })),
      { maxLength: 5 },
    ),
  })
  .map(({ shape, service, pod, minute, id, rows }) => {
    const { name, periodType, periodUnit, types } = SHAPES[shape] as Shape;
    return {
      labels: { service_name: service, pod },
      name,
      types,
      periodType,
      periodUnit,
      startMs: BASE_MS + minute * 60_000,
      id: `${id}-${minute}`,
      samples: rows.map(([stack, labels, values]) => ({
        functions: stack,
        labels,
        values: values.slice(0, types.length),
      })),
    };
  });

/** A process that counts up, starts anew now and then: what cumulative profiles look like when they are not noise. */
const counting: fc.Arbitrary<readonly ModelProfile[]> = fc
  .array(
    fc.tuple(
      fc.integer({ min: 1, max: 5 }),
      fc.boolean(),
      fc.array(fc.nat(9), { minLength: 4, maxLength: 4 }),
    ),
    {
      minLength: 2,
      maxLength: 6,
    },
  )
  .map((steps) => {
    const { name, periodType, periodUnit, types } = SHAPES[1] as Shape;
    const stacks = [['main'], ['main', 'run'], ['main', 'gc'], []];
    let minute = 0;
    let counters = [0, 0, 0, 0];
    return steps.map(([gap, restart, growth], step) => {
      minute += gap;
      counters = counters.map((c, i) => (restart && step > 0 ? 0 : c) + (growth[i] as number));
      return {
        labels: { service_name: 'counting', pod: 'p1' },
        name,
        types,
        periodType,
        periodUnit,
        startMs: BASE_MS + minute * 60_000,
        id: `c-${minute}`,
        samples: stacks.flatMap((stack, i) =>
          counters[i] === 0
            ? []
            : [
                {
                  functions: stack,
                  labels: {},
                  values: [counters[i], counters[i], 1, 2].map((v) => BigInt(v as number)),
                },
              ],
        ),
      };
    });
  });

const question = fc.record({
  shape: fc.nat(SHAPES.length - 1),
  type: fc.nat(5),
  aggregation: fc.constantFrom<Aggregation>('sum', 'sum', 'avg', 'last', 'max'),
  start: fc.oneof(fc.constant(0), fc.nat(10), fc.nat(4_400)),
  length: fc.oneof(fc.constant(5_000), fc.nat(10), fc.nat(4_400)),
  selector: fc.constantFrom(
    '{}',
    '{service_name="api"}',
    '{pod!="p1"}',
    '{service_name=~"w.*|counting"}',
    '{thread="a"}',
    '{thread=""}',
    '{pod=~"mine|p2"}',
  ),
});

const deletion = fc.record({
  start: fc.oneof(fc.constant(0), fc.nat(10), fc.nat(4_400)),
  length: fc.oneof(fc.constant(5_000), fc.nat(10), fc.nat(4_400)),
  selector: fc.constantFrom(
    '{service_name="api"}',
    '{service_name=~"w.*|counting"}',
    '{service_name=~".+"}',
    '{__name__="memory",pod="p1"}',
    '{pod!="p1"}',
    '{thread="a"}',
    '{service_name="api",thread!="a"}',
    '{thread=""}',
    '{pod=~"mine|p2",thread=~".+"}',
  ),
});
type ModelDelete = typeof deletion extends fc.Arbitrary<infer T> ? T : never;

/** Most histories keep everything, so that the rest of the store is met with much data. */
const retention: fc.Arbitrary<readonly RetentionRule[]> = fc.oneof(
  { weight: 2, arbitrary: fc.constant([]) },
  {
    weight: 1,
    arbitrary: fc.array(
      fc.record({
        selector: fc.constantFrom('', '{service_name="api"}', '{pod!="p1"}', '{__name__="memory"}'),
        keepMs: fc.integer({ min: 1, max: 100 }).map((hours) => hours * 3_600_000),
      }),
      { minLength: 1, maxLength: 3 },
    ),
  },
);

/** Sums in place of old profiles: what is asked at the edges of their buckets, of labels that they keep, stays as it was. */
const sumRules: fc.Arbitrary<readonly RetentionRule[]> = fc.array(
  fc.record({
    selector: fc.constantFrom('', '', '{service_name="api"}', '{pod!="p1"}', '{__name__="memory"}'),
    sums: fc
      .uniqueArray(fc.integer({ min: 1, max: 70 }), { minLength: 1, maxLength: 2 })
      .chain((hours) =>
        fc
          .subarray([...ROLLUP_WIDTHS], { minLength: hours.length, maxLength: hours.length })
          .map((widths) =>
            hours
              .sort((a, b) => a - b)
              .map((hour, i) => ({
                afterMs: hour * 3_600_000,
                width: widths[i] as RollupWidth,
              })),
          ),
      ),
  }),
  { minLength: 1, maxLength: 2 },
);

type Action =
  | { readonly kind: 'delete'; readonly deletion: ModelDelete }
  | { readonly kind: 'write'; readonly profiles: readonly ModelProfile[] }
  | { readonly kind: 'retry'; readonly index: number }
  | { readonly kind: 'flush' | 'compact' | 'compactFull' | 'reopen' }
  | { readonly kind: 'pass'; readonly minutes: number }
  | { readonly kind: 'query'; readonly question: Question };
type Question = typeof question extends fc.Arbitrary<infer T> ? T : never;

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .array(profile, { minLength: 1, maxLength: 4 })
      .map((profiles) => ({ kind: 'write' as const, profiles })),
  },
  { weight: 2, arbitrary: counting.map((profiles) => ({ kind: 'write' as const, profiles })) },
  { weight: 2, arbitrary: fc.nat().map((index) => ({ kind: 'retry' as const, index })) },
  { weight: 3, arbitrary: deletion.map((d) => ({ kind: 'delete' as const, deletion: d })) },
  { weight: 2, arbitrary: fc.nat(2_000).map((minutes) => ({ kind: 'pass' as const, minutes })) },
  { weight: 1, arbitrary: fc.constant({ kind: 'flush' as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'compact' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'compactFull' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'reopen' as const }) },
  { weight: 6, arbitrary: question.map((q) => ({ kind: 'query' as const, question: q })) },
);

/** Names that a selector is about. */
const namesOf = (selector: string): string[] =>
  [...selector.matchAll(/(\w+)(=~|!=|=)"/g)].map(([, name]) => name as string);

function matcherOf(selector: string): (labels: Readonly<Record<string, string>>) => boolean {
  const tests = [...selector.matchAll(/(\w+)(=~|!=|=)"([^"]*)"/g)].map(
    ([, name, operator, operand]) => {
      const text = operand as string;
      return (labels: Readonly<Record<string, string>>): boolean => {
        const actual = labels[name as string] ?? '';
        if (operator === '=') return actual === text;
        if (operator === '!=') return actual !== text;
        return new RegExp(`^(?:${text})$`).test(actual);
      };
    },
  );
  return (labels) => tests.every((test) => test(labels));
}

class Run {
  readonly #dir = mkdtempSync(join(tmpdir(), 'basalt-model-'));
  readonly #model = new ModelStore();
  readonly #written: ModelProfile[] = [];
  readonly #retention: readonly RetentionRule[];
  readonly #clock = new WallClock(NOW_MS);
  /** Of the widest sum that there may be. */
  readonly #widthMs: number;
  /** Identities of profiles. */
  readonly #known = new Set<string>();
  #hasCuts = false;
  #store: Store | undefined;
  /** Asked again with the next one: its answer may have been kept. */
  #lastQuestion: Question | undefined;

  constructor(rules: readonly RetentionRule[]) {
    this.#retention = rules;
    const widths = rules.flatMap(({ sums = [] }) => sums.map((sum) => sum.width));
    this.#widthMs = Math.max(
      0,
      ...widths.map((width) => Number(ROLLUP_WIDTH_NS[width] / 1_000_000n)),
    );
  }

  async open(): Promise<void> {
    this.#store = await openStore({
      dir: this.#dir,
      threads: false,
      compaction: 'manual',
      retention: this.#retention,
      environment: { files: nodeFileSystem, clock: this.#clock, rng: systemRng },
    });
  }

  #isPast({ labels, name, startMs }: ModelProfile): boolean {
    const series = { ...labels, __name__: name };
    const rule = this.#retention.find(({ selector = '' }) => matcherOf(selector)(series));
    const { keepMs = Number.POSITIVE_INFINITY } = rule ?? {};
    return startMs < this.#clock.nowMs() - keepMs;
  }

  /** Whether it may be a part of a sum, which does not know ids any more: sent again, it counts again. */
  #isForgotten(given: ModelProfile): boolean {
    const { labels, name, id, startMs } = given;
    const identity = JSON.stringify([labels, name, id, startMs]);
    const isKnown = this.#known.has(identity);
    this.#known.add(identity);
    return isKnown && this.#widthMs > 0;
  }

  /** A range that no sum reaches across, and a selector of labels that sums keep. */
  #sumsKnow<T extends { selector: string; startMs: number; endMs: number }>(question: T): T {
    const width = this.#widthMs;
    if (width === 0) return question;
    return {
      ...question,
      selector: namesOf(question.selector).includes('pod')
        ? '{service_name="api"}'
        : question.selector,
      startMs: Math.floor(question.startMs / width) * width,
      endMs: Math.ceil(question.endMs / width) * width,
    };
  }

  async close(): Promise<void> {
    await this.#store?.close();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  async #write(given: ModelProfile): Promise<void> {
    // Whether what is past its age is still known, and so a duplicate, depends on when it leaves the disk.
    if (this.#isPast(given) || this.#isForgotten(given)) return;
    const shape = SHAPES.find((s) => s.name === given.name) as Shape;
    const result = await (this.#store as Store).write({
      labels: [
        ...Object.entries(given.labels).map(([name, v]) => ({ name, value: v })),
        { name: '__name__', value: given.name },
      ],
      profile: plainPprof(given),
      profileId: given.id,
      ...(shape.temporality === undefined ? {} : { temporality: shape.temporality }),
    });
    expect(result.rejections).toEqual([]);
    expect(result.profiles).toBe(this.#model.write(given));
    this.#written.push(given);
  }

  async step(act: Action): Promise<void> {
    const store = this.#store as Store;
    switch (act.kind) {
      case 'write':
        // All at once: they share commits, and retries inside the batch meet their pending originals.
        for (const p of act.profiles) await this.#write(p);
        return;
      case 'retry': {
        const again = this.#written[act.index % Math.max(1, this.#written.length)];
        if (again !== undefined) await this.#write(again);
        return;
      }
      case 'pass':
        this.#clock.wallMs += act.minutes * 60_000;
        this.#model.expire((p) => this.#isPast(p));
        return;
      case 'flush':
        await store.flush();
        return;
      case 'compact':
      case 'compactFull':
        await store.compact({ full: act.kind === 'compactFull' });
        this.#model.compact({ isFull: act.kind === 'compactFull' });
        return;
      case 'delete':
        await this.#delete(act.deletion);
        return;
      case 'reopen':
        await store.close();
        await this.open();
        return;
      case 'query':
        if (this.#lastQuestion !== undefined) await this.#query(this.#lastQuestion);
        await this.#query(act.question);
        this.#lastQuestion = act.question;
        await this.#list();
    }
  }

  async #delete(asked: ModelDelete): Promise<void> {
    const from = BASE_MS + asked.start * 60_000;
    const { selector, startMs, endMs } = this.#sumsKnow({
      // A sum that loses some of its samples still counts all of its profiles.
      selector:
        this.#widthMs > 0 && namesOf(asked.selector).includes('thread')
          ? '{service_name="web"}'
          : asked.selector,
      startMs: from,
      endMs: from + (asked.length + 1) * 60_000,
    });
    await (this.#store as Store).delete({ selector, startMs, endMs });
    const names = namesOf(selector);
    this.#model.delete({ names, matches: matcherOf(selector), startMs, endMs });
    // Samples of a cumulative profile that add nothing are still listed from the log.
    this.#hasCuts ||= names.includes('thread');
  }

  async #list(): Promise<void> {
    if (this.#hasCuts) return;
    const services = await (this.#store as Store).query.labelValues({
      tenantId: 'anonymous',
      selector: '',
      startMs: 0,
      endMs: 2 * BASE_MS,
      name: 'service_name',
    });
    expect(services).toEqual({ items: this.#model.services(), missing: [] });
  }

  async #query(q: Question): Promise<void> {
    const shape = SHAPES[q.shape] as Shape;
    const type = shape.types[q.type % shape.types.length] as ModelType;
    const typeId = [shape.name, type.type, type.unit, shape.periodType, shape.periodUnit].join(':');
    const from = BASE_MS + q.start * 60_000;
    const { selector, startMs, endMs } = this.#sumsKnow({
      selector: q.selector,
      startMs: from,
      endMs: from + (q.length + 1) * 60_000,
    });
    const isKnown = q.aggregation === 'sum' || (q.aggregation === 'avg' && shape.name === 'level');
    const aggregation = this.#widthMs > 0 && !isKnown ? 'sum' : q.aggregation;
    const matches = matcherOf(selector);
    const want = this.#model.merge({ typeId, aggregation, startMs, endMs, matches });
    const answer = await (this.#store as Store).query.mergeFolded({
      tenantId: 'anonymous',
      selector,
      startMs,
      endMs,
      profileType: typeId,
      aggregation,
    });
    const got = new Map<string, bigint>();
    for (const line of Buffer.from(answer.body).toString().split('\n')) {
      if (line === '') continue;
      const cut = line.lastIndexOf(' ');
      const stack = line.slice(0, cut);
      got.set(stackText(stack === '[empty]' ? [] : stack.split(';')), BigInt(line.slice(cut + 1)));
    }
    expect(answer.stats.missing).toEqual([]);
    expect(Object.fromEntries([...got].sort()), `${typeId} ${JSON.stringify(q)}`).toEqual(
      Object.fromEntries([...want].sort()),
    );
  }
}

describe('the whole store', () => {
  it('answers as the obvious one does', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(action, { minLength: 4, maxLength: 24 }),
        question,
        fc.oneof({ weight: 3, arbitrary: retention }, { weight: 2, arbitrary: sumRules }),
        async (actions, last, rules) => {
          const run = new Run(rules);
          try {
            await run.open();
            for (const act of actions) await run.step(act);
            await run.step({ kind: 'query', question: last });
          } finally {
            await run.close();
          }
        },
      ),
      { numRuns: RUNS },
    );
  }, 600_000);
});
