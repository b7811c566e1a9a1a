import type { CompletedPart, S3Client } from '@aws-sdk/client-s3';
import { isKind } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import type { PutResult, Upload } from './bucket.js';
import { objectTooLarge, throwIfCancelled, uploadEnded } from './keys.js';
import type { Retrier } from './retrier.js';
import { brokenBody } from './s3-body.js';
import { s3Error } from './s3-errors.js';

export interface S3UploadOptions {
  readonly sdk: typeof import('@aws-sdk/client-s3');
  readonly client: S3Client;
  readonly retrier: Retrier;
  readonly key: string;
  readonly target: { readonly Bucket: string; readonly Key: string };
  /** Stored with the object: tells our own success from another's object after an answer was lost. */
  readonly nonce: string;
  readonly partSizeBytes: number;
  readonly signal: AbortSignal | undefined;
}

/** Parts in flight while the next one fills. */
const PARTS_AT_ONCE = 3;

const NONCE_NAME = 'basalt-upload';

/**
 * A multipart upload. All parts but the last have the same size, as some servers want it. Nothing is created before
 * the first part is full: an object of one part is put at once, and an empty one can only be made so.
 */
export class S3Upload implements Upload {
  readonly #o: S3UploadOptions;
  #buffer: Uint8Array;
  #filled = 0;
  #uploadId: string | undefined;
  #partCount = 0;
  readonly #done: CompletedPart[] = [];
  readonly #inFlight = new Set<Promise<void>>();
  #failure: unknown;
  #status: 'open' | 'finished' | 'failed' | 'aborted' = 'open';

  static start(options: S3UploadOptions): S3Upload {
    return new S3Upload(options);
  }

