/**
 * `Upgrade: h2c` (RFC 7540, 3.2): a request of HTTP/1.1 that offers to go on in HTTP/2. Node has no call for it, but it
 * is a matter of bytes: after `101 Switching Protocols` the client sends the preface of HTTP/2 and its settings, and
 * waits for the answer on stream 1. So the request itself is put behind those settings as a HEADERS frame of stream 1,
 * and the connection is one of HTTP/2 from then on.
 *
 * Only a request without a body is upgraded. Any other offer, and any other protocol, is declined, as the RFC allows:
 * the request goes on in HTTP/1.1 without the offer.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

export interface UpgradeOffer {
  readonly request: IncomingMessage;
  readonly socket: Socket;
  /** What came behind the request's head. */
  readonly head: Buffer;
}

export interface UpgradeTargets {
  readonly serveHttp1: (socket: Socket) => void;
  readonly serveHttp2: (socket: Socket) => void;
}

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const FRAME_HEADER_BYTES = 9;
const FRAME_BYTES_MAX = 16_384;
const HEADERS_FRAME = 1;
const SETTINGS_FRAME = 4;
const END_STREAM_AND_HEADERS = 0x05;
const REPLY = 'HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: h2c\r\n\r\n';
const HELLO_TIMEOUT_MS = 15_000;
/** Headers that speak of one connection of HTTP/1.1. */
const HOP_BY_HOP = new Set([
  'connection',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
]);

export function offerUpgrade(offer: UpgradeOffer, targets: UpgradeTargets): void {
  const block = acceptable(offer.request) ? headerBlock(offer.request) : undefined;
  if (block === undefined || block.length > FRAME_BYTES_MAX) decline(offer, targets.serveHttp1);
  else accept(offer, block, targets.serveHttp2);
}

function acceptable({ headers }: IncomingMessage): boolean {
  const hasBody = (headers['content-length'] ?? '0') !== '0' || 'transfer-encoding' in headers;
  const offered = String(headers.upgrade).toLowerCase();
  return !hasBody && offered === 'h2c' && typeof headers['http2-settings'] === 'string';
}

function* headersOf(request: IncomingMessage): Generator<readonly [string, string]> {
  const { rawHeaders } = request;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    yield [rawHeaders[i] ?? '', rawHeaders[i + 1] ?? ''];
  }
}

/** Gives the request back to HTTP/1.1, as if there had been no offer. */
function decline({ request, socket, head }: UpgradeOffer, serveHttp1: (s: Socket) => void): void {
  let text = `${request.method} ${request.url} HTTP/${request.httpVersion}\r\n`;
  for (const [name, value] of headersOf(request)) {
    const lower = name.toLowerCase();
    if (lower === 'upgrade' || lower === 'http2-settings') continue;
    const kept = lower === 'connection' ? withoutUpgrade(value) : value;
    if (kept !== '') text += `${name}: ${kept}\r\n`;
  }
  // Node read the head as Latin-1, one character a byte.
  socket.unshift(Buffer.concat([Buffer.from(`${text}\r\n`, 'latin1'), head]));
  serveHttp1(socket);
}

function withoutUpgrade(connection: string): string {
  const options = connection.split(',').map((option) => option.trim());
  return options.filter((o) => !/^(?:upgrade|http2-settings)$/i.test(o)).join(', ');
}

function accept(
  { socket, head }: UpgradeOffer,
  block: Buffer,
  serveHttp2: (socket: Socket) => void,
): void {
  let received = head;
  const failed = (): void => void socket.destroy();
  const look = (): void => {
    const more = socket.read() as Buffer | null;
    if (more !== null) received = Buffer.concat([received, more]);
    const end = helloEnd(received);
    if (end === 'broken') failed();
    if (typeof end !== 'number') return;
    socket.off('readable', look);
    socket.off('error', failed);
    socket.setTimeout(0);
    socket.off('timeout', failed);
    socket.unshift(
      Buffer.concat([received.subarray(0, end), headersFrame(block), received.subarray(end)]),
    );
    serveHttp2(socket);
  };
  socket.setTimeout(HELLO_TIMEOUT_MS);
  socket.on('timeout', failed);
  socket.on('error', failed);
  socket.on('readable', look);
  socket.write(REPLY);
  look();
}

/** Where the client's preface and its first SETTINGS frame end. */
function helloEnd(bytes: Buffer): number | 'incomplete' | 'broken' {
  const start = Math.min(bytes.length, PREFACE.length);
  if (!bytes.subarray(0, start).equals(PREFACE.subarray(0, start))) return 'broken';
  if (bytes.length < PREFACE.length + FRAME_HEADER_BYTES) return 'incomplete';
  const length = bytes.readUIntBE(PREFACE.length, 3);
  if (bytes[PREFACE.length + 3] !== SETTINGS_FRAME || length > FRAME_BYTES_MAX) return 'broken';
  const end = PREFACE.length + FRAME_HEADER_BYTES + length;
  return bytes.length < end ? 'incomplete' : end;
}

function headersFrame(block: Buffer): Buffer {
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  header.writeUIntBE(block.length, 0, 3);
  header[3] = HEADERS_FRAME;
  header[4] = END_STREAM_AND_HEADERS;
  header.writeUInt32BE(1, 5);
  return Buffer.concat([header, block]);
}

/** The request's head in HPACK (RFC 7541), every field a literal that no table remembers. */
function headerBlock(request: IncomingMessage): Buffer {
  const fields: Buffer[] = [];
  const add = (name: string, value: string): void => {
    fields.push(Buffer.of(0), hpackString(name), hpackString(value));
  };
  add(':method', request.method ?? 'GET');
  add(':scheme', 'http');
  add(':path', request.url ?? '/');
  if (request.headers.host !== undefined) add(':authority', request.headers.host);
  for (const [name, value] of headersOf(request)) {
    const lower = name.toLowerCase();
    if (!HOP_BY_HOP.has(lower)) add(lower, value);
  }
  return Buffer.concat(fields);
}

/** Length as an integer with a prefix of 7 bits (RFC 7541, 5.1), then the bytes. */
function hpackString(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  const length: number[] = [];
  if (bytes.length < 127) length.push(bytes.length);
  else {
    let rest = bytes.length - 127;
    length.push(127);
    for (; rest >= 128; rest = Math.floor(rest / 128)) length.push(128 + (rest % 128));
    length.push(rest);
  }
  return Buffer.concat([Buffer.from(length), bytes]);
}
