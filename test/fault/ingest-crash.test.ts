import { describe, expect, it } from 'vitest';
import { cpuRequest, openTestIngest } from '../support/ingest-store.js';
import { type FaultKind, LossyFiles } from '../support/lossy-files.js';

const PROFILES = 12;
const settings = { segmentBytesMax: 6_000 };

/** Sends all profiles, a few at once, and returns the starts of those that were acked. */
async function sendAll(files: LossyFiles): Promise<Set<number>> {
  const acked = new Set<number>();
  const store = await openTestIngest(files, { settings }).catch(() => undefined);
  if (store === undefined) return acked;
  for (let first = 0; first < PROFILES; first += 3) {
    await Promise.allSettled(
      [0, 1, 2].map(async (i) => {
        await store.ingest.write('t', cpuRequest('a', first + i, { stacks: 2 + first }));
        acked.add(first + i);
      }),
    );
    if (first === 3) await store.ingest.seal().catch(() => undefined);
  }
  return acked;
}

async function callsOfWholeRun(): Promise<number> {
  const files = new LossyFiles();
  await sendAll(files);
  return files.callCount;
}

async function checkAfter(
  files: LossyFiles,
  acked: ReadonlySet<number>,
  name: string,
): Promise<void> {
  const store = await openTestIngest(files, { settings });
  const { recovery } = store.ingest;
  expect(recovery.damaged, name).toEqual([]);
  const starts = (await store.stored()).map(
    (p) => Number(p.startNs / 1_000_000_000n) - 1_600_000_000,
  );
  expect(new Set(starts).size, `${name}: none twice`).toBe(starts.length);
  for (const start of acked) expect(starts, `${name}: acked`).toContain(start);
  // All are sent again, as a sender does that saw no answer.
  for (let i = 0; i < PROFILES; i++) {
    const { profiles } = await store.ingest.write(
      't',
      cpuRequest('a', i, { stacks: 2 + i - (i % 3) }),
    );
    expect(profiles, `${name}: profile ${i}`).toBe(starts.includes(i) ? 0 : 2);
  }
  const stored = await store.stored();
  expect(stored, name).toHaveLength(PROFILES);
  for (const profile of stored) {
    const i = Number(profile.startNs / 1_000_000_000n) - 1_600_000_000;
    expect(profile.rows[0]?.size, name).toBe(2 + i - (i % 3));
  }
  await store.ingest.close();
}

describe('the log survives', () => {
  it('a crash at every call of the file system (I1, I2)', async () => {
    const calls = await callsOfWholeRun();
    expect(calls).toBeGreaterThan(20);
    for (let n = 1; n <= calls; n++) {
      const files = new LossyFiles(n);
      files.failNth(n, 'halt');
      const acked = await sendAll(files);
      files.crash();
      await checkAfter(files, acked, `power loss at call ${n}`);
    }
  });

  it.each(['EIO', 'ENOSPC', 'short-write', 'late-EIO'] satisfies FaultKind[])(
    'one %s at every call, and goes on',
    async (kind) => {
      const calls = await callsOfWholeRun();
      for (let n = 1; n <= calls; n++) {
        const files = new LossyFiles(n);
        files.failNth(n, kind);
        const acked = await sendAll(files);
        files.crash();
        await checkAfter(files, acked, `${kind} at call ${n}, then power loss`);
      }
    },
  );
});
