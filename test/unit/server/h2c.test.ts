import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { createClient } from '@connectrpc/connect';
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from '@connectrpc/connect-node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { QueryService } from '../../../src/gen/basalt/v1/query_pb.js';
import { startTestServer, TYPE, type TestServer } from './fakes.js';
import { http } from './http-client.js';

/** One port, two protocols: whatever the first bytes look like and however they are cut. */

let test: TestServer;
const sockets: Socket[] = [];

beforeEach(async () => {
  test = await startTestServer();
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await test.server.close();
});

function dial(): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(test.server.httpPort, '127.0.0.1', () => resolve(socket));
    socket.on('error', reject);
    sockets.push(socket);
  });
}

/** Reads until `done` says so. */
function readUntil(socket: Socket, done: (bytes: Buffer) => boolean): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let bytes = Buffer.alloc(0);
    const ended = (): void => reject(new Error(`got the end after ${bytes.toString('latin1')}`));
    const read = (part: Buffer): void => {
      bytes = Buffer.concat([bytes, part]);
      if (!done(bytes)) return;
      socket.off('data', read).off('close', ended);
      resolve(bytes);
    };
    socket.on('data', read).on('close', ended);
  });
}

const RANGE = { selector: '{}', startMs: 1_000n, endMs: 2_000n };

describe.each([
  ['gRPC', (baseUrl: string) => createGrpcTransport({ baseUrl })],
  [
    'gRPC-Web over HTTP/2',
    (baseUrl: string) => createGrpcWebTransport({ baseUrl, httpVersion: '2' }),
  ],
  [
    'Connect over HTTP/2',
    (baseUrl: string) => createConnectTransport({ baseUrl, httpVersion: '2' }),
  ],
] as const)('%s on the HTTP port', (_name, transportOf) => {
  it('answers, and names tenant and errors', async () => {
    const client = createClient(QueryService, transportOf(test.url));
    const names = await client.labelNames(RANGE, { headers: { 'x-scope-orgid': 'green' } });
    expect(names.names).toEqual(['pod', 'service_name']);
    expect(test.query.last().query.tenantId).toBe('green');
    const merged = await client.merge({ ...RANGE, profileType: TYPE.id });
    expect(merged.result.case).toBe('tree');
    await expect(client.labelNames({ ...RANGE, endMs: 0n })).rejects.toMatchObject({ code: 3 });
  });
});

function ask(session: ClientHttp2Session, path: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':path': path });
    let status = 0;
    let body = '';
    stream.on('response', (headers) => (status = Number(headers[':status'])));
    stream.setEncoding('utf8').on('data', (part: string) => (body += part));
    stream.on('end', () => resolve({ status, body })).on('error', reject);
  });
}

describe('HTTP/2 by prior knowledge', () => {
  it('serves every path of the port, many calls on one connection', async () => {
    const session = connectHttp2(test.url);
    const paths = ['/healthz', '/api/v1/labels', '/', '/nothing', '/metrics'];
    const answers = await Promise.all(paths.map((path) => ask(session, path)));
    expect(answers.map((a) => a.status)).toEqual([200, 200, 200, 404, 200]);
    expect(JSON.parse(answers[1]?.body ?? '')).toEqual({ labels: ['pod', 'service_name'] });
    session.close();
  });

  it('ends connections in peace when the server closes', async () => {
    const session = connectHttp2(test.url);
    await ask(session, '/healthz');
    const ended = new Promise((resolve) => session.once('close', resolve));
    await test.server.close();
    await ended;
  });

  it('ends a connection that breaks the protocol, and serves others', async () => {
    const socket = await dial();
    const ended = new Promise((resolve) => socket.once('close', resolve));
    socket.resume();
    socket.write(`PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${'x'.repeat(200)}`);
    await ended;
    expect((await http(`${test.url}/healthz`)).status).toBe(200);
  });

  it('does not wait for a connection on which nothing was said', async () => {
    await dial();
    const socket = await dial();
    socket.write('GE');
    await test.server.close();
  });
});

