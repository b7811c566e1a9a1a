import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openStore, type QueryApi, type Store } from '../../../src/index.js';
import { warmUpQueries } from '../../../src/server/warm-up.js';
import { ManualClock } from '../../support/manual-clock.js';
import { CPU_TYPE, smallCpuProfile } from '../../support/small-profile.js';

const DAY_MS = 86_400_000;
/** Long ago, as after a server was down. */
const START_MS = Date.UTC(2026, 0, 1);

let dir: string;
let store: Store;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'basalt-warm-'));
  store = await openStore({ dir, threads: false, compaction: 'manual' });
});
afterEach(async () => {
  await store.close();
  rmSync(dir, { recursive: true, force: true });
});

/** The queries, and a note of those that were answered with profiles. */
function noted(query: QueryApi, answered: string[]): QueryApi {
  return new Proxy(query, {
    get: (target, name: keyof QueryApi) => async (asked: never) => {
      const answer: unknown = await target[name](asked);
      const { stats } = (answer ?? {}) as { stats?: { profiles: number } };
      if (stats !== undefined && stats.profiles > 0) answered.push(name);
      return answer;
    },
  });
}

describe('warmUpQueries', () => {
  it('reads profiles, however old the newest is, from the log and from blocks', async () => {
    await store.write({
      labels: [{ name: 'service_name', value: 'old "quoted" \\ one' }],
      profile: smallCpuProfile(START_MS),
      temporality: 'delta',
    });
    for (const isCompacted of [false, true]) {
      if (isCompacted) await store.compact({ full: true });
      const answered: string[] = [];
      const clock = new ManualClock(START_MS + 200 * DAY_MS);
      await warmUpQueries(noted(store.query, answered), clock);
      expect([...new Set(answered)].sort()).toEqual([
        'mergePprof',
        'mergeTop',
        'mergeTree',
        'timeSeries',
      ]);
    }
    const all = { tenantId: 'anonymous', selector: '', startMs: 0, endMs: START_MS + DAY_MS };
    expect((await store.query.mergeTree({ ...all, profileType: CPU_TYPE })).total).toBe(
      4_000_000_000n,
    );
  });

  it('asks for more each time, and begins nothing once it took long', async () => {
    for (let i = 0; i < 100; i++)
      await store.write({
        labels: [{ name: 'service_name', value: 'a' }],
        profile: smallCpuProfile(START_MS + i * 10_000),
        temporality: 'delta',
      });
    const profilesOf = async (clock: ManualClock): Promise<number[]> => {
      const profiles: number[] = [];
      const query = new Proxy(store.query, {
        get: (target, name: keyof QueryApi) => async (asked: never) => {
          const answer: unknown = await target[name](asked);
          if (name === 'mergeTree')
            profiles.push((answer as { stats: { profiles: number } }).stats.profiles);
          if (name === 'timeSeries') await clock.advance(2_000);
          return answer;
        },
      });
      await warmUpQueries(query, clock);
      return profiles;
    };
    class StoppedClock extends ManualClock {
      override async advance(): Promise<void> {}
    }
    expect(await profilesOf(new StoppedClock(START_MS + DAY_MS))).toEqual([2, 30, 100]);
    expect(await profilesOf(new ManualClock(START_MS + DAY_MS))).toEqual([2, 30]);
  });

  it('is quiet without data, and about failures', async () => {
    await warmUpQueries(store.query, new ManualClock(START_MS));
    const broken = { profileBounds: () => Promise.reject(new Error('broken')) };
    await warmUpQueries(broken as unknown as QueryApi, new ManualClock(START_MS));
  });
});
