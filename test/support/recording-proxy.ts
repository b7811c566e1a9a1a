/** A proxy on loopback in front of a server that keeps what went through it, byte for byte. */
import { createServer, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Recorded {
  readonly method: string;
  /** With its query. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly status: number;
  readonly answer: Buffer;
}

export interface RecordingProxy {
  readonly url: string;
  readonly requests: Recorded[];
  close(): Promise<void>;
}

const REQUESTS_MAX = 1_000;

/** `target` is host:port. */
export async function recordingProxy(target: string): Promise<RecordingProxy> {
  const requests: Recorded[] = [];
  const [host, port] = target.split(':');
  const server = createServer((incoming, outgoing) => {
    const parts: Buffer[] = [];
    incoming.on('data', (part: Buffer) => parts.push(part));
    incoming.on('end', () => {
      const body = Buffer.concat(parts);
      const { method = '', url = '', headers } = incoming;
      const forward = httpRequest({ host, port, method, path: url, headers }, (reply) => {
        const answerParts: Buffer[] = [];
        reply.on('data', (part: Buffer) => answerParts.push(part));
        reply.on('end', () => {
          const answer = Buffer.concat(answerParts);
          const status = reply.statusCode ?? 0;
          if (requests.length < REQUESTS_MAX)
            requests.push({ method, url, headers, body, status, answer });
          outgoing.writeHead(status, reply.headers);
          outgoing.end(answer);
        });
      });
      forward.on('error', () => outgoing.destroy());
      forward.end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
