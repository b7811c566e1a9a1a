/**
 * Crashes all along deletions, retention and what compaction and collection make of them, on a real directory with real
 * blocks: nothing else is lost, nothing that is gone comes back, and no object is left over.
 */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/env/clock.js';
import { nodeFileSystem } from '../../src/env/node-files.js';
import { systemRng } from '../../src/env/rng.js';
import { openStore, type Store, type StoreOptions } from '../../src/index.js';
import type { Bucket } from '../../src/objstore/bucket.js';
import { openBucket } from '../../src/objstore/open-bucket.js';
import { keptOpen, unnamedIn } from '../support/bucket-store.js';
import { CrashingBucket } from '../support/crashing-bucket.js';
import { growthWrite, markedWrite, numbers, readMarked } from '../support/marked-profiles.js';

const MARKED = 18;
const STEPS = 6;
/** Odd, so that every other crash is one whose change was made and whose reply was lost. */
const STEP = Number(process.env['BASALT_CRASH_STEP'] ?? 3);
const DAY_MS = 86_400_000;
const DELETED = { tenantId: 'anonymous', selector: '{service_name="svc-1"}' };

let root: string;
let copies = 0;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'basalt-deletion-crash-'));
  const { dir, bucket } = await place('fixture');
  const store = await open(dir, bucket);
  for (let turn = 0; turn < 3; turn++) {
    for (const n of numbers(turn * 6, turn * 6 + 6)) await store.write(markedWrite(n));
    for (const step of numbers(turn * 2, turn * 2 + 2)) await store.write(growthWrite(step));
    if (turn < 2) await store.compact();
  }
  await store.close();
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

async function place(name: string): Promise<{ dir: string; bucket: Bucket }> {
  const dir = join(root, name);
  const parts = { files: nodeFileSystem, clock: systemClock, rng: systemRng };
  return { dir, bucket: await openBucket(join(dir, 'objects'), parts) };
}

function copy(): Promise<{ dir: string; bucket: Bucket }> {
  const name = `copy-${++copies}`;
  cpSync(join(root, 'fixture'), join(root, name), { recursive: true });
  return place(name);
}

const open = (dir: string, bucket: Bucket, more: Partial<StoreOptions> = {}): Promise<Store> =>
  openStore({ dir, bucket: keptOpen(bucket), threads: false, compaction: 'manual', ...more });

const ALL = numbers(0, MARKED);
const KEPT = ALL.filter((n) => n % 3 !== 1);

async function expectMarked(store: Store, want: readonly number[], steps: number): Promise<void> {
  const answer = await readMarked(store.query);
  expect(answer.missing).toEqual([]);
  expect([...answer.marked].sort((a, b) => a - b)).toEqual(want);
  expect(answer.steps.size).toBe(steps);
}

/** A deletion that a crash may have come before is there whole or not at all. */
async function expectAllOrKept(store: Store): Promise<void> {
  const { marked } = await readMarked(store.query);
  expect([MARKED, KEPT.length]).toContain(marked.size);
  await expectMarked(store, marked.size === MARKED ? ALL : KEPT, STEPS - 1);
}

interface Case {
  readonly options?: Partial<StoreOptions>;
  /** What a process does until it dies. */
  readonly run: (store: Store) => Promise<void>;
  /** What another one finds. */
  readonly check: (store: Store, name: string) => Promise<void>;
}

/** Dies before the n-th change, or after it with the reply lost, and goes on as another process would. */
async function crashEverywhere({ options = {}, run, check }: Case): Promise<void> {
  const reference = await copy();
  const counting = new CrashingBucket(reference.bucket, Number.POSITIVE_INFINITY, false);
  const whole = await open(reference.dir, counting, options);
  await run(whole);
  await whole.close();
  expect(counting.changes).toBeGreaterThan(10);
  for (let crashAt = 1; crashAt <= counting.changes; crashAt += STEP) {
    const { dir, bucket } = await copy();
    const crashing = new CrashingBucket(bucket, crashAt, crashAt % 2 === 0);
    const dying = await open(dir, crashing, options);
    await run(dying).catch(() => undefined);
    expect(crashing.isDead).toBe(true);
    await dying.close().catch(() => undefined);
    const name = `crash at ${crashAt} of ${counting.changes}`;
    try {
      const again = await open(dir, bucket, options);
      await check(again, name);
      expect(await again.verify()).toEqual([]);
      expect(await unnamedIn(bucket)).toEqual([]);
      await again.close();
    } catch (error) {
      throw new Error(name, { cause: error });
    }
    await crashing.bury();
    rmSync(dir, { recursive: true, force: true });
  }
}

describe('a crash anywhere', () => {
  it('in a deletion and its compaction: all of it or nothing, and then for good', async () => {
    await crashEverywhere({
      run: async (store) => {
        await store.delete(DELETED);
        await store.compact({ full: true });
      },
      check: async (store) => {
        await expectAllOrKept(store);
        await store.delete(DELETED);
        await expectMarked(store, KEPT, STEPS - 1);
        await store.compact({ full: true });
        await expectMarked(store, KEPT, STEPS - 1);
        expect(await store.deletions('anonymous')).toEqual([]);
      },
    });
  }, 120_000);

  it('where some series are past their age: they stay hidden, the others stay', async () => {
    const old = { selector: '{service_name="svc-2"}', keepMs: DAY_MS };
    const kept = ALL.filter((n) => n % 3 !== 2);
    await crashEverywhere({
      options: { retention: [old] },
      run: (store) => store.compact({ full: true }).then(() => undefined),
      check: async (store) => {
        await expectMarked(store, kept, STEPS - 1);
        await store.compact({ full: true });
        await expectMarked(store, kept, STEPS - 1);
      },
    });
  }, 120_000);

  it('where everything is past its age: no block is left, and none comes back', async () => {
    await crashEverywhere({
      options: { retention: [{ keepMs: DAY_MS }] },
      run: async (store) => {
        await store.compact({ full: true });
        await store.compact({ full: true });
      },
      check: async (store) => {
        await expectMarked(store, [], 0);
        await store.compact({ full: true });
        await store.compact({ full: true });
        await expectMarked(store, [], 0);
        expect((await store.inspect()).blocks).toEqual([]);
      },
    });
  }, 120_000);

  it('where old profiles become sums: each counts once, and nothing that was deleted before', async () => {
    await crashEverywhere({
      options: { retention: [{ sums: [{ afterMs: DAY_MS, width: '1h' }] }] },
      run: async (store) => {
        await store.delete(DELETED);
        await store.compact({ full: true });
      },
      check: async (store) => {
        await expectAllOrKept(store);
        await store.delete(DELETED);
        await store.compact({ full: true });
        await expectMarked(store, KEPT, STEPS - 1);
        const { blocks } = await store.inspect();
        expect(blocks.map((block) => block.sums?.width)).toEqual(['1h']);
      },
    });
  }, 120_000);
});
