import { describe, expect, it } from 'vitest';
import type { StoreError } from '../../../src/base/errors.js';
import type { BlockLookup, StoredProfileKey } from '../../../src/ingest/block-lookup.js';
import { cpuRequest, openTestIngest } from '../../support/ingest-store.js';
import { LossyFiles } from '../../support/lossy-files.js';
import { ManualClock } from '../../support/manual-clock.js';
import { plainPprof } from '../../support/plain-pprof.js';

/** Blocks as a list that a test fills. */
class ListedBlocks implements BlockLookup {
  readonly profiles: StoredProfileKey[] = [];
  questions = 0;
  /** Runs while a question is under way. */
  during: (() => Promise<void>) | undefined;

  async lastStartNs(tenantId: string, seriesKey: string): Promise<bigint | undefined> {
    this.questions++;
    let last: bigint | undefined;
    for (const p of this.profiles) {
      const isSame = p.tenantId === tenantId && p.seriesKey === seriesKey;
      if (isSame && (last === undefined || p.startNs > last)) last = p.startNs;
    }
    await this.#meanwhile();
    return last;
  }

  async consumedUpTo(): Promise<number> {
    return 0;
  }

  async tombstones(): Promise<[]> {
    return [];
  }

  async contains(profile: StoredProfileKey): Promise<boolean> {
    this.questions++;
    const found = this.profiles.some(
      (p) => JSON.stringify(text(p)) === JSON.stringify(text(profile)),
    );
    await this.#meanwhile();
    return found;
  }

  async #meanwhile(): Promise<void> {
    const { during } = this;
    this.during = undefined;
    await during?.();
  }
}

function text(p: StoredProfileKey): string[] {
  return [p.tenantId, p.seriesKey, String(p.startNs), p.profileId];
}

/** As compaction does it: all sealed segments of the tenant become blocks, then ingest is told. */
async function consume(
  { ingest }: Awaited<ReturnType<typeof openTestIngest>>,
  blocks: ListedBlocks,
  found: readonly StoredProfileKey[],
): Promise<void> {
  const { segments } = await ingest.seal();
  blocks.profiles.push(...found);
  await ingest.consumed('t', segments.at(-1)!.sequence);
}

const cpuKey = (pod: string): string =>
  JSON.stringify([
    'api',
    'process_cpu',
    [
      ['pod', pod],
      ['service_name', 'api'],
    ],
    'cpu',
    'nanoseconds',
    [
      ['samples', 'count', 'delta'],
      ['cpu', 'nanoseconds', 'delta'],
    ],
    0,
  ]);

const keyOf = (pod: string, seconds: number, profileId: string): StoredProfileKey => ({
  tenantId: 't',
  seriesKey: cpuKey(pod),
  startNs: 1_600_000_000_000_000_000n + BigInt(seconds) * 1_000_000_000n,
  profileId,
});

