/** Stores on a file system in memory: taken apart into files, damaged, and put together again. */
import { join } from 'node:path';
import { openStore, type Store } from '../../src/index.js';
import type { FileSystem } from '../../src/env/files.js';
import { ManifestStore } from '../../src/manifest/manifest-store.js';
import { openBucket } from '../../src/objstore/open-bucket.js';
import { HastyClock } from './hasty-clock.js';
import { LossyFiles } from './lossy-files.js';
import { seededRng } from './virtual-clock.js';

export const STORE_DIR = '/data';

/** Every start draws other numbers, as on a real machine: ids of objects must not repeat. */
let starts = 0;

export function openOn(
  files: FileSystem,
  options: { readonly segmentBytesMax?: number } = {},
): Promise<Store> {
  return openStore({
    dir: STORE_DIR,
    threads: false,
    compaction: 'manual',
    environment: { files, clock: new HastyClock(1_790_000_100_000), rng: seededRng(++starts) },
    ...options,
  });
}

/** Every file by its path. */
export async function filesOf(
  files: FileSystem,
  dir = STORE_DIR,
): Promise<Map<string, Uint8Array>> {
  const out = new Map<string, Uint8Array>();
  for (const { name, isDirectory } of await files.list(dir)) {
    const path = join(dir, name);
    if (!isDirectory) out.set(path, await files.readAll(path));
    else for (const [inner, bytes] of await filesOf(files, path)) out.set(inner, bytes);
  }
  return out;
}

/** A file system that holds `stored`, with `path` replaced by `bytes`. */
export async function filesWith(
  stored: ReadonlyMap<string, Uint8Array>,
  path?: string,
  bytes?: Uint8Array,
): Promise<LossyFiles> {
  const files = new LossyFiles();
  for (const [name, content] of stored) {
    await files.makeDir(join(name, '..'));
    await files.writeNew(name, name === path && bytes !== undefined ? bytes : content);
  }
  return files;
}

/** Keys of the carries that the newest manifest names. */
export async function carriesOf(files: FileSystem): Promise<readonly string[]> {
  const parts = { clock: new HastyClock(), rng: seededRng(1) };
  const bucket = await openBucket(`${STORE_DIR}/objects`, { files, ...parts });
  const manifest = await new ManifestStore({ bucket, ...parts }).load('anonymous');
  await bucket.close();
  return manifest.carries.map((c) => c.objectKey);
}

export function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const out = bytes.slice();
  out[bit >> 3] = (out[bit >> 3] as number) ^ (1 << (bit & 7));
  return out;
}
