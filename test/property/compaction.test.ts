/**
 * Random profiles, cut into segments, compacted at random moments: what the blocks hold is what the obvious store
 * says (I2, I3), whatever the order; and the same data gives the same block (I4).
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Compactor } from '../../src/compaction/compactor.js';
import { ManifestStore } from '../../src/manifest/manifest-store.js';
import { MemoryBucket } from '../../src/objstore/memory-bucket.js';
import type { Bucket } from '../../src/objstore/bucket.js';
import {
  PlainBlocks,
  PlainSegments,
  plainSource,
  type TenantProfile,
} from '../support/compaction.js';
import { unnamedIn } from '../support/bucket-store.js';
import { CrashingBucket } from '../support/crashing-bucket.js';
import {
  type ModelProfile,
  ModelStore,
  type ModelType,
  stackText,
} from '../support/model-store.js';
import { plainKey } from '../support/symbols.js';
import { seededRng, VirtualClock } from '../support/virtual-clock.js';

const DAY_MS = 86_400_000;
const BASE_MS = 20_000 * DAY_MS;
const TENANTS = ['one', 'two'];

const shape = (name: string, types: ModelType[]) => ({
  name,
  types,
  periodType: 'p',
  periodUnit: 'u',
});
const SHAPES = [
  shape('memory', [
    { type: 'allocs', unit: 'count', temporality: 'cumulative' },
    { type: 'space', unit: 'bytes', temporality: 'cumulative' },
    { type: 'inuse', unit: 'bytes', temporality: 'gauge' },
  ]),
  shape('cpu', [{ type: 'cpu', unit: 'ns', temporality: 'delta' }]),
];

/** A counter's sample: stack and label by number, what it grows by. */
const sample = fc.record({
  stack: fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 3 }),
  label: fc.integer({ min: 0, max: 1 }),
  grows: fc.array(fc.oneof(fc.constant(0n), fc.bigInt(1n, 1n << 40n)), {
    minLength: 3,
    maxLength: 3,
  }),
});

const event = fc.record({
  tenant: fc.integer({ min: 0, max: 1 }),
  shape: fc.integer({ min: 0, max: 1 }),
  pod: fc.integer({ min: 0, max: 1 }),
  service: fc.integer({ min: 0, max: 1 }),
  // Mostly forward in time, sometimes late, over a few days.
  atMs: fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 4 * DAY_MS })),
  restarts: fc.integer({ min: 0, max: 5 }),
  samples: fc.array(sample, { maxLength: 4 }),
  /** 0: then the segment is sealed; 1: and compacted. */
  next: fc.integer({ min: 0, max: 5 }),
});
const events = fc.array(event, { minLength: 1, maxLength: 30 });
type Event = typeof event extends fc.Arbitrary<infer T> ? T : never;

/** The profiles of a run of events: counters that grow, and start anew now and then. */
function profilesOf(list: readonly Event[]): TenantProfile[] {
  const counters = new Map<string, Map<string, bigint[]>>();
  return list.map((e, i) => {
    const series = `${e.tenant}/${e.shape}/${e.pod}/${e.service}`;
    const counter =
      e.restarts === 0 ? new Map<string, bigint[]>() : (counters.get(series) ?? new Map());
    for (const { stack, label, grows } of e.samples) {
      const key = JSON.stringify([stack.map((f) => `f${f}`), label === 0 ? {} : { l: 'x' }]);
      const old = counter.get(key) ?? [0n, 0n, 0n];
      counter.set(
        key,
        old.map((v: bigint, c: number) => v + grows[c]!),
      );
    }
    counters.set(series, counter);
    const { name, types, periodType, periodUnit } = SHAPES[e.shape]!;
    const profile: ModelProfile = {
      name,
      types,
      periodType,
      periodUnit,
      labels: { service_name: `s${e.service}`, pod: `${e.pod}` },
      startMs: BASE_MS + e.atMs,
      id: `p${i}`,
      samples: [...counter].map(([key, values]) => {
        const [functions, labels] = JSON.parse(key) as [string[], Record<string, string>];
        return { functions, labels, values: values.slice(0, types.length) };
      }),
    };
    return { tenantId: TENANTS[e.tenant]!, profile };
  });
}

class World {
  readonly store: MemoryBucket | Bucket;
  readonly clock = new VirtualClock(BASE_MS + 30 * DAY_MS);
  readonly segments: PlainSegments;
  /** Two processes never draw the same random numbers. */
  #seed = 0;

