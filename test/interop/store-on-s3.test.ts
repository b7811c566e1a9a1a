/** The whole store with its blocks and manifests on a real S3 server, the log on the local disk. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Temporality } from '../../src/gen/basalt/v1/common_pb.js';
import { openStore, type Store, type StoreOptions } from '../../src/index.js';

import { BASALT } from '../support/basalt-command.js';
import { IngestClient } from '../support/grpc-client.js';
import { growthWrite, markedWrite, numbers, readMarked } from '../support/marked-profiles.js';
import { hasS3Server, type S3Server, startS3Server } from '../support/s3-server.js';
import { type ServerProcess, startServerProcess } from '../support/server-process.js';

const run = promisify(execFile);
/** The first start builds the S3 server. */
const START_MS_MAX = 320_000;
const KILLS = 5;
const WRITERS = 4;
/** Long enough for a segment to be sealed and its compaction to be on its way. */
const RUN_MS = 1_000;

describe.skipIf(!hasS3Server())('a store on S3', () => {
  let s3: S3Server;
  let dir = '';
  let prefixes = 0;
  const opened: Store[] = [];

  beforeAll(async () => {
    s3 = await startS3Server();
  }, START_MS_MAX);
  afterAll(() => s3?.close());
  afterEach(async () => {
    for (const store of opened.splice(0)) await store.close();
    rmSync(dir, { recursive: true, force: true });
  });

  /** A place of its own for each test. */
  const newPlace = (): StoreOptions => {
    dir = mkdtempSync(join(tmpdir(), 'basalt-s3-'));
    return {
      dir,
      bucket: `s3://${s3.bucket}/store-${++prefixes}`,
      s3: { endpoint: s3.endpoint, region: 'us-east-1' },
      compaction: 'manual',
    };
  };
  const open = async (options: StoreOptions): Promise<Store> => {
    const store = await openStore(options);
    opened.push(store);
    return store;
  };

  it.each([false, true])(
    'writes, compacts, answers and starts again (threads: %s)',
    async (threads) => {
      const place = { ...newPlace(), threads };
      const sent = { marked: 0, steps: 0 };
      const send = async (store: Store, marked: number, steps: number): Promise<void> => {
        await Promise.all(
          numbers(sent.marked, sent.marked + marked).map((n) => store.write(markedWrite(n))),
        );
        for (const step of numbers(sent.steps, sent.steps + steps)) {
          await store.write(growthWrite(step));
        }
        sent.marked += marked;
        sent.steps += steps;
      };
      const expectWhole = async (store: Store): Promise<void> => {
        const { marked, steps, missing } = await readMarked(store.query);
        expect(missing).toEqual([]);
        expect(marked.size).toBe(sent.marked);
        expect(steps.size).toBe(sent.steps - 1);
      };
      let store = await open(place);
      for (let round = 0; round < 3; round++) {
        await send(store, 12, 3);
        await expectWhole(store);
        const report = await store.compact();
        expect(report.levelZeroCompactions).toBe(1);
        await expectWhole(store);
      }
      // Everything again: the blocks on S3 are asked whether they have it.
      for (const n of numbers(0, sent.marked)) {
        expect((await store.write(markedWrite(n))).profiles).toBe(0);
      }
      await expectWhole(store);
      await store.close();

      store = await open(place);
      await expectWhole(store);
      await send(store, 4, 1);
      await store.compact({ full: true });
      await expectWhole(store);
      const { blocks, log, objects } = await store.inspect();
      expect(blocks).toHaveLength(1);
      expect(blocks[0]?.profiles).toBe(sent.marked + sent.steps);
      expect(log.segments).toBeLessThanOrEqual(1);
      expect(objects.count).toBeGreaterThan(7);
      expect(await store.verify()).toEqual([]);
    },
    120_000,
  );

  it('lets a second process neither lose nor count anything (I2)', async () => {
    const place = newPlace();
    const otherDir = mkdtempSync(join(tmpdir(), 'basalt-s3-'));
    const first = await open({ ...place, threads: false });
    const second = await open({ ...place, dir: otherDir, threads: false });
    // Two logs, one manifest: both commit to it at the same time.
    for (let round = 0; round < 5; round++) {
      const start = round * 8;
      await Promise.all([
        ...numbers(start, start + 4).map((n) => first.write(markedWrite(n))),
        ...numbers(start + 4, start + 8).map((n) => second.write(markedWrite(n))),
      ]);
      await Promise.all([first.compact(), second.compact()]);
    }
    for (const store of [first, second]) {
      const { marked, missing } = await readMarked(store.query);
      expect(missing).toEqual([]);
      expect([...marked].sort((a, b) => a - b)).toEqual(numbers(0, 40));
    }
    expect(await first.verify()).toEqual([]);
    await second.close();
    rmSync(otherDir, { recursive: true, force: true });
  }, 120_000);

  it(`survives ${KILLS} kills of its server while it compacts to S3 (I1, I2)`, async () => {
    const { dir: dataDir, bucket } = newPlace();
    const where = ['--bucket', bucket as string, '--s3-endpoint', s3.endpoint];
    const args = [
      ...where,
      ...['--self-profile=false', '--segment-bytes', '65536', '--compaction-interval-ms', '100'],
    ];
    const start = (): Promise<ServerProcess> =>
      startServerProcess({ dataDir, args, env: s3.env, readyTimeoutMs: 60_000 });
    const acked = new Set<number>();
    let sent = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const server = await start();
      await expectServed(server, acked, sent);
      const writing = Promise.all(
        Array.from({ length: WRITERS }, async () => {
          const client = new IngestClient(server.grpc);
          try {
            for (;;) {
              const n = sent++;
              await send(client, n);
              acked.add(n);
            }
          } catch {
            // The server is gone.
          } finally {
            client.close();
          }
        }),
      );
      await new Promise((resolve) => setTimeout(resolve, RUN_MS + 170 * kill));
      await server.kill();
      await writing;
    }
    const server = await start();
    await expectServed(server, acked, sent);
    const client = new IngestClient(server.grpc);
    for (let n = 0; n < sent; n += 64) {
      const batch = numbers(n, Math.min(sent, n + 64));
      await Promise.all(batch.map((m) => send(client, m)));
      for (const m of batch) acked.add(m);
    }
    client.close();
    await expectServed(server, acked, sent);
    expect(acked.size).toBeGreaterThan(KILLS * 10);
    expect(await server.stop()).toBe(0);

    // The same place through the other commands.
    const common = ['--data', dataDir, ...where];
    // Not `spawnSync`: the S3 server's output must be read meanwhile.
    const ran = async (command: string, ...more: string[]): Promise<string> => {
      const full = [BASALT, command, ...common, ...more];
      return (await run(process.execPath, full, { env: { ...process.env, ...s3.env } })).stdout;
    };
    await ran('compact', '--full');
    await ran('verify');
    expect(JSON.parse(await ran('inspect', '--json'))).toMatchObject({ profiles: sent });
    const again = await start();
    await expectServed(again, acked, sent);
    expect(await again.stop()).toBe(0);
  }, 300_000);
});

