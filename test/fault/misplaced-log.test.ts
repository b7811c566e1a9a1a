/** Segments that were renamed, swapped, copied or removed by hand, and a log that ends before what was consumed of it. */
import { copyFileSync, cpSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openStore, type Store } from '../../src/index.js';
import { markedWrite, numbers, readMarked } from '../support/marked-profiles.js';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'basalt-misplaced-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const open = (place = dir): Promise<Store> =>
  openStore({ dir: place, threads: false, compaction: 'manual' });

function logDir(): string {
  const log = join(dir, 'log');
  return join(log, readdirSync(log)[0]!);
}

const segment = (sequence: number): string =>
  join(logDir(), `${String(sequence).padStart(16, '0')}.segment`);

/** Three sealed segments with two profiles each. */
async function threeSegments(): Promise<void> {
  const store = await open();
  for (let i = 0; i < 3; i++) {
    for (const n of numbers(2 * i, 2 * i + 2)) await store.write(markedWrite(n));
    await store.flush();
  }
  await store.close();
}

const marked = async (store: Store): Promise<number[]> =>
  [...(await readMarked(store.query)).marked.keys()].sort((a, b) => a - b);

/** New profiles are readable, compacted, and there after a start. */
async function expectGoesOn(before: readonly number[]): Promise<void> {
  const store = await open();
  expect(await marked(store)).toEqual(before);
  await store.write(markedWrite(50));
  const all = [...before, 50];
  expect(await marked(store)).toEqual(all);
  await store.compact({ full: true });
  expect(await marked(store)).toEqual(all);
  await store.close();
  const again = await open();
  expect(await marked(again)).toEqual(all);
  await again.close();
}

describe('a segment under another name', () => {
  it('is moved back when it was renamed', async () => {
    await threeSegments();
    renameSync(segment(3), segment(9));
    const store = await open();
    expect((await store.report()).recovery).toMatchObject({ tornSegments: 0, damaged: [] });
    await store.close();
    await expectGoesOn(numbers(0, 6));
  });

  it('is put aside when its own is there too, and costs nothing', async () => {
    await threeSegments();
    copyFileSync(segment(1), segment(4));
    const store = await open();
    const { damaged } = (await store.report()).recovery;
    expect(damaged.map((d) => d.sequence)).toEqual([4]);
    await store.close();
    await expectGoesOn(numbers(0, 6));
  });

  it('is put aside and reported when two were swapped, and the log goes on', async () => {
    await threeSegments();
    renameSync(segment(1), `${segment(1)}.tmp`);
    renameSync(segment(2), segment(1));
    renameSync(`${segment(1)}.tmp`, segment(2));
    const store = await open();
    const { damaged } = (await store.report()).recovery;
    expect(damaged.map((d) => d.sequence)).toEqual([1, 2]);
    for (const { lostBytes } of damaged) expect(lostBytes).toBeGreaterThan(0);
    await store.close();
    await expectGoesOn([4, 5]);
  });
});

describe('a log that ends before what was consumed of it', () => {
  it('gives new profiles numbers past that, when its newest segments are gone', async () => {
    await threeSegments();
    const store = await open();
    await store.compact();
    await store.close();
    for (const name of readdirSync(logDir())) rmSync(join(logDir(), name));
    await expectGoesOn(numbers(0, 6));
  });

  it('gives new profiles numbers past that, when it was copied long before the manifests', async () => {
    await threeSegments();
    const copy = join(dir, 'copy');
    cpSync(join(dir, 'log'), join(copy, 'log'), { recursive: true });
    const store = await open();
    for (const n of numbers(6, 12)) {
      await store.write(markedWrite(n));
      await store.flush();
    }
    await store.compact();
    await store.close();
    cpSync(join(dir, 'objects'), join(copy, 'objects'), { recursive: true });
    rmSync(join(dir, 'log'), { recursive: true });
    renameSync(join(copy, 'log'), join(dir, 'log'));
    await expectGoesOn(numbers(0, 12));
  });
});
