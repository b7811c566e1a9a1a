import { basename, dirname, join } from 'node:path';
import type { StoreError } from '../../src/base/errors.js';
import { fileClosed, fileError, lockedBy, shortFile } from '../../src/env/file-errors.js';
import type { AppendFile, FileEntry, FileLock, FileSystem, ReadFile } from '../../src/env/files.js';

/**
 * A file system in memory that knows what was synced, for crash tests.
 *
 * A file is an inode with its present bytes and its durable bytes; a directory has present names and durable names.
 * `crash()` goes back to what is durable. Bytes appended but not synced survive as a prefix of random length, as a
 * disk may have written any part of them; names that were not synced are gone.
 */
export type FaultKind =
  /** The call fails and does nothing. */
  | 'EIO'
  | 'ENOSPC'
  /** An append writes a part, then fails; any other call fails as with EIO. */
  | 'short-write'
  /** The call does its work, then fails. */
  | 'late-EIO'
  /** This call and all later ones fail, until `crash()`: the process died here. */
  | 'halt';

interface Inode {
  bytes: Uint8Array;
  durable: Uint8Array;
  modifiedMs: number;
}

interface Dir {
  readonly files: Map<string, Inode>;
  durableFiles: Map<string, Inode>;
  /** Whether the directory survives; durable as soon as it is made (FileSystem.makeDir). */
}

export class LossyFiles implements FileSystem {
  /** Calls so far, of every kind; a sweep runs `failNth(1 … callCount)`. */
  callCount = 0;
  #dirs = new Map<string, Dir>([['/', newDir()]]);
  #locks = new Set<string>();
  #fault: { at: number; kind: FaultKind } | undefined;
  #halted = false;
  /** Handles of an earlier epoch belong to a dead process. */
  #epoch = 0;
  #modifiedMs = 1_700_000_000_000;
  readonly #random: () => number;

  constructor(seed = 1) {
    this.#random = mulberry32(seed);
  }

  /** The n-th call from now (1 is the next one) fails. */
  failNth(n: number, kind: FaultKind): void {
    this.#fault = { at: this.callCount + n, kind };
  }

  clearFaults(): void {
    this.#fault = undefined;
    this.#halted = false;
  }

  /** Power loss, and the start of a new process. */
  crash(): void {
    this.clearFaults();
    this.#epoch++;
    this.#locks.clear();
    const survivors = new Set<Inode>();
    for (const dir of this.#dirs.values()) {
      dir.files.clear();
      for (const [name, inode] of dir.durableFiles) {
        dir.files.set(name, inode);
        survivors.add(inode);
      }
    }
    for (const inode of survivors) {
      inode.bytes = this.#survivingBytes(inode);
      inode.durable = inode.bytes;
    }
  }

  /** kill -9: the system lives on, so nothing is lost but locks and handles. */
  kill(): void {
    this.clearFaults();
    this.#epoch++;
    this.#locks.clear();
  }

