import type {
  GetObjectCommandOutput,
  HeadObjectCommandOutput,
  ListObjectsV2CommandOutput,
  S3Client,
  S3ClientConfig,
} from '@aws-sdk/client-s3';
import { invalid } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import { randomHex, type Rng } from '../env/rng.js';
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
  objectChanged,
  objectExists,
  objectTooLarge,
  throwIfCancelled,
} from './keys.js';
import type { Retrier } from './retrier.js';
import { brokenBody, readBody } from './s3-body.js';
import { isNotFound, isPreconditionFailed, s3Error, serviceError } from './s3-errors.js';
import { S3Upload } from './s3-upload.js';

export interface S3BucketOptions {
  readonly bucket: string;
  /** Put before every key; '' or without slashes at its ends. */
  readonly prefix: string;
  /** Default: AWS, or AWS_ENDPOINT_URL_S3. */
  readonly endpoint?: string;
  /** Default: AWS_REGION or the profile's, else us-east-1. */
  readonly region?: string;
  /** `https://endpoint/bucket/key` in place of `https://bucket.endpoint/key`. Default: true with an endpoint. */
  readonly forcePathStyle?: boolean;
  /**
   * `when-required` (default): no checksum trailers, which older servers refuse or even store inside the object.
   * `when-supported`: the client's own default.
   */
  readonly checksums?: 'when-required' | 'when-supported';
  /** How If-Match names an etag: `quoted` (default, as the standard says) or `unquoted`, as Ceph wants it. */
  readonly ifMatchEtags?: 'quoted' | 'unquoted';
  /** Of uploads, 5 MiB or more. Default 8 MiB; raised: memory of each upload. */
  readonly partSizeBytes?: number;
  /** Connections at once. Default 64. */
  readonly connectionsMax?: number;
  /** A connection that is silent for so long is given up. Default 15 s. */
  readonly idleTimeoutMs?: number;
}

export interface S3BucketParts {
  readonly rng: Rng;
  /** Repeats the parts of uploads. All other calls are tried once: RetryingBucket repeats them. */
  readonly retrier: Retrier;
}

type Sdk = typeof import('@aws-sdk/client-s3');

const PART_BYTES_MIN = 5 << 20;
const PART_BYTES_DEFAULT = 8 << 20;
const LIST_PAGE = 1_000;

/** Objects in an S3 bucket. Loads the client (26 MB of memory) only when called. */
export async function openS3Bucket(
  options: S3BucketOptions,
  parts: S3BucketParts,
): Promise<Bucket> {
  const partSizeBytes = options.partSizeBytes ?? PART_BYTES_DEFAULT;
  if (partSizeBytes < PART_BYTES_MIN) {
    throw invalid(
      'PS_S3_SETTINGS',
      `cannot open bucket ${options.bucket}: got parts of ${partSizeBytes} bytes; want >= ${PART_BYTES_MIN}`,
    );
  }
  const sdk = await import('@aws-sdk/client-s3');
  return new S3Bucket(sdk, new sdk.S3Client(clientConfig(options)), options, parts);
}

function clientConfig(options: S3BucketOptions): S3ClientConfig {
  const checksums =
    options.checksums === 'when-supported' ? 'WHEN_SUPPORTED' : ('WHEN_REQUIRED' as const);
  const agent = { keepAlive: true, maxSockets: options.connectionsMax ?? 64 };
  return {
    // Ours knows what is safe to repeat, and a budget.
    maxAttempts: 1,
    requestChecksumCalculation: checksums,
    responseChecksumValidation: checksums,
    requestHandler: {
      connectionTimeout: 5_000,
      socketTimeout: options.idleTimeoutMs ?? 15_000,
      httpAgent: agent,
      httpsAgent: agent,
    },
    forcePathStyle: options.forcePathStyle ?? options.endpoint !== undefined,
    ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
    ...(options.region === undefined ? {} : { region: options.region }),
  };
}

class S3Bucket implements Bucket {
  readonly name: string;
  readonly #sdk: Sdk;
  readonly #client: S3Client;
  readonly #options: S3BucketOptions;
  readonly #parts: S3BucketParts;
  readonly #prefix: string;
  #isClosed = false;

  constructor(sdk: Sdk, client: S3Client, options: S3BucketOptions, parts: S3BucketParts) {
    this.#sdk = sdk;
    this.#client = client;
    this.#options = options;
    this.#parts = parts;
    this.#prefix = options.prefix === '' ? '' : `${options.prefix}/`;
    this.name = `s3://${options.bucket}${options.prefix === '' ? '' : `/${options.prefix}`}`;
  }

