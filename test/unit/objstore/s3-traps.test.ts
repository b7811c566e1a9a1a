import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/env/clock.js';
import { nodeFileSystem } from '../../../src/env/node-files.js';
import type { Bucket } from '../../../src/objstore/bucket.js';
import { openBucket, parseS3Location, type S3Settings } from '../../../src/objstore/open-bucket.js';
import { seededRng } from '../../support/virtual-clock.js';

/**
 * What servers do that a healthy one does not show: each test scripts the answers of an HTTP server and looks at what
 * was asked.
 */
interface Asked {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

type Answer = (asked: Asked, response: ServerResponse) => void;

const errorXml = (code: string): string =>
  `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>scripted</Message></Error>`;

const say =
  (status: number, body = '', headers: Record<string, string> = {}): Answer =>
  (_, response) => {
    response.writeHead(status, { 'content-length': Buffer.byteLength(body), ...headers });
    response.end(body);
  };
const fail = (status: number, code: string): Answer => say(status, errorXml(code));
const done = say(200, '', { etag: '"e1"' });

describe('S3 traps', () => {
  const closers: (() => Promise<void>)[] = [];
  let asked: Asked[] = [];

  beforeAll(() => {
    process.env['AWS_ACCESS_KEY_ID'] ??= 'user';
    process.env['AWS_SECRET_ACCESS_KEY'] ??= 'password';
  });
  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });

