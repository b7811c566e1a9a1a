import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/env/clock.js';
import { nodeFileSystem } from '../../../src/env/node-files.js';
import { systemRng } from '../../../src/env/rng.js';
import { openDirBucket } from '../../../src/objstore/dir-bucket.js';
import { MemoryBucket } from '../../../src/objstore/memory-bucket.js';
import { bucketConformance } from '../../conformance/bucket.js';
import { LossyFiles } from '../../support/lossy-files.js';
import { seededRng, VirtualClock } from '../../support/virtual-clock.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

async function temporaryBucket() {
  const dir = await mkdtemp(join(tmpdir(), 'basalt-bucket-'));
  const bucket = await openDirBucket({
    dir,
    files: nodeFileSystem,
    clock: systemClock,
    rng: systemRng,
  });
  return {
    dir,
    bucket,
    close: async () => {
      await bucket.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

bucketConformance('memory', async () => {
  const bucket = new MemoryBucket();
  return { bucket, close: () => bucket.close() };
});

bucketConformance('directory', temporaryBucket);

bucketConformance('directory in memory', async () => {
  const files = new LossyFiles();
  const bucket = await openDirBucket({
    dir: '/b',
    files,
    clock: new VirtualClock(),
    rng: seededRng(1),
  });
  return { bucket, close: () => bucket.close() };
});

describe('directory bucket', () => {
  it('hides temporary files and removes old ones', async () => {
    const { dir, bucket, close } = await temporaryBucket();
    await bucket.put('a/object', bytes('x'));
    await writeFile(join(dir, 'a/.tmp-old'), 'x');
    await utimes(join(dir, 'a/.tmp-old'), 1, 1);
    await writeFile(join(dir, 'a/.tmp-young'), 'x');
    const keys: string[] = [];
    for await (const object of bucket.list({ prefix: '' })) keys.push(object.key);
    expect(keys).toEqual(['a/object']);
    const names = (await nodeFileSystem.list(join(dir, 'a'))).map((e) => e.name);
    expect(names).toEqual(['.tmp-young', 'object']);
    await close();
  });

  it('refuses an object where a folder is, and a folder where an object is', async () => {
    const { bucket, close } = await temporaryBucket();
    await bucket.put('a/b', bytes('x'));
    for (const key of ['a', 'a/b/c']) {
      await expect(bucket.put(key, bytes('y'))).rejects.toMatchObject({
        kind: 'invalid',
        code: 'PS_OBJECT_KEY',
      });
    }
    await expect(bucket.get('a/b/c')).rejects.toMatchObject({ kind: 'not-found' });
    await close();
  });

  it('an acknowledged write survives power loss, an unfinished upload leaves nothing', async () => {
    const files = new LossyFiles(7);
    const open = () =>
      openDirBucket({ dir: '/b', files, clock: new VirtualClock(), rng: seededRng(1) });
    const before = await open();
    await before.put('x/put', bytes('1'));
    await before.putIfAbsent('x/absent', bytes('2'));
    const done = await before.startUpload('x/upload');
    await done.write(bytes('34'));
    await done.finish();
    const open2 = await before.startUpload('x/unfinished');
    await open2.write(bytes('567'));
    files.crash();
    const after = await open();
    const seen: [string, number][] = [];
    for await (const o of after.list({ prefix: '' })) seen.push([o.key, o.sizeBytes]);
    expect(seen).toEqual([
      ['x/absent', 1],
      ['x/put', 1],
      ['x/upload', 2],
    ]);
  });

  it('fails or succeeds whole, whichever call of the file system fails', async () => {
    for (let n = 1; n < 40; n++) {
      for (const kind of ['EIO', 'ENOSPC', 'late-EIO', 'halt'] as const) {
        const files = new LossyFiles(n);
        const open = () =>
          openDirBucket({ dir: '/b', files, clock: new VirtualClock(), rng: seededRng(1) });
        const bucket = await open();
        await bucket.put('k', bytes('old'));
        files.failNth(n, kind);
        const acked: string[] = [];
        for (const key of ['k', 'n/new']) {
          await bucket.put(key, bytes('new')).then(
            () => acked.push(key),
            (error) => expect(['unavailable', 'limit']).toContain(error.kind),
          );
        }
        files.crash();
        const again = await open();
        const k = new TextDecoder().decode((await again.get('k')).body);
        if (acked.includes('k')) expect(k).toBe('new');
        expect(['old', 'new']).toContain(k);
        if (acked.includes('n/new')) expect((await again.get('n/new')).body.length).toBe(3);
      }
    }
  });
});
