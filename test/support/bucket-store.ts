/** Stores with the log on a file system in memory and their objects in a bucket that a test can get between. */
import { openStore, type Store } from '../../src/index.js';
import type { FileSystem } from '../../src/env/files.js';
import { ManifestStore } from '../../src/manifest/manifest-store.js';
import type { Bucket } from '../../src/objstore/bucket.js';
import { MemoryBucket } from '../../src/objstore/memory-bucket.js';
import { HastyClock } from './hasty-clock.js';
import { STORE_DIR } from './stored-files.js';
import { seededRng } from './virtual-clock.js';

const NOW_MS = 1_790_000_100_000;
let starts = 1_000;

export function openOnBucket(files: FileSystem, bucket: Bucket): Promise<Store> {
  return openStore({
    dir: STORE_DIR,
    bucket: keptOpen(bucket),
    threads: false,
    compaction: 'manual',
    environment: { files, clock: new HastyClock(NOW_MS), rng: seededRng(++starts) },
  });
}

/** The bucket for someone who will close it. */
export function keptOpen(bucket: Bucket): Bucket {
  return new Proxy(bucket, {
    get(target, name) {
      if (name === 'close') return async () => undefined;
      const value = Reflect.get(target, name, target) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** A look at a bucket from beside the store, as another process would have it. */
export function manifestsOf(bucket: Bucket): ManifestStore {
  return new ManifestStore({ bucket, clock: new HastyClock(NOW_MS), rng: seededRng(++starts) });
}

export async function objectsOf(bucket: Bucket): Promise<Map<string, Uint8Array>> {
  const objects = new Map<string, Uint8Array>();
  for await (const { key } of bucket.list({ prefix: '' })) {
    objects.set(key, (await bucket.get(key)).body);
  }
  return objects;
}

export async function bucketWith(objects: ReadonlyMap<string, Uint8Array>): Promise<MemoryBucket> {
  const bucket = new MemoryBucket({ nowMs: () => NOW_MS });
  for (const [key, body] of objects) await bucket.put(key, body);
  return bucket;
}

/** Blocks and carries that the newest manifests do not name, live or dead. */
export async function unnamedIn(bucket: Bucket): Promise<string[]> {
  const named = new Set<string>();
  const manifests = manifestsOf(bucket);
  for (const tenantId of await manifests.tenants()) {
    const { blocks, carries, tombstones } = await manifests.load(tenantId);
    for (const { blockId } of blocks) named.add(`blocks/${tenantId}/${blockId}/`);
    for (const { objectKey } of carries) named.add(objectKey);
    for (const { objectPrefix } of tombstones) named.add(objectPrefix);
  }
  const unnamed: string[] = [];
  for (const prefix of ['blocks/', 'carry/']) {
    for await (const { key } of bucket.list({ prefix })) {
      if (![...named].some((name) => key.startsWith(name))) unnamed.push(key);
    }
  }
  return unnamed;
}