describe('HTTP/1.1 beside it', () => {
  it.each([1, 2, 3, 4, 5, 17])('reads a request that comes in pieces of %i bytes', async (size) => {
    const socket = await dial();
    const request =
      'GET /healthz HTTP/1.1\r\nhost: a\r\n\r\nGET /ready HTTP/1.1\r\nhost: a\r\n\r\n';
    const answered = readUntil(socket, (bytes) => bytes.includes('ready\n'));
    for (let at = 0; at < request.length; at += size) {
      socket.write(request.slice(at, at + size));
      await new Promise((resolve) => setImmediate(resolve));
    }
    const text = (await answered).toString();
    expect(text.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(2);
    expect(text.indexOf('ok\n')).toBeLessThan(text.indexOf('ready\n'));
  });
});

interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

function framesOf(bytes: Buffer): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at + 9 <= bytes.length; ) {
    const length = bytes.readUIntBE(at, 3);
    if (at + 9 + length > bytes.length) break;
    frames.push({
      type: bytes[at + 3] ?? 0,
      flags: bytes[at + 4] ?? 0,
      stream: bytes.readUInt32BE(at + 5),
      payload: bytes.subarray(at + 9, at + 9 + length),
    });
    at += 9 + length;
  }
  return frames;
}

const OFFER =
  'host: a\r\nconnection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n';
const HELLO = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  Buffer.from([0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 100]),
]);

describe('Upgrade: h2c', () => {
  it.each([1, 7, 1_000])('answers on stream 1, hello in pieces of %i bytes', async (size) => {
    const socket = await dial();
    const switched = readUntil(socket, (bytes) => bytes.includes('\r\n\r\n'));
    socket.write(
      `GET /api/v1/labels/${'x'.repeat(400)}/values HTTP/1.1\r\n${OFFER}x-scope-orgid: blue\r\n\r\n`,
    );
    const head = (await switched).toString();
    expect(head).toMatch(/^HTTP\/1\.1 101 /);
    const END_OF_STREAM_1 = (f: Frame): boolean =>
      f.type === 0 && f.stream === 1 && (f.flags & 1) === 1;
    const answered = readUntil(socket, (bytes) => framesOf(bytes).some(END_OF_STREAM_1));
    for (let at = 0; at < HELLO.length; at += size) {
      socket.write(HELLO.subarray(at, at + size));
      await new Promise((resolve) => setImmediate(resolve));
    }
    const frames = framesOf(await answered);
    expect(frames[0]?.type).toBe(4);
    const data = frames.filter((f) => f.type === 0 && f.stream === 1);
    const body = Buffer.concat(data.map((f) => f.payload)).toString();
    expect(JSON.parse(body)).toEqual({ values: [`${'x'.repeat(400)}-1`] });
    expect(test.query.last().query.tenantId).toBe('blue');
  });

  it('is declined with a body, and the request is answered in HTTP/1.1', async () => {
    const socket = await dial();
    const answered = readUntil(socket, (bytes) => bytes.includes('"profileId":"p1"'));
    const head = `POST /api/v1/write?label=service_name=a HTTP/1.1\r\n${OFFER}`;
    socket.write(`${head}content-length: 3\r\n\r\n`);
    socket.write('abc');
    expect((await answered).toString()).toMatch(/^HTTP\/1\.1 200 OK/);
    expect(Buffer.from(test.ingest.written[0]?.request.profile ?? []).toString()).toBe('abc');
  });

  it('is declined for other protocols and without settings', async () => {
    for (const offer of [
      'connection: keep-alive, Upgrade\r\nupgrade: websocket\r\n',
      OFFER.replace(/http2-settings:.*\r\n/, ''),
    ]) {
      const socket = await dial();
      const answered = readUntil(socket, (bytes) => bytes.includes('ok\n'));
      socket.write(`GET /healthz HTTP/1.1\r\nhost: a\r\n${offer.replace('host: a\r\n', '')}\r\n`);
      expect((await answered).toString()).toMatch(/^HTTP\/1\.1 200 OK/);
    }
  });

  it('ends a client that goes on in another language', async () => {
    const socket = await dial();
    const switched = readUntil(socket, (bytes) => bytes.includes('\r\n\r\n'));
    socket.write(`GET /healthz HTTP/1.1\r\n${OFFER}\r\n`);
    await switched;
    const ended = new Promise((resolve) => socket.once('close', resolve));
    socket.write('GET / HTTP/1.1\r\n\r\n');
    socket.resume();
    await ended;
  });
});
