/**
 * HTTP/2 without TLS (h2c) on a port that speaks HTTP/1.1 too. The first bytes of a connection decide: an HTTP/2 client
 * that knows what it wants starts with a fixed preface ("prior knowledge", RFC 9113, 3.3), whose first word is no method
 * of HTTP/1.1. A client that asks by `Upgrade: h2c` is served as h2c-upgrade.ts says.
 *
 * The HTTP/1.1 server stays the one that listens, so its limits of connections and its timeouts hold as before.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer, constants, type ServerHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import { LIMITS } from '../base/limits.js';
import { offerUpgrade } from './h2c-upgrade.js';

export interface H2cTimeouts {
  /** How long a connection may take to say what it speaks. */
  readonly helloTimeoutMs: number;
  /** A connection without any call is closed after it. */
  readonly idleTimeoutMs: number;
  /** A call on which nothing moves is cut after it. */
  readonly streamTimeoutMs: number;
}

/** The HTTP/2 side of a listening HTTP/1.1 server. */
export interface H2cSide {
  /** Takes no new calls; connections end with their last call. */
  drain(): void;
  /** Cuts what is left. */
  destroy(): void;
}

const PREFACE_START = Buffer.from('PRI ');
/** Held by one connection: headers, and data in both directions that was not taken yet. */
const SESSION_MEGABYTES_MAX = 64;

export type PlainListener = (request: IncomingMessage, response: ServerResponse) => void;

/** Makes `server`, which must not listen yet, hand HTTP/2 connections to `listener`, as requests and responses of HTTP/1.1's shape. */
export function serveH2c(server: Server, listener: PlainListener, timeouts: H2cTimeouts): H2cSide {
  const sessions = new Set<ServerHttp2Session>();
  const undecided = new Set<Socket>();
  const http2 = createServer(
    {
      maxSessionMemory: SESSION_MEGABYTES_MAX,
      settings: {
        maxConcurrentStreams: LIMITS.grpcConcurrentStreamsMax,
        maxHeaderListSize: LIMITS.httpHeaderBytesMax,
      },
    },
    (request, response) => {
      request.setTimeout(timeouts.streamTimeoutMs, () => {
        request.stream.close(constants.NGHTTP2_CANCEL);
      });
      // Node's compatibility layer has what the listener uses of them.
      listener(request as unknown as IncomingMessage, response as unknown as ServerResponse);
    },
  );
  http2.on('session', (session) => {
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
    session.setTimeout(timeouts.idleTimeoutMs, () => session.close());
  });
  // A broken peer ends its own connection; there is nobody to tell.
  http2.on('sessionError', () => undefined);

  const serveHttp1 = takeConnectionListener(server);
  const serveHttp2 = (socket: Socket): void => void http2.emit('connection', socket);
  server.on('connection', (socket: Socket) => {
    undecided.add(socket);
    decide(socket, timeouts.helloTimeoutMs, (isHttp2) => {
      undecided.delete(socket);
      if (isHttp2) serveHttp2(socket);
      else serveHttp1(socket);
    });
    socket.once('close', () => undecided.delete(socket));
  });
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    offerUpgrade({ request, socket, head }, { serveHttp1, serveHttp2 });
  });
  return {
    drain() {
      for (const session of sessions) session.close();
    },
    destroy() {
      for (const session of sessions) session.destroy();
      for (const socket of undecided) socket.destroy();
    },
  };
}

function takeConnectionListener(server: Server): (socket: Socket) => void {
  const own = server.listeners('connection');
  server.removeAllListeners('connection');
  return (socket) => {
    for (const listen of own) listen.call(server, socket);
  };
}

/** Looks at the first bytes of a connection and puts them back. */
function decide(socket: Socket, timeoutMs: number, decided: (isHttp2: boolean) => void): void {
  const failed = (): void => void socket.destroy();
  const look = (): void => {
    const start = socket.read(PREFACE_START.length) as Buffer | null;
    if (start === null) return;
    socket.off('readable', look);
    socket.off('error', failed);
    socket.setTimeout(0);
    socket.off('timeout', failed);
    socket.unshift(start);
    decided(start.equals(PREFACE_START));
  };
  socket.setTimeout(timeoutMs);
  socket.on('timeout', failed);
  socket.on('error', failed);
  socket.on('readable', look);
}
