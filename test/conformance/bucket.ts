import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Bucket, ObjectInfo } from '../../src/objstore/bucket.js';

export interface BucketUnderTest {
  readonly bucket: Bucket;
  close(): Promise<void>;
}

export interface BucketConformanceOptions {
  /** Rounds of each race between writers. Default 20. */
  readonly races?: number;
  /** Bytes of the large object. Default 20 MiB, more than two parts on S3. */
  readonly largeBytes?: number;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (b: Uint8Array): string => new TextDecoder().decode(b);

async function all(objects: AsyncIterable<ObjectInfo>): Promise<ObjectInfo[]> {
  const out: ObjectInfo[] = [];
  for await (const object of objects) out.push(object);
  return out;
}

async function keys(bucket: Bucket, prefix: string, startAfter?: string): Promise<string[]> {
  const request = startAfter === undefined ? { prefix } : { prefix, startAfter };
  return (await all(bucket.list(request))).map((object) => object.key);
}

/** Awaited together: one that waits for its turn while it rejects would count as unhandled. */
async function allReject(calls: readonly Promise<unknown>[], reason: object): Promise<void> {
  for (const outcome of await Promise.allSettled(calls)) {
    expect(outcome).toMatchObject({ status: 'rejected', reason });
  }
}

/** What every Bucket does alike. All tests share one bucket, each under a folder of its own. */
export function bucketConformance(
  name: string,
  open: () => Promise<BucketUnderTest>,
  options: BucketConformanceOptions = {},
): void {
  describe(`bucket: ${name}`, () => {
    let t: BucketUnderTest;
    let bucket: Bucket;
    let folder = '';
    let folders = 0;

    beforeAll(async () => {
      t = await open();
      bucket = t.bucket;
    });
    afterAll(async () => {
      await t.close();
    });
    beforeEach(() => {
      folder = `test-${++folders}/`;
    });

    it('gets what was put, and its replacement', async () => {
      const key = `${folder}deep/er/object`;
      const first = await bucket.put(key, bytes('first'));
      expect(text((await bucket.get(key)).body)).toBe('first');
      const second = await bucket.put(key, bytes('second!'));
      expect(second.etag).not.toBe(first.etag);
      const got = await bucket.get(key);
      expect([text(got.body), got.etag]).toEqual(['second!', second.etag]);
      const head = await bucket.head(key);
      expect(head).toMatchObject({ key, sizeBytes: 7, etag: second.etag });
      expect(Number.isFinite(head.modifiedMs)).toBe(true);
      expect(await all(bucket.list({ prefix: folder }))).toEqual([
        { ...head, modifiedMs: expect.any(Number) },
      ]);
    });

    it('holds empty objects', async () => {
      await bucket.put(`${folder}empty`, new Uint8Array(0));
      expect((await bucket.get(`${folder}empty`)).body.length).toBe(0);
      expect((await bucket.head(`${folder}empty`)).sizeBytes).toBe(0);
      await expect(bucket.getRange(`${folder}empty`, { start: 0, end: 1 })).rejects.toMatchObject({
        code: 'PS_OBJECT_RANGE',
      });
    });

    it('answers not-found for what is not there', async () => {
      const key = `${folder}no/such`;
      await allReject(
        [bucket.get(key), bucket.head(key), bucket.getRange(key, { start: 0, end: 10 })],
        {
          kind: 'not-found',
          code: 'PS_OBJECT_NOT_FOUND',
        },
      );
      await bucket.delete(key);
      expect(await keys(bucket, folder)).toEqual([]);
      expect(await bucket.listFolders(folder)).toEqual([]);
    });

    it('a folder is not an object', async () => {
      await bucket.put(`${folder}a/b`, bytes('x'));
      await allReject([bucket.get(`${folder}a`), bucket.head(`${folder}a`)], { kind: 'not-found' });
    });

    it('reads ranges', async () => {
      const key = `${folder}ranges`;
      await bucket.put(key, bytes('0123456789'));
      const range = async (start: number, end: number): Promise<string> =>
        text(await bucket.getRange(key, { start, end }));
      expect(await range(0, 1)).toBe('0');
      expect(await range(3, 7)).toBe('3456');
      expect(await range(9, 10)).toBe('9');
      expect(await range(8, 1_000)).toBe('89');
      for (const [start, end] of [
        [10, 11],
        [4, 4],
        [5, 4],
        [-1, 4],
        [0.5, 4],
      ] as const) {
        await expect(bucket.getRange(key, { start, end })).rejects.toMatchObject({
          kind: 'invalid',
          code: 'PS_OBJECT_RANGE',
        });
      }
    });

    it('gives bodies of their own', async () => {
      const key = `${folder}own`;
      const body = bytes('original');
      const put = bucket.put(key, body);
      await put;
      body.fill(0);
      const got = (await bucket.get(key)).body;
      got.fill(1);
      expect(text((await bucket.get(key)).body)).toBe('original');
      const ranged = await bucket.getRange(key, { start: 0, end: 4 });
      for (const b of [got, ranged]) {
        expect(b).toBeInstanceOf(Uint8Array);
        expect(b.byteLength).toBe(b.buffer.byteLength);
      }
    });

    it('puts only if absent', async () => {
      const key = `${folder}absent`;
      const { etag } = await bucket.putIfAbsent(key, bytes('one'));
      expect((await bucket.head(key)).etag).toBe(etag);
      await expect(bucket.putIfAbsent(key, bytes('two'))).rejects.toMatchObject({
        kind: 'conflict',
        code: 'PS_OBJECT_EXISTS',
      });
      expect(text((await bucket.get(key)).body)).toBe('one');
      await bucket.delete(key);
      await bucket.putIfAbsent(key, bytes('three'));
      expect(text((await bucket.get(key)).body)).toBe('three');
    });

    it('puts only if it matches', async () => {
      const key = `${folder}match`;
      const one = await bucket.put(key, bytes('one'));
      const two = await bucket.putIfMatch(key, bytes('two'), one.etag);
      expect(two.etag).not.toBe(one.etag);
      await expect(bucket.putIfMatch(key, bytes('late'), one.etag)).rejects.toMatchObject({
        kind: 'conflict',
        code: 'PS_OBJECT_CHANGED',
      });
      expect(text((await bucket.get(key)).body)).toBe('two');
      await bucket.delete(key);
      await expect(bucket.putIfMatch(key, bytes('gone'), two.etag)).rejects.toMatchObject({
        kind: 'conflict',
        code: 'PS_OBJECT_CHANGED',
      });
    });

    it('lets exactly one of eight create an object, every time', async () => {
      for (let round = 0; round < (options.races ?? 20); round++) {
        const key = `${folder}race-${round}`;
        const results = await Promise.allSettled(
          Array.from({ length: 8 }, (_, i) => bucket.putIfAbsent(key, bytes(`writer ${i}`))),
        );
        const winner = results.findIndex((r) => r.status === 'fulfilled');
        expect(results.filter((r) => r.status === 'fulfilled')).toHaveLength(1);
        expect(text((await bucket.get(key)).body)).toBe(`writer ${winner}`);
        for (const r of results)
          if (r.status === 'rejected') expect(r.reason.kind).toBe('conflict');
      }
    }, 60_000);

    it('lets exactly one of eight replace an object, every time', async () => {
      const key = `${folder}counter`;
      let { etag } = await bucket.put(key, bytes('start'));
      for (let round = 0; round < (options.races ?? 20); round++) {
        const results = await Promise.allSettled(
          Array.from({ length: 8 }, (_, i) =>
            bucket.putIfMatch(key, bytes(`round ${round} writer ${i}`), etag),
          ),
        );
        const winner = results.findIndex((r) => r.status === 'fulfilled');
        expect(results.filter((r) => r.status === 'fulfilled')).toHaveLength(1);
        const got = await bucket.get(key);
        expect(text(got.body)).toBe(`round ${round} writer ${winner}`);
        etag = got.etag;
      }
    }, 60_000);

    it('deletes, and folders go with their last object', async () => {
      await bucket.put(`${folder}a/b/one`, bytes('1'));
      await bucket.put(`${folder}a/b/two`, bytes('2'));
      await bucket.delete(`${folder}a/b/one`);
      expect(await keys(bucket, folder)).toEqual([`${folder}a/b/two`]);
      await bucket.delete(`${folder}a/b/two`);
      await bucket.delete(`${folder}a/b/two`);
      expect(await bucket.listFolders(folder)).toEqual([]);
      await expect(bucket.get(`${folder}a/b/two`)).rejects.toMatchObject({ kind: 'not-found' });
    });

    it('survives puts and deletes in the same folder at once', async () => {
      await Promise.all(
        Array.from({ length: 8 }, async (_, i) => {
          for (let round = 0; round < 5; round++) {
            const key = `${folder}busy/sub/${i}`;
            await bucket.put(key, bytes(`${round}`));
            await bucket.delete(key);
          }
          await bucket.put(`${folder}busy/sub/${i}`, bytes('last'));
        }),
      );
      expect(await keys(bucket, folder)).toHaveLength(8);
    }, 30_000);

    it('lists in the order of UTF-8 bytes', async () => {
      const names = [
        'a',
        'a-b',
        'aa/x',
        'a.b/x',
        'a0/y',
        'B',
        'é',
        '\u{1f600}',
        '\uff5e',
        'a!b',
        'z z',
      ];
      for (const name of names) await bucket.put(`${folder}${name}`, bytes(name));
      const sorted = names
        .map((name) => `${folder}${name}`)
        .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      expect(await keys(bucket, folder)).toEqual(sorted);
      for (let i = 0; i < sorted.length; i++) {
        expect(await keys(bucket, folder, sorted[i])).toEqual(sorted.slice(i + 1));
      }
      expect(await keys(bucket, folder, `${folder}a/`)).toEqual(
        sorted.filter((k) => Buffer.compare(Buffer.from(k), Buffer.from(`${folder}a/`)) > 0),
      );
    });

    it('lists a prefix that ends within a part', async () => {
      for (const name of ['ab/1', 'abc/2', 'abd', 'b/3']) {
        await bucket.put(`${folder}${name}`, bytes(name));
      }
      expect(await keys(bucket, `${folder}ab`)).toEqual(
        ['ab/1', 'abc/2', 'abd'].map((n) => folder + n),
      );
      expect(await keys(bucket, `${folder}abc`)).toEqual([`${folder}abc/2`]);
      expect(await keys(bucket, `${folder}ab/`)).toEqual([`${folder}ab/1`]);
      expect(await keys(bucket, `${folder}abc/2`)).toEqual([`${folder}abc/2`]);
      expect(await keys(bucket, `${folder}c`)).toEqual([]);
      expect(await keys(bucket, `${folder}ab`, `${folder}ab/1`)).toEqual(
        ['abc/2', 'abd'].map((n) => folder + n),
      );
    });

    it('lists folders', async () => {
      for (const name of ['x/1', 'x/y/2', 'a/3', 'top']) {
        await bucket.put(`${folder}${name}`, bytes(name));
      }
      expect(await bucket.listFolders(folder)).toEqual(['a', 'x']);
      expect(await bucket.listFolders(`${folder}x/`)).toEqual(['y']);
      expect(await bucket.listFolders('')).toContain(folder.slice(0, -1));
      await expect(bucket.listFolders(folder.slice(0, -1))).rejects.toMatchObject({
        kind: 'invalid',
      });
    });

    it('uploads an object too large for one request; it appears at the end', async () => {
      const key = `${folder}large`;
      const upload = await bucket.startUpload(key);
      const total = options.largeBytes ?? 20 << 20;
      const piece = new Uint8Array(1_000_003);
      const whole = new Uint8Array(total);
      for (let at = 0, n = 0; at < total; at += piece.length, n++) {
        for (let i = 0; i < piece.length; i += 97) piece[i] = i * 31 + n;
        const part = piece.subarray(0, Math.min(piece.length, total - at));
        whole.set(part, at);
        await upload.write(part);
      }
      piece.fill(0xff);
      expect(await keys(bucket, folder)).toEqual([]);
      const { etag } = await upload.finish();
      const got = await bucket.get(key);
      expect(got.etag).toBe(etag);
      expect(Buffer.compare(got.body, whole)).toBe(0);
      await upload.abort();
      expect(await keys(bucket, folder)).toEqual([key]);
      await expect(upload.write(bytes('x'))).rejects.toMatchObject({ kind: 'closed' });
    }, 60_000);

    it('uploads small and empty objects, and aborts without a trace', async () => {
      const small = await bucket.startUpload(`${folder}small`);
      await small.write(bytes('sma'));
      await small.write(bytes('ll'));
      await small.finish();
      expect(text((await bucket.get(`${folder}small`)).body)).toBe('small');
      const empty = await bucket.startUpload(`${folder}empty`);
      await empty.finish();
      expect((await bucket.head(`${folder}empty`)).sizeBytes).toBe(0);
      const dropped = await bucket.startUpload(`${folder}dropped`);
      await dropped.write(bytes('x'));
      await dropped.abort();
      await dropped.abort();
      await expect(dropped.finish()).rejects.toMatchObject({ kind: 'closed' });
      expect(await keys(bucket, folder)).toEqual([`${folder}empty`, `${folder}small`]);
    });

    it('refuses keys outside the contract', async () => {
      const bad = [
        '',
        '/a',
        'a/',
        'a//b',
        'a/../b',
        '.',
        'a/.',
        'a\u0000b',
        'a\nb',
        'a\ud800b',
        'a/.tmp-x',
        'x'.repeat(256),
        `${'x/'.repeat(600)}y`,
      ];
      for (const key of bad) {
        await expect(bucket.put(key, bytes('x'))).rejects.toMatchObject({
          kind: 'invalid',
          code: 'PS_OBJECT_KEY',
        });
        await expect(bucket.get(key)).rejects.toMatchObject({ kind: 'invalid' });
      }
      await expect(keys(bucket, '../')).rejects.toMatchObject({ kind: 'invalid' });
      await expect(bucket.listFolders('a/../')).rejects.toMatchObject({ kind: 'invalid' });
    });

    it('does nothing for a signal that aborted before', async () => {
      const signal = AbortSignal.abort();
      const key = `${folder}cancelled`;
      await allReject(
        [
          bucket.put(key, bytes('x'), { signal }),
          bucket.putIfAbsent(key, bytes('x'), { signal }),
          bucket.get(key, { signal }),
          bucket.head(key, { signal }),
          bucket.getRange(key, { start: 0, end: 1 }, { signal }),
          bucket.delete(key, { signal }),
          bucket.listFolders(folder, { signal }),
          all(bucket.list({ prefix: folder }, { signal })),
          bucket.startUpload(key, { signal }),
        ],
        { kind: 'cancelled' },
      );
      expect(await keys(bucket, folder)).toEqual([]);
    });
  });
}
