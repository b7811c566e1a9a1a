import { isKind, StoreError, invalid } from '../base/errors.js';
import { KeyedMutex } from '../base/keyed-mutex.js';
import { LIMITS } from '../base/limits.js';
import type { Clock } from '../env/clock.js';
import {
  type AppendFile,
  type FileEntry,
  type FileSystem,
  TEMPORARY_PREFIX,
} from '../env/files.js';
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
  compareKeys,
  objectChanged,
  objectExists,
  objectNotFound,
  objectTooLarge,
  throwIfCancelled,
  uploadEnded,
} from './keys.js';

export interface DirBucketOptions {
  /** Absolute; made if it does not exist. */
  readonly dir: string;
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly rng: Rng;
}

/** A temporary file this old belongs to a process that died: `list` removes it. */
const TEMPORARY_AGE_MS_MAX = 24 * 3_600_000;

/** How often a write makes its directory anew after `delete` removed the empty one under it. */
const WRITE_TRIES_MAX = 16;

/** Directories remembered as made; past it the memory starts anew, which costs one fsync each. */
const KNOWN_DIRS_MAX = 4_096;

/**
 * Objects as files of a local directory: the key is the path, so other programs find the Parquet files under their
 * names. Every write is durable when its promise resolves.
 *
 * - `putIfAbsent` is atomic between threads and processes (link), `putIfMatch` within one thread only.
 * - An etag is the size and the time of change, which FileSystem keeps unique (FileEntry.modifiedMs), because a hash of
 *   the content would make `list` read every byte.
 * - A key cannot be a folder too: with an object `a`, putting `a/b` is `invalid`.
 * - A folder that a crash left empty shows in `listFolders` until something in it is written and deleted.
 */
export async function openDirBucket(options: DirBucketOptions): Promise<Bucket> {
  await options.files.makeDir(options.dir);
  return new DirBucket(options);
}

class DirBucket implements Bucket {
  readonly name: string;
  readonly #files: FileSystem;
  readonly #clock: Clock;
  readonly #rng: Rng;
  readonly #writers = new KeyedMutex();
  readonly #knownDirs = new Map<string, Promise<void>>();
  #isClosed = false;

  constructor(options: DirBucketOptions) {
    this.name = options.dir;
    this.#files = options.files;
    this.#clock = options.clock;
    this.#rng = options.rng;
  }

  async get(key: string, options?: CallOptions): Promise<GetResult> {
    this.#enter(key, options);
    try {
      // First the etag, then the content: were it replaced in between, the etag would be too old and a putIfMatch
      // with it would fail; the other way round it would succeed and lose the replacement.
      const entry = await this.#statObject(key);
      if (entry.sizeBytes > LIMITS.objectBytesMax) {
        throw objectTooLarge(key, entry.sizeBytes, LIMITS.objectBytesMax);
      }
      return { body: await this.#files.readAll(this.#path(key)), etag: etagOf(entry) };
    } catch (error) {
      throw readError(key, error);
    }
  }

  async getRange(key: string, range: ByteRange, options?: CallOptions): Promise<Uint8Array> {
    this.#enter(key, options);
    checkRange(key, range);
    try {
      const file = await this.#files.openRead(this.#path(key));
      try {
        const sizeBytes = await file.sizeBytes();
        if (range.start >= sizeBytes) throw badRange(key, range, `want start < ${sizeBytes}`);
        const end = Math.min(range.end, sizeBytes);
        if (end - range.start > LIMITS.objectBytesMax) {
          throw objectTooLarge(key, end - range.start, LIMITS.objectBytesMax);
        }
        return await file.read(range.start, end);
      } finally {
        await file.close();
      }
    } catch (error) {
      throw readError(key, error);
    }
  }

  async head(key: string, options?: CallOptions): Promise<ObjectInfo> {
    this.#enter(key, options);
    try {
      return infoOf(key, await this.#statObject(key));
    } catch (error) {
      throw readError(key, error);
    }
  }

  async put(key: string, body: Uint8Array, options?: CallOptions): Promise<PutResult> {
    this.#enter(key, options);
    return this.#writers.run(key, () => this.#replace(key, body));
  }

  async putIfAbsent(key: string, body: Uint8Array, options?: CallOptions): Promise<PutResult> {
    this.#enter(key, options);
    return this.#writers.run(key, async () => {
      const path = this.#path(key);
      try {
        await this.#inItsDir(key, () => this.#files.writeNew(path, body));
      } catch (error) {
        throw isKind(error, 'conflict') ? objectExists(key, error) : error;
      }
      return { etag: etagOf(await this.#files.stat(path)) };
    });
  }

  async putIfMatch(
    key: string,
    body: Uint8Array,
    etag: string,
    options?: CallOptions,
  ): Promise<PutResult> {
    this.#enter(key, options);
    return this.#writers.run(key, async () => {
      let present: FileEntry;
      try {
        present = await this.#statObject(key);
      } catch (error) {
        throw isKind(error, 'not-found') ? objectChanged(key, error) : error;
      }
      if (etagOf(present) !== etag) throw objectChanged(key);
      return this.#replace(key, body);
    });
  }

