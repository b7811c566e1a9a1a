/**
 * I1 and I2 for the whole store on a disk that loses what was not synced: log, blocks and manifest on one lossy file
 * system, stopped at calls all over a scenario of writes, seals and compactions, by power loss or by kill -9.
 */
import { describe, expect, it } from 'vitest';
import type { Store } from '../../src/index.js';
import { type FaultKind, LossyFiles, mulberry32 } from '../support/lossy-files.js';
import { growthWrite, markedWrite, numbers, readMarked } from '../support/marked-profiles.js';
import { openOn } from '../support/stored-files.js';

const POINTS = Number(process.env['BASALT_CRASH_POINTS'] ?? 240);
const SEED = Number(process.env['BASALT_SEED'] ?? 13);
const SETTINGS = { segmentBytesMax: 20_000 };

/** What a sender knows. */
class Expected {
  /** Sent at least once, and acked at least once. */
  readonly sent = new Set<number>();
  readonly acked = new Set<number>();
  steps = 0;
  ackedSteps = 0;

  async write(store: Store, n: number): Promise<void> {
    this.sent.add(n);
    await store.write(markedWrite(n));
    this.acked.add(n);
  }

  /** The next step of the cumulative series: one that was not acked is sent again, since only so it is in order. */
  async grow(store: Store): Promise<void> {
    this.steps = this.ackedSteps + 1;
    await store.write(growthWrite(this.ackedSteps));
    this.ackedSteps++;
  }

  /** Nothing acked is missing, nothing is there twice, and nothing that was never sent. */
  async check(store: Store): Promise<void> {
    const { marked, steps, missing } = await readMarked(store.query);
    expect(missing).toEqual([]);
    expect([...this.acked].filter((n) => !marked.has(n))).toEqual([]);
    expect([...marked].filter((n) => !this.sent.has(n))).toEqual([]);
    const least = numbers(1, this.ackedSteps);
    expect(least.filter((step) => !steps.has(step))).toEqual([]);
    expect([...steps].filter((step) => step >= this.steps)).toEqual([]);
  }
}

type Action = (store: Store, expected: Expected) => Promise<unknown>;

/** Actions in random order, every kind of them; the same for the same seed. */
function scenario(seed: number, first: number): readonly Action[] {
  const random = mulberry32(seed);
  let next = first;
  return Array.from({ length: 16 }, (_, i): Action => {
    const roll = random();
    if (i % 8 === 5) return (store) => store.compact();
    if (i % 8 === 7) return (store) => store.compact({ full: true });
    if (roll < 0.2) return (store) => store.flush();
    if (roll < 0.4) return (store, expected) => expected.grow(store);
    const batch = numbers(next, next + 1 + Math.floor(random() * 4));
    next += batch.length;
    // Some are retries of what was sent before.
    const old = roll > 0.8 && next > 4 ? [Math.floor(random() * next)] : [];
    return (store, expected) => together([...batch, ...old].map((n) => expected.write(store, n)));
  });
}

