import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  openStore,
  parseRetentionRule,
  type Store,
  type StoreOptions,
} from '../../../src/index.js';
import { systemClock } from '../../../src/env/clock.js';
import { nodeFileSystem } from '../../../src/env/node-files.js';
import { systemRng } from '../../../src/env/rng.js';
import { plainPprof } from '../../support/plain-pprof.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const NOW_MS = Date.now();
const TYPE = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'basalt-delete-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const open = (more: Partial<StoreOptions> = {}): Promise<Store> =>
  openStore({ dir, threads: false, compaction: 'manual', ...more });

interface Write {
  readonly service?: string;
  readonly env?: string;
  readonly ageMs: number;
  readonly functions?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
}

async function write(store: Store, given: Write): Promise<number> {
  const { service = 'shop', env = 'prod', ageMs, functions = ['main'], labels = {} } = given;
  const result = await store.write({
    labels: [
      { name: 'service_name', value: service },
      { name: 'env', value: env },
      { name: '__name__', value: 'process_cpu' },
    ],
    profile: plainPprof({
      types: [{ type: 'cpu', unit: 'nanoseconds', temporality: 'delta' }],
      periodType: 'cpu',
      periodUnit: 'nanoseconds',
      startMs: NOW_MS - ageMs,
      samples: [{ functions, labels, values: [7n] }],
    } as never),
    profileId: `${service}-${env}-${ageMs}`,
  });
  return result.profiles;
}

const range = { tenantId: 'anonymous', startMs: 0, endMs: 2 * NOW_MS };

async function total(store: Store, selector = '{}'): Promise<bigint> {
  return (await store.query.mergeTop({ ...range, selector, profileType: TYPE })).total;
}

/** A heap profile of a counter and a gauge. */
async function writeHeap(
  store: Store,
  given: {
    readonly env?: string;
    readonly ageMs: number;
    readonly samples: readonly {
      readonly functions?: readonly string[];
      readonly labels?: Readonly<Record<string, string>>;
      readonly values: readonly bigint[];
    }[];
  },
): Promise<void> {
  const { env = 'prod', ageMs, samples } = given;
  await store.write({
    labels: [
      { name: 'service_name', value: 'shop' },
      { name: 'env', value: env },
      { name: '__name__', value: 'memory' },
    ],
    profile: plainPprof({
      types: [
        { type: 'alloc_space', unit: 'bytes', temporality: 'cumulative' },
        { type: 'inuse_space', unit: 'bytes', temporality: 'gauge' },
      ],
      periodType: 'space',
      periodUnit: 'bytes',
      startMs: NOW_MS - ageMs,
      samples: samples.map((sample) => ({ functions: ['main'], labels: {}, ...sample })),
    } as never),
    profileId: `heap-${env}-${ageMs}`,
  });
}

async function heapTotal(store: Store, type: string, selector = '{}'): Promise<bigint> {
  const profileType = `memory:${type}:bytes:space:bytes`;
  return (await store.query.mergeTop({ ...range, selector, profileType })).total;
}

const values = async (store: Store, name: string): Promise<readonly string[]> =>
  (await store.query.labelValues({ ...range, selector: '', name })).items;

/** Every object of the store and its log but manifests (of which old ones have the selectors), as one text. */
function everything(): string {
  const files = readdirSync(dir, { recursive: true, withFileTypes: true });
  return files
    .filter((f) => f.isFile() && !f.parentPath.includes('/manifest/'))
    .map((f) => `${f.name} ${readFileSync(join(f.parentPath, f.name)).toString('latin1')}`)
    .join('\n');
}

