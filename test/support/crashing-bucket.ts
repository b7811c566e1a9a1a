import { StoreError } from '../../src/base/errors.js';
import type {
  Bucket,
  ByteRange,
  CallOptions,
  GetResult,
  ListRequest,
  ObjectInfo,
  PutResult,
  Upload,
} from '../../src/objstore/bucket.js';

/**
 * A bucket whose process dies at the n-th call that changes something: before the change is made, or after it with
 * the reply lost. Every later call fails.
 */
export class CrashingBucket implements Bucket {
  readonly name = 'crashing';
  changes = 0;
  readonly #uploads = new Set<Upload>();
  readonly #bucket: Bucket;
  readonly #crashAt: number;
  readonly #isDone: boolean;

  constructor(bucket: Bucket, crashAt: number, isDone: boolean) {
    this.#bucket = bucket;
    this.#crashAt = crashAt;
    this.#isDone = isDone;
  }

  get isDead(): boolean {
    return this.changes >= this.#crashAt;
  }

  async #change<T>(work: () => Promise<T>): Promise<T> {
    this.#checkAlive();
    this.changes++;
    if (!this.isDead) return await work();
    if (this.#isDone) await work();
    throw crashed();
  }

  #checkAlive(): void {
    if (this.isDead) throw crashed();
  }

  async get(key: string, options?: CallOptions): Promise<GetResult> {
    this.#checkAlive();
    return await this.#bucket.get(key, options);
  }

  async getRange(key: string, range: ByteRange, options?: CallOptions): Promise<Uint8Array> {
    this.#checkAlive();
    return await this.#bucket.getRange(key, range, options);
  }

  async head(key: string, options?: CallOptions): Promise<ObjectInfo> {
    this.#checkAlive();
    return await this.#bucket.head(key, options);
  }

  async put(key: string, body: Uint8Array): Promise<PutResult> {
    return await this.#change(() => this.#bucket.put(key, body));
  }

  async putIfAbsent(key: string, body: Uint8Array): Promise<PutResult> {
    return await this.#change(() => this.#bucket.putIfAbsent(key, body));
  }

  async putIfMatch(key: string, body: Uint8Array, etag: string): Promise<PutResult> {
    return await this.#change(() => this.#bucket.putIfMatch(key, body, etag));
  }

  async startUpload(key: string): Promise<Upload> {
    const upload = await this.#change(() => this.#bucket.startUpload(key));
    this.#uploads.add(upload);
    const end = async <T>(work: () => Promise<T>): Promise<T> => {
      const result = await this.#change(work);
      this.#uploads.delete(upload);
      return result;
    };
    return {
      write: (bytes) => this.#change(() => upload.write(bytes)),
      finish: () => end(() => upload.finish()),
      abort: () => end(() => upload.abort()),
    };
  }

  /** Closes what the dead process left open, as the system does: at the end of a test, since it also removes what was sent. */
  async bury(): Promise<void> {
    for (const upload of this.#uploads) await upload.abort().catch(() => undefined);
    this.#uploads.clear();
  }

  async delete(key: string): Promise<void> {
    await this.#change(() => this.#bucket.delete(key));
  }

  list(request: ListRequest, options?: CallOptions): AsyncIterable<ObjectInfo> {
    this.#checkAlive();
    return this.#bucket.list(request, options);
  }

  async listFolders(prefix: string, options?: CallOptions): Promise<readonly string[]> {
    this.#checkAlive();
    return await this.#bucket.listFolders(prefix, options);
  }

  async close(): Promise<void> {
    await Promise.resolve();
  }
}

function crashed(): StoreError {
  return new StoreError({
    kind: 'unavailable',
    code: 'PS_TEST_CRASH',
    message: 'the process is dead',
  });
}