  constructor(store: Bucket = new MemoryBucket(), segments = new PlainSegments()) {
    this.store = store;
    this.segments = segments;
  }

  compactor(bucket: Bucket = this.store, levelZeroBytesMax = 1): Compactor {
    const { clock, segments } = this;
    const rng = seededRng(++this.#seed);
    const manifests = new ManifestStore({ bucket, clock, rng }, { versionsKept: 2 });
    const blocks = new PlainBlocks(bucket);
    const settings = { levelZeroBytesMax, mergeInputsMax: 3, mergeCountMin: 2 };
    return new Compactor({ bucket, clock, rng, manifests, blocks, segments }, settings);
  }

  async run(compactor: Compactor, isFull = false): Promise<void> {
    const report = await (isFull ? compactor.runFull() : compactor.runOnce());
    const [failure] = report.failures;
    if (failure !== undefined) throw failure.error;
  }

  /** Value by stack for each tenant and type, and the live blocks. */
  async answers(): Promise<{ sums: Map<string, Map<string, bigint>>; blocks: number }> {
    const sums = new Map<string, Map<string, bigint>>();
    const manifests = new ManifestStore({
      bucket: this.store,
      clock: this.clock,
      rng: seededRng(8),
    });
    const blocks = new PlainBlocks(this.store);
    let count = 0;
    for (const tenantId of await manifests.tenants()) {
      for (const { blockId } of (await manifests.load(tenantId)).blocks) {
        count++;
        const content = await blocks.content(tenantId, blockId);
        for (const profile of content.profiles) {
          const entry = content.services.find((s) => s.service === profile.service)!;
          const source = plainSource(entry.symbols);
          const { profileName, sampleTypes } = entry.series[profile.series]!;
          sampleTypes.forEach(({ type, unit }, c) => {
            const id = `${tenantId}/${profileName}:${type}:${unit}:p:u`;
            const sum = sums.get(id) ?? new Map<string, bigint>();
            sums.set(id, sum);
            profile.key.forEach((k, r) => {
              const stack = stackText(plainKey(source, k).functions);
              sum.set(stack, (sum.get(stack) ?? 0n) + profile.values[c]![r]!);
            });
          });
        }
      }
    }
    for (const sum of sums.values()) for (const [stack, v] of sum) if (v === 0n) sum.delete(stack);
    return { sums, blocks: count };
  }
}

function expected(models: ReadonlyMap<string, ModelStore>): Map<string, Map<string, bigint>> {
  const out = new Map<string, Map<string, bigint>>();
  for (const [tenantId, model] of models) {
    for (const { name, types } of SHAPES) {
      for (const { type, unit } of types) {
        const typeId = `${name}:${type}:${unit}:p:u`;
        const answer = model.merge({
          typeId,
          aggregation: 'sum',
          startMs: 0,
          endMs: Number.MAX_SAFE_INTEGER,
          matches: () => true,
        });
        if (answer.size > 0) out.set(`${tenantId}/${typeId}`, answer);
      }
    }
  }
  return out;
}

const nonEmpty = (sums: Map<string, Map<string, bigint>>): Map<string, Map<string, bigint>> =>
  new Map([...sums].filter(([, sum]) => sum.size > 0));

const models = (): Map<string, ModelStore> => new Map(TENANTS.map((t) => [t, new ModelStore()]));

/** Seals and compacts as the events say. */
async function play(world: World, list: readonly Event[]): Promise<Map<string, ModelStore>> {
  const model = models();
  const compactor = world.compactor();
  let open: TenantProfile[] = [];
  let pending: TenantProfile[][] = [];
  const seal = (): void => {
    if (open.length > 0) {
      world.segments.add(open);
      pending.push(open);
    }
    open = [];
  };
  const compact = async (): Promise<void> => {
    for (const segment of pending) {
      for (const { tenantId, profile } of segment) model.get(tenantId)!.write(profile);
      for (const store of model.values()) store.compact({ isFull: true });
    }
    pending = [];
    await world.run(compactor);
  };
  const profiles = profilesOf(list);
  for (let i = 0; i < list.length; i++) {
    open.push(profiles[i]!);
    // The same profile again in one segment counts once.
    if (list[i]!.next === 2) open.push(profiles[i]!);
    if (list[i]!.next <= 1) seal();
    if (list[i]!.next === 1) await compact();
  }
  seal();
  await compact();
  return model;
}

const RUNS = Number(process.env['BASALT_PROPERTY_RUNS'] ?? 60);

describe('compaction', () => {
  it('keeps every sum, in steps and after a full compaction, and empties the log (I2, I3)', async () => {
    await fc.assert(
      fc.asyncProperty(events, async (list) => {
        const world = new World();
        const model = await play(world, list);
        expect(world.segments.count).toBe(0);
        const want = expected(model);
        expect(nonEmpty((await world.answers()).sums)).toEqual(want);
        await world.run(world.compactor(), true);
        const after = await world.answers();
        expect(nonEmpty(after.sums)).toEqual(want);
        expect(after.blocks).toBeLessThanOrEqual(4);
      }),
      { numRuns: RUNS },
    );
  });

  it('takes all pending segments at once as if they were one', async () => {
    await fc.assert(
      fc.asyncProperty(events, async (list) => {
        const world = new World();
        const model = models();
        const profiles = profilesOf(list);
        for (const profile of profiles) {
          world.segments.add([profile]);
          model.get(profile.tenantId)!.write(profile.profile);
        }
        await world.run(world.compactor(world.store, 1 << 20), true);
        expect(nonEmpty((await world.answers()).sums)).toEqual(expected(model));
      }),
      { numRuns: RUNS },
    );
  });

  it('survives a crash at every change of the bucket, before it and after it', async () => {
    const [list] = fc.sample(fc.array(event, { minLength: 10, maxLength: 12 }), {
      numRuns: 1,
      seed: 3,
    });
    const profiles = profilesOf(list!);
    const half = profiles.length >> 1;
    const setUp = async (): Promise<World> => {
      const world = new World();
      for (const part of [profiles.slice(0, half >> 1), profiles.slice(half >> 1, half)])
        world.segments.add(part);
      await world.run(world.compactor());
      for (const profile of profiles.slice(half)) world.segments.add([profile]);
      return world;
    };
    const reference = await setUp();
    const counting = new CrashingBucket(reference.store, Number.POSITIVE_INFINITY, false);
    await reference.run(reference.compactor(counting), true);
    const want = (await reference.answers()).sums;
    expect(counting.changes).toBeGreaterThan(20);
    for (let crashAt = 1; crashAt <= counting.changes; crashAt++) {
      for (const isDone of [false, true]) {
        const world = await setUp();
        const bucket = new CrashingBucket(world.store, crashAt, isDone);
        await world
          .compactor(bucket)
          .runFull()
          .catch(() => undefined);
        expect(bucket.isDead).toBe(true);
        // Whatever is live is whole, at once and after a run of the next process.
        await world.answers();
        await world.run(world.compactor(), true);
        const name = `crash at ${crashAt}, done ${isDone}`;
        expect((await world.answers()).sums, name).toEqual(want);
        // A full compaction collects at once: what the crash left behind too.
        expect(await unnamedIn(world.store), name).toEqual([]);
      }
    }
  });

  it('gives the same block for the same profiles, however they were cut into segments (I4)', async () => {
    await fc.assert(
      fc.asyncProperty(events, fc.nat(), async (list, cut) => {
        const contents: unknown[] = [];
        for (const at of [0, cut % list.length]) {
          const world = new World();
          const profiles = profilesOf(list).map((p) => ({ ...p, tenantId: 'one' }));
          world.segments.add(profiles.slice(0, at));
          world.segments.add(profiles.slice(at));
          await world.run(world.compactor(world.store, 1 << 20));
          const manifests = new ManifestStore({
            bucket: world.store,
            clock: world.clock,
            rng: seededRng(9),
          });
          for (const { blockId } of (await manifests.load('one')).blocks) {
            const { meta, ...content } = await new PlainBlocks(world.store).content('one', blockId);
            contents.push({ content, ...meta, blockId: '', createdMs: 0, lineage: undefined });
          }
        }
        const half = contents.length / 2;
        expect(contents.slice(half)).toEqual(contents.slice(0, half));
      }),
      { numRuns: RUNS },
    );
  });

  it('lets one of two compactors win and loses nothing', async () => {
    await fc.assert(
      fc.asyncProperty(events, async (list) => {
        const world = new World();
        const model = models();
        for (const profile of profilesOf(list)) {
          world.segments.add([profile]);
          model.get(profile.tenantId)!.write(profile.profile);
        }
        const compactors = [
          world.compactor(world.store, 1 << 20),
          world.compactor(world.store, 1 << 20),
        ];
        await Promise.all(compactors.map((compactor) => compactor.runOnce()));
        await world.run(world.compactor(world.store, 1 << 20));
        expect(nonEmpty((await world.answers()).sums)).toEqual(expected(model));
      }),
      { numRuns: 20 },
    );
  });
});