  async get(key: string, options?: CallOptions): Promise<GetResult> {
    const command = new this.#sdk.GetObjectCommand(this.#target(key, options));
    return this.#try('read object', key, async () => {
      const out = await this.#client.send(command, sendOptions(options));
      const body = await readBody(key, out.Body, out.ContentLength);
      return { body, etag: etagOf(key, out.ETag) };
    });
  }

  async getRange(key: string, range: ByteRange, options?: CallOptions): Promise<Uint8Array> {
    checkRange(key, range);
    const command = new this.#sdk.GetObjectCommand({
      ...this.#target(key, options),
      Range: `bytes=${range.start}-${range.end - 1}`,
    });
    return this.#try('read object', key, async () => {
      let out: GetObjectCommandOutput;
      try {
        out = await this.#client.send(command, sendOptions(options));
      } catch (error) {
        const { name, status } = serviceError(error);
        if (status !== 416 && name !== 'InvalidRange') throw error;
        throw badRange(key, range, 'want a start before the end of the object');
      }
      const body = await readBody(key, out.Body, out.ContentLength);
      return rangeOf(key, range, body, out.ContentRange);
    });
  }

  async head(key: string, options?: CallOptions): Promise<ObjectInfo> {
    const out = await this.#head(key, options);
    return {
      key,
      sizeBytes: out.ContentLength ?? 0,
      modifiedMs: out.LastModified?.getTime() ?? 0,
      etag: etagOf(key, out.ETag),
    };
  }

  async #head(key: string, options?: CallOptions): Promise<HeadObjectCommandOutput> {
    const command = new this.#sdk.HeadObjectCommand(this.#target(key, options));
    return this.#try('read object', key, () => this.#client.send(command, sendOptions(options)));
  }

  put(key: string, body: Uint8Array, options?: CallOptions): Promise<PutResult> {
    return this.#put(key, body, {}, options);
  }

  async putIfAbsent(key: string, body: Uint8Array, options?: CallOptions): Promise<PutResult> {
    try {
      return await this.#put(key, body, { IfNoneMatch: '*' }, options);
    } catch (error) {
      throw error instanceof PreconditionFailed ? objectExists(key, error.cause) : error;
    }
  }

  async putIfMatch(
    key: string,
    body: Uint8Array,
    etag: string,
    options?: CallOptions,
  ): Promise<PutResult> {
    const condition = this.#options.ifMatchEtags === 'unquoted' ? etag : `"${etag}"`;
    try {
      return await this.#put(key, body, { IfMatch: condition }, options);
    } catch (error) {
      // An object that is gone answers 404 on AWS.
      const isGone = error instanceof PreconditionFailed || isNotFound(serviceError(error));
      throw isGone || isObjectNotFound(error) ? objectChanged(key, error) : error;
    }
  }

  async #put(
    key: string,
    body: Uint8Array,
    condition: { readonly IfNoneMatch?: string; readonly IfMatch?: string },
    options: CallOptions | undefined,
  ): Promise<PutResult> {
    if (body.length > LIMITS.objectBytesMax) {
      throw objectTooLarge(key, body.length, LIMITS.objectBytesMax);
    }
    const target = this.#target(key, options);
    const command = new this.#sdk.PutObjectCommand({ ...target, ...condition, Body: body });
    return this.#try('put object', key, async () => {
      try {
        const out = await this.#client.send(command, sendOptions(options));
        return { etag: etagOf(key, out.ETag) };
      } catch (error) {
        if (isPreconditionFailed(serviceError(error))) throw new PreconditionFailed(error);
        throw error;
      }
    });
  }

  async startUpload(key: string, options?: CallOptions): Promise<Upload> {
    const target = this.#target(key, options);
    const nonce = randomHex(this.#parts.rng, 16);
    return S3Upload.start({
      sdk: this.#sdk,
      client: this.#client,
      retrier: this.#parts.retrier,
      key,
      target,
      nonce,
      partSizeBytes: this.#options.partSizeBytes ?? PART_BYTES_DEFAULT,
      signal: options?.signal,
    });
  }

  async delete(key: string, options?: CallOptions): Promise<void> {
    const command = new this.#sdk.DeleteObjectCommand(this.#target(key, options));
    await this.#try('delete object', key, async () => {
      try {
        await this.#client.send(command, sendOptions(options));
      } catch (error) {
        if (!isNotFound(serviceError(error))) throw error;
      }
    });
  }

  async *list(request: ListRequest, options?: CallOptions): AsyncIterable<ObjectInfo> {
    checkPrefix(request.prefix);
    const { startAfter } = request;
    const after = startAfter === undefined ? {} : { StartAfter: this.#prefix + startAfter };
    for await (const page of this.#pages(request.prefix, after, options)) {
      for (const object of page.Contents ?? []) {
        const key = object.Key?.slice(this.#prefix.length) ?? '';
        // Some servers list a marker for a folder, and people make them in consoles.
        if (key === '' || key.endsWith('/')) continue;
        yield {
          key,
          sizeBytes: object.Size ?? 0,
          modifiedMs: object.LastModified?.getTime() ?? 0,
          etag: etagOf(key, object.ETag),
        };
      }
    }
  }

  async listFolders(prefix: string, options?: CallOptions): Promise<readonly string[]> {
    checkFolder(prefix);
    const start = this.#prefix.length + prefix.length;
    const folders: string[] = [];
    for await (const page of this.#pages(prefix, { Delimiter: '/' }, options)) {
      for (const common of page.CommonPrefixes ?? []) {
        const name = common.Prefix?.slice(start, -1) ?? '';
        if (name !== '') folders.push(name);
      }
      if (folders.length > LIMITS.foldersMax) {
        throw objectTooLarge(prefix, folders.length, LIMITS.foldersMax);
      }
    }
    return folders;
  }

  /** The pages of a list. A server that gives the same token again would go on for ever. */
  async *#pages(
    prefix: string,
    more: { readonly StartAfter?: string; readonly Delimiter?: string },
    options: CallOptions | undefined,
  ): AsyncIterable<ListObjectsV2CommandOutput> {
    let token: string | undefined;
    do {
      this.#enter(options);
      const command = new this.#sdk.ListObjectsV2Command({
        Bucket: this.#options.bucket,
        Prefix: this.#prefix + prefix,
        MaxKeys: LIST_PAGE,
        ...more,
        ...(token === undefined ? {} : { ContinuationToken: token }),
      });
      const page = await this.#try('list', prefix, () =>
        this.#client.send(command, sendOptions(options)),
      );
      yield page;
      const next = page.IsTruncated === true ? page.NextContinuationToken : undefined;
      if (next !== undefined && next === token) throw brokenBody(prefix, 0, LIST_PAGE);
      token = next;
    } while (token !== undefined);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#client.destroy();
  }

  #enter(options: CallOptions | undefined): void {
    throwIfCancelled(options);
    if (this.#isClosed) throw bucketClosed(this.name);
  }

  #target(key: string, options: CallOptions | undefined): { Bucket: string; Key: string } {
    checkKey(key);
    this.#enter(options);
    return { Bucket: this.#options.bucket, Key: this.#prefix + key };
  }

  async #try<T>(verb: string, key: string, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      throw error instanceof PreconditionFailed ? error : s3Error(verb, key, error);
    }
  }
}

