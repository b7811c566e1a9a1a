/** Crashes all along a full compaction and a deletion, and copies of a prefix, on a real S3 server. */
import { mkdtempSync, cpSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/env/clock.js';
import { nodeFileSystem } from '../../src/env/node-files.js';
import { systemRng } from '../../src/env/rng.js';
import { openStore, type RetentionRule, type Store } from '../../src/index.js';
import type { Bucket } from '../../src/objstore/bucket.js';
import { openBucket } from '../../src/objstore/open-bucket.js';
import { bucketWith, keptOpen, objectsOf, unnamedIn } from '../support/bucket-store.js';
import { CrashingBucket } from '../support/crashing-bucket.js';
import { growthWrite, markedWrite, numbers, readMarked } from '../support/marked-profiles.js';
import { hasS3Server, type S3Server, startS3Server } from '../support/s3-server.js';

const MARKED = 18;
const STEPS = 6;
const STEP = Number(process.env['BASALT_CRASH_STEP'] ?? 7);

async function expectWhole(store: Store): Promise<void> {
  const { marked, steps, missing } = await readMarked(store.query);
  expect(missing).toEqual([]);
  expect(marked.size).toBe(MARKED);
  expect(steps.size).toBe(STEPS - 1);
}

/** Everything but the profiles with an odd number, whose pod is `pod-1`. */
async function expectEven(store: Store): Promise<void> {
  const { marked, steps, missing } = await readMarked(store.query);
  expect(missing).toEqual([]);
  expect([...marked].sort((a, b) => a - b)).toEqual(numbers(0, MARKED).filter((n) => n % 2 === 0));
  expect(steps.size).toBe(STEPS - 1);
}

const open = (
  dir: string,
  bucket: Bucket,
  retention: readonly RetentionRule[] = [],
): Promise<Store> =>
  openStore({ dir, bucket: keptOpen(bucket), threads: false, compaction: 'manual', retention });

interface Sweep {
  readonly work: (store: Store) => Promise<void>;
  readonly settle?: (again: Store) => Promise<void>;
  readonly expectRight: (again: Store) => Promise<void>;
  /** Changes that are each crashed at; of the later ones every STEP-th is. */
  readonly first?: number;
  readonly retention?: readonly RetentionRule[];
}

describe.skipIf(!hasS3Server())('on S3', () => {
  let s3: S3Server;
  let root = '';
  let prefixes = 0;
  let objects: ReadonlyMap<string, Uint8Array>;

  const newPrefix = (): Promise<Bucket> =>
    openBucket(`s3://${s3.bucket}/crash-${++prefixes}`, {
      files: nodeFileSystem,
      clock: systemClock,
      rng: systemRng,
      s3: { endpoint: s3.endpoint, region: 'us-east-1' },
    });
  /** The fixture in a prefix and a directory of their own. */
  const copy = async (): Promise<{ bucket: Bucket; dir: string }> => {
    const bucket = await newPrefix();
    await Promise.all([...objects].map(([key, body]) => bucket.put(key, body)));
    const dir = join(root, `dir-${prefixes}`);
    cpSync(join(root, 'store'), dir, { recursive: true });
    return { bucket, dir };
  };

  beforeAll(async () => {
    s3 = await startS3Server();
    root = mkdtempSync(join(tmpdir(), 'basalt-s3-crash-'));
    const bucket = await bucketWith(new Map());
    const store = await open(join(root, 'store'), bucket);
    for (let turn = 0; turn < 3; turn++) {
      for (const n of numbers(turn * 6, turn * 6 + 6)) await store.write(markedWrite(n));
      for (const step of numbers(turn * 2, turn * 2 + 2)) await store.write(growthWrite(step));
      if (turn < 2) await store.compact();
    }
    objects = await objectsOf(bucket);
    await store.close();
  }, 320_000);
  afterAll(async () => {
    await s3?.close();
    rmSync(root, { recursive: true, force: true });
  });

  it('a copied prefix and directory open as they are', async () => {
    const { bucket, dir } = await copy();
    const store = await open(dir, bucket);
    await expectWhole(store);
    expect(await store.verify()).toEqual([]);
    await store.compact({ full: true });
    await expectWhole(store);
    await store.close();
    await bucket.close();
  }, 60_000);

  /** Crashes `work`, opens the store again, and has it checked and compacted. */
  const sweep = async ({
    work,
    settle,
    expectRight,
    first = 1,
    retention = [],
  }: Sweep): Promise<void> => {
    const reference = await copy();
    const counting = new CrashingBucket(reference.bucket, Number.POSITIVE_INFINITY, false);
    const store = await open(reference.dir, counting, retention);
    await work(store);
    await store.close();
    expect(counting.changes).toBeGreaterThan(30);
    const later = numbers(first + 1, counting.changes + 1).filter((n) => n % STEP === 1);
    for (const crashAt of [...numbers(1, first + 1), ...later]) {
      const { bucket, dir } = await copy();
      const crashing = new CrashingBucket(bucket, crashAt, crashAt % 2 === 0);
      const dying = await open(dir, crashing, retention);
      await work(dying).catch(() => undefined);
      expect(crashing.isDead).toBe(true);
      await dying.close().catch(() => undefined);
      try {
        const again = await open(dir, bucket, retention);
        await settle?.(again);
        await expectRight(again);
        await again.compact({ full: true });
        await expectRight(again);
        expect(await again.deletions()).toEqual([]);
        expect(await again.verify()).toEqual([]);
        expect(await unnamedIn(bucket)).toEqual([]);
        await again.close();
      } catch (error) {
        throw new Error(`crash at ${crashAt} of ${counting.changes}`, { cause: error });
      }
      await bucket.close();
    }
  };

  it('a crash anywhere in a full compaction loses and counts nothing (I1, I2)', async () => {
    const compact = async (store: Store): Promise<void> => {
      await store.compact({ full: true });
    };
    await sweep({ work: compact, expectRight: expectWhole });
  }, 180_000);

  it('a crash anywhere in a deletion and the compaction that applies it deletes all or nothing', async () => {
    const selector = '{pod="pod-1"}';
    let isDeleted = false;
    const work = async (store: Store): Promise<void> => {
      isDeleted = false;
      await store.delete({ selector });
      isDeleted = true;
      await store.compact({ full: true });
    };
    const settle = async (again: Store): Promise<void> => {
      const { marked } = await readMarked(again.query);
      if (isDeleted || marked.size !== MARKED) await expectEven(again);
      await again.delete({ selector });
    };
    // The first changes are the deletion itself.
    await sweep({ work, settle, expectRight: expectEven, first: 3 });
  }, 180_000);

  it('a crash anywhere while old profiles become sums loses and counts nothing', async () => {
    const work = async (store: Store): Promise<void> => {
      await store.compact({ full: true });
    };
    const retention = [{ sums: [{ afterMs: 86_400_000, width: '1h' as const }] }];
    await sweep({ work, expectRight: expectWhole, retention });
  }, 180_000);
});
