import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/env/clock.js';
import { nodeFileSystem } from '../../src/env/node-files.js';
import { systemRng } from '../../src/env/rng.js';
import { MeteredBucket } from '../support/metered-bucket.js';
import { openBucket, type S3Settings } from '../../src/objstore/open-bucket.js';
import { bucketConformance } from '../conformance/bucket.js';
import { hasS3Server, type S3Server, startS3Server } from '../support/s3-server.js';

/** The first start builds the server. */
const START_MS_MAX = 320_000;

const parts = { files: nodeFileSystem, clock: systemClock, rng: systemRng };

describe.skipIf(!hasS3Server())('S3', () => {
  let server: S3Server;
  let settings: S3Settings;

  beforeAll(async () => {
    server = await startS3Server();
    settings = { endpoint: server.endpoint, region: 'us-east-1' };
  }, START_MS_MAX);
  afterAll(() => server?.close());

  bucketConformance('s3 with a prefix', async () => {
    const location = `s3://${server.bucket}/some/prefix`;
    const bucket = await openBucket(location, { ...parts, s3: settings });
    return { bucket, close: () => bucket.close() };
  });

  bucketConformance(
    's3 without a prefix',
    async () => {
      const bucket = await openBucket(`s3://${server.bucket}`, { ...parts, s3: settings });
      return { bucket, close: () => bucket.close() };
    },
    { races: 3 },
  );

  it('keeps prefixes apart and says its name', async () => {
    const a = await openBucket(`s3://${server.bucket}/a`, { ...parts, s3: settings });
    const b = await openBucket(`s3://${server.bucket}/b/`, { ...parts, s3: settings });
    await a.put('x', new Uint8Array(3));
    await expect(b.get('x')).rejects.toMatchObject({ kind: 'not-found' });
    expect([a.name, b.name]).toEqual([`s3://${server.bucket}/a`, `s3://${server.bucket}/b`]);
    await a.close();
    await expect(a.get('x')).rejects.toMatchObject({ kind: 'closed' });
    await b.close();
  });

  it('lists more than one page', async () => {
    const bucket = await openBucket(`s3://${server.bucket}/pages`, { ...parts, s3: settings });
    const want: string[] = [];
    for (let i = 0; i < 1_100; i += 50) {
      const batch = Array.from({ length: 50 }, (_, j) => `d/${String(i + j).padStart(5, '0')}`);
      want.push(...batch);
      await Promise.all(batch.map((key) => bucket.put(key, new Uint8Array(1))));
    }
    const got: string[] = [];
    for await (const object of bucket.list({ prefix: 'd/' })) got.push(object.key);
    expect(got).toEqual(want);
    await bucket.close();
  }, 60_000);

  it('tells a bucket that does not exist, and wrong credentials, from a missing object', async () => {
    const no = openBucket('s3://no-such-bucket', { ...parts, s3: settings });
    await expect(no).rejects.toMatchObject({ kind: 'invalid', code: 'PS_BUCKET_NOT_FOUND' });
    const saved = process.env['AWS_SECRET_ACCESS_KEY'];
    process.env['AWS_SECRET_ACCESS_KEY'] = 'wrong';
    const refused = openBucket(`s3://${server.bucket}`, { ...parts, s3: settings });
    await expect(refused).rejects.toMatchObject({ kind: 'invalid', code: 'PS_S3_ACCESS' });
    process.env['AWS_SECRET_ACCESS_KEY'] = saved;
  });

  it('needs no retries on a healthy server, and meters what it sends', async () => {
    let metered: MeteredBucket | undefined;
    const bucket = await openBucket(`s3://${server.bucket}/metered`, {
      ...parts,
      s3: { ...settings, selfTest: false },
      wrap: (inner) => {
        metered = new MeteredBucket(inner);
        return metered;
      },
    });
    await bucket.put('k', new Uint8Array(1_000));
    await bucket.get('k');
    await bucket.getRange('k', { start: 10, end: 20 });
    expect(metered?.counts.put).toEqual({ calls: 1, failures: 0, bytes: 1_000 });
    expect(metered?.counts.get).toEqual({ calls: 1, failures: 0, bytes: 1_000 });
    expect(metered?.counts.getRange).toEqual({ calls: 1, failures: 0, bytes: 10 });
    await bucket.close();
  });
});
