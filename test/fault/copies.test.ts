/** A copied store opens as it is (docs/operations.md): a closed one, and a live one copied in the order that is said there. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openStore, type Store } from '../../src/index.js';
import { growthWrite, markedWrite, numbers, readMarked } from '../support/marked-profiles.js';

const COPIES = 6;
/** log before manifests before what they name. */
const LIVE_ORDER = [
  'log',
  'objects/manifest',
  'objects/manifest-boundary',
  'objects/carry',
  'objects/blocks',
];

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'basalt-copy-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const open = (dir: string): Promise<Store> =>
  openStore({ dir, threads: false, compaction: 'manual' });

async function write(store: Store, round: number): Promise<void> {
  await Promise.all(numbers(round * 6, round * 6 + 6).map((n) => store.write(markedWrite(n))));
  await store.write(growthWrite(round));
}

async function expectRounds(dir: string, least: number, most: number): Promise<void> {
  const store = await open(dir);
  expect(await store.verify()).toEqual([]);
  const { marked, steps, missing } = await readMarked(store.query);
  expect(missing).toEqual([]);
  expect(marked.size).toBeGreaterThanOrEqual(least * 6);
  expect(marked.size).toBeLessThanOrEqual(most * 6);
  expect(steps.size).toBeGreaterThanOrEqual(least - 1);
  // It goes on as a store of its own.
  await store.compact({ full: true });
  expect((await readMarked(store.query)).marked.size).toBe(marked.size);
  await store.close();
}

describe('a copied directory', () => {
  it('opens as it is when the store was closed', async () => {
    const dir = join(root, 'store');
    const store = await open(dir);
    await write(store, 0);
    await store.compact();
    await write(store, 1);
    await store.close();
    cpSync(dir, join(root, 'copy'), { recursive: true });
    await expectRounds(join(root, 'copy'), 2, 2);
    await expectRounds(dir, 2, 2);
  });

  it(`has what was acked before it, when it was copied beside writes and compactions, ${COPIES} times`, async () => {
    const dir = join(root, 'store');
    const store = await open(dir);
    await write(store, 0);
    await store.compact();
    for (let n = 1; n <= COPIES; n++) {
      await write(store, n);
      const copy = join(root, `copy-${n}`);
      for (const [step, folder] of LIVE_ORDER.entries()) {
        // Something moves between any two steps: from the log into blocks, or blocks into a larger one.
        if (step === n % LIVE_ORDER.length) await store.compact();
        const from = join(dir, folder);
        if (!existsSync(from)) continue;
        mkdirSync(join(copy, folder, '..'), { recursive: true });
        cpSync(from, join(copy, folder), { recursive: true });
      }
      await expectRounds(copy, n + 1, n + 1);
    }
    await store.close();
  }, 60_000);
});
