import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { assert } from '../base/assert.js';
import { fileClosed, fileError, shortFile } from './file-errors.js';
import type { AppendFile, ReadFile } from './files.js';
import { syncDir, writePieces } from './node-file-writes.js';

/** Linux reads at most 2 GiB less a page at once. */
const READ_BYTES_MAX = 1 << 30;

export async function openAppend(path: string): Promise<AppendFile> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, 'a');
    return new NodeAppendFile(path, handle, (await handle.stat()).size);
  } catch (error) {
    await handle?.close();
    throw fileError('open', path, error);
  }
}

class NodeAppendFile implements AppendFile {
  readonly #path: string;
  #handle: FileHandle | undefined;
  #sizeBytes: number;
  /** The first sync makes the name durable too: neither we nor an earlier process may have done so. */
  #isEntryDurable = false;

  constructor(path: string, handle: FileHandle, sizeBytes: number) {
    this.#path = path;
    this.#handle = handle;
    this.#sizeBytes = sizeBytes;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  async append(pieces: readonly Uint8Array[]): Promise<void> {
    const handle = this.#open('append to');
    try {
      this.#sizeBytes += await writePieces(handle, pieces);
    } catch (error) {
      throw fileError('append to', this.#path, error);
    }
  }

  async sync(): Promise<void> {
    const handle = this.#open('sync');
    try {
      await handle.datasync();
    } catch (error) {
      throw fileError('sync', this.#path, error);
    }
    if (this.#isEntryDurable) return;
    await syncDir(dirname(this.#path));
    this.#isEntryDurable = true;
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    try {
      await handle?.close();
    } catch (error) {
      throw fileError('close', this.#path, error);
    }
  }

  #open(verb: string): FileHandle {
    if (this.#handle === undefined) throw fileClosed(verb, this.#path);
    return this.#handle;
  }
}

export async function openRead(path: string): Promise<ReadFile> {
  try {
    return new NodeReadFile(path, await open(path, 'r'));
  } catch (error) {
    throw fileError('open', path, error);
  }
}

class NodeReadFile implements ReadFile {
  readonly #path: string;
  #handle: FileHandle | undefined;

  constructor(path: string, handle: FileHandle) {
    this.#path = path;
    this.#handle = handle;
  }

  async sizeBytes(): Promise<number> {
    const handle = this.#open('stat');
    try {
      return (await handle.stat()).size;
    } catch (error) {
      throw fileError('stat', this.#path, error);
    }
  }

  async read(start: number, end: number, room?: Uint8Array): Promise<Uint8Array> {
    assert(start >= 0 && start <= end, `range [${start}, ${end}) of ${this.#path}`);
    const handle = this.#open('read');
    const hasRoom = room !== undefined && room.length >= end - start;
    // Else its own buffer and not a piece of Node's pool: callers transfer it to other threads.
    const out = hasRoom ? room.subarray(0, end - start) : new Uint8Array(end - start);
    let at = 0;
    while (at < out.length) {
      let bytesRead: number;
      try {
        ({ bytesRead } = await handle.read(
          out,
          at,
          Math.min(out.length - at, READ_BYTES_MAX),
          start + at,
        ));
      } catch (error) {
        throw fileError('read', this.#path, error);
      }
      if (bytesRead === 0) throw shortFile(this.#path, start + at, end);
      at += bytesRead;
    }
    return out;
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    try {
      await handle?.close();
    } catch (error) {
      throw fileError('close', this.#path, error);
    }
  }

  #open(verb: string): FileHandle {
    if (this.#handle === undefined) throw fileClosed(verb, this.#path);
    return this.#handle;
  }
}

export async function readAll(path: string): Promise<Uint8Array> {
  const file = await openRead(path);
  try {
    return await file.read(0, await file.sizeBytes());
  } finally {
    await file.close();
  }
}