  private constructor(options: S3UploadOptions) {
    this.#o = options;
    this.#buffer = new Uint8Array(options.partSizeBytes);
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#check();
    let at = 0;
    while (at < bytes.length) {
      const count = Math.min(bytes.length - at, this.#buffer.length - this.#filled);
      this.#buffer.set(bytes.subarray(at, at + count), this.#filled);
      this.#filled += count;
      at += count;
      if (this.#filled === this.#buffer.length) await this.#flush();
    }
  }

  async finish(): Promise<PutResult> {
    this.#check();
    try {
      const result = this.#partCount === 0 ? await this.#putWhole() : await this.#finishParts();
      this.#status = 'finished';
      return result;
    } catch (error) {
      this.#status = 'failed';
      throw error;
    }
  }

  async abort(): Promise<void> {
    if (this.#status === 'finished' || this.#status === 'aborted') return;
    this.#status = 'aborted';
    await Promise.all(this.#inFlight);
    const UploadId = this.#uploadId;
    if (UploadId === undefined) return;
    const command = new this.#o.sdk.AbortMultipartUploadCommand({ ...this.#o.target, UploadId });
    // Without the caller's signal: it may be what made the caller give up.
    await this.#o.retrier.run({}, async (signal) => {
      try {
        await this.#o.client.send(command, { abortSignal: signal });
      } catch (error) {
        const typed = s3Error('abort upload of', this.#o.key, error);
        if (typed.kind !== 'not-found') throw typed;
      }
    });
  }

  #check(): void {
    throwIfCancelled(this.#o.signal === undefined ? {} : { signal: this.#o.signal });
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#status !== 'open') throw uploadEnded(this.#o.key);
  }

  /** Sends the buffer as the next part; waits while too many are in flight. */
  async #flush(): Promise<void> {
    const body = this.#buffer.subarray(0, this.#filled);
    if (this.#partCount === LIMITS.uploadPartsMax) {
      const sizeBytes = this.#partCount * this.#o.partSizeBytes + body.length;
      throw objectTooLarge(this.#o.key, sizeBytes, this.#partCount * this.#o.partSizeBytes);
    }
    this.#uploadId ??= await this.#create();
    this.#buffer = new Uint8Array(this.#o.partSizeBytes);
    this.#filled = 0;
    const number = ++this.#partCount;
    const sending = this.#sendPart(number, body).then(
      (part) => {
        this.#done.push(part);
      },
      (error: unknown) => {
        this.#failure ??= error;
      },
    );
    this.#inFlight.add(sending);
    void sending.then(() => this.#inFlight.delete(sending));
    while (this.#inFlight.size >= PARTS_AT_ONCE) await Promise.race(this.#inFlight);
    this.#check();
  }

  #run<T>(verb: string, sizeBytes: number, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return this.#o.retrier.run({ sizeBytes, signal: this.#o.signal }, async (signal) => {
      try {
        return await call(signal);
      } catch (error) {
        throw s3Error(verb, this.#o.key, error);
      }
    });
  }

  #create(): Promise<string> {
    const command = new this.#o.sdk.CreateMultipartUploadCommand({
      ...this.#o.target,
      Metadata: { [NONCE_NAME]: this.#o.nonce },
    });
    return this.#run('start upload of', 0, async (abortSignal) => {
      const out = await this.#o.client.send(command, { abortSignal });
      if (out.UploadId === undefined) throw brokenBody(this.#o.key, 0, 1);
      return out.UploadId;
    });
  }

  #sendPart(number: number, body: Uint8Array): Promise<CompletedPart> {
    const command = new this.#o.sdk.UploadPartCommand({
      ...this.#o.target,
      UploadId: this.#uploadId,
      PartNumber: number,
      Body: body,
    });
    return this.#run('upload a part of', body.length, async (abortSignal) => {
      const out = await this.#o.client.send(command, { abortSignal });
      if (out.ETag === undefined) throw brokenBody(this.#o.key, 0, 1);
      return { PartNumber: number, ETag: out.ETag };
    });
  }

  #putWhole(): Promise<PutResult> {
    const body = this.#buffer.slice(0, this.#filled);
    const command = new this.#o.sdk.PutObjectCommand({ ...this.#o.target, Body: body });
    return this.#run('put object', body.length, async (abortSignal) => {
      const out = await this.#o.client.send(command, { abortSignal });
      return { etag: bareEtag(this.#o.key, out.ETag) };
    });
  }

  async #finishParts(): Promise<PutResult> {
    if (this.#filled > 0) await this.#flush();
    await Promise.all(this.#inFlight);
    if (this.#failure !== undefined) throw this.#failure;
    const parts = this.#done.sort((a, b) => (a.PartNumber ?? 0) - (b.PartNumber ?? 0));
    const command = new this.#o.sdk.CompleteMultipartUploadCommand({
      ...this.#o.target,
      UploadId: this.#uploadId,
      MultipartUpload: { Parts: parts },
    });
    // S3 may answer 200 and then an error in the body; the client turns that into an error with a 5xx status.
    return this.#run('finish upload of', 0, async (abortSignal) => {
      try {
        const out = await this.#o.client.send(command, { abortSignal });
        return { etag: bareEtag(this.#o.key, out.ETag) };
      } catch (error) {
        const typed = s3Error('finish upload of', this.#o.key, error);
        // No such upload: an attempt before may have finished it, and its answer was lost.
        const own = isKind(typed, 'not-found') ? await this.#ownObject(abortSignal) : undefined;
        if (own === undefined) throw typed;
        return own;
      }
    });
  }

  /** The object, if it is the one of this upload. */
  async #ownObject(abortSignal: AbortSignal): Promise<PutResult | undefined> {
    const command = new this.#o.sdk.HeadObjectCommand(this.#o.target);
    try {
      const out = await this.#o.client.send(command, { abortSignal });
      if (out.Metadata?.[NONCE_NAME] !== this.#o.nonce) return undefined;
      return { etag: bareEtag(this.#o.key, out.ETag) };
    } catch (error) {
      const typed = s3Error('read object', this.#o.key, error);
      if (typed.kind === 'not-found') return undefined;
      throw typed;
    }
  }
}

function bareEtag(key: string, etag: string | undefined): string {
  if (etag === undefined) throw brokenBody(key, 0, 1);
  return etag.replace(/^"(.*)"$/, '$1');
}