async function send(client: IngestClient, n: number): Promise<void> {
  const { labels, profile, profileId } = markedWrite(n);
  await client.write({
    labels: Object.fromEntries(labels.map(({ name, value }) => [name, value])),
    profile,
    profileId: profileId as string,
    temporality: Temporality.DELTA,
  });
}

async function expectServed(
  server: ServerProcess,
  acked: ReadonlySet<number>,
  sent: number,
): Promise<void> {
  const query = new URLSearchParams({
    type: 'process_cpu:cpu:nanoseconds:cpu:nanoseconds',
    selector: '{}',
    start: '1790000000000',
    end: '1890000000000',
    format: 'folded',
  });
  const answer = await fetch(`http://${server.http}/api/v1/merge?${query}`);
  const text = await answer.text();
  expect(answer.status, text).toBe(200);
  const own = new Map<number, bigint>();
  for (const [, n, value] of text.matchAll(/^main;profile-(\d+) (\d+)$/gm)) {
    own.set(Number(n), BigInt(value as string));
  }
  const wrong = [...own].filter(([n, value]) => value !== BigInt(n + 1) || n >= sent);
  expect(wrong, 'counted other than once').toEqual([]);
  const lost = [...acked].filter((n) => !own.has(n));
  expect(lost, 'acked and lost').toEqual([]);
}