  async startUpload(key: string, options?: CallOptions): Promise<Upload> {
    this.#enter(key, options);
    const slash = key.lastIndexOf('/') + 1;
    const temporary = `${key.slice(0, slash)}${TEMPORARY_PREFIX}${randomHex(this.#rng, 12)}`;
    const path = this.#path(temporary);
    const file = await this.#inItsDir(key, () => this.#files.openAppend(path));
    return new DirUpload({
      key,
      file,
      options,
      discard: () => this.#files.remove(path),
      publish: () =>
        this.#writers.run(key, async () => {
          await this.#inItsDir(key, () => this.#files.rename(path, this.#path(key)));
          return { etag: etagOf(await this.#files.stat(this.#path(key))) };
        }),
    });
  }

  async delete(key: string, options?: CallOptions): Promise<void> {
    this.#enter(key, options);
    await this.#writers.run(key, async () => {
      await this.#files.remove(this.#path(key));
      for (const folder of foldersOf(key).reverse()) {
        this.#knownDirs.delete(folder);
        await this.#files.removeEmptyDir(this.#path(folder));
      }
    });
  }

  async *list(request: ListRequest, options?: CallOptions): AsyncIterable<ObjectInfo> {
    checkPrefix(request.prefix);
    this.#checkOpen();
    const folder = request.prefix.slice(0, request.prefix.lastIndexOf('/') + 1);
    yield* this.#walk(folder, request, options);
  }

  /** `folder` is empty or ends in a slash. */
  async *#walk(
    folder: string,
    request: ListRequest,
    options: CallOptions | undefined,
  ): AsyncIterable<ObjectInfo> {
    const { prefix, startAfter } = request;
    throwIfCancelled(options);
    const names: { key: string; entry: FileEntry }[] = [];
    for (const entry of await this.#entries(folder)) {
      const key = folder + entry.name + (entry.isDirectory ? '/' : '');
      if (!key.startsWith(prefix) && !(entry.isDirectory && prefix.startsWith(key))) continue;
      names.push({ key, entry });
    }
    // With the slash, because `a/x` comes after `a-b`.
    names.sort((a, b) => compareKeys(a.key, b.key));
    for (const { key, entry } of names) {
      const isBefore = startAfter !== undefined && compareKeys(key, startAfter) <= 0;
      if (entry.isDirectory) {
        if (isBefore && !startAfter.startsWith(key)) continue;
        yield* this.#walk(key, request, options);
      } else if (!isBefore) {
        throwIfCancelled(options);
        yield infoOf(key, entry);
      }
    }
  }

  async listFolders(prefix: string, options?: CallOptions): Promise<readonly string[]> {
    checkFolder(prefix);
    this.#checkOpen();
    throwIfCancelled(options);
    const folders = (await this.#entries(prefix)).filter((entry) => entry.isDirectory);
    if (folders.length > LIMITS.foldersMax) {
      throw objectTooLarge(prefix, folders.length, LIMITS.foldersMax);
    }
    return folders.map((entry) => entry.name).sort(compareKeys);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }

  #enter(key: string, options: CallOptions | undefined): void {
    checkKey(key);
    throwIfCancelled(options);
    this.#checkOpen();
  }

  #checkOpen(): void {
    if (this.#isClosed) throw bucketClosed(this.name);
  }

  #path(key: string): string {
    return key === '' ? this.name : `${this.name}/${key}`;
  }

  async #statObject(key: string): Promise<FileEntry> {
    const entry = await this.#files.stat(this.#path(key));
    if (entry.isDirectory) throw objectNotFound(key);
    return entry;
  }

  /** What a folder holds, without temporary files; nothing if there is no such folder. */
  async #entries(folder: string): Promise<readonly FileEntry[]> {
    let entries: readonly FileEntry[];
    try {
      entries = await this.#files.list(this.#path(folder.slice(0, -1)));
    } catch (error) {
      if (isKind(error, 'not-found')) return [];
      throw error;
    }
    const isTemporary = (entry: FileEntry): boolean => entry.name.startsWith(TEMPORARY_PREFIX);
    if (!entries.some(isTemporary)) return entries;
    const oldMs = this.#clock.nowMs() - TEMPORARY_AGE_MS_MAX;
    for (const entry of entries) {
      if (isTemporary(entry) && !entry.isDirectory && entry.modifiedMs < oldMs) {
        await this.#files.remove(this.#path(folder + entry.name));
      }
    }
    return entries.filter((entry) => !isTemporary(entry));
  }

  async #replace(key: string, body: Uint8Array): Promise<PutResult> {
    const path = this.#path(key);
    await this.#inItsDir(key, () => this.#files.writeReplace(path, body));
    return { etag: etagOf(await this.#files.stat(path)) };
  }

  /** Runs a write with the key's folders made before, again if a `delete` removed them meanwhile. */
  async #inItsDir<T>(key: string, write: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        const before = await this.#makeFolders(key);
        const result = await write();
        // Was a folder removed and made anew meanwhile, then it may not be durable yet.
        if (foldersOf(key).some((folder, i) => this.#knownDirs.get(folder) !== before[i])) {
          await this.#makeFolders(key);
        }
        return result;
      } catch (error) {
        if (!isKind(error, 'not-found') || tries === WRITE_TRIES_MAX) throw error;
        await this.#throwIfFolder(key);
        for (const folder of foldersOf(key)) this.#knownDirs.delete(folder);
      }
    }
  }

  /** Parents first, each awaited, so that a folder is durable only after its parents are. */
  async #makeFolders(key: string): Promise<readonly Promise<void>[]> {
    const all: Promise<void>[] = [];
    for (const folder of foldersOf(key)) {
      const made = this.#makeFolder(folder);
      await made;
      all.push(made);
    }
    return all;
  }

  #makeFolder(folder: string): Promise<void> {
    const known = this.#knownDirs.get(folder);
    if (known !== undefined) return known;
    if (this.#knownDirs.size >= KNOWN_DIRS_MAX) this.#knownDirs.clear();
    const made = this.#files.makeDir(this.#path(folder)).catch((error: unknown) => {
      if (this.#knownDirs.get(folder) === made) this.#knownDirs.delete(folder);
      throw isKind(error, 'conflict') ? folderIsObject(folder, error) : error;
    });
    this.#knownDirs.set(folder, made);
    return made;
  }

  async #throwIfFolder(key: string): Promise<void> {
    const entry = await this.#files.stat(this.#path(key)).catch(() => undefined);
    if (entry?.isDirectory !== true) return;
    throw invalid(
      'PS_OBJECT_KEY',
      `cannot put object ${key}: got a folder of that name; want none`,
    );
  }
}

