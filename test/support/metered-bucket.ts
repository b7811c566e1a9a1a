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

export const BUCKET_OPERATIONS = [
  'get',
  'getRange',
  'head',
  'put',
  'putIfAbsent',
  'putIfMatch',
  'upload',
  'delete',
  'list',
  'listFolders',
] as const;

export type BucketOperation = (typeof BUCKET_OPERATIONS)[number];

export interface OperationCounts {
  /** Calls, whatever became of them. An upload counts once, a list once. */
  calls: number;
  /** Calls that failed otherwise than with `not-found` and `conflict`, which are answers. */
  failures: number;
  /** Of bodies received or sent. */
  bytes: number;
}

export type BucketCounts = Readonly<Record<BucketOperation, OperationCounts>>;

/** Counts what goes through; `counts` is live. Wrap the bucket that talks to the network to count retries too. */
export class MeteredBucket implements Bucket {
  readonly counts: BucketCounts = newCounts();
  readonly #inner: Bucket;

  constructor(inner: Bucket) {
    this.#inner = inner;
  }

  get name(): string {
    return this.#inner.name;
  }

  async get(key: string, options?: CallOptions): Promise<GetResult> {
    const result = await this.#count('get', 0, this.#inner.get(key, options));
    this.counts.get.bytes += result.body.length;
    return result;
  }

  async getRange(key: string, range: ByteRange, options?: CallOptions): Promise<Uint8Array> {
    const body = await this.#count('getRange', 0, this.#inner.getRange(key, range, options));
    this.counts.getRange.bytes += body.length;
    return body;
  }

  head(key: string, options?: CallOptions): Promise<ObjectInfo> {
    return this.#count('head', 0, this.#inner.head(key, options));
  }

  put(key: string, body: Uint8Array, options?: CallOptions): Promise<PutResult> {
    return this.#count('put', body.length, this.#inner.put(key, body, options));
  }

  putIfAbsent(key: string, body: Uint8Array, options?: CallOptions): Promise<PutResult> {
    return this.#count('putIfAbsent', body.length, this.#inner.putIfAbsent(key, body, options));
  }

  putIfMatch(
    key: string,
    body: Uint8Array,
    etag: string,
    options?: CallOptions,
  ): Promise<PutResult> {
    const put = this.#inner.putIfMatch(key, body, etag, options);
    return this.#count('putIfMatch', body.length, put);
  }

  async startUpload(key: string, options?: CallOptions): Promise<Upload> {
    const upload = await this.#count('upload', 0, this.#inner.startUpload(key, options));
    const failed = (error: unknown): never => {
      this.counts.upload.failures++;
      throw error;
    };
    return {
      write: async (bytes) => {
        this.counts.upload.bytes += bytes.length;
        await upload.write(bytes).catch(failed);
      },
      finish: () => upload.finish().catch(failed),
      abort: () => upload.abort(),
    };
  }

  delete(key: string, options?: CallOptions): Promise<void> {
    return this.#count('delete', 0, this.#inner.delete(key, options));
  }

  async *list(request: ListRequest, options?: CallOptions): AsyncIterable<ObjectInfo> {
    this.counts.list.calls++;
    try {
      yield* this.#inner.list(request, options);
    } catch (error) {
      this.counts.list.failures++;
      throw error;
    }
  }

  listFolders(prefix: string, options?: CallOptions): Promise<readonly string[]> {
    return this.#count('listFolders', 0, this.#inner.listFolders(prefix, options));
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  async #count<T>(operation: BucketOperation, bytes: number, call: Promise<T>): Promise<T> {
    const counts = this.counts[operation];
    counts.calls++;
    counts.bytes += bytes;
    try {
      return await call;
    } catch (error) {
      if (!isAnswer(error)) counts.failures++;
      throw error;
    }
  }
}

function isAnswer(error: unknown): boolean {
  return error instanceof StoreError && (error.kind === 'not-found' || error.kind === 'conflict');
}

function newCounts(): BucketCounts {
  const none = (): OperationCounts => ({ calls: 0, failures: 0, bytes: 0 });
  return {
    get: none(),
    getRange: none(),
    head: none(),
    put: none(),
    putIfAbsent: none(),
    putIfMatch: none(),
    upload: none(),
    delete: none(),
    list: none(),
    listFolders: none(),
  };
}
