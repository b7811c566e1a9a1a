/**
 * What the engine needs of an object store. Three implementations (memory, local directory, S3) share one
 * conformance suite (test/conformance/bucket.ts).
 *
 * Keys are `/`-separated, without empty, `.` or `..` parts, at most 1,024 bytes. Reads see every write that
 * was acknowledged before them. An object appears whole or not at all. Errors are StoreError: `not-found`
 * PS_OBJECT_NOT_FOUND, `conflict` PS_OBJECT_EXISTS (put if absent) or PS_OBJECT_CHANGED (put or delete if match),
 * `invalid` PS_OBJECT_RANGE, `unavailable` for what a retry may mend, `cancelled` when the signal aborted.
 */
export interface Bucket {
  /** For people and logs: `memory`, `/data/blocks`, `s3://bucket/prefix`. */
  readonly name: string;
  get(key: string, options?: CallOptions): Promise<GetResult>;
  /** Bytes [start, end) of an object; `end` may lie past its end, `start` may not. */
  getRange(key: string, range: ByteRange, options?: CallOptions): Promise<Uint8Array>;
  head(key: string, options?: CallOptions): Promise<ObjectInfo>;
  /** Creates or replaces. */
  put(key: string, body: Uint8Array, options?: CallOptions): Promise<PutResult>;
  putIfAbsent(key: string, body: Uint8Array, options?: CallOptions): Promise<PutResult>;
  /** Replaces the object only if it still has this `etag`. */
  putIfMatch(
    key: string,
    body: Uint8Array,
    etag: string,
    options?: CallOptions,
  ): Promise<PutResult>;
  /** Uploads an object too large to hold in memory; it appears when `finish` resolves. */
  startUpload(key: string, options?: CallOptions): Promise<Upload>;
  /** Fine if there is none. */
  delete(key: string, options?: CallOptions): Promise<void>;
  /** Objects in ascending order of key (UTF-8 bytes). */
  list(request: ListRequest, options?: CallOptions): AsyncIterable<ObjectInfo>;
  /** The distinct next parts of keys under `prefix` (which ends in `/` or is empty), without the slash, sorted. */
  listFolders(prefix: string, options?: CallOptions): Promise<readonly string[]>;
  close(): Promise<void>;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
}

/** Half-open. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

export interface GetResult {
  readonly body: Uint8Array;
  readonly etag: string;
}

export interface PutResult {
  readonly etag: string;
}

export interface ObjectInfo {
  readonly key: string;
  readonly sizeBytes: number;
  /** By the store's clock. */
  readonly modifiedMs: number;
  readonly etag: string;
}

export interface ListRequest {
  readonly prefix: string;
  /** Only keys after this one. */
  readonly startAfter?: string;
}

export interface Upload {
  /** Appends; the callee has copied or sent the bytes when it resolves. */
  write(bytes: Uint8Array): Promise<void>;
  /** Makes the object visible. */
  finish(): Promise<PutResult>;
  /** Drops what was uploaded; safe after a failure or twice. */
  abort(): Promise<void>;
}
