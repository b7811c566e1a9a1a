/**
 * Collection beside everything else: a compaction that sleeps through it at any point, a query that runs across it at
 * any point. Nothing live is lost and nothing is counted wrong.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { openBlock } from '../../src/block/reader.js';
import { isKind } from '../../src/base/errors.js';
import { listLogPosition } from '../../src/head/log-position.js';
import type { BlockOrigin } from '../../src/manifest/only-copies.js';
import { sweepTenant } from '../../src/manifest/sweep.js';
import type { Store } from '../../src/index.js';
import type { FileSystem } from '../../src/env/files.js';
import type { Bucket } from '../../src/objstore/bucket.js';
import {
  bucketWith,
  manifestsOf,
  objectsOf,
  openOnBucket,
  unnamedIn,
} from '../support/bucket-store.js';
import { FaultyBucket } from '../support/faulty-bucket.js';
import { HastyClock } from '../support/hasty-clock.js';
import { LossyFiles } from '../support/lossy-files.js';
import { growthWrite, markedWrite, numbers, readMarked } from '../support/marked-profiles.js';
import { filesOf, filesWith, STORE_DIR } from '../support/stored-files.js';

const MARKED = 24;
const STEPS = 6;
const CHANGES = new Set([
  'put',
  'putIfAbsent',
  'putIfMatch',
  'startUpload',
  'write',
  'finish',
  'delete',
]);

async function expectWhole(store: Store): Promise<void> {
  const { marked, steps, missing } = await readMarked(store.query);
  expect(missing).toEqual([]);
  expect(marked.size).toBe(MARKED);
  expect(steps.size).toBe(STEPS - 1);
}

/** As `basalt gc --grace-hours 0` from another process. */
async function sweep(bucket: Bucket, disk: FileSystem): Promise<number> {
  const originOf = async (t: string, b: string): Promise<BlockOrigin | undefined> => {
    try {
      return (await openBlock(bucket, t, b)).meta;
    } catch (error) {
      if (isKind(error, 'not-found')) return undefined;
      throw error;
    }
  };
  const { segments: logged } = await listLogPosition(disk, `${STORE_DIR}/log`);
  const manifests = manifestsOf(bucket);
  const parts = { bucket, manifests, clock: new HastyClock(), originOf, logged };
  const { orphans, kept } = await sweepTenant(parts, 'anonymous', { graceMs: 0 });
  expect(kept).toEqual([]);
  return orphans.length;
}

describe('collection', () => {
  let files: ReadonlyMap<string, Uint8Array>;
  let objects: ReadonlyMap<string, Uint8Array>;

  /** Two blocks with carries, and a log that holds the rest. */
  beforeAll(async () => {
    const disk = new LossyFiles();
    const bucket = await bucketWith(new Map());
    const store = await openOnBucket(disk, bucket);
    for (let turn = 0; turn < 3; turn++) {
      for (const n of numbers(turn * 8, turn * 8 + 8)) await store.write(markedWrite(n));
      for (const step of numbers(turn * 2, turn * 2 + 2)) await store.write(growthWrite(step));
      if (turn < 2) await store.compact();
    }
    await expectWhole(store);
    objects = await objectsOf(bucket);
    await store.close();
    files = await filesOf(disk);
  });

  const reopen = async () => {
    const memory = await bucketWith(objects);
    const bucket = new FaultyBucket(memory);
    const disk = await filesWith(files);
    return { memory, bucket, disk, store: await openOnBucket(disk, bucket) };
  };

  it('voids a compaction that slept through it, wherever it slept', async () => {
    const counting = await reopen();
    const before = counting.bucket.log.length;
    await counting.store.compact();
    const changes = counting.bucket.log
      .slice(before)
      .filter((entry) => CHANGES.has(entry.split(' ')[0] as string));
    await counting.store.close();
    expect(changes.length).toBeGreaterThan(10);
    let swept = 0;
    for (let n = 1; n <= changes.length; n++) {
      const { memory, bucket, disk, store } = await reopen();
      let seen = 0;
      const stall = bucket.stallAt((operation) => CHANGES.has(operation) && ++seen === n);
      const compacting = store.compact();
      await stall.reached;
      swept += await sweep(memory, disk);
      stall.wake();
      await compacting;
      try {
        await expectWhole(store);
        expect(await store.verify()).toEqual([]);
        await sweep(memory, disk);
        expect(await unnamedIn(memory)).toEqual([]);
        await expectWhole(store);
      } catch (error) {
        throw new Error(`asleep at change ${n}, ${changes[n - 1]}`, { cause: error });
      }
      await store.close();
    }
    // Most of the stalls left something to be swept, or this tests nothing.
    expect(swept).toBeGreaterThan(changes.length / 2);
  }, 60_000);

  it('lets a query that began before it end right, wherever it was', async () => {
    const counting = await reopen();
    const before = counting.bucket.callCount;
    await expectWhole(counting.store);
    const calls = counting.bucket.callCount - before;
    await counting.store.close();
    expect(calls).toBeGreaterThan(10);
    for (let n = 1; n <= calls; n++) {
      const { memory, bucket, store } = await reopen();
      let seen = 0;
      const stall = bucket.stallAt(() => ++seen === n);
      const asking = expectWhole(store);
      await stall.reached;
      // Merges everything, deletes what was merged at once, and the segments.
      await store.compact({ full: true });
      stall.wake();
      await asking.catch((error: unknown) => {
        throw new Error(`asleep at call ${n}`, { cause: error });
      });
      expect((await store.inspect()).blocks).toHaveLength(1);
      expect(await unnamedIn(memory)).toEqual([]);
      await store.close();
    }
  }, 60_000);
});
