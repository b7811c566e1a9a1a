import { LIMITS } from '../base/limits.js';
import type { FileSystem } from '../env/files.js';
import { readBounded } from './read-bounded.js';

/**
 * A profile file as pprof bytes: V8's `.cpuprofile` and `.heapprofile` are converted, all else is sent as it is. V8's
 * profiles do not say when they were taken: the file's age would be a guess, so they count as taken `nowMs`.
 */
export async function readProfile(
  files: FileSystem,
  path: string,
  nowMs: number,
): Promise<Uint8Array> {
  const bytes = await readBounded(files, path, LIMITS.profileBytesMax);
  const timeNs = BigInt(nowMs) * 1_000_000n;
  if (path.endsWith('.cpuprofile')) {
    const { cpuProfileToPprof } = await import('../formats/v8/cpuprofile.js');
    return cpuProfileToPprof(bytes, { timeNs });
  }
  if (path.endsWith('.heapprofile')) {
    const { heapProfileToPprof } = await import('../formats/v8/heapprofile.js');
    return heapProfileToPprof(bytes, { timeNs });
  }
  return bytes;
}