describe('a deletion', () => {
  it('that is called while a compaction runs is not forgotten by it', async () => {
    const store = await open();
    for (let i = 0; i < 50; i++) await write(store, { service: 'other', ageMs: HOUR_MS + i });
    // It knows the log up to here.
    const running = store.compact();
    await write(store, { ageMs: HOUR_MS });
    await store.delete({ selector: '{service_name="shop"}' });
    expect(await total(store, '{service_name="shop"}')).toBe(0n);
    await running;
    expect(await total(store, '{service_name="shop"}')).toBe(0n);
    await store.compact({ full: true });
    expect(await total(store, '{service_name="shop"}')).toBe(0n);
    expect(await store.deletions()).toEqual([]);
    expect(everything()).not.toContain('shop');
    await store.close();
  });

  it('of a counter can be repeated in parts, whatever is compacted between them', async () => {
    const counts = [100n, 200n, 400n, 450n];
    const store = await open();
    const send = (at: number): Promise<unknown> =>
      writeHeap(store, { ageMs: HOUR_MS - at, samples: [{ values: [counts[at]!, 0n] }] });
    const sum = (): Promise<bigint> => heapTotal(store, 'alloc_space');
    for (const at of [0, 1, 2]) await send(at);
    expect(await sum()).toBe(300n);
    await store.delete({ selector: '{service_name="shop"}' });
    expect(await sum()).toBe(0n);
    // The deleted ones are in the log still, so that compaction sees both.
    await send(0);
    await send(1);
    expect(await sum()).toBe(100n);
    for (const full of [false, true]) {
      await store.compact({ full });
      expect(await sum()).toBe(100n);
    }
    await send(2);
    expect(await sum()).toBe(300n);
    await send(3);
    await store.compact({ full: true });
    expect(await sum()).toBe(350n);
    await store.close();
  });

  it('counts for what is compared with it, and what is past its age does too', async () => {
    const clock = { ...systemClock, nowMs: () => nowMs };
    let nowMs = NOW_MS;
    const environment = { files: nodeFileSystem, clock, rng: systemRng };
    const retention = [parseRetentionRule('95h')];
    const store = await open({ environment, retention });
    const hours = [8, 9, 20, 30];
    const send = (at: number): Promise<unknown> =>
      writeHeap(store, {
        ageMs: (100 - hours[at]!) * HOUR_MS,
        samples: [{ values: [[100n, 200n, 400n, 1000n][at]!, 0n] }],
      });
    for (const at of hours.keys()) await send(at);
    await store.delete({ selector: '{service_name="shop"}' });
    await store.compact();
    for (const at of [0, 1, 2]) await send(at);
    expect(await heapTotal(store, 'alloc_space')).toBe(300n);
    // Two of them are hidden now.
    nowMs += 8 * HOUR_MS;
    expect(await heapTotal(store, 'alloc_space')).toBe(200n);
    await store.compact();
    expect(await heapTotal(store, 'alloc_space')).toBe(200n);
    await store.close();
  });

  it('of what was compared with a deletion leaves nothing to compare with', async () => {
    for (const isInherited of [false, true]) {
      const store = await open({ dir: join(dir, String(isInherited)) });
      const send = (minute: number, value: bigint, env = 'prod'): Promise<unknown> =>
        writeHeap(store, { env, ageMs: HOUR_MS - minute, samples: [{ values: [value, 0n] }] });
      const own = '{env="prod"}';
      await send(10, 100n);
      await send(11, 1n, 'dev');
      await send(20, 400n);
      await store.delete({ selector: own, startMs: NOW_MS - HOUR_MS + 15 });
      await store.compact({ full: true });
      await store.delete({ selector: own });
      if (isInherited) {
        await send(12, 2n, 'dev');
        await store.compact();
      }
      await send(15, 200n);
      await send(30, 900n);
      expect(await heapTotal(store, 'alloc_space', own)).toBe(700n);
      await store.compact();
      expect(await heapTotal(store, 'alloc_space', own)).toBe(700n);
      await store.close();
    }
  });

  it('of samples takes a profile of which only samples are left that count nothing', async () => {
    const store = await open();
    const gone = { thread: 't' };
    const heap = (minute: number, values: readonly (readonly bigint[])[]): Promise<unknown> =>
      writeHeap(store, {
        ageMs: HOUR_MS - minute,
        samples: values.map((own, i) => ({
          functions: [`k${i}`],
          labels: i === 0 ? gone : {},
          values: own,
        })),
      });
    await heap(1, [
      [50n, 1n],
      [35n, 10n],
    ]);
    await heap(2, [
      [68n, 7n],
      [35n, 0n],
    ]);
    await store.delete({ selector: '{thread="t"}' });
    // An average: of one profile.
    expect(await heapTotal(store, 'inuse_space')).toBe(10n);
    await store.compact();
    expect(await heapTotal(store, 'inuse_space')).toBe(10n);
    await store.close();
  });

  it('takes effect at once in the log and in blocks, and leaves the rest', async () => {
    for (const isCompacted of [false, true]) {
      const store = await open();
      await write(store, { ageMs: HOUR_MS });
      await write(store, { ageMs: 2 * HOUR_MS });
      await write(store, { service: 'cart', ageMs: HOUR_MS });
      if (isCompacted) await store.compact();
      const deletion = await store.delete({
        selector: '{service_name="shop"}',
        endMs: NOW_MS - HOUR_MS,
      });
      expect(deletion).toMatchObject({
        selector: '{service_name="shop"}',
        endMs: NOW_MS - HOUR_MS,
      });
      expect(await total(store, '{service_name="shop"}')).toBe(7n);
      expect(await total(store)).toBe(14n);
      await store.delete({ selector: '{service_name="shop"}' });
      expect(await values(store, 'service_name')).toEqual(['cart']);
      expect(await total(store)).toBe(7n);
      const bounds = await store.query.profileBounds({ ...range, selector: '' });
      expect(bounds).toEqual({ oldestMs: NOW_MS - HOUR_MS, newestMs: NOW_MS - HOUR_MS });
      await store.delete({ selector: '{service_name="cart"}' });
      expect(await store.query.profileBounds({ ...range, selector: '' })).toBeUndefined();
      await store.close();
      rmSync(dir, { recursive: true });
    }
  });

  it('is for good when compaction has passed: not a byte of it is left, and no tombstone', async () => {
    const store = await open();
    await write(store, { ageMs: HOUR_MS, functions: ['keptFunction'] });
    await write(store, { service: 'secret', ageMs: HOUR_MS, functions: ['secretFunction'] });
    await write(store, {
      ageMs: HOUR_MS + 1,
      functions: ['spanFunction'],
      labels: { user: 'secretUser' },
    });
    await store.compact();
    expect(everything()).toContain('secretFunction');
    await store.delete({ selector: '{service_name="secret"}' });
    await store.delete({ selector: '{user="secretUser"}' });
    expect(await store.deletions()).toHaveLength(2);
    const { tenants } = await store.inspect();
    expect(tenants[0]?.deletions).toMatchObject([
      { selector: '{service_name="secret"}', blocks: 1 },
      { selector: '{user="secretUser"}', blocks: 1 },
    ]);
    expect(await values(store, 'user')).toEqual([]);
    await store.compact({ full: true });
    expect(await store.deletions()).toEqual([]);
    expect(await total(store)).toBe(7n);
    expect(await store.verify()).toEqual([]);
    const text = everything();
    for (const gone of ['secretFunction', 'spanFunction', 'secretUser']) {
      expect(text).not.toContain(gone);
    }
    expect(text).toContain('keptFunction');
    await store.close();
  });

  it('covers only what was committed before: the same data can be written again, and is there', async () => {
    let store = await open();
    const one = { ageMs: HOUR_MS };
    expect(await write(store, one)).toBe(1);
    for (const next of ['log', 'reopened', 'block', 'rewritten'] as const) {
      expect(await write(store, one)).toBe(0);
      if (next === 'block' || next === 'rewritten') await store.compact();
      await store.delete({ selector: '{service_name="shop"}' });
      if (next === 'rewritten') await store.compact({ full: true });
      if (next === 'reopened') {
        await store.close();
        store = await open();
      }
      expect(await total(store)).toBe(0n);
      expect(await write(store, one), next).toBe(1);
      expect(await write(store, one)).toBe(0);
      expect(await total(store)).toBe(7n);
    }
    await store.compact({ full: true });
    expect(await total(store)).toBe(7n);
    await store.close();
  });

  it('of all samples of a profile lets it be sent again once compaction has dropped it, whatever ingest had looked up', async () => {
    const store = await open();
    const one = { ageMs: HOUR_MS, labels: { user: 'a' } };
    expect(await write(store, one)).toBe(1);
    await store.compact();
    expect(await write(store, one)).toBe(0);
    await store.delete({ selector: '{user="a"}' });
    expect(await write(store, one)).toBe(0);
    await store.compact({ full: true });
    expect(await write(store, one)).toBe(1);
    expect(await write(store, one)).toBe(0);
    expect(await total(store)).toBe(7n);
    await store.close();
  });

  it('that touches nothing costs no rewrite', async () => {
    const store = await open();
    await write(store, { ageMs: HOUR_MS });
    await store.compact();
    const before = (await store.inspect()).blocks.map((b) => b.id);
    await store.delete({ selector: '{service_name="nobody"}' });
    await store.compact();
    expect((await store.inspect()).blocks.map((b) => b.id)).toEqual(before);
    expect(await store.deletions()).toEqual([]);
    await store.close();
  });

  it('is refused without a matcher, with one of a profile type, and with a range that is none', async () => {
    const store = await open();
    const fails = (request: Parameters<Store['delete']>[0]) =>
      store.delete(request).then(
        () => 'deleted',
        (error: { code: string }) => error.code,
      );
    expect(await fails({ selector: '{}' })).toBe('PS_DELETE_SELECTOR');
    expect(await fails({ selector: '{__profile_type__="x"}' })).toBe('PS_DELETE_SELECTOR');
    expect(await fails({ selector: '{a="b"}', startMs: 5, endMs: 5 })).toBe('PS_DELETE_RANGE');
    expect(await fails({ selector: '{a="b"}', startMs: 0.5 })).toBe('PS_DELETE_RANGE');
    expect(await fails({ selector: '{a="b"', startMs: 1 })).toMatch(/^PS_SELECTOR/);
    expect(await fails({ tenantId: '../x', selector: '{a="b"}' })).toBe('PS_TENANT');
    await store.close();
  });
});

