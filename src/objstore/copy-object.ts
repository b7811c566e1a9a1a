/** Copies within a bucket, for objects of any size: piece by piece. */
import { isKind } from '../base/errors.js';
import type { Bucket, CallOptions } from './bucket.js';

const PIECE_BYTES = 8 << 20;

/** Replaces `target`. False when there is no `source`. After a crash both may be there, both whole. */
export async function copyObject(
  bucket: Bucket,
  { source, target }: { readonly source: string; readonly target: string },
  options: CallOptions = {},
): Promise<boolean> {
  let sizeBytes: number;
  try {
    ({ sizeBytes } = await bucket.head(source, options));
  } catch (error) {
    if (isKind(error, 'not-found')) return false;
    throw error;
  }
  if (sizeBytes === 0) {
    await bucket.put(target, new Uint8Array(0), options);
    return true;
  }
  const upload = await bucket.startUpload(target, options);
  try {
    for (let start = 0; start < sizeBytes; start += PIECE_BYTES) {
      const end = Math.min(sizeBytes, start + PIECE_BYTES);
      await upload.write(await bucket.getRange(source, { start, end }, options));
    }
    await upload.finish();
  } catch (error) {
    await upload.abort();
    throw error;
  }
  return true;
}
