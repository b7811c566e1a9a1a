import { mkdir, readdir, rename, rmdir, stat, open, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errnoOf, fileError } from './file-errors.js';
import { lockFile } from './file-lock.js';
import type { FileEntry, FileSystem } from './files.js';
import { openAppend, openRead, readAll } from './node-file-handles.js';
import { syncDir, writeWhole } from './node-file-writes.js';

/**
 * The real file system. Durability follows two rules: content is durable after fsync of the file, and a name (new,
 * renamed or removed) after fsync of its directory. A file written whole goes through a temporary neighbour, synced
 * before it gets its name, so that no crash shows a part of it.
 */
export const nodeFileSystem: FileSystem = {
  makeDir,
  list,
  stat: async (path) => statEntry(path, basename(path)),
  openAppend,
  openRead,
  readAll,
  writeNew: (path, bytes) => writeWhole(path, bytes, 'new'),
  writeReplace: (path, bytes) => writeWhole(path, bytes, 'replace'),
  truncate: truncateFile,
  rename: renameFile,
  remove: removeFile,
  removeEmptyDir,
  lock: lockFile,
};

/** Entries of one directory whose `stat` runs at once: the thread pool of libuv has four threads. */
const STATS_AT_ONCE = 32;

/** How often a directory that others remove at the same time is made anew. */
const MAKE_DIR_TRIES_MAX = 16;

async function makeDir(path: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await mkdir(path);
      break;
    } catch (error) {
      const errno = errnoOf(error);
      const found = await kindAt(path);
      if (found === 'directory') {
        if (errno === 'EEXIST') break;
        // EISDIR, EROFS and EACCES are what the root and mount points answer.
        return;
      }
      if (tries === MAKE_DIR_TRIES_MAX) throw fileError('make directory', path, error);
      if (errno === 'ENOENT' && dirname(path) !== path) await makeDir(dirname(path));
      // Missing: there a moment ago and not any more, since somebody found it empty and removed it.
      else if (errno !== 'EEXIST' || found === 'other') {
        throw fileError('make directory', path, error);
      }
    }
  }
  // Also where it existed: whoever made it may not have synced its name yet.
  await syncDir(dirname(path));
}

/** By one look: between two of them somebody may remove a directory and make it anew. */
async function kindAt(path: string): Promise<'directory' | 'other' | 'missing'> {
  try {
    return (await stat(path)).isDirectory() ? 'directory' : 'other';
  } catch {
    return 'missing';
  }
}

async function statEntry(path: string, name: string): Promise<FileEntry> {
  try {
    const s = await stat(path);
    const isDir = s.isDirectory();
    return {
      name,
      isDirectory: isDir,
      sizeBytes: isDir ? 0 : s.size,
      modifiedMs: Math.round(s.mtimeMs),
    };
  } catch (error) {
    throw fileError('stat', path, error);
  }
}

async function list(path: string): Promise<readonly FileEntry[]> {
  let names: string[];
  try {
    names = await readdir(path);
  } catch (error) {
    throw fileError('list', path, error);
  }
  names.sort();
  const entries: FileEntry[] = [];
  for (let i = 0; i < names.length; i += STATS_AT_ONCE) {
    const batch = names.slice(i, i + STATS_AT_ONCE);
    for (const entry of await Promise.all(batch.map((name) => statIfThere(path, name)))) {
      if (entry !== undefined) entries.push(entry);
    }
  }
  return entries;
}

/** A file may vanish between readdir and stat. */
async function statIfThere(dir: string, name: string): Promise<FileEntry | undefined> {
  try {
    return await statEntry(join(dir, name), name);
  } catch (error) {
    if (fileError('stat', dir, error).kind === 'not-found') return undefined;
    throw error;
  }
}

async function truncateFile(path: string, sizeBytes: number): Promise<void> {
  try {
    const handle = await open(path, 'r+');
    try {
      await handle.truncate(sizeBytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw fileError('truncate', path, error);
  }
}

async function renameFile(source: string, target: string): Promise<void> {
  try {
    await rename(source, target);
  } catch (error) {
    throw fileError('rename', source, error);
  }
  await syncDir(dirname(target));
  if (dirname(source) !== dirname(target)) await syncDir(dirname(source));
}

async function removeFile(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    const typed = fileError('remove', path, error);
    if (typed.kind === 'not-found') return;
    throw typed;
  }
  await syncDir(dirname(path));
}

async function removeEmptyDir(path: string): Promise<void> {
  try {
    await rmdir(path);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOTEMPTY' || errno === 'EEXIST' || errno === 'ENOENT') return;
    throw fileError('remove directory', path, error);
  }
  await syncDir(dirname(path));
}