  /** The last answer goes on for ever. */
  async function open(answers: readonly Answer[], settings: S3Settings = {}): Promise<Bucket> {
    asked = [];
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { method = '', url = '', headers } = request;
        const one = { method, url, headers, body: Buffer.concat(chunks) };
        const answer = answers[Math.min(asked.length, answers.length - 1)];
        asked.push(one);
        answer?.(one, response);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const bucket = await openBucket('s3://bkt/p', {
      files: nodeFileSystem,
      clock: systemClock,
      rng: seededRng(1),
      s3: {
        endpoint: `http://127.0.0.1:${port}`,
        region: 'us-east-1',
        selfTest: false,
        retry: { backoffMsMin: 1, slowBackoffMs: 2, attemptTimeoutMs: 2_000, deadlineMs: 4_000 },
        ...settings,
      },
    });
    closers.push(async () => {
      await bucket.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
    return bucket;
  }

  const body = new Uint8Array([1, 2, 3]);

  it('sends conditions and no checksum trailers', async () => {
    const bucket = await open([done]);
    await bucket.putIfAbsent('k', body);
    await bucket.putIfMatch('k', body, 'e0');
    expect(asked.map((a) => [a.method, a.url.split('?')[0]])).toEqual([
      ['PUT', '/bkt/p/k'],
      ['PUT', '/bkt/p/k'],
    ]);
    expect(asked[0]?.headers['if-none-match']).toBe('*');
    expect(asked[1]?.headers['if-match']).toBe('"e0"');
    for (const a of asked) {
      expect(Object.keys(a.headers).filter((name) => name.includes('checksum'))).toEqual([]);
      expect(a.headers['content-encoding']).toBeUndefined();
      expect(a.body.length).toBe(3);
    }
  });

  it('leaves the quotes of an etag out where the server wants it', async () => {
    const bucket = await open([done], { ifMatchEtags: 'unquoted' });
    await bucket.putIfMatch('k', body, 'e0');
    expect(asked[0]?.headers['if-match']).toBe('e0');
  });

  it('repeats after 409 ConditionalRequestConflict, and believes the 412 after it', async () => {
    const won = await open([fail(409, 'ConditionalRequestConflict'), done]);
    expect(await won.putIfAbsent('k', body)).toEqual({ etag: 'e1' });
    const lost = await open([
      fail(409, 'ConditionalRequestConflict'),
      fail(412, 'PreconditionFailed'),
    ]);
    await expect(lost.putIfAbsent('k', body)).rejects.toMatchObject({ code: 'PS_OBJECT_EXISTS' });
    // The 409 said that nothing was done, so there is nothing to look for.
    expect(asked).toHaveLength(2);
  });

  it('finds its own success behind a 500 and a 412', async () => {
    const head = say(200, '', { etag: '"e2"', 'content-length': '3' });
    const get: Answer = (_, response) => {
      response.writeHead(200, { 'content-length': 3, etag: '"e2"' });
      response.end(Buffer.from(body));
    };
    const answers = [fail(500, 'InternalError'), fail(412, 'PreconditionFailed'), head, get];
    const bucket = await open(answers);
    expect(await bucket.putIfAbsent('k', body)).toEqual({ etag: 'e2' });
    expect(asked.map((a) => a.method)).toEqual(['PUT', 'PUT', 'HEAD', 'GET']);
  });

  it('takes 304 and 404 on a conditional put for a lost race', async () => {
    const old = await open([say(304)]);
    await expect(old.putIfAbsent('k', body)).rejects.toMatchObject({ kind: 'conflict' });
    const gone = await open([fail(404, 'NoSuchKey')]);
    await expect(gone.putIfMatch('k', body, 'e')).rejects.toMatchObject({
      code: 'PS_OBJECT_CHANGED',
    });
  });

  it('says that a server cannot do conditional puts', async () => {
    const bucket = await open([fail(501, 'NotImplemented')]);
    await expect(bucket.putIfAbsent('k', body)).rejects.toMatchObject({
      kind: 'invalid',
      code: 'PS_S3_UNSUPPORTED',
    });
  });

  it('refuses a server that ignores conditions', async () => {
    await expect(open([done], { selfTest: true })).rejects.toMatchObject({
      kind: 'invalid',
      code: 'PS_BUCKET_UNSAFE',
    });
  });

  it('slows down when told to', async () => {
    const bucket = await open([fail(503, 'SlowDown'), fail(503, 'SlowDown'), done]);
    await bucket.put('k', body);
    expect(asked).toHaveLength(3);
  });

  it('does not take a body cut short for the object', async () => {
    const short: Answer = (_, response) => {
      response.writeHead(200, { 'content-length': 100, etag: '"e"' });
      response.write('only this');
      setImmediate(() => response.destroy());
    };
    const bucket = await open([short, say(200, 'whole', { etag: '"e"' })]);
    expect(new TextDecoder().decode((await bucket.get('k')).body)).toBe('whole');
    expect(asked).toHaveLength(2);
  });

  it('cuts a range out where the server ignores it, and refuses another range', async () => {
    const ignores = await open([say(200, '0123456789', { etag: '"e"' })]);
    const range = await ignores.getRange('k', { start: 2, end: 5 });
    expect(new TextDecoder().decode(range)).toBe('234');
    const wrong = await open([
      say(206, '012', { etag: '"e"', 'content-range': 'bytes 0-2/10' }),
      say(206, '234', { etag: '"e"', 'content-range': 'bytes 2-4/10' }),
    ]);
    expect(new TextDecoder().decode(await wrong.getRange('k', { start: 2, end: 5 }))).toBe('234');
    expect(asked).toHaveLength(2);
  });

  it('ends a request that hangs', async () => {
    const bucket = await open([() => undefined, done], {
      retry: { attemptTimeoutMs: 100, backoffMsMin: 1 },
    });
    expect(await bucket.put('k', body)).toEqual({ etag: 'e1' });
    expect(asked).toHaveLength(2);
  });

  it('stops at once when the caller cancels', async () => {
    const bucket = await open([() => undefined]);
    const stop = new AbortController();
    const call = bucket.get('k', { signal: stop.signal });
    setTimeout(() => stop.abort(), 50);
    await expect(call).rejects.toMatchObject({ kind: 'cancelled' });
    expect(asked).toHaveLength(1);
  });

  describe('multipart uploads', () => {
    const created = say(
      200,
      '<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>',
    );
    const completed = say(
      200,
      '<CompleteMultipartUploadResult><ETag>"whole-2"</ETag></CompleteMultipartUploadResult>',
    );
    const settings: S3Settings = { partSizeBytes: 5 << 20 };

    async function upload(bucket: Bucket): Promise<unknown> {
      const up = await bucket.startUpload('k');
      await up.write(new Uint8Array(6 << 20));
      return up.finish();
    }

    it('repeats a completion that answers 200 with an error inside', async () => {
      const bucket = await open(
        [created, done, done, say(200, errorXml('InternalError')), completed],
        settings,
      );
      expect(await upload(bucket)).toEqual({ etag: 'whole-2' });
      expect(asked).toHaveLength(5);
    });

    it('repeats one part only', async () => {
      const bucket = await open(
        [created, fail(500, 'InternalError'), done, done, completed],
        settings,
      );
      await upload(bucket);
      // Parts go at once, so either of them may meet the failure.
      const sizes = asked.filter((a) => a.method === 'PUT').map((a) => a.body.length);
      expect(sizes).toHaveLength(3);
      expect(new Set(sizes)).toEqual(new Set([5 << 20, 1 << 20]));
    });

    it('knows its own object when the answer to the completion was lost', async () => {
      let nonce = '';
      const remember: Answer = (a, response) => {
        nonce = String(a.headers['x-amz-meta-basalt-upload']);
        created(a, response);
      };
      const own: Answer = (a, response) =>
        say(200, '', { etag: '"own"', 'x-amz-meta-basalt-upload': nonce })(a, response);
      const lost = [fail(500, 'InternalError'), fail(404, 'NoSuchUpload')];
      const bucket = await open([remember, done, done, ...lost, own], settings);
      expect(await upload(bucket)).toEqual({ etag: 'own' });
      expect(nonce).toMatch(/^[0-9a-f]{32}$/);
      const other = say(200, '', { etag: '"other"', 'x-amz-meta-basalt-upload': 'other' });
      const notOurs = await open([created, done, done, ...lost, other], settings);
      await expect(upload(notOurs)).rejects.toMatchObject({ kind: 'not-found' });
    });
  });
});

describe('parseS3Location', () => {
  it('takes a bucket with or without a prefix', () => {
    expect(parseS3Location('s3://b.u-c')).toEqual({ bucket: 'b.u-c', prefix: '' });
    expect(parseS3Location('s3://bucket/')).toEqual({ bucket: 'bucket', prefix: '' });
    expect(parseS3Location('s3://bucket/a/b/')).toEqual({ bucket: 'bucket', prefix: 'a/b' });
    for (const bad of ['', 'bucket', 's3:/b', 's3://', 's3://b/../x', 'gs://bucket', './dir']) {
      expect(() => parseS3Location(bad)).toThrow(expect.objectContaining({ kind: 'invalid' }));
    }
  });
});
