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

export type BucketFault =
  /** The call does nothing and fails with `unavailable`. */
  | 'fail'
  /** The call does its work, and then its answer is lost: `unavailable`. */
  | 'lose-reply'
  /** This call and all later ones fail, until `clearFaults`: the process or the network died here. */
  | 'halt'
  /** As `halt`, but this call still does its work. */
  | 'halt-after'
  /** No answer ever, until the call's signal aborts. */
  | 'hang'
  /** The call sleeps until this resolves, and then does its work. */
  | Promise<void>;

export interface Stall {
  readonly reached: Promise<void>;
  readonly wake: () => void;
}

/** Decides for each call, by its number from 1 on and its name, what goes wrong; undefined for nothing. */
export type FaultPlan = (call: number, operation: string, key: string) => BucketFault | undefined;

/**
 * A bucket that fails on purpose. Every get, put, delete, list (one call for a whole list), and every step of an upload
 * counts as one call, so a sweep over `failNth(1 … callCount)` visits each place where a process can die.
 */
export class FaultyBucket implements Bucket {
  callCount = 0;
  /** What was called, for tests that look at the order: `put a/b`. */
  readonly log: string[] = [];
  readonly #inner: Bucket;
  #plan: FaultPlan;
  #isHalted = false;

  constructor(inner: Bucket, plan: FaultPlan = () => undefined) {
    this.#inner = inner;
    this.#plan = plan;
  }

  get name(): string {
    return this.#inner.name;
  }

  setPlan(plan: FaultPlan): void {
    this.#plan = plan;
  }

  /** Only the n-th call from now (1 is the next) fails. */
  failNth(n: number, fault: BucketFault): void {
    const at = this.callCount + n;
    this.#plan = (call) => (call === at ? fault : undefined);
  }

  failEvery(n: number, fault: BucketFault): void {
    this.#plan = (call) => (call % n === 0 ? fault : undefined);
  }

  /** The first call from now that `matches` sleeps: `reached` says when it does, `wake` lets it go on. */
  stallAt(matches: (operation: string, key: string) => boolean): Stall {
    const reached = signalled();
    const woken = signalled();
    this.#plan = (_, operation, key) => {
      if (!matches(operation, key)) return undefined;
      this.#plan = () => undefined;
      reached.give();
      return woken.promise;
    };
    return { reached: reached.promise, wake: woken.give };
  }

  clearFaults(): void {
    this.#isHalted = false;
    this.#plan = () => undefined;
  }

  async #call<T>(
    operation: string,
    key: string,
    work: () => Promise<T>,
    options?: CallOptions,
  ): Promise<T> {
    this.callCount++;
    this.log.push(`${operation} ${key}`);
    const lost = (): StoreError => injected(operation, key);
    if (this.#isHalted) throw lost();
    const fault = this.#plan(this.callCount, operation, key);
    if (fault === 'halt' || fault === 'halt-after') this.#isHalted = true;
    if (fault === 'hang') return untilAborted(options?.signal);
    if (fault === 'fail' || fault === 'halt') throw lost();
    if (fault instanceof Promise) {
      await fault;
      return await work();
    }
    const result = await work();
    if (fault !== undefined) throw lost();
    return result;
  }

  get(key: string, options?: CallOptions): Promise<GetResult> {
    return this.#call('get', key, () => this.#inner.get(key, options), options);
  }

  getRange(key: string, range: ByteRange, options?: CallOptions): Promise<Uint8Array> {
    return this.#call('getRange', key, () => this.#inner.getRange(key, range, options), options);
  }

  head(key: string, options?: CallOptions): Promise<ObjectInfo> {
    return this.#call('head', key, () => this.#inner.head(key, options), options);
  }

  put(key: string, body: Uint8Array, options?: CallOptions): Promise<PutResult> {
    return this.#call('put', key, () => this.#inner.put(key, body, options), options);
  }

  putIfAbsent(key: string, body: Uint8Array, options?: CallOptions): Promise<PutResult> {
    const put = () => this.#inner.putIfAbsent(key, body, options);
    return this.#call('putIfAbsent', key, put, options);
  }

  putIfMatch(
    key: string,
    body: Uint8Array,
    etag: string,
    options?: CallOptions,
  ): Promise<PutResult> {
    const put = () => this.#inner.putIfMatch(key, body, etag, options);
    return this.#call('putIfMatch', key, put, options);
  }

  async startUpload(key: string, options?: CallOptions): Promise<Upload> {
    const upload = await this.#call('startUpload', key, () =>
      this.#inner.startUpload(key, options),
    );
    return {
      write: (bytes) => this.#call('write', key, () => upload.write(bytes), options),
      finish: () => this.#call('finish', key, () => upload.finish(), options),
      abort: () => this.#call('abort', key, () => upload.abort(), options),
    };
  }

  delete(key: string, options?: CallOptions): Promise<void> {
    return this.#call('delete', key, () => this.#inner.delete(key, options), options);
  }

  /** A fault that loses the reply loses the second half of the list. */
  async *list(request: ListRequest, options?: CallOptions): AsyncIterable<ObjectInfo> {
    const objects: ObjectInfo[] = [];
    let failure: unknown;
    const collect = async (): Promise<void> => {
      for await (const object of this.#inner.list(request, options)) objects.push(object);
    };
    try {
      await this.#call('list', request.prefix, collect, options);
    } catch (error) {
      failure = error;
      objects.length = Math.floor(objects.length / 2);
    }
    yield* objects;
    if (failure !== undefined) throw failure;
  }

  listFolders(prefix: string, options?: CallOptions): Promise<readonly string[]> {
    return this.#call('listFolders', prefix, () => this.#inner.listFolders(prefix, options));
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}

function signalled(): { promise: Promise<void>; give: () => void } {
  let give = (): void => undefined;
  const promise = new Promise<void>((resolve) => {
    give = resolve;
  });
  return { promise, give };
}

function injected(operation: string, key: string): StoreError {
  return new StoreError({
    kind: 'unavailable',
    code: 'PS_BUCKET_UNAVAILABLE',
    message: `cannot ${operation} ${key}: got a fault on purpose; want success`,
  });
}

function untilAborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_resolve, reject) => {
    const stop = (): void => {
      reject(
        new StoreError({
          kind: 'cancelled',
          code: 'PS_CANCELLED',
          message: 'the call was cancelled',
        }),
      );
    };
    if (signal?.aborted === true) stop();
    else signal?.addEventListener('abort', stop, { once: true });
  });
}
