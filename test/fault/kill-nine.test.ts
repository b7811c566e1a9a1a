/**
 * I1 and I2 on a real process: kill -9 in the middle of writing, again and again. Each profile has a function of its
 * own, so that the answer says exactly which profiles count and how often.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Temporality } from '../../src/gen/basalt/v1/common_pb.js';
import { IngestClient } from '../support/grpc-client.js';
import { plainPprof } from '../support/plain-pprof.js';
import { type ServerProcess, startServerProcess } from '../support/server-process.js';

const KILLS = 25;
const WRITERS = 6;
const TYPE = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';

interface Expected {
  /** Acked at least once. */
  readonly acked: Set<number>;
  /** Sent at least once. */
  sent: number;
}

function profileOf(n: number): Uint8Array {
  return plainPprof({
    types: [{ type: 'cpu', unit: 'nanoseconds' }],
    periodType: 'cpu',
    periodUnit: 'nanoseconds',
    startMs: 1_790_000_000_000 + n * 250,
    durationMs: 250,
    samples: [
      { functions: ['main', `profile-${n}`], values: [BigInt(n + 1)] },
      { functions: ['main', 'shared'], values: [1n] },
    ],
  });
}

async function send(client: IngestClient, n: number): Promise<void> {
  await client.write({
    labels: { service_name: `svc-${n % 3}`, __name__: 'process_cpu', pod: `pod-${n % 7}` },
    profile: profileOf(n),
    profileId: `id-${n}`,
    temporality: Temporality.DELTA,
  });
}

/** Writes until the server is gone. */
async function writeUntilGone(server: ServerProcess, expected: Expected): Promise<void> {
  const client = new IngestClient(server.grpc);
  const writer = async (): Promise<void> => {
    for (;;) {
      const n = expected.sent++;
      try {
        await send(client, n);
        expected.acked.add(n);
      } catch {
        return;
      }
      // Every tenth is sent again at once: a retry must not count.
      if (n % 10 === 0) await send(client, n).catch(() => undefined);
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, writer));
  client.close();
}

async function valuesByProfile(
  server: ServerProcess,
): Promise<{ own: Map<number, bigint>; shared: bigint }> {
  const query = new URLSearchParams({
    type: TYPE,
    selector: '{}',
    start: '1790000000000',
    end: '1800000000000',
    format: 'folded',
  });
  const answer = await fetch(`http://${server.http}/api/v1/merge?${query}`);
  const text = await answer.text();
  expect(answer.status, text).toBe(200);
  const own = new Map<number, bigint>();
  let shared = 0n;
  for (const line of text.split('\n')) {
    const match = /^main;(?:profile-(\d+)|shared) (\d+)$/.exec(line);
    if (match === null) continue;
    if (match[1] === undefined) shared = BigInt(match[2] as string);
    else own.set(Number(match[1]), BigInt(match[2] as string));
  }
  return { own, shared };
}

function check(found: Awaited<ReturnType<typeof valuesByProfile>>, expected: Expected): void {
  const lost = [...expected.acked].filter((n) => !found.own.has(n));
  expect(lost, 'acked and lost').toEqual([]);
  const wrong = [...found.own].filter(([n, value]) => value !== BigInt(n + 1));
  expect(wrong, 'counted other than once').toEqual([]);
  expect(found.shared).toBe(BigInt(found.own.size));
}

describe('kill -9 while writing', () => {
  let dataDir = '';
  beforeAll(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'basalt-kill-'));
  });
  afterAll(() => rmSync(dataDir, { recursive: true, force: true }));

  it(`loses nothing acked and counts nothing twice over ${KILLS} kills (I1, I2)`, async () => {
    const expected: Expected = { acked: new Set(), sent: 0 };
    // Small segments and an eager compaction, so that kills hit seals, compactions and deletions too.
    const options = {
      dataDir,
      args: [
        '--self-profile=false',
        '--segment-bytes',
        '200000',
        '--compaction-interval-ms',
        '150',
      ],
    };
    for (let round = 0; round < KILLS; round++) {
      const server = await startServerProcess(options);
      check(await valuesByProfile(server), expected);
      const writing = writeUntilGone(server, expected);
      await new Promise((resolve) => setTimeout(resolve, 150 + ((round * 97) % 700)));
      await server.kill();
      await writing;
    }
    const server = await startServerProcess(options);
    check(await valuesByProfile(server), expected);
    const client = new IngestClient(server.grpc);
    for (let n = 0; n < expected.sent; n += 64) {
      const batch = Array.from({ length: Math.min(64, expected.sent - n) }, (_, i) => n + i);
      await Promise.all(batch.map((m) => send(client, m)));
      for (const m of batch) expected.acked.add(m);
    }
    client.close();
    const found = await valuesByProfile(server);
    check(found, expected);
    expect(found.own.size).toBe(expected.sent);
    expect(expected.acked.size).toBeGreaterThan(KILLS * 10);
    expect(await server.stop()).toBe(0);
  }, 300_000);
});
