/** A tenant whose compaction always fails is tried less and less often, and keeps no other tenant waiting. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../../src/base/limits.js';
import { MetricsRegistry } from '../../../src/base/metrics.js';
import { openStore } from '../../../src/index.js';
import { MemoryBucket } from '../../../src/objstore/memory-bucket.js';
import { FailingTenants } from '../../../src/store/failing-tenants.js';
import { keptOpen, manifestsOf } from '../../support/bucket-store.js';
import { FaultyBucket } from '../../support/faulty-bucket.js';
import { HastyClock } from '../../support/hasty-clock.js';
import { smallCpuProfile } from '../../support/small-profile.js';
import { LossyFiles } from '../../support/lossy-files.js';
import { STORE_DIR } from '../../support/stored-files.js';
import { seededRng } from '../../support/virtual-clock.js';

const NOW_MS = 1_790_000_100_000;
const INTERVAL_MS = 5_000;

describe('a tenant that fails', () => {
  it('waits twice as long each time, up to a bound, and no longer once it is well', () => {
    const failing = new FailingTenants({ delayMsMin: 5, delayMsMax: 30 });
    let nowMs = 0;
    for (const delayMs of [10, 20, 30, 30]) {
      failing.ran([], ['a'], nowMs);
      expect(failing.waiting(nowMs + delayMs - 1)).toEqual(['a']);
      expect(failing.waiting(nowMs + delayMs)).toEqual([]);
      nowMs += delayMs;
    }
    failing.ran([], ['a', 'b'], nowMs);
    failing.ran(['a', 'b'], [], nowMs + 1);
    expect(failing.waiting(nowMs + 2)).toEqual(['a', 'b']);
    failing.ran(['a'], [], nowMs + 12);
    expect(failing.waiting(nowMs + 13)).toEqual(['a']);
    failing.ran([], [], nowMs + 40);
    failing.ran([], ['a'], nowMs + 50);
    expect(failing.waiting(nowMs + 59)).toEqual(['a']);
    expect(failing.waiting(nowMs + 60)).toEqual([]);
  });

  it('lets others be compacted at every turn, and is compacted when it can be', async () => {
    const inner = new MemoryBucket({ nowMs: () => NOW_MS });
    let isPoisoned = true;
    const bucket = new FaultyBucket(inner, (_, __, key) =>
      isPoisoned && key.startsWith('blocks/poison/') ? 'fail' : undefined,
    );
    const clock = new HastyClock(NOW_MS);
    const metrics = new MetricsRegistry();
    const store = await openStore({
      dir: STORE_DIR,
      bucket: keptOpen(bucket),
      threads: false,
      segmentBytesMax: 1,
      compactionIntervalMs: INTERVAL_MS,
      metrics,
      environment: { files: new LossyFiles(), clock, rng: seededRng(1) },
    });
    const write = (tenantId: string): Promise<unknown> =>
      store.write(
        {
          labels: [{ name: 'service_name', value: tenantId }],
          profile: smallCpuProfile(clock.nowMs()),
        },
        tenantId,
      );
    const compacted = async (tenantId: string): Promise<number> => {
      const { blocks } = await manifestsOf(inner).load(tenantId);
      return blocks.reduce((sum, block) => sum + Number(block.profileCount), 0);
    };
    const until = async (tenantId: string, count: number): Promise<number> => {
      const begin = clock.nowMs();
      for (let turn = 0; turn < 100_000; turn++) {
        if ((await compacted(tenantId)) >= count) return clock.nowMs() - begin;
        await nextTurn();
      }
      throw new Error(`${tenantId} has ${await compacted(tenantId)} profiles; want ${count}`);
    };
    const failures = (): number =>
      Number(/^basalt_compaction_failures_total (\d+)$/m.exec(metrics.render())?.[1]);
    await write('poison');
    for (let i = 1; i <= 4; i++) {
      await write('good');
      // A segment is sealed when it is old enough, which is looked at twenty times in that time.
      expect(await until('good', i)).toBeLessThan(1.05 * LIMITS.segmentAgeMsMax + 2 * INTERVAL_MS);
    }
    expect(await compacted('poison')).toBe(0);
    // 10, 20, 40, ... s after each other, then 10 min: not at each of the more than 700 turns.
    expect(clock.nowMs() - NOW_MS).toBeGreaterThan(700 * INTERVAL_MS);
    expect(failures()).toBeGreaterThan(5);
    expect(failures()).toBeLessThan(20);
    isPoisoned = false;
    await until('poison', 1);
    await store.close();
  });
});
