import type { BlockMeta } from '../block/types.js';
import type { ManifestBlock } from '../manifest/types.js';
import type { Bucket } from '../objstore/bucket.js';

const NODE_BYTES = 24;
const KEY_BYTES = 16;
/** Their texts, twice: as they are read and as they are merged. */
const LABEL_SET_BYTES = 300;

function symbolBytesOf({ services }: BlockMeta): number {
  const ofService = services.map(
    ({ nodeCount, keyCount, labelSetCount }) =>
      nodeCount * NODE_BYTES + keyCount * KEY_BYTES + labelSetCount * LABEL_SET_BYTES,
  );
  return Math.max(0, ...ofService);
}

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
    symbolBytes: symbolBytesOf(meta),
    createdMs,
    seriesTombstones: [],
    retentionStamp: '',
  };
}