describe('retention', () => {
  const rules = ['{env="dev"}=2d', '7d'].map(parseRetentionRule);
  const fill = async (store: Store): Promise<void> => {
    for (const env of ['dev', 'prod']) {
      for (const days of [1, 4, 9]) await write(store, { env, ageMs: days * DAY_MS });
    }
  };

  it('hides what is past its age at once, from the log and from blocks', async () => {
    const first = await open();
    await fill(first);
    expect(await total(first)).toBe(42n);
    await first.close();
    for (const compacts of [false, true]) {
      const plain = await open();
      if (compacts) await plain.compact();
      await plain.close();
      const store = await open({ retention: rules });
      expect(await total(store, '{env="dev"}')).toBe(7n);
      expect(await total(store, '{env="prod"}')).toBe(14n);
      const old = { ...range, endMs: NOW_MS - 5 * DAY_MS, selector: '' };
      expect((await store.query.series(old)).items).toEqual([]);
      await store.close();
    }
  });

  it('takes it out for good at compaction: whole blocks dropped, others rewritten, once', async () => {
    const first = await open();
    await fill(first);
    await first.close();
    const store = await open({ retention: rules });
    const report = await store.compact();
    expect(report.blocksDropped).toBe(1);
    const blocks = (await store.inspect()).blocks;
    expect(blocks.map((b) => b.profiles).sort()).toEqual([1, 2]);
    const again = await store.compact();
    expect(again).toMatchObject({ blocksDropped: 0, merges: 0 });
    expect(await total(store)).toBe(21n);
    expect(await store.verify()).toEqual([]);
    await store.close();
    const forever = await open();
    expect(await total(forever)).toBe(21n);
    await forever.close();
  });

  it('refuses what would be gone at once, and takes the rest', async () => {
    const store = await open({ retention: rules });
    const expired = { kind: 'invalid', code: 'PS_PROFILE_EXPIRED' };
    await write(store, { env: 'dev', ageMs: DAY_MS });
    await expect(write(store, { env: 'dev', ageMs: 3 * DAY_MS })).rejects.toMatchObject(expired);
    await write(store, { env: 'prod', ageMs: 3 * DAY_MS });
    await expect(write(store, { env: 'prod', ageMs: 8 * DAY_MS })).rejects.toMatchObject(expired);
    expect(await total(store)).toBe(14n);
    await store.close();
  });

  it('refuses a rule that cannot be meant', async () => {
    for (const text of ['', '7', 'd', '{a="b"}', 'a b=3d', '=7d=7d', '7m']) {
      expect(() => parseRetentionRule(text), text).toThrow(/cannot read retention rule/);
    }
    await expect(open({ retention: [{ keepMs: 5 }] })).rejects.toMatchObject({
      code: 'PS_RETENTION',
    });
    await expect(open({ retention: [{ selector: '{', keepMs: DAY_MS }] })).rejects.toMatchObject({
      kind: 'invalid',
    });
    expect(parseRetentionRule('team-a{env="dev",pod="a=1d"}=12h')).toEqual({
      tenantId: 'team-a',
      selector: '{env="dev",pod="a=1d"}',
      keepMs: 12 * HOUR_MS,
    });
  });
});
