import type { IncomingMessage, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { errorJson, type WireError } from './wire-errors.js';

/** What a handler answers; `body` is sent as it is or compressed. */
export interface Reply {
  /** Empty: none is sent, for an empty body. */
  readonly contentType: string;
  readonly body: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  /** False for bodies that are compressed already. Default true. */
  readonly compressible?: boolean;
}

export const JSON_TYPE = 'application/json';
/** Below, compressing costs more than it saves. */
const COMPRESS_BYTES_MIN = 4 << 10;
// Both are the fast end: answers are made once and read once.
const GZIP_LEVEL = 4;
const BROTLI_QUALITY = 4;

const gzipBytes = promisify(gzip);
const brotliBytes = promisify(brotliCompress);

type Encoding = 'br' | 'gzip' | 'identity';

/** The best encoding that `accept-encoding` allows (RFC 9110, 12.5.3; q=0 forbids). */
export function chooseEncoding(header: string | string[] | undefined): Encoding {
  const accepted = new Set<string>();
  for (const part of String(header ?? '').split(',')) {
    const [name, ...parameters] = part.trim().toLowerCase().split(';');
    const refused = parameters.some((p) => /^q=0(?:\.0*)?$/.test(p.trim()));
    if (name !== undefined && !refused) accepted.add(name.trim());
  }
  if (accepted.has('br')) return 'br';
  return accepted.has('gzip') ? 'gzip' : 'identity';
}

async function encode(body: Uint8Array, encoding: Encoding): Promise<Uint8Array> {
  if (encoding === 'gzip') return await gzipBytes(body, { level: GZIP_LEVEL });
  if (encoding === 'br') {
    const params = { [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY };
    return await brotliBytes(body, { params });
  }
  return body;
}

export async function sendReply(
  request: IncomingMessage,
  response: ServerResponse,
  reply: Reply,
): Promise<void> {
  const mayCompress = reply.compressible !== false && reply.body.length >= COMPRESS_BYTES_MIN;
  const encoding = mayCompress ? chooseEncoding(request.headers['accept-encoding']) : 'identity';
  const body = await encode(reply.body, encoding);
  if (response.destroyed || response.headersSent) return;
  response.writeHead(200, {
    ...(reply.contentType === '' ? {} : { 'content-type': reply.contentType }),
    'content-length': body.length,
    'x-content-type-options': 'nosniff',
    ...(mayCompress ? { vary: 'accept-encoding' } : {}),
    ...(encoding === 'identity' ? {} : { 'content-encoding': encoding }),
    ...reply.headers,
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

/** An error as wire.md's JSON. A request whose body was not read closes its connection. */
export function sendError(
  request: IncomingMessage,
  response: ServerResponse,
  error: WireError,
  headers: Readonly<Record<string, string>> = {},
): void {
  if (response.destroyed) return;
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const body = Buffer.from(errorJson(error));
  response.writeHead(error.httpStatus, {
    'content-type': JSON_TYPE,
    'content-length': body.length,
    'x-content-type-options': 'nosniff',
    ...(error.retryAfterMs === undefined
      ? {}
      : { 'retry-after': String(Math.ceil(error.retryAfterMs / 1_000)) }),
    // HTTP/2 ends the stream alone, and knows no such header.
    ...(request.complete || request.httpVersionMajor > 1 ? {} : { connection: 'close' }),
    ...headers,
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}