/** All of them, then the first failure: nothing of a dead process may still be under way when the next one starts. */
async function together(work: readonly Promise<void>[]): Promise<void> {
  const settled = await Promise.allSettled(work);
  const failed = settled.find((s) => s.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

/** Runs until the end or the first failure. */
async function run(files: LossyFiles, actions: readonly Action[], expected: Expected) {
  let store: Store | undefined;
  try {
    store = await openOn(files, SETTINGS);
    for (const action of actions) await action(store, expected);
  } finally {
    await store?.close();
  }
}

/** Opens what is left, compares, sends everything again and compacts: all is there once. */
async function checkAfter(files: LossyFiles, expected: Expected): Promise<void> {
  const store = await openOn(files, SETTINGS);
  expect((await store.report()).recovery.damaged).toEqual([]);
  await expected.check(store);
  const before = await readMarked(store.query);
  for (const n of expected.sent) {
    const { profiles } = await store.write(markedWrite(n));
    expect(profiles, `profile ${n} sent again`).toBe(before.marked.has(n) ? 0 : 1);
    expected.acked.add(n);
  }
  await expected.grow(store);
  await expected.check(store);
  await store.compact({ full: true });
  await expected.check(store);
  expect(await store.verify()).toEqual([]);
  await store.close();
}

async function callsOf(seed: number): Promise<number> {
  const files = new LossyFiles(seed);
  const expected = new Expected();
  await run(files, scenario(seed, 0), expected);
  const { callCount } = files;
  await checkAfter(files, expected);
  return callCount;
}

describe('a store on a disk that loses what was not synced', () => {
  it(`keeps what it acked, once, over ${POINTS} crashes (I1, I2)`, async () => {
    const random = mulberry32(SEED);
    for (let point = 0; point < POINTS; ) {
      const seed = SEED * 1_000 + point;
      const calls = await callsOf(seed);
      // Spread evenly over the scenario, and a little at random, so that every seed stops at other calls.
      const count = Math.min(40, POINTS - point);
      for (let i = 0; i < count; i++, point++) {
        const n = 1 + Math.floor(((i + random()) * calls) / count);
        const isPowerLoss = i % 4 !== 3;
        const name = `seed ${seed}, ${isPowerLoss ? 'power loss' : 'kill'} at call ${n} of ${calls}`;
        const files = new LossyFiles(seed);
        const expected = new Expected();
        try {
          files.failNth(n, 'halt');
          await run(files, scenario(seed, 0), expected).catch(() => undefined);
          if (isPowerLoss) files.crash();
          else files.kill();
          // Every other time the next start is stopped too, a little later.
          if (i % 2 === 0) {
            files.failNth(1 + Math.floor(random() * 120), 'halt');
            await run(files, scenario(seed + 1, 100), expected).catch(() => undefined);
            files.crash();
          }
          await checkAfter(files, expected);
        } catch (error) {
          throw new Error(name, { cause: error });
        }
      }
    }
  }, 300_000);

  it('removes nothing live after a call that failed late, whichever of a compaction', async () => {
    const sweep = async (at?: number): Promise<number> => {
      const files = new LossyFiles(SEED);
      const expected = new Expected();
      let store = await openOn(files);
      const send = async (numbersSent: readonly number[]): Promise<void> => {
        await together(numbersSent.map((n) => expected.write(store, n)));
        await expected.grow(store);
      };
      await send([0, 1, 2]);
      await store.compact();
      await send([3, 4]);
      await store.close();
      store = await openOn(files);
      const before = files.callCount;
      if (at !== undefined) files.failNth(at, 'late-EIO');
      await store.compact({ full: true }).catch(() => undefined);
      const calls = files.callCount - before;
      await store.close().catch(() => undefined);
      files.crash();
      await checkAfter(files, expected);
      return calls;
    };
    const calls = await sweep();
    for (let at = 1; at <= calls; at++) {
      await sweep(at).catch((error: unknown) => {
        throw new Error(`late-EIO at call ${at} of ${calls}`, { cause: error });
      });
    }
  }, 240_000);

  it.each(['EIO', 'ENOSPC', 'short-write', 'late-EIO'] satisfies FaultKind[])(
    'goes on after one %s',
    async (kind) => {
      const seed = SEED * 2_000;
      const calls = await callsOf(seed);
      const count = POINTS / 12;
      for (let i = 0; i < count; i++) {
        const n = 1 + Math.floor(((i + 0.5) * calls) / count);
        const files = new LossyFiles(seed);
        const expected = new Expected();
        try {
          files.failNth(n, kind);
          const actions = scenario(seed, 0).map(
            (action): Action =>
              (store, e) =>
                action(store, e).catch(() => undefined),
          );
          await run(files, actions, expected).catch(() => undefined);
          await checkAfter(files, expected);
          files.crash();
          await checkAfter(files, expected);
        } catch (error) {
          throw new Error(`seed ${seed}, ${kind} at call ${n} of ${calls}`, { cause: error });
        }
      }
    },
    120_000,
  );
});