  #survivingBytes(inode: Inode): Uint8Array {
    const extra = inode.bytes.length - inode.durable.length;
    if (extra <= 0) return inode.durable;
    return inode.bytes.slice(0, inode.durable.length + Math.floor(this.#random() * (extra + 1)));
  }

  /** Runs one call with whatever fault is due. `partial` is what a short write leaves behind. */
  async #call<T>(verb: string, path: string, work: () => T, partial?: () => void): Promise<T> {
    // Every real call lets others run.
    await Promise.resolve();
    this.callCount++;
    const fault = this.#fault?.at === this.callCount ? this.#fault.kind : undefined;
    if (fault === 'halt') this.#halted = true;
    if (this.#halted) throw injected(verb, path, 'EIO');
    if (fault === 'EIO' || fault === 'ENOSPC') throw injected(verb, path, fault);
    if (fault === 'short-write') {
      partial?.();
      throw injected(verb, path, 'ENOSPC');
    }
    const result = work();
    if (fault === 'late-EIO') throw injected(verb, path, 'EIO');
    return result;
  }

  makeDir(path: string): Promise<void> {
    return this.#call('make directory', path, () => {
      if (this.#lookup(path) !== undefined) throw injected('make directory', path, 'EEXIST');
      for (let p = path; !this.#dirs.has(p); p = dirname(p)) this.#dirs.set(p, newDir());
    });
  }

  list(path: string): Promise<readonly FileEntry[]> {
    return this.#call('list', path, () => {
      const dir = this.#dir('list', path);
      const entries: FileEntry[] = [...dir.files].map(([name, inode]) => entryOf(name, inode));
      for (const other of this.#dirs.keys()) {
        if (other !== '/' && dirname(other) === path) entries.push(dirEntry(basename(other)));
      }
      return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    });
  }

  stat(path: string): Promise<FileEntry> {
    return this.#call('stat', path, () => {
      if (this.#dirs.has(path)) return dirEntry(basename(path));
      return entryOf(basename(path), this.#file('stat', path));
    });
  }

  openAppend(path: string): Promise<AppendFile> {
    return this.#call('open', path, () => {
      const dir = this.#dir('open', dirname(path));
      if (this.#dirs.has(path)) throw injected('open', path, 'EISDIR');
      let inode = dir.files.get(basename(path));
      if (inode === undefined) {
        inode = { bytes: new Uint8Array(0), durable: new Uint8Array(0), modifiedMs: this.#tick() };
        dir.files.set(basename(path), inode);
      }
      return this.#appendFile(path, inode);
    });
  }

  #appendFile(path: string, inode: Inode): AppendFile {
    const epoch = this.#epoch;
    let isOpen = true;
    const check = (verb: string): void => {
      if (!isOpen || epoch !== this.#epoch) throw fileClosed(verb, path);
    };
    let sizeBytes = inode.bytes.length;
    const add = (pieces: readonly Uint8Array[], part: number): void => {
      const added = Buffer.concat(pieces);
      const kept = added.subarray(0, Math.floor(added.length * part));
      inode.bytes = new Uint8Array(Buffer.concat([inode.bytes, kept]));
      inode.modifiedMs = this.#tick();
    };
    return {
      get sizeBytes() {
        return sizeBytes;
      },
      append: (pieces) => {
        // A copy now: the caller may reuse its buffers only after the promise resolved, but a test may not wait.
        const copies = pieces.map((piece) => piece.slice());
        return this.#call(
          'append to',
          path,
          () => {
            check('append to');
            add(copies, 1);
            sizeBytes = inode.bytes.length;
          },
          () => add(copies, this.#random()),
        );
      },
      sync: () => {
        const seen = inode.bytes;
        return this.#call('sync', path, () => {
          check('sync');
          if (inode.durable.length < seen.length) inode.durable = seen;
          this.#syncName(path, inode);
        });
      },
      close: async () => {
        isOpen = false;
      },
    };
  }

  openRead(path: string): Promise<ReadFile> {
    return this.#call('open', path, () => {
      const inode = this.#file('open', path);
      const epoch = this.#epoch;
      let isOpen = true;
      const check = (verb: string): void => {
        if (!isOpen || epoch !== this.#epoch) throw fileClosed(verb, path);
      };
      return {
        sizeBytes: () =>
          this.#call('stat', path, () => {
            check('stat');
            return inode.bytes.length;
          }),
        read: (start, end) =>
          this.#call('read', path, () => {
            check('read');
            if (end > inode.bytes.length) throw shortFile(path, inode.bytes.length, end);
            return inode.bytes.slice(start, end);
          }),
        close: async () => {
          isOpen = false;
        },
      };
    });
  }

  readAll(path: string): Promise<Uint8Array> {
    return this.#call('read', path, () => this.#file('read', path).bytes.slice());
  }

  writeNew(path: string, bytes: Uint8Array): Promise<void> {
    const copy = bytes.slice();
    return this.#call('write', path, () => {
      this.#dir('write', dirname(path));
      if (this.#lookup(path) !== undefined || this.#dirs.has(path)) {
        throw injected('write', path, 'EEXIST');
      }
      this.#putDurable(path, copy);
    });
  }

  writeReplace(path: string, bytes: Uint8Array): Promise<void> {
    const copy = bytes.slice();
    return this.#call('write', path, () => {
      this.#dir('write', dirname(path));
      if (this.#dirs.has(path)) throw injected('write', path, 'EISDIR');
      this.#putDurable(path, copy);
    });
  }

  truncate(path: string, sizeBytes: number): Promise<void> {
    return this.#call('truncate', path, () => {
      const inode = this.#file('truncate', path);
      const bytes = new Uint8Array(sizeBytes);
      bytes.set(inode.bytes.subarray(0, sizeBytes));
      inode.bytes = bytes;
      inode.durable = bytes;
    });
  }

  rename(source: string, target: string): Promise<void> {
    return this.#call('rename', source, () => {
      const inode = this.#file('rename', source);
      this.#dir('rename', dirname(target));
      if (this.#dirs.has(target)) throw injected('rename', source, 'EISDIR');
      this.#removeName(source);
      this.#dirs.get(dirname(target))?.files.set(basename(target), inode);
      // The name only: content that was not synced may still be lost.
      this.#syncName(target, inode);
    });
  }

  remove(path: string): Promise<void> {
    return this.#call('remove', path, () => {
      if (this.#lookup(path) !== undefined) this.#removeName(path);
    });
  }

  removeEmptyDir(path: string): Promise<void> {
    return this.#call('remove directory', path, () => {
      const dir = this.#dirs.get(path);
      if (dir === undefined || dir.files.size > 0) return;
      for (const other of this.#dirs.keys()) {
        if (other !== path && dirname(other) === path) return;
      }
      this.#dirs.delete(path);
    });
  }

  lock(path: string): Promise<FileLock> {
    return this.#call('lock', path, () => {
      this.#dir('lock', dirname(path));
      if (this.#locks.has(path)) throw lockedBy(path, 'process 1');
      this.#locks.add(path);
      let isHeld = true;
      const epoch = this.#epoch;
      return {
        release: async () => {
          if (isHeld && epoch === this.#epoch) this.#locks.delete(path);
          isHeld = false;
        },
      };
    });
  }

  #tick(): number {
    return ++this.#modifiedMs;
  }

  #dir(verb: string, path: string): Dir {
    const dir = this.#dirs.get(path);
    if (dir === undefined) throw injected(verb, path, 'ENOENT');
    return dir;
  }

  #lookup(path: string): Inode | undefined {
    return this.#dirs.get(dirname(path))?.files.get(basename(path));
  }

  #file(verb: string, path: string): Inode {
    const inode = this.#lookup(path);
    if (inode === undefined) throw injected(verb, path, 'ENOENT');
    return inode;
  }

  #putDurable(path: string, bytes: Uint8Array): void {
    const inode: Inode = { bytes, durable: bytes, modifiedMs: this.#tick() };
    this.#dirs.get(dirname(path))?.files.set(basename(path), inode);
    this.#syncName(path, inode);
  }

  #syncName(path: string, inode: Inode): void {
    const dir = this.#dirs.get(dirname(path));
    if (dir?.files.get(basename(path)) === inode) dir.durableFiles.set(basename(path), inode);
  }

  #removeName(path: string): void {
    const dir = this.#dirs.get(dirname(path));
    dir?.files.delete(basename(path));
    dir?.durableFiles.delete(basename(path));
  }

  /** For tests that damage what is stored: the present bytes of a file, changed in place by `change`. */
  damage(path: string, change: (bytes: Uint8Array) => Uint8Array): void {
    const inode = this.#file('damage', path);
    inode.bytes = change(inode.bytes.slice());
    inode.durable = inode.bytes;
  }
}

function newDir(): Dir {
  return { files: new Map(), durableFiles: new Map() };
}

function entryOf(name: string, inode: Inode): FileEntry {
  return {
    name,
    isDirectory: false,
    sizeBytes: inode.bytes.length,
    modifiedMs: inode.modifiedMs,
  };
}

function dirEntry(name: string): FileEntry {
  return { name, isDirectory: true, sizeBytes: 0, modifiedMs: 0 };
}

/** As node:fs would have thrown it, typed as the real file system types it. */
function injected(verb: string, path: string, errno: string): StoreError {
  return fileError(
    verb,
    path,
    Object.assign(new Error(`${errno}: ${join(path)}`), { code: errno }),
  );
}

/** A small generator of known sequence; https://github.com/bryc/code/blob/master/jshash/PRNGs.md (public domain). */
export function mulberry32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
