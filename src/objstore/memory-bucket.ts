import { LIMITS } from '../base/limits.js';
import type {
  Bucket,
  ByteRange,
  CallOptions,
  GetResult,
  ListRequest,
  ObjectInfo,
  PutResult,
  Upload,
} from './bucket.js';
import {
  badRange,
  bucketClosed,
  checkFolder,
  checkKey,
  checkPrefix,
  checkRange,
  compareKeys,
  objectChanged,
  objectExists,
  objectNotFound,
  objectTooLarge,
  throwIfCancelled,
  uploadEnded,
} from './keys.js';

export interface MemoryBucketOptions {
  /** Time for `modifiedMs`. Default: a counter, so that tests depend on nothing. */
  readonly nowMs?: () => number;
}

interface StoredObject {
  readonly body: Uint8Array;
  readonly modifiedMs: number;
  readonly etag: string;
}

/** Objects in memory, for tests and `memory:` stores. Bodies are copied in and out. */
export class MemoryBucket implements Bucket {
  readonly name = 'memory';
  readonly #objects = new Map<string, StoredObject>();
  readonly #nowMs: () => number;
  #isClosed = false;
  #version = 0;

  constructor(options: MemoryBucketOptions = {}) {
    this.#nowMs = options.nowMs ?? (() => this.#version);
  }

  async get(key: string, options?: CallOptions): Promise<GetResult> {
    const { body, etag } = await this.#find(key, options);
    return { body: body.slice(), etag };
  }

  async getRange(key: string, range: ByteRange, options?: CallOptions): Promise<Uint8Array> {
    checkRange(key, range);
    const { body } = await this.#find(key, options);
    if (range.start >= body.length) throw badRange(key, range, `want start < ${body.length}`);
    return body.slice(range.start, range.end);
  }

  async head(key: string, options?: CallOptions): Promise<ObjectInfo> {
    return infoOf(key, await this.#find(key, options));
  }

  async put(key: string, body: Uint8Array, options?: CallOptions): Promise<PutResult> {
    const copy = body.slice();
    await this.#enter(key, options);
    return this.#store(key, copy);
  }

  async putIfAbsent(key: string, body: Uint8Array, options?: CallOptions): Promise<PutResult> {
    const copy = body.slice();
    await this.#enter(key, options);
    if (this.#objects.has(key)) throw objectExists(key);
    return this.#store(key, copy);
  }

  async putIfMatch(
    key: string,
    body: Uint8Array,
    etag: string,
    options?: CallOptions,
  ): Promise<PutResult> {
    const copy = body.slice();
    await this.#enter(key, options);
    if (this.#objects.get(key)?.etag !== etag) throw objectChanged(key);
    return this.#store(key, copy);
  }

  async startUpload(key: string, options?: CallOptions): Promise<Upload> {
    await this.#enter(key, options);
    const pieces: Uint8Array[] = [];
    let sizeBytes = 0;
    let isOpen = true;
    return {
      write: async (bytes) => {
        throwIfCancelled(options);
        if (!isOpen) throw uploadEnded(key);
        sizeBytes += bytes.length;
        if (sizeBytes > LIMITS.objectBytesMax) {
          isOpen = false;
          throw objectTooLarge(key, sizeBytes, LIMITS.objectBytesMax);
        }
        pieces.push(bytes.slice());
      },
      finish: async () => {
        await this.#enter(key, options);
        if (!isOpen) throw uploadEnded(key);
        isOpen = false;
        return this.#store(key, new Uint8Array(Buffer.concat(pieces)));
      },
      abort: async () => {
        isOpen = false;
        pieces.length = 0;
      },
    };
  }

  async delete(key: string, options?: CallOptions): Promise<void> {
    await this.#enter(key, options);
    this.#objects.delete(key);
  }

  async *list(request: ListRequest, options?: CallOptions): AsyncIterable<ObjectInfo> {
    checkPrefix(request.prefix);
    await this.#turn(options);
    const after = request.startAfter;
    const keys = [...this.#objects.keys()].filter(
      (key) =>
        key.startsWith(request.prefix) && (after === undefined || compareKeys(key, after) > 0),
    );
    for (const key of keys.sort(compareKeys)) {
      throwIfCancelled(options);
      const object = this.#objects.get(key);
      if (object !== undefined) yield infoOf(key, object);
    }
  }

  async listFolders(prefix: string, options?: CallOptions): Promise<readonly string[]> {
    checkFolder(prefix);
    await this.#turn(options);
    const folders = new Set<string>();
    for (const key of this.#objects.keys()) {
      const slash = key.startsWith(prefix) ? key.indexOf('/', prefix.length) : -1;
      if (slash >= 0) folders.add(key.slice(prefix.length, slash));
    }
    return [...folders].sort(compareKeys);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }

  async #enter(key: string, options: CallOptions | undefined): Promise<void> {
    checkKey(key);
    await this.#turn(options);
  }

  /** Every call lets others run, as a real store does, so that races show in tests. */
  async #turn(options: CallOptions | undefined): Promise<void> {
    await Promise.resolve();
    throwIfCancelled(options);
    if (this.#isClosed) throw bucketClosed(this.name);
  }

  async #find(key: string, options: CallOptions | undefined): Promise<StoredObject> {
    await this.#enter(key, options);
    const object = this.#objects.get(key);
    if (object === undefined) throw objectNotFound(key);
    return object;
  }

  #store(key: string, body: Uint8Array): PutResult {
    const etag = String(++this.#version);
    this.#objects.set(key, { body, etag, modifiedMs: this.#nowMs() });
    return { etag };
  }
}

function infoOf(key: string, object: StoredObject): ObjectInfo {
  return {
    key,
    sizeBytes: object.body.length,
    modifiedMs: object.modifiedMs,
    etag: object.etag,
  };
}
