/** Looking at a store while a compaction takes away what is looked at. */
import { describe, expect, it } from 'vitest';
import type { FileSystem } from '../../../src/env/files.js';
import { openStore, type Store } from '../../../src/index.js';
import { HastyClock } from '../../support/hasty-clock.js';
import { LossyFiles } from '../../support/lossy-files.js';
import { markedWrite, numbers } from '../../support/marked-profiles.js';
import { STORE_DIR } from '../../support/stored-files.js';
import { seededRng } from '../../support/virtual-clock.js';

const COUNT = 6;

/** A store in which the next segment that is opened has been compacted and deleted by then. */
async function vanishing(): Promise<{ store: Store; arm: () => void; vanished: () => boolean }> {
  let isArmed = false;
  let hasVanished = false;
  const files: FileSystem = new Proxy(new LossyFiles(), {
    get(target, name) {
      const value = Reflect.get(target, name, target) as unknown;
      if (typeof value !== 'function') return value;
      if (name !== 'openRead') return value.bind(target) as unknown;
      return async (path: string) => {
        if (isArmed && path.endsWith('.segment')) {
          isArmed = false;
          await store.compact();
          hasVanished = true;
        }
        return target.openRead(path);
      };
    },
  });
  const store = await openStore({
    dir: STORE_DIR,
    threads: false,
    compaction: 'manual',
    environment: { files, clock: new HastyClock(1_790_000_100_000), rng: seededRng(1) },
  });
  for (const n of numbers(0, COUNT)) await store.write(markedWrite(n));
  const arm = (): void => {
    isArmed = true;
  };
  return { store, arm, vanished: () => hasVanished };
}

describe('beside a compaction', () => {
  it('inspect looks anew', async () => {
    const { store, arm, vanished } = await vanishing();
    arm();
    const { profiles, blocks } = await store.inspect();
    expect(vanished()).toBe(true);
    expect(profiles).toBe(COUNT);
    expect(blocks.length).toBe(1);
    await store.close();
  });

  it('verify finds nothing wrong with a segment that was consumed', async () => {
    const { store, arm, vanished } = await vanishing();
    arm();
    expect(await store.verify()).toEqual([]);
    expect(vanished()).toBe(true);
    await store.close();
  });
});