/** Only between `#put` and its callers, which know what the condition was. */
class PreconditionFailed extends Error {
  constructor(cause: unknown) {
    super('precondition failed', { cause });
  }
}

function isObjectNotFound(error: unknown): boolean {
  return error instanceof Error && Reflect.get(error, 'code') === 'PS_OBJECT_NOT_FOUND';
}

function sendOptions(options: CallOptions | undefined): { abortSignal?: AbortSignal } {
  return options?.signal === undefined ? {} : { abortSignal: options.signal };
}

/** Without the quotes, which some servers leave out: If-Match puts them back as configured. */
function etagOf(key: string, etag: string | undefined): string {
  const bare = etag?.replace(/^"(.*)"$/, '$1') ?? '';
  if (bare === '') throw brokenBody(key, 0, 1);
  return bare;
}

/** Checks a ranged answer against its header; cuts the range out where the server sent everything. */
function rangeOf(
  key: string,
  range: ByteRange,
  body: Uint8Array,
  contentRange: string | undefined,
): Uint8Array {
  if (contentRange === undefined) {
    if (range.start >= body.length) throw badRange(key, range, `want start < ${body.length}`);
    return body.slice(range.start, range.end);
  }
  const match = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(contentRange);
  const start = Number(match?.[1]);
  const end = Number(match?.[2]) + 1;
  const total = match?.[3] === '*' ? range.end : Number(match?.[3]);
  const isExpected = start === range.start && end === Math.min(range.end, total);
  if (!isExpected || body.length !== end - start) {
    throw brokenBody(key, body.length, range.end - range.start);
  }
  return body;
}
