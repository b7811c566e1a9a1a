import { isKind, StoreError } from '../base/errors.js';
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
import type { Retrier } from './retrier.js';

/** What one `get` may move without being taken for a hang; its size is not known before. */
const GET_BYTES_EXPECTED = 64 << 20;

/**
 * A bucket whose calls are repeated while they fail with `unavailable`.
 *
 * A conditional put whose answer was lost may have succeeded: its repetition then loses against itself. So after a
 * doubtful attempt a `conflict` is believed only if the object holds other bytes than ours. Whoever races must
 * therefore put something of its own in the body (a nonce). If it stays in doubt until the end, the error is
 * `unavailable` PS_OBJECT_OUTCOME_UNKNOWN.
 *
 * An upload's parts are repeated by the bucket below, which alone can tell them apart.
 */
export class RetryingBucket implements Bucket {
  readonly #inner: Bucket;
  readonly #retrier: Retrier;

  constructor(inner: Bucket, retrier: Retrier) {
    this.#inner = inner;
    this.#retrier = retrier;
  }

  get name(): string {
    return this.#inner.name;
  }

  get(key: string, options?: CallOptions): Promise<GetResult> {
    const call = { sizeBytes: GET_BYTES_EXPECTED, signal: options?.signal };
    return this.#retrier.run(call, (signal) => this.#inner.get(key, { signal }));
  }

  getRange(key: string, range: ByteRange, options?: CallOptions): Promise<Uint8Array> {
    // A wish for "the rest" must not wait for ever.
    const sizeBytes = Math.min(range.end - range.start, GET_BYTES_EXPECTED);
    return this.#retrier.run({ sizeBytes, signal: options?.signal }, (signal) =>
      this.#inner.getRange(key, range, { signal }),
    );
  }

  head(key: string, options?: CallOptions): Promise<ObjectInfo> {
    return this.#retrier.run({ signal: options?.signal }, (signal) =>
      this.#inner.head(key, { signal }),
    );
  }

  put(key: string, body: Uint8Array, options?: CallOptions): Promise<PutResult> {
    return this.#retrier.run({ sizeBytes: body.length, signal: options?.signal }, (signal) =>
      this.#inner.put(key, body, { signal }),
    );
  }

  putIfAbsent(key: string, body: Uint8Array, options?: CallOptions): Promise<PutResult> {
    return this.#putOnce({ key, body, options }, (signal) =>
      this.#inner.putIfAbsent(key, body, { signal }),
    );
  }

  putIfMatch(
    key: string,
    body: Uint8Array,
    etag: string,
    options?: CallOptions,
  ): Promise<PutResult> {
    return this.#putOnce({ key, body, options }, (signal) =>
      this.#inner.putIfMatch(key, body, etag, { signal }),
    );
  }

  async #putOnce(
    { key, body, options }: { key: string; body: Uint8Array; options: CallOptions | undefined },
    put: (signal: AbortSignal) => Promise<PutResult>,
  ): Promise<PutResult> {
    let isInDoubt = false;
    const attempt = async (signal: AbortSignal): Promise<PutResult> => {
      try {
        return await put(signal);
      } catch (error) {
        if (isInDoubt && isKind(error, 'conflict')) {
          const etag = await this.#etagIfEqual(key, body, signal);
          if (etag !== undefined) return { etag };
          // Somebody else's object: the doubt is over, and the race lost.
          isInDoubt = false;
        } else if (mayHaveSucceeded(error)) {
          isInDoubt = true;
        }
        throw error;
      }
    };
    try {
      return await this.#retrier.run({ sizeBytes: body.length, signal: options?.signal }, attempt);
    } catch (error) {
      throw isInDoubt && isKind(error, 'unavailable') ? outcomeUnknown(key, error) : error;
    }
  }

  async #etagIfEqual(
    key: string,
    body: Uint8Array,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    try {
      const info = await this.#inner.head(key, { signal });
      if (info.sizeBytes !== body.length) return undefined;
      const present = await this.#inner.get(key, { signal });
      return Buffer.compare(present.body, body) === 0 ? present.etag : undefined;
    } catch (error) {
      if (isKind(error, 'not-found')) return undefined;
      throw error;
    }
  }

  startUpload(key: string, options?: CallOptions): Promise<Upload> {
    // The upload lives on after this call, so it gets the caller's signal and not that of one attempt.
    return this.#retrier.run({ signal: options?.signal }, () =>
      this.#inner.startUpload(key, options),
    );
  }

  delete(key: string, options?: CallOptions): Promise<void> {
    return this.#retrier.run({ signal: options?.signal }, (signal) =>
      this.#inner.delete(key, { signal }),
    );
  }

  /** After a failure it goes on behind the last object that it gave. */
  async *list(request: ListRequest, options?: CallOptions): AsyncIterable<ObjectInfo> {
    let rest = request;
    let series = this.#retrier.start({ signal: options?.signal });
    for (;;) {
      let hasMoved = false;
      try {
        for await (const object of this.#inner.list(rest, options)) {
          yield object;
          rest = { prefix: request.prefix, startAfter: object.key };
          hasMoved = true;
        }
        return;
      } catch (error) {
        // A long list may fail now and then; only failures at the same place add up.
        if (hasMoved) series = this.#retrier.start({ signal: options?.signal });
        await series.waitAfter(error);
      }
    }
  }

  listFolders(prefix: string, options?: CallOptions): Promise<readonly string[]> {
    return this.#retrier.run({ signal: options?.signal }, (signal) =>
      this.#inner.listFolders(prefix, { signal }),
    );
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}

function mayHaveSucceeded(error: unknown): boolean {
  if (!(error instanceof StoreError)) return true;
  // `notDone`: the store said itself that it did nothing, or was never reached.
  if (error.details['notDone'] === true) return false;
  return error.kind === 'unavailable' || error.kind === 'cancelled' || error.kind === 'internal';
}

function outcomeUnknown(key: string, cause: unknown): StoreError {
  return new StoreError({
    kind: 'unavailable',
    code: 'PS_OBJECT_OUTCOME_UNKNOWN',
    message: `cannot tell whether object ${key} was written: got no answer; want one`,
    details: { key },
    cause,
  });
}
