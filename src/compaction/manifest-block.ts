import type { BlockMeta } from '../block/types.js';
import type { ManifestBlock } from '../manifest/types.js';
import type { Bucket } from '../objstore/bucket.js';

/** The line of the manifest for a block whose objects, all of them, lie under `prefix`. */
export async function manifestBlock(
  bucket: Bucket,
  meta: BlockMeta,
  prefix: string,
): Promise<ManifestBlock> {
  let sizeBytes = 0;
  for await (const object of bucket.list({ prefix })) sizeBytes += object.sizeBytes;
  const { blockId, level, startNsMin, startNsMax, profileCount, sampleCount, createdMs } = meta;
  return {
    blockId,
    level,
    startNsMin,
    startNsMax,
    profileCount,
    sampleCount,
    sizeBytes,
    createdMs,
    seriesTombstones: [],
    retentionStamp: '',
  };
}
