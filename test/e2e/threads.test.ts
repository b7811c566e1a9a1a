/** The store with its three threads: the same answers as without them, one owner of a directory, nothing left open. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { openSnapshot, openStore, type Store } from '../../src/index.js';
import { growthWrite, markedWrite, numbers, readMarked } from '../support/marked-profiles.js';

const MARKED = 24;
const STEPS = 5;

/** Kinds of whatever would keep this process alive, as Node names them. */
function openResources(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of process.getActiveResourcesInfo()) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

async function writeAll(store: Store): Promise<void> {
  await Promise.all(numbers(0, MARKED).map((n) => store.write(markedWrite(n))));
  for (const step of numbers(0, STEPS)) await store.write(growthWrite(step));
}

async function expectWhole(store: Pick<Store, 'query'>): Promise<void> {
  const { marked, steps, missing } = await readMarked(store.query);
  expect(missing).toEqual([]);
  expect(marked.size).toBe(MARKED);
  expect(steps.size).toBe(STEPS - 1);
}

describe('a program given on the command line', () => {
  it.each([
    ['as a module', ['--max-old-space-size=512', '--input-type=module', '-e']],
    ['as a script', ['-e']],
  ])('opens a store, %s', (_, args) => {
    const dir = mkdtempSync(join(tmpdir(), 'basalt-eval-'));
    const index = new URL('../../dist/index.js', import.meta.url).href;
    const program = `import(${JSON.stringify(index)}).then(async ({ openStore }) => {
      const store = await openStore({ dir: ${JSON.stringify(dir)} });
      console.log(JSON.stringify(await store.inspect()).length > 0);
      await store.close();
    });`;
    try {
      expect(execFileSync(process.execPath, [...args, program], { encoding: 'utf8' })).toBe(
        'true\n',
      );
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});

describe('a store with threads', () => {
  let dir = '';
  const opened: Store[] = [];
  const open = async (options: { compaction?: 'auto' | 'manual' } = {}): Promise<Store> => {
    if (dir === '') dir = mkdtempSync(join(tmpdir(), 'basalt-threads-'));
    const store = await openStore({ dir, compaction: 'manual', ...options });
    opened.push(store);
    return store;
  };
  afterEach(async () => {
    for (const store of opened.splice(0)) await store.close();
    rmSync(dir, { recursive: true, force: true });
    dir = '';
  });

  it('reads its own writes, before and after compaction and a new start (I1, I2)', async () => {
    const first = await open();
    for (const n of numbers(0, 6)) {
      await first.write(markedWrite(n));
      expect((await readMarked(first.query)).marked.size).toBe(n + 1);
    }
    await writeAll(first);
    await expectWhole(first);
    const progress: number[] = [];
    const report = await first.compact({ onProgress: (p) => progress.push(p.profilesDone) });
    expect(report.profiles).toBe(MARKED + STEPS);
    expect(progress.at(-1)).toBe(MARKED + STEPS);
    await expectWhole(first);
    await writeAll(first);
    await expectWhole(first);
    await first.compact({ full: true });
    await expectWhole(first);
    expect(await first.verify()).toEqual([]);
    expect((await first.inspect()).profiles).toBe(MARKED + STEPS);
    await first.close();

    const second = await open();
    await expectWhole(second);
    await writeAll(second);
    await expectWhole(second);
    const { counters, recovery } = await second.report();
    expect(counters).toMatchObject({ requests: MARKED + STEPS, duplicates: MARKED + STEPS });
    expect(recovery).toMatchObject({ tornBytes: 0, damaged: [] });
  });

  it('answers what it was asked before it closes', async () => {
    const store = await open();
    await writeAll(store);
    const all = { tenantId: 'anonymous', selector: '{}', startMs: 0, endMs: 9e12 };
    const asked = numbers(0, 8).map(() => store.query.labelNames(all));
    const closing = store.close();
    for (const { items } of await Promise.all(asked)) expect(items).toContain('pod');
    await closing;
  });

  it('answers as a store without threads does, byte by byte (I4)', async () => {
    const store = await open();
    await writeAll(store);
    await store.compact();
    await store.write(markedWrite(MARKED));
    const all = { tenantId: 'anonymous', selector: '{}', startMs: 0, endMs: 9e12 };
    const merge = { ...all, profileType: 'process_cpu:cpu:nanoseconds:cpu:nanoseconds' };
    const answers = async ({ query }: Pick<Store, 'query'>): Promise<unknown[]> => [
      await query.profileTypes(all),
      await query.labelNames(all),
      await query.labelValues({ ...all, name: 'pod' }),
      await query.series(all),
      await query.mergeTree(merge),
      await query.mergeTop(merge),
      Buffer.from((await query.mergePprof(merge)).body).toString('hex'),
      Buffer.from((await query.mergeFolded(merge)).body).toString(),
      await query.timeSeries({
        ...merge,
        startMs: 1_790_000_000_000,
        endMs: 1_790_000_100_000,
        stepMs: 1_000,
        groupBy: ['pod'],
      }),
    ];
    const threaded = await answers(store);
    await store.close();
    const inline = await openStore({ dir, threads: false, compaction: 'manual' });
    opened.push(inline);
    expect(await answers(inline)).toEqual(threaded);
  });

  it('answers two tenants at once on two threads, each with what is its own', async () => {
    const store = await open();
    await Promise.all(numbers(0, MARKED).map((n) => store.write(markedWrite(n), 'even')));
    await Promise.all(numbers(0, 5).map((n) => store.write(markedWrite(n), 'odd')));
    const workers = openResources()['MessagePort'] ?? 0;
    const rounds = numbers(0, 20).map(async (i) => {
      const isEven = i % 2 === 0;
      const { marked, missing } = await readMarked(store.query, isEven ? 'even' : 'odd');
      expect(missing).toEqual([]);
      expect(marked.size).toBe(isEven ? MARKED : 5);
      // A new segment, of which both threads must hear.
      if (i === 10) await store.compact();
    });
    await Promise.all(rounds);
    expect(openResources()['MessagePort'] ?? 0).toBeGreaterThanOrEqual(workers + 2);
  });

  it('carries errors over with kind and code', async () => {
    const store = await open();
    await expect(
      store.write({ ...markedWrite(0), profile: Uint8Array.of(1, 2, 3) }),
    ).rejects.toMatchObject({ name: 'StoreError', kind: 'invalid' });
    await expect(
      store.query.series({ tenantId: 'anonymous', selector: '{', startMs: 0, endMs: 1 }),
    ).rejects.toMatchObject({ name: 'StoreError', kind: 'invalid' });
    const signal = AbortSignal.abort();
    const range = { tenantId: 'anonymous', selector: '{}', startMs: 0, endMs: 1 };
    await expect(store.query.series({ ...range, signal })).rejects.toMatchObject({
      kind: 'cancelled',
    });
  });

  it('is the only one that has its directory; readers need no lock', async () => {
    const store = await open();
    await writeAll(store);
    const second = openStore({ dir });
    await expect(second).rejects.toMatchObject({ kind: 'conflict', code: 'PS_DIR_LOCKED' });
    const inline = openStore({ dir, threads: false });
    await expect(inline).rejects.toMatchObject({ kind: 'conflict', code: 'PS_DIR_LOCKED' });
    await expectWhole(store);
    const snapshot = await openSnapshot({ dir });
    await expectWhole(snapshot);
    await snapshot.close();
    await store.close();
    await expectWhole(await open());
  });

  it('closes once, for good, and finishes what was under way', async () => {
    const store = await open();
    const writes = numbers(0, MARKED).map((n) => store.write(markedWrite(n)));
    const closing = store.close();
    expect(store.close()).toBe(closing);
    const settled = await Promise.allSettled(writes);
    await closing;
    await store.close();
    expect(store.status).toBe('closed');
    const closed = { kind: 'closed', code: 'PS_STORE_CLOSED' };
    await expect(store.write(markedWrite(0))).rejects.toMatchObject(closed);
    await expect(store.flush()).rejects.toMatchObject(closed);
    await expect(store.compact()).rejects.toMatchObject(closed);
    await expect(store.inspect()).rejects.toMatchObject(closed);
    await expect(store.verify()).rejects.toMatchObject(closed);
    await expect(store.report()).rejects.toMatchObject(closed);
    expect(() => store.query).toThrow(expect.objectContaining(closed));
    // What was acked while it closed is there; what was not acked failed with a reason.
    const again = await open();
    const { marked } = await readMarked(again.query);
    for (const [n, result] of settled.entries()) {
      if (result.status === 'fulfilled') expect(marked.has(n), `acked ${n}`).toBe(true);
      else expect(result.reason).toMatchObject({ name: 'StoreError', kind: 'closed' });
    }
  });

  it('keeps answering while it compacts by itself, and leaves nothing open', async () => {
    const before = openResources();
    dir = mkdtempSync(join(tmpdir(), 'basalt-threads-'));
    const store = await openStore({ dir, compactionIntervalMs: 20, segmentBytesMax: 20_000 });
    opened.push(store);
    for (const n of numbers(0, MARKED)) {
      await store.write(markedWrite(n));
      expect((await readMarked(store.query)).marked.size).toBe(n + 1);
    }
    let blocks = 0;
    for (let i = 0; i < 400 && blocks === 0; i++) {
      await new Promise((resolve) => setTimeout(resolve, 25));
      blocks = (await store.inspect()).blocks.length;
    }
    expect(blocks).toBeGreaterThan(0);
    expect((await readMarked(store.query)).marked.size).toBe(MARKED);
    await store.close();
    const after = openResources();
    for (const kind of ['MessagePort', 'Worker', 'FSReqCallback', 'FileHandle']) {
      expect(after[kind] ?? 0, kind).toBeLessThanOrEqual(before[kind] ?? 0);
    }
  });
});