describe('a profile counts once (I2)', () => {
  it('when it is sent again, at once or later', async () => {
    const store = await openTestIngest(new LossyFiles());
    const first = await store.ingest.write('t', cpuRequest('a', 1));
    expect(first).toMatchObject({ profiles: 2, samples: 6, rejections: [] });
    const again = await store.ingest.write('t', cpuRequest('a', 1));
    expect(again).toMatchObject({ profileId: first.profileId, profiles: 0, samples: 0 });
    const many = await Promise.all(
      Array.from({ length: 9 }, () => store.ingest.write('t', cpuRequest('b', 1))),
    );
    expect(many.filter((r) => r.profiles === 2)).toHaveLength(1);
    expect(await store.stored()).toHaveLength(2);
    await store.ingest.close();
  });

  it('is acked with its original: not before, and not if that fails', async () => {
    const files = new LossyFiles();
    const store = await openTestIngest(files);
    await store.ingest.write('t', cpuRequest('a', 0));
    files.failNth(2, 'EIO');
    const both = await Promise.allSettled([
      store.ingest.write('t', cpuRequest('a', 1)),
      store.ingest.write('t', cpuRequest('a', 1)),
    ]);
    expect(both.map((r) => r.status)).toEqual(['rejected', 'rejected']);
    files.clearFaults();
    expect((await store.ingest.write('t', cpuRequest('a', 1))).profiles).toBe(2);
    expect(await store.stored()).toHaveLength(2);
    await store.ingest.close();
  });

  it('when ids, starts, labels or tenants differ it is another one', async () => {
    const store = await openTestIngest(new LossyFiles());
    const writes = [
      store.ingest.write('t', cpuRequest('a', 1, { id: 'x' })),
      store.ingest.write('t', cpuRequest('a', 1, { id: 'y' })),
      store.ingest.write('t', cpuRequest('a', 2, { id: 'x' })),
      store.ingest.write('t', cpuRequest('b', 1, { id: 'x' })),
      store.ingest.write('u', cpuRequest('a', 1, { id: 'x' })),
      store.ingest.write('t', cpuRequest('a', 1, { id: 'x', stacks: 5 })),
    ];
    expect((await Promise.all(writes)).map((r) => r.profiles)).toEqual([2, 2, 2, 2, 2, 0]);
    expect(await store.stored()).toHaveLength(5);
    await store.ingest.close();
  });

  it('after a restart', async () => {
    const files = new LossyFiles();
    const before = await openTestIngest(files);
    await before.ingest.write('t', cpuRequest('a', 1));
    await before.ingest.seal();
    await before.ingest.write('t', cpuRequest('a', 2));
    files.kill();
    const after = await openTestIngest(files);
    for (const second of [1, 2]) {
      expect((await after.ingest.write('t', cpuRequest('a', second))).profiles).toBe(0);
    }
    expect((await after.ingest.write('t', cpuRequest('a', 3))).profiles).toBe(2);
    expect(await after.stored()).toHaveLength(3);
    await after.ingest.close();
  });

  it('after it moved to a block', async () => {
    const blocks = new ListedBlocks();
    const store = await openTestIngest(new LossyFiles(), { store: blocks });
    await store.ingest.write('t', cpuRequest('a', 5, { id: 'five' }));
    await consume(store, blocks, [keyOf('a', 5, 'five')]);
    expect(await store.stored()).toHaveLength(0);
    expect((await store.ingest.write('t', cpuRequest('a', 5, { id: 'five' }))).profiles).toBe(0);
    expect((await store.ingest.write('t', cpuRequest('a', 4, { id: 'four' }))).profiles).toBe(2);
    const before = blocks.questions;
    expect((await store.ingest.write('t', cpuRequest('a', 6, { id: 'six' }))).profiles).toBe(2);
    expect(blocks.questions, 'newer than all of its series: no question').toBe(before);
    await store.ingest.close();
  });

  it('after it moved to a block and the process started anew', async () => {
    const blocks = new ListedBlocks();
    blocks.profiles.push(keyOf('a', 5, 'five'));
    const store = await openTestIngest(new LossyFiles(), { store: blocks });
    expect((await store.ingest.write('t', cpuRequest('a', 5, { id: 'five' }))).profiles).toBe(0);
    expect((await store.ingest.write('t', cpuRequest('a', 5, { id: 'other' }))).profiles).toBe(2);
    await store.ingest.close();
  });

  it('when it moves to a block while the blocks are asked', async () => {
    const blocks = new ListedBlocks();
    blocks.profiles.push(keyOf('a', 9, 'nine'));
    const store = await openTestIngest(new LossyFiles(), { store: blocks });
    // The retry's question is answered "no" by the blocks of before, then its original is stored and consumed.
    blocks.during = async () => {
      blocks.during = undefined;
      expect((await store.ingest.write('t', cpuRequest('a', 5, { id: 'five' }))).profiles).toBe(2);
      await consume(store, blocks, [keyOf('a', 5, 'five')]);
    };
    expect((await store.ingest.write('t', cpuRequest('a', 5, { id: 'five' }))).profiles).toBe(0);
    await store.ingest.close();
  });

  it('without a time of its own, as long as it is in the log', async () => {
    const files = new LossyFiles();
    const clock = new ManualClock();
    const store = await openTestIngest(files, { clock });
    expect((await store.ingest.write('t', cpuRequest('a', 0, { timeless: true }))).profiles).toBe(
      2,
    );
    await clock.advance(5000);
    expect((await store.ingest.write('t', cpuRequest('a', 0, { timeless: true }))).profiles).toBe(
      0,
    );
    files.kill();
    const after = await openTestIngest(files, { clock });
    expect((await after.ingest.write('t', cpuRequest('a', 0, { timeless: true }))).profiles).toBe(
      0,
    );
    const [stored] = await after.stored();
    expect(stored?.startNs).toBe(1_700_000_000_000_000_000n);
    await after.ingest.close();
  });

  it('with more than four sample types, all groups at once', async () => {
    const types = Array.from({ length: 6 }, (_, i) => ({ type: `t${i}`, unit: 'count' }));
    const profile = plainPprof({
      types,
      periodType: 'x',
      periodUnit: 'y',
      startMs: 1_600_000_000_000,
      samples: [
        { functions: ['a', 'b'], values: [1n, 2n, 3n, 4n, 0n, 0n] },
        { functions: ['a', 'c'], values: [0n, 0n, 0n, 0n, 5n, -(2n ** 63n)] },
      ],
    });
    const store = await openTestIngest(new LossyFiles());
    const request = { labels: [], profile };
    expect(await store.ingest.write('t', request)).toMatchObject({ profiles: 6, samples: 6 });
    expect(await store.ingest.write('t', request)).toMatchObject({ profiles: 0 });
    const stored = await store.stored();
    expect(
      stored.map((p) => [p.group, p.service, p.rows.map((rows) => [...rows.values()])]),
    ).toEqual([
      [0, 'unknown_service', [[1n], [2n], [3n], [4n]]],
      [1, 'unknown_service', [[5n], [-(2n ** 63n)]]],
    ]);
    await store.ingest.close();
  });
});

