/** Finished blocks that no manifest names and that may be the only copy of something: what a lost manifest leaves. */
import { isKind } from '../base/errors.js';
import { openBlock } from '../block/reader.js';
import { listLogPosition } from '../head/log-position.js';
import type { ManifestStore } from '../manifest/manifest-store.js';
import { blocksPrefix } from '../manifest/object-keys.js';
import { type BlockOrigin, OnlyCopies } from '../manifest/only-copies.js';
import { namedBy } from '../manifest/sweep.js';
import type { Manifest } from '../manifest/types.js';
import type { Bucket } from '../objstore/bucket.js';
import type { DataLayout } from './layout.js';
import type { Environment } from './options.js';

export interface OnlyCopy {
  readonly blockId: string;
  readonly reason: string;
}

export interface OnlyCopyPlace {
  readonly layout: DataLayout;
  readonly bucket: Bucket;
  readonly environment: Environment;
  readonly manifests: ManifestStore;
}

const LOOKS = 3;

/**
 * Looks again where it found some: a compaction beside it may have committed between its looks at the log, at the
 * manifest and at the blocks. Throws `corrupt` for a damaged manifest and PS_MANIFEST_LOST.
 */
export async function onlyCopiesOf(
  { layout, bucket, environment, manifests }: OnlyCopyPlace,
  tenantId: string,
): Promise<readonly OnlyCopy[]> {
  let found: readonly OnlyCopy[] = [];
  for (let look = 1; look <= LOOKS; look++) {
    const { segments: logged } = await listLogPosition(environment.files, layout.logDir);
    const manifest = await manifests.load(tenantId);
    const judge = new OnlyCopies(
      { logged, originOf: (tenant, block) => originOf(bucket, tenant, block) },
      manifest,
    );
    found = await judged(judge, await unnamedBlocks(bucket, manifest));
    if (found.length === 0) break;
  }
  return found;
}

async function judged(judge: OnlyCopies, blockIds: readonly string[]): Promise<OnlyCopy[]> {
  const found: OnlyCopy[] = [];
  for (const blockId of blockIds) {
    const reason = await judge.reasonOf(blockId);
    if (reason?.kind === 'only-copy') found.push({ blockId, reason: reason.text });
  }
  return found;
}

async function unnamedBlocks(bucket: Bucket, manifest: Manifest): Promise<string[]> {
  const prefix = blocksPrefix(manifest.tenantId);
  const named = namedBy(manifest);
  const folders = await bucket.listFolders(prefix);
  return folders.filter((blockId) => !named.has(`${prefix}${blockId}/`)).sort();
}

/** Undefined for a block that was never finished: its meta is written last. Throws `corrupt` for a damaged one. */
export async function originOf(
  bucket: Bucket,
  tenantId: string,
  blockId: string,
): Promise<BlockOrigin | undefined> {
  try {
    return (await openBlock(bucket, tenantId, blockId)).meta;
  } catch (error) {
    if (isKind(error, 'not-found')) return undefined;
    throw error;
  }
}
