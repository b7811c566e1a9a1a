import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isKind } from '../../src/base/errors.js';
import { openBlock } from '../../src/block/reader.js';
import { verifyBlock } from '../../src/block/verify.js';
import { MemoryBucket } from '../../src/objstore/memory-bucket.js';
import { BLOCK, type PlainBlock, blockArbitrary, writeBlock } from '../support/random-blocks.js';

function someBlock(): PlainBlock {
  return fc.sample(blockArbitrary, { numRuns: 8, seed: 42 }).at(-1) as PlainBlock;
}

async function keysOf(bucket: MemoryBucket): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of bucket.list({ prefix: '' })) keys.push(key);
  return keys;
}

/** Reads everything that a query may read. */
async function readAll(bucket: MemoryBucket): Promise<void> {
  const reader = await openBlock(bucket, BLOCK.tenantId, BLOCK.blockId);
  await reader.series();
  await reader.profiles();
  await reader.profileIds();
  await reader.profileMetadata();
  for (const { service } of reader.meta.services) await reader.symbols(service);
  const all = { start: 0, end: reader.meta.sampleCount };
  await reader.scan({ ranges: [all], valueColumns: [0, 1, 2, 3] }, () => undefined);
}

describe('a damaged block (I8)', () => {
  it('is sound when nothing happened to it', async () => {
    for (const block of fc.sample(blockArbitrary, { numRuns: 8, seed: 5 })) {
      const bucket = new MemoryBucket();
      await writeBlock(bucket, block);
      expect(await verifyBlock(bucket, BLOCK.tenantId, BLOCK.blockId)).toEqual([]);
    }
  });

  it('is found out by verify wherever one bit of any object is turned', async () => {
    const bucket = new MemoryBucket();
    await writeBlock(bucket, someBlock());
    for (const key of await keysOf(bucket)) {
      const { body } = await bucket.get(key);
      const step = Math.max(1, Math.floor(body.length / 60));
      for (let at = 0; at < body.length; at += step) {
        const damaged = body.slice();
        damaged[at] = (damaged[at] as number) ^ (1 << (at & 7));
        await bucket.put(key, damaged);
        const found = await verifyBlock(bucket, BLOCK.tenantId, BLOCK.blockId).then(
          (findings) => findings.length > 0,
          (error) => isKind(error, 'corrupt'),
        );
        expect(found, `${key} at ${at}`).toBe(true);
      }
      await bucket.put(key, body);
    }
  });

  it('never gives numbers from a damaged column', async () => {
    const bucket = new MemoryBucket();
    const meta = await writeBlock(bucket, someBlock());
    for (const { table, rowGroups } of meta.tables) {
      const key = (await keysOf(bucket)).find((k) => k.endsWith(`${table}.parquet`)) as string;
      const { body } = await bucket.get(key);
      // block_id and the like are never read back: only SQL engines need them.
      const read = rowGroups
        .flatMap((g) => g.columns)
        .filter(
          (c) =>
            c.column === 'key' ||
            c.column === 'frame' ||
            c.column === 'v4' ||
            c.column === 'profile_id' ||
            c.column === 'function',
        );
      for (const { column, offset, sizeBytes } of read) {
        if (table !== 'samples' && column === 'key') continue;
        if (table === 'frames' && column === 'frame') continue;
        const damaged = body.slice();
        const at = offset + (sizeBytes >> 1);
        damaged[at] = (damaged[at] as number) ^ 4;
        await bucket.put(key, damaged);
        await expect(readAll(bucket), `${table}.${column}`).rejects.toSatisfy((error) =>
          isKind(error, 'corrupt'),
        );
      }
      await bucket.put(key, body);
    }
  });

  it('is damaged, and nothing else, where any file was cut off', async () => {
    const bucket = new MemoryBucket();
    await writeBlock(bucket, someBlock());
    const read = ['meta', 'series', 'profiles', 'samples', 'keys', 'nodes', 'frames'];
    for (const key of await keysOf(bucket)) {
      const name = key.slice(key.lastIndexOf('/') + 1).replace('.parquet', '');
      if (!read.includes(name)) continue;
      const { body } = await bucket.get(key);
      for (const length of [0, 3, 10]) {
        await bucket.put(key, body.subarray(0, length));
        await expect(readAll(bucket), `${key} of ${length}`).rejects.toMatchObject({
          kind: 'corrupt',
          message: expect.stringContaining(BLOCK.blockId),
        });
      }
      await bucket.put(key, body);
    }
  });

  it('says what is missing', async () => {
    const bucket = new MemoryBucket();
    await writeBlock(bucket, someBlock());
    const key = (await keysOf(bucket)).find((k) => k.endsWith('samples.parquet')) as string;
    await bucket.delete(key);
    const findings = await verifyBlock(bucket, BLOCK.tenantId, BLOCK.blockId);
    expect(findings.map((f) => f.code)).toEqual(['PS_OBJECT_NOT_FOUND']);
  });
});
