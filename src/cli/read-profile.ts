import type { FileSystem } from '../env/files.js';
import { readBounded } from './read-bounded.js';

/** A profile file as pprof bytes. */
export async function readProfile(
  files: FileSystem,
  path: string,
  sizeBytesMax: number,
  _nowMs: number,
): Promise<Uint8Array> {
  return await readBounded(files, path, sizeBytesMax);
}
