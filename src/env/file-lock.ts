import { readdir, readFile, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { StoreError } from '../base/errors.js';
import { errnoOf, fileError, lockedBy } from './file-errors.js';
import type { FileLock } from './files.js';
import { writeWhole } from './node-file-writes.js';

/**
 * A lock between processes from plain files, because Node has no flock.
 *
 * The lock `path` is a row of files `path.<generation>`, each naming its holder by process id and start time, so that
 * a recycled id is not taken for the holder. The greatest generation decides. To take a lock whose holder is dead, or
 * which is free, create the next generation, which only one can do, and then look again: whoever finds a generation
 * as high as its own that is not its own was late and gives up. Releasing renames the file to `path.<generation>.free`.
 * The greatest generation is never removed, only followed; so a process that was stopped for any time between looking
 * and creating cannot win against a later holder. (A single file that is removed and created anew has that race.)
 *
 * It holds between threads and processes of one machine and one process id namespace. Two containers must not share
 * the directory.
 */
export async function lockFile(path: string): Promise<FileLock> {
  const before = highest(await generationsOf(path));
  if (before !== undefined && !before.isFree) {
    const holder = await readHolder(join(dirname(path), before.name));
    if (holder !== undefined && (await isAlive(holder))) {
      throw lockedBy(path, `process ${holder.pid}`);
    }
  }
  const generation = (before?.generation ?? 0) + 1;
  const name = `${basename(path)}.${generation}`;
  const own = join(dirname(path), name);
  await createGeneration(path, own);

  const after = await generationsOf(path);
  if (after.some((other) => other.generation >= generation && other.name !== name)) {
    await unlink(own).catch(() => undefined);
    throw lockedBy(path, 'another process');
  }
  for (const old of after) {
    // Fails only where somebody removed it first.
    if (old.name !== name) await unlink(join(dirname(path), old.name)).catch(() => undefined);
  }
  return new HeldLock(own);
}

class HeldLock implements FileLock {
  readonly #path: string;
  #isHeld = true;

  constructor(path: string) {
    this.#path = path;
  }

  async release(): Promise<void> {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    try {
      await rename(this.#path, `${this.#path}.free`);
    } catch (error) {
      // The directory was removed, as tests do: then there is nothing left to lock.
      if (errnoOf(error) !== 'ENOENT') throw fileError('release', this.#path, error);
    }
  }
}

interface Generation {
  readonly name: string;
  readonly generation: number;
  readonly isFree: boolean;
}

async function generationsOf(path: string): Promise<readonly Generation[]> {
  const prefix = `${basename(path)}.`;
  const found: Generation[] = [];
  let names: string[];
  try {
    names = await readdir(dirname(path));
  } catch (error) {
    throw fileError('lock', path, error);
  }
  for (const name of names) {
    if (!name.startsWith(prefix)) continue;
    const match = /^([1-9][0-9]{0,14})(\.free)?$/.exec(name.slice(prefix.length));
    if (match === null) continue;
    found.push({ name, generation: Number(match[1]), isFree: match[2] !== undefined });
  }
  return found;
}

function highest(generations: readonly Generation[]): Generation | undefined {
  let best: Generation | undefined;
  for (const g of generations) {
    // Of equal generations one is free, and the other's maker is about to find that it was late.
    if (best === undefined || g.generation > best.generation) best = g;
    else if (g.generation === best.generation && !g.isFree) best = g;
  }
  return best;
}

async function createGeneration(path: string, own: string): Promise<void> {
  const self: Holder = { pid: process.pid, startTime: (await processStartTime(process.pid)) ?? '' };
  try {
    await writeWhole(own, new TextEncoder().encode(JSON.stringify(self)), 'new');
  } catch (error) {
    if (!(error instanceof StoreError) || error.kind !== 'conflict') throw error;
    const holder = await readHolder(own);
    throw lockedBy(path, holder === undefined ? 'another process' : `process ${holder.pid}`, error);
  }
}

interface Holder {
  readonly pid: number;
  /** Clock ticks since boot, or '' where /proc does not exist. */
  readonly startTime: string;
}

/** undefined for a file that vanished or was damaged by a crash of the machine: nobody holds it. */
async function readHolder(path: string): Promise<Holder | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    if (typeof value !== 'object' || value === null) return undefined;
    if (!('pid' in value) || typeof value.pid !== 'number') return undefined;
    if (!('startTime' in value) || typeof value.startTime !== 'string') return undefined;
    return { pid: value.pid, startTime: value.startTime };
  } catch (error) {
    if (error instanceof SyntaxError || errnoOf(error) === 'ENOENT') return undefined;
    throw fileError('read', path, error);
  }
}

async function isAlive(holder: Holder): Promise<boolean> {
  if (holder.startTime !== '') return (await processStartTime(holder.pid)) === holder.startTime;
  try {
    process.kill(holder.pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) === 'EPERM';
  }
}

/** Field 22 of /proc/<pid>/stat (proc_pid_stat(5)); undefined for a process that is gone or only waits to be reaped. */
async function processStartTime(pid: number): Promise<string | undefined> {
  let text: string;
  try {
    text = await readFile(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // The second field is the command in parentheses and may hold anything.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const state = fields[0];
  return state === 'Z' || state === 'X' ? undefined : fields[19];
}