describe('admission (I6)', () => {
  it('refuses what does not fit the queue, and says when to come again', async () => {
    const store = await openTestIngest(new LossyFiles(), { settings: { queueRequestsMax: 3 } });
    const all = await Promise.allSettled(
      Array.from({ length: 5 }, (_, i) => store.ingest.write('t', cpuRequest('a', i))),
    );
    const refused = all.flatMap((r) => (r.status === 'rejected' ? [r.reason as StoreError] : []));
    expect(refused).toHaveLength(2);
    expect(refused[0]).toMatchObject({ kind: 'limit', code: 'PS_INGEST_BUSY' });
    expect(refused[0]?.details['retryAfterMs']).toBeGreaterThan(0);
    expect((await store.ingest.write('t', cpuRequest('a', 9))).profiles).toBe(2);
    await store.ingest.close();
  });

  it('refuses when the log is full, until it is consumed', async () => {
    const store = await openTestIngest(new LossyFiles(), { settings: { logBytesMax: 3000 } });
    await store.ingest.write('t', cpuRequest('a', 1));
    await expect(store.ingest.write('t', cpuRequest('a', 2))).rejects.toMatchObject({
      kind: 'limit',
      code: 'PS_LOG_FULL',
    });
    const { segments } = await store.ingest.seal();
    await store.ingest.consumed('t', segments.at(-1)!.sequence);
    expect((await store.ingest.write('t', cpuRequest('a', 2))).profiles).toBe(2);
    await store.ingest.close();
  });

  it.each([
    ['', 'PS_TENANT'],
    ['../x', 'PS_TENANT'],
    ['a b', 'PS_TENANT'],
    ['x'.repeat(129), 'PS_TENANT'],
  ])('refuses tenant %j', async (tenantId, code) => {
    const store = await openTestIngest(new LossyFiles());
    await expect(store.ingest.write(tenantId, cpuRequest('a', 1))).rejects.toMatchObject({ code });
    await store.ingest.close();
  });

  it('refuses profiles from the future, and what is no profile', async () => {
    const store = await openTestIngest(new LossyFiles());
    await expect(store.ingest.write('t', cpuRequest('a', 100_000_700))).rejects.toMatchObject({
      kind: 'invalid',
      code: 'PS_PROFILE_FUTURE',
    });
    await expect(
      store.ingest.write('t', { labels: [], profile: Buffer.from('<html>') }),
    ).rejects.toMatchObject({ kind: 'invalid' });
    await expect(
      store.ingest.write('t', cpuRequest('a', 1, { id: 'x'.repeat(200) })),
    ).rejects.toMatchObject({
      code: 'PS_PROFILE_ID',
    });
    expect((await store.ingest.position()).segments).toEqual([]);
    await store.ingest.close();
    await expect(store.ingest.write('t', cpuRequest('a', 1))).rejects.toMatchObject({
      kind: 'closed',
    });
  });
});

describe('segments', () => {
  it('are sealed by age, with no write needed', async () => {
    const clock = new ManualClock();
    const store = await openTestIngest(new LossyFiles(), { clock });
    await store.ingest.write('t', cpuRequest('a', 1));
    expect((await store.ingest.position()).segments.map((s) => s.sealed)).toEqual([false]);
    for (let i = 0; i < 16; i++) await clock.advance(60_000);
    await store.ingest.write('t', cpuRequest('a', 2));
    expect((await store.ingest.position()).segments.map((s) => s.sealed)).toEqual([true, false]);
    expect(await store.stored()).toHaveLength(2);
    await store.ingest.close();
  });

  it('are sealed by size, and each can be read alone', async () => {
    const store = await openTestIngest(new LossyFiles(), { settings: { segmentBytesMax: 20_000 } });
    for (let i = 0; i < 40; i++) await store.ingest.write('t', cpuRequest('a', i, { stacks: 20 }));
    const { segments } = await store.ingest.position();
    expect(segments.length).toBeGreaterThan(2);
    expect(segments.map((s) => s.sequence)).toEqual(segments.map((_, i) => i + 1));
    const stored = await store.stored();
    expect(stored).toHaveLength(40);
    for (const profile of stored) expect(profile.rows).toEqual(stored[0]?.rows);
    await store.ingest.close();
  });

  it('start with new tables when the old ones are too large', async () => {
    const settings = { segmentBytesMax: 20_000, internBytesMax: 1 };
    const store = await openTestIngest(new LossyFiles(), { settings });
    for (let i = 0; i < 10; i++) {
      await Promise.all(
        ['a', 'b', 'c'].map((pod) =>
          store.ingest.write('t', cpuRequest(pod, i, { stacks: i + 1 })),
        ),
      );
    }
    const stored = await store.stored();
    expect(stored).toHaveLength(30);
    for (const profile of stored) {
      const same = stored.filter((p) => p.startNs === profile.startNs);
      expect(same).toHaveLength(3);
      expect(profile.rows).toEqual(same[0]?.rows);
    }
    await store.ingest.close();
  });
});
