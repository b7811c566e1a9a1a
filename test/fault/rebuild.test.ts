/**
 * A manifest made anew from blocks and carries alone, after crashes all along a compaction: every profile counts
 * exactly once (I2), whatever inputs, outputs, leftovers and segments lie about.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { type Maintenance, openMaintenance, type Store } from '../../src/index.js';
import type { FileSystem } from '../../src/env/files.js';
import type { Bucket } from '../../src/objstore/bucket.js';
import {
  bucketWith,
  keptOpen,
  manifestsOf,
  objectsOf,
  openOnBucket,
} from '../support/bucket-store.js';
import { CrashingBucket } from '../support/crashing-bucket.js';
import { HastyClock } from '../support/hasty-clock.js';
import { LossyFiles } from '../support/lossy-files.js';
import { growthWrite, markedWrite, numbers, readMarked } from '../support/marked-profiles.js';
import { filesOf, filesWith, STORE_DIR } from '../support/stored-files.js';
import { seededRng } from '../support/virtual-clock.js';

const MARKED = 32;
const STEPS = 8;
let starts = 5_000;

async function expectWhole(store: Store): Promise<void> {
  const { marked, steps, missing } = await readMarked(store.query);
  expect(missing).toEqual([]);
  expect([...marked].sort((a, b) => a - b)).toEqual(numbers(0, MARKED));
  expect(steps.size).toBe(STEPS - 1);
}

function maintain(files: FileSystem, bucket: Bucket): Promise<Maintenance> {
  const environment = { files, clock: new HastyClock(1_790_000_100_000), rng: seededRng(++starts) };
  return openMaintenance({ dir: STORE_DIR, bucket: keptOpen(bucket), environment });
}

async function loseManifests(bucket: Bucket): Promise<void> {
  for (const prefix of ['manifest/', 'manifest-boundary/']) {
    for await (const { key } of bucket.list({ prefix })) await bucket.delete(key);
  }
}

describe('a rebuilt manifest', () => {
  let files: ReadonlyMap<string, Uint8Array>;
  let objects: ReadonlyMap<string, Uint8Array>;

  /** Two blocks of one merge, one more, and a log; the carries go on through all of them. */
  beforeAll(async () => {
    const disk = new LossyFiles();
    const bucket = await bucketWith(new Map());
    const store = await openOnBucket(disk, bucket);
    for (let turn = 0; turn < 4; turn++) {
      for (const n of numbers(turn * 8, turn * 8 + 8)) await store.write(markedWrite(n));
      for (const step of numbers(turn * 2, turn * 2 + 2)) await store.write(growthWrite(step));
      if (turn === 1) await store.compact({ full: true });
      else if (turn < 3) await store.compact();
    }
    await expectWhole(store);
    objects = await objectsOf(bucket);
    await store.close();
    files = await filesOf(disk);
  });

  it('counts everything once after a crash anywhere in a full compaction', async () => {
    const memory = await bucketWith(objects);
    const counting = new CrashingBucket(memory, Number.POSITIVE_INFINITY, false);
    const reference = await openOnBucket(await filesWith(files), counting);
    await reference.compact({ full: true });
    expect(counting.changes).toBeGreaterThan(30);
    let leftOver = 0;
    const step = Number(process.env['BASALT_CRASH_STEP'] ?? 3);
    for (let crashAt = 1; crashAt <= counting.changes + step; crashAt += step) {
      const bucket = await bucketWith(objects);
      const disk = await filesWith(files);
      const crashing = new CrashingBucket(bucket, crashAt, crashAt % 2 === 0);
      const store = await openOnBucket(disk, crashing);
      await store.compact({ full: true }).catch(() => undefined);
      disk.kill();
      await loseManifests(bucket);
      const name = `crash at ${crashAt} of ${counting.changes}`;
      try {
        const maintenance = await maintain(disk, bucket);
        const rebuilt = await maintenance.rebuildManifests();
        expect(rebuilt).toHaveLength(1);
        leftOver += rebuilt[0]?.leftOut.length ?? 0;
        expect(await maintenance.rebuildManifests()).toEqual([]);
        await maintenance.close();
        const again = await openOnBucket(disk, bucket);
        await expectWhole(again);
        expect(await again.verify()).toEqual([]);
        // A retry is still known, and what is left over goes.
        expect((await again.write(markedWrite(3))).profiles).toBe(0);
        await again.compact({ full: true });
        await expectWhole(again);
        expect((await again.inspect()).blocks).toHaveLength(1);
        await again.close();
      } catch (error) {
        throw new Error(name, { cause: error });
      }
    }
    expect(leftOver).toBeGreaterThan(10);
  }, 120_000);

  it('of a damaged one puts the old versions aside and voids what a stalled writer commits', async () => {
    const bucket = await bucketWith(objects);
    const disk = await filesWith(files);
    const stalled = manifestsOf(bucket);
    const base = await stalled.load('anonymous');
    const key = `manifest/anonymous/${String(base.version).padStart(20, '0')}`;
    const { body } = await bucket.get(key);
    await bucket.put(
      key,
      body.map((byte, i) => (i === 40 ? byte ^ 4 : byte)),
    );
    const damagedStore = await openOnBucket(disk, bucket);
    const findings = await damagedStore.verify();
    expect(findings.map((f) => f.code)).toEqual(['PS_ENVELOPE_CHECKSUM']);
    await damagedStore.close();
    const maintenance = await maintain(disk, bucket);
    const [rebuilt] = await maintenance.rebuildManifests();
    expect(rebuilt).toMatchObject({ tenantId: 'anonymous', code: 'PS_ENVELOPE_CHECKSUM' });
    await maintenance.close();
    await bucket.head(`quarantine/anonymous/${key}`);
    await expect(stalled.commit(base, (m) => ({ ...m, blocks: [] }))).rejects.toMatchObject({
      code: 'PS_MANIFEST_RACE',
    });
    expect((await stalled.load('anonymous')).blocks).toHaveLength(base.blocks.length);
    const store = await openOnBucket(disk, bucket);
    await expectWhole(store);
    await store.close();
  });

  it('works without the log: what was in blocks counts', async () => {
    const bucket = await bucketWith(objects);
    await loseManifests(bucket);
    const disk = new LossyFiles();
    const maintenance = await maintain(disk, bucket);
    await maintenance.rebuildManifests();
    await maintenance.close();
    const store = await openOnBucket(disk, bucket);
    const { marked, steps, missing } = await readMarked(store.query);
    expect(missing).toEqual([]);
    expect(marked.size).toBe(24);
    expect(steps.size).toBe(5);
    await store.close();
  });

  it('is missed, not taken for an empty store', async () => {
    const bucket = await bucketWith(objects);
    const disk = await filesWith(files);
    for await (const { key } of bucket.list({ prefix: 'manifest/' })) await bucket.delete(key);
    const store = await openOnBucket(disk, bucket);
    const findings = await store.verify();
    expect(findings.map((f) => f.code)).toEqual(['PS_MANIFEST_LOST']);
    await store.close();
    await bucket.put('manifest-boundary/anonymous', (await oldBoundary()).slice());
    const fenced = await openOnBucket(disk, bucket);
    await expect(readMarked(fenced.query)).rejects.toMatchObject({ code: 'PS_MANIFEST_LOST' });
    await fenced.close();
  });

  it.each([
    ['its newest version', (versions: readonly string[]) => versions.slice(-1)],
    ['its two newest versions', (versions: readonly string[]) => versions.slice(-2)],
    ['all of its versions', (versions: readonly string[]) => versions],
  ])('is missed when it lost %s, and nothing is deleted meanwhile', async (_, lostOf) => {
    const bucket = await bucketWith(objects);
    const disk = await filesWith(files);
    const first = await openOnBucket(disk, bucket);
    await first.compact();
    await first.close();
    const versions: string[] = [];
    for await (const { key } of bucket.list({ prefix: 'manifest/' })) versions.push(key);
    for (const key of lostOf(versions)) await bucket.delete(key);
    const store = await openOnBucket(disk, bucket);
    const codes = async () => (await store.verify()).map((f) => f.code);
    expect(await codes()).toEqual(['PS_MANIFEST_LOST']);
    // Goes on without the lost part, and collects garbage at once.
    await store.write(markedWrite(MARKED));
    await store.compact({ full: true });
    expect(await codes()).toEqual(['PS_MANIFEST_LOST']);
    await store.close();
    const maintenance = await maintain(disk, bucket);
    expect(await maintenance.rebuildManifests()).toMatchObject([{ code: 'PS_MANIFEST_LOST' }]);
    expect(await maintenance.rebuildManifests()).toEqual([]);
    await maintenance.close();
    const again = await openOnBucket(disk, bucket);
    const { marked } = await readMarked(again.query);
    expect([...marked].sort((a, b) => a - b)).toEqual(numbers(0, MARKED + 1));
    expect(await again.verify()).toEqual([]);
    await again.close();
  });
});

async function oldBoundary(): Promise<Uint8Array> {
  const { encodeBoundary } = await import('../../src/manifest/manifest-codec.js');
  return encodeBoundary(3);
}
