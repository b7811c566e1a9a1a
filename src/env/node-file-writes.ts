import { type FileHandle, link, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { assert } from '../base/assert.js';
import { errnoOf, fileError } from './file-errors.js';
import { TEMPORARY_PREFIX } from './files.js';
import { randomHex, systemRng } from './rng.js';

/** Buffers of one writev; IOV_MAX is 1,024 on Linux. */
const PIECES_PER_WRITE = 512;

/** Milliseconds of the last file made whole by this thread: see FileEntry.modifiedMs. */
let lastModifiedMs = 0;

function nextModifiedMs(): number {
  lastModifiedMs = Math.max(Date.now(), lastModifiedMs + 1);
  return lastModifiedMs;
}

/** Writes a file under a temporary name, syncs it, gives it its name in one step and syncs the directory. */
export async function writeWhole(
  path: string,
  bytes: Uint8Array,
  mode: 'new' | 'replace',
): Promise<void> {
  const temporary = join(dirname(path), TEMPORARY_PREFIX + randomHex(systemRng, 12));
  try {
    await writeSynced(temporary, bytes);
    // link fails where the name is taken, rename replaces it: both in one step.
    if (mode === 'new') await link(temporary, path);
    else await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw fileError('write', path, error);
  }
  // The other name of the same file; left behind by a crash it is waste, as above.
  if (mode === 'new') await rm(temporary, { force: true }).catch(() => undefined);
  await syncDir(dirname(path));
}

async function writeSynced(path: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(path, 'wx');
  try {
    await writePieces(handle, [bytes]);
    const seconds = nextModifiedMs() / 1000;
    await handle.utimes(seconds, seconds);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Appends all pieces at the handle's position and returns the bytes written. The system may take a part only; the rest
 * is offered again.
 */
export async function writePieces(
  handle: FileHandle,
  pieces: readonly Uint8Array[],
): Promise<number> {
  const nonEmpty = pieces.filter((piece) => piece.length > 0);
  let total = 0;
  for (let i = 0; i < nonEmpty.length; i += PIECES_PER_WRITE) {
    let rest = nonEmpty.slice(i, i + PIECES_PER_WRITE);
    while (rest.length > 0) {
      const { bytesWritten } = await handle.writev(rest);
      assert(bytesWritten > 0, 'writev wrote nothing and reported no error');
      total += bytesWritten;
      rest = dropBytes(rest, bytesWritten);
    }
  }
  return total;
}

/** What is left of `pieces` without its first `count` bytes. */
export function dropBytes(pieces: readonly Uint8Array[], count: number): Uint8Array[] {
  let index = 0;
  let left = count;
  while (index < pieces.length && left >= (pieces[index]?.length ?? 0)) {
    left -= pieces[index]?.length ?? 0;
    index++;
  }
  const rest = pieces.slice(index);
  if (left > 0 && rest[0] !== undefined) rest[0] = rest[0].subarray(left);
  return rest;
}

/** Makes the names in a directory durable: new, renamed and removed ones. */
export async function syncDir(path: string): Promise<void> {
  try {
    const handle = await open(path, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    const errno = errnoOf(error);
    // Some file systems cannot sync a directory and say so; one without read permission cannot be opened.
    if (errno === 'EINVAL' || errno === 'ENOTSUP' || errno === 'EACCES') return;
    // Removed meanwhile, and with it every name that it held.
    if (errno === 'ENOENT') return;
    throw fileError('sync directory', path, error);
  }
}
