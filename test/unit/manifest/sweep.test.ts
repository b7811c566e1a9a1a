import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../../src/base/limits.js';
import { corrupt } from '../../../src/base/errors.js';
import type { SegmentRef } from '../../../src/log/segment-view.js';
import type { BlockLineage, LogClaim } from '../../../src/manifest/lineage.js';
import { ManifestStore } from '../../../src/manifest/manifest-store.js';
import type { BlockOrigin } from '../../../src/manifest/only-copies.js';
import { sweepTenant, type SweepOptions } from '../../../src/manifest/sweep.js';
import type { ManifestBlock } from '../../../src/manifest/types.js';
import { MemoryBucket } from '../../../src/objstore/memory-bucket.js';
import { seededRng, VirtualClock } from '../../support/virtual-clock.js';

const HOUR_MS = 3_600_000;
const NOW_MS = 1_700_000_000_000;

/** ULIDs are 26 characters of Crockford's base 32. */
const idOf = (name: string): string => name.padEnd(26, 'z');
const LIVE = idOf('v1');
const OLD = idOf('d1');
const YOUNG = idOf('y1');

const manifestBlock = (blockId: string): ManifestBlock => ({
  blockId,
  level: 1,
  startNsMin: 0n,
  startNsMax: 1n,
  profileCount: 1,
  sampleCount: 1,
  sizeBytes: 1,
  createdMs: 1,
  seriesTombstones: [],
  retentionStamp: '',
  symbolBytes: 0,
});

const claim = (afterSequence: number, sequence: number): LogClaim => ({
  instance: 'log',
  afterSequence,
  sequence,
  startNs: 0n,
  endNs: 10n,
});

function lineage(baseVersion: number, ...claims: LogClaim[]): BlockLineage {
  return { baseVersion, watermarks: [], claims, firstSequence: 1, isLast: true };
}

const segmentsOf = (first: number, last: number): SegmentRef[] =>
  Array.from({ length: last - first + 1 }, (_, i) => ({ instance: 'log', sequence: first + i }));

/** A live block of segments 1 to 8, of which 9 and later are still in the log; and two that nothing names. */
async function world() {
  let modifiedMs = NOW_MS - 48 * HOUR_MS;
  const clock = new VirtualClock(NOW_MS);
  const bucket = new MemoryBucket({ nowMs: () => modifiedMs });
  const lineages = new Map<string, BlockLineage | 'damaged'>([[LIVE, lineage(0, claim(0, 8))]]);
  const put = async (blockId: string): Promise<void> => {
    await bucket.put(`blocks/t/${blockId}/a`, new Uint8Array(3));
    await bucket.put(`blocks/t/${blockId}/b`, new Uint8Array(4));
  };
  await put(LIVE);
  await put(OLD);
  await bucket.put(`carry/t/${LIVE}`, new Uint8Array(1));
  await bucket.put(`carry/t/${OLD}`, new Uint8Array(1));
  await bucket.put('blocks/t/readme', new Uint8Array(1));
  await bucket.put('blocks/t/some-folder/file', new Uint8Array(1));
  modifiedMs = NOW_MS - HOUR_MS;
  await put(YOUNG);
  const manifests = new ManifestStore({ bucket, clock, rng: seededRng(5) });
  await manifests.commit(await manifests.load('t'), (m) => ({
    ...m,
    blocks: [manifestBlock(LIVE)],
    watermarks: [{ instance: 'log', sequence: 8 }],
    carries: [
      {
        service: 's',
        objectKey: `carry/t/${LIVE}`,
        sizeBytes: 1,
        seriesTombstones: [],
        deletedSinceMs: 0,
      },
    ],
  }));
  const originOf = async (_: string, blockId: string): Promise<BlockOrigin | undefined> => {
    const lineage = lineages.get(blockId);
    if (lineage === 'damaged') throw corrupt('PS_TEST', 'damaged');
    return lineage === undefined ? undefined : { lineage, startNsMax: 999n };
  };
  let logged = segmentsOf(9, 12);
  const sweep = (options?: SweepOptions) =>
    sweepTenant({ bucket, manifests, clock, originOf, logged }, 't', options);
  const keys = async (): Promise<string[]> => {
    const out: string[] = [];
    for await (const { key } of bucket.list({ prefix: '' })) out.push(key);
    return out;
  };
  const losesLog = (): void => {
    logged = [];
  };
  return { bucket, manifests, lineages, sweep, keys, clock, put, losesLog };
}

