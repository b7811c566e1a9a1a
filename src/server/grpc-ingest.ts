import type { ServerDuplexStream } from '@grpc/grpc-js';
import { LIMITS } from '../base/limits.js';
import type { IngestApi, WriteResult } from '../ingest/api.js';
import { failed, tenantOfCall, type MethodSupport, type UnaryHandler } from './grpc-service.js';
import { encodeWriteError, encodeWriteResult } from './ingest-messages.js';
import { wireError } from './wire-errors.js';

type WriteStream = ServerDuplexStream<Buffer, Buffer>;

/**
 * `WriteProfile`: the request's bytes go to the write side as they came. They may be a view of a larger buffer that the
 * gRPC library shares: copy them to another thread, never transfer them. A write is not cancelled half-way.
 */
export function writeProfile(api: IngestApi, support: MethodSupport): UnaryHandler {
  return (call, callback) => {
    const startMs = support.metrics.started();
    let written: Promise<WriteResult>;
    try {
      written = api.writeEncoded(tenantOfCall(call.metadata), call.request);
    } catch (error) {
      callback(failed(support, error, startMs));
      return;
    }
    written.then(
      (result) => {
        support.metrics.finished(startMs, 'ok');
        callback(null, encodeWriteResult(result));
      },
      (error: unknown) => callback(failed(support, error, startMs)),
    );
  };
}

/** `WriteProfiles`: one answer a request, in order; a failed request is answered with its error. */
export function writeProfiles(api: IngestApi, support: MethodSupport): (call: WriteStream) => void {
  return (call) => {
    let tenantId: string;
    try {
      tenantId = tenantOfCall(call.metadata);
    } catch (error) {
      // The library takes a status with metadata as the error of a stream.
      call.emit('error', failed(support, error, support.metrics.started()));
      return;
    }
    new StreamWriter(api, support, call, tenantId).start();
  };
}

/**
 * Steps: each request starts its write at once; its answer is sent when those of all earlier requests are. While
 * `streamInFlight...Max` requests or bytes are waiting for their answers, nothing more is read, so that the sender
 * is held back by flow control: also one that sends and never reads answers.
 */
class StreamWriter {
  private readonly api: IngestApi;
  private readonly support: MethodSupport;
  private readonly call: WriteStream;
  private readonly tenantId: string;
  private inFlightRequests = 0;
  private inFlightBytes = 0;
  /** Settles when the last answer so far is sent. Never rejects. */
  private sent: Promise<void> = Promise.resolve();
  private closed = false;

  constructor(api: IngestApi, support: MethodSupport, call: WriteStream, tenantId: string) {
    this.api = api;
    this.support = support;
    this.call = call;
    this.tenantId = tenantId;
  }

  start(): void {
    const { call } = this;
    call.on('data', (request: Buffer) => this.accept(request));
    call.on('end', () => {
      void this.sent.then(() => {
        if (!this.closed) call.end();
      });
    });
    call.on('close', () => {
      this.closed = true;
    });
    call.on('cancelled', () => {
      this.closed = true;
    });
  }

  private accept(request: Buffer): void {
    this.inFlightRequests += 1;
    this.inFlightBytes += request.length;
    if (this.isFull()) this.call.pause();
    const answer = this.write(request);
    this.sent = this.sent.then(async () => {
      await this.send(await answer);
      this.inFlightRequests -= 1;
      this.inFlightBytes -= request.length;
      if (!this.isFull() && this.call.isPaused()) this.call.resume();
    });
  }

  private isFull(): boolean {
    return (
      this.inFlightRequests >= LIMITS.streamInFlightRequestsMax ||
      this.inFlightBytes >= LIMITS.streamInFlightBytesMax
    );
  }

  /** The answer to one request; never rejects. */
  private async write(request: Buffer): Promise<Buffer> {
    const startMs = this.support.metrics.started();
    try {
      const result = await this.api.writeEncoded(this.tenantId, request);
      this.support.metrics.finished(startMs, 'ok');
      return encodeWriteResult(result);
    } catch (error) {
      failed(this.support, error, startMs);
      return encodeWriteError(wireError(error));
    }
  }

  private async send(answer: Buffer): Promise<void> {
    if (this.closed || this.call.write(answer)) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.call.off('drain', done);
        this.call.off('close', done);
        resolve();
      };
      this.call.once('drain', done);
      this.call.once('close', done);
      if (this.closed) done();
    });
  }
}