interface DirUploadOptions {
  readonly key: string;
  readonly file: AppendFile;
  readonly options: CallOptions | undefined;
  readonly publish: () => Promise<PutResult>;
  readonly discard: () => Promise<void>;
}

class DirUpload implements Upload {
  readonly #o: DirUploadOptions;
  #isOpen = true;
  #isDiscarded = false;

  constructor(options: DirUploadOptions) {
    this.#o = options;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#check();
    try {
      await this.#o.file.append([bytes]);
    } catch (error) {
      // A part of the bytes may be in the file: this upload can only be dropped.
      this.#isOpen = false;
      throw error;
    }
  }

  async finish(): Promise<PutResult> {
    this.#check();
    this.#isOpen = false;
    await this.#o.file.sync();
    await this.#o.file.close();
    const result = await this.#o.publish();
    this.#isDiscarded = true;
    return result;
  }

  async abort(): Promise<void> {
    this.#isOpen = false;
    if (this.#isDiscarded) return;
    this.#isDiscarded = true;
    await this.#o.file.close();
    await this.#o.discard();
  }

  #check(): void {
    throwIfCancelled(this.#o.options);
    if (!this.#isOpen) throw uploadEnded(this.#o.key);
  }
}

/** The folders above a key, outermost first, without slashes at their ends. */
function foldersOf(key: string): string[] {
  const folders: string[] = [];
  for (let at = key.indexOf('/'); at >= 0; at = key.indexOf('/', at + 1)) {
    folders.push(key.slice(0, at));
  }
  return folders;
}

function etagOf(entry: FileEntry): string {
  return `${entry.sizeBytes}-${entry.modifiedMs}`;
}

function infoOf(key: string, entry: FileEntry): ObjectInfo {
  return { key, sizeBytes: entry.sizeBytes, modifiedMs: entry.modifiedMs, etag: etagOf(entry) };
}

function readError(key: string, error: unknown): unknown {
  if (error instanceof StoreError && error.code === 'PS_FILE_NOT_FOUND') {
    return objectNotFound(key, error);
  }
  return error;
}

function folderIsObject(folder: string, cause: unknown): StoreError {
  return new StoreError({
    kind: 'invalid',
    code: 'PS_OBJECT_KEY',
    message: `cannot make folder ${folder}: got an object of that name; want none`,
    details: { key: folder },
    cause,
  });
}