describe('sweep', () => {
  it('deletes what nothing names and is old enough, and fences before it does', async () => {
    const { sweep, keys, manifests } = await world();
    const before = await keys();
    const plan = await sweep({ isDryRun: true });
    expect(plan).toMatchObject({ objects: 3, bytes: 8, kept: [] });
    expect(await keys()).toEqual(before);
    expect(await sweep()).toEqual(plan);
    const gone = before.filter((key) => key.includes(OLD));
    expect(gone).toHaveLength(3);
    const newest = await manifests.load('t');
    expect(newest).toMatchObject({ version: 2, fenceVersion: 2 });
    expect((await keys()).filter((key) => !key.startsWith('manifest/'))).toEqual(
      before.filter((key) => !gone.includes(key) && !key.startsWith('manifest/')),
    );
    // Nothing left to do: no version is spent on it.
    expect((await sweep()).orphans).toEqual([]);
    expect((await manifests.load('t')).version).toBe(2);
    expect((await sweep({ graceMs: 0 })).orphans.map((o) => o.prefix)).toEqual([
      `blocks/t/${YOUNG}/`,
    ]);
  });

  it('goes by the clock of the store, not by ours', async () => {
    const { sweep, clock } = await world();
    // A year ahead: the store's newest object is still an hour old at most.
    clock.advance(365 * 24 * HOUR_MS);
    expect((await sweep({ isDryRun: true })).objects).toBe(3);
    clock.advance(-367 * 24 * HOUR_MS);
    expect((await sweep({ isDryRun: true })).objects).toBe(0);
  });

  it('deletes leftovers whose content is in live blocks or still in the log', async () => {
    const { sweep, lineages } = await world();
    lineages.set(OLD, lineage(1, claim(2, 8), claim(8, 11)));
    expect(await sweep()).toMatchObject({ objects: 3, kept: [] });
  });

  it('keeps what is neither consumed nor in a log at hand: a newer manifest knew it and was lost', async () => {
    const { sweep, lineages, losesLog } = await world();
    lineages.set(OLD, { ...lineage(1, claim(8, 11)), firstSequence: 10 });
    expect((await sweep({ isDryRun: true })).kept).toEqual([]);
    losesLog();
    expect((await sweep()).kept).toEqual([
      {
        prefix: `blocks/t/${OLD}/`,
        bytes: 7,
        reason: expect.stringContaining('no log at hand has segment 10 of log log'),
      },
    ]);
  });

  it('keeps what is ahead of the log at hand, as in a copy whose log was copied first', async () => {
    const { sweep, lineages } = await world();
    lineages.set(OLD, { ...lineage(1, claim(8, 13)), firstSequence: 9 });
    expect((await sweep()).kept[0]?.reason).toContain('the one at hand ends before it');
  });

  it('does not ask for segments before the first that a block was made from', async () => {
    const { sweep, lineages, losesLog } = await world();
    losesLog();
    lineages.set(LIVE, lineage(0, claim(4, 8)));
    lineages.set(OLD, { ...lineage(1, claim(2, 8)), firstSequence: 5 });
    expect((await sweep({ isDryRun: true })).kept).toEqual([]);
    lineages.set(OLD, { ...lineage(1, claim(2, 8)), firstSequence: 4 });
    expect((await sweep({ isDryRun: true })).kept).toHaveLength(1);
  });

  it.each([
    ['from segments that count as consumed and that no live block has', lineage(1, claim(8, 9))],
    ['made on a version that this manifest never had', lineage(7, claim(2, 4))],
    ['that does not say where it comes from', lineage(0)],
    ['that is damaged', 'damaged' as const],
  ])('keeps a block %s, until told otherwise', async (_, of) => {
    const { sweep, lineages, keys, manifests } = await world();
    lineages.set(OLD, of);
    await manifests.commit(await manifests.load('t'), (m) => ({
      ...m,
      watermarks: [{ instance: 'log', sequence: 9 }],
    }));
    const swept = await sweep();
    expect(swept.kept.map((k) => k.prefix)).toEqual([`blocks/t/${OLD}/`]);
    expect(swept.orphans.map((o) => o.prefix)).toEqual([`carry/t/${OLD}`]);
    expect(await keys()).toContain(`blocks/t/${OLD}/a`);
    await sweep({ isForced: true });
    expect(await keys()).not.toContain(`blocks/t/${OLD}/a`);
  });

  it('lets go of an only copy that is past every age', async () => {
    const { sweep, lineages } = await world();
    lineages.set(OLD, lineage(7, claim(2, 4)));
    expect((await sweep({ isDryRun: true, expiredNs: 999n })).kept).toHaveLength(1);
    expect((await sweep({ expiredNs: 1_000n })).kept).toEqual([]);
  });

  it('deletes nothing of a tenant whose manifest is gone', async () => {
    const { bucket, clock, keys } = await world();
    for (const key of await keys()) if (key.startsWith('manifest/')) await bucket.delete(key);
    const manifests = new ManifestStore({ bucket, clock, rng: seededRng(6) });
    const before = await keys();
    const dependencies = { bucket, manifests, clock, originOf: async () => undefined, logged: [] };
    const options = { graceMs: 0, isForced: true };
    expect((await sweepTenant(dependencies, 't', options)).orphans).toEqual([]);
    expect(await keys()).toEqual(before);
  });

  it('refuses suspiciously much and says how to force it', async () => {
    const { bucket, sweep, keys } = await world();
    for (let i = 0; i < LIMITS.sweepOrphansMax; i++) {
      await bucket.put(`carry/t/${idOf(`c${i}`)}`, new Uint8Array(1));
    }
    const before = (await keys()).length;
    await expect(sweep({ graceMs: 0 })).rejects.toMatchObject({
      kind: 'limit',
      code: 'PS_SWEEP_TOO_MANY',
      message: expect.stringContaining('gc --force'),
    });
    expect((await keys()).length).toBe(before);
    await sweep({ graceMs: 0, isForced: true });
    expect((await keys()).length).toBeLessThan(20);
  });

  it('looks again when another commit came first', async () => {
    const { bucket, manifests, clock, keys } = await world();
    const other = new ManifestStore({ bucket, clock, rng: seededRng(7) });
    let isRacing = true;
    const originOf = async (_: string, blockId: string) => {
      // Between the look at the manifest and the fence: the orphan becomes live.
      if (blockId === OLD && isRacing) {
        isRacing = false;
        await other.commit(await other.load('t'), (m) => ({
          ...m,
          blocks: [...m.blocks, manifestBlock(OLD)],
        }));
      }
      return undefined;
    };
    const swept = await sweepTenant({ bucket, manifests, clock, originOf, logged: [] }, 't');
    expect(swept.orphans.map((o) => o.prefix)).toEqual([`carry/t/${OLD}`]);
    expect(await keys()).toContain(`blocks/t/${OLD}/a`);
  });
});
