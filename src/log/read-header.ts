import { isKind } from '../base/errors.js';
import type { FileSystem } from '../env/files.js';
import { decodeHeader, HEADER_BYTES, type SegmentHeader } from './segment-format.js';

/** The header of a segment's file; undefined where it is damaged, or the file shorter than one. */
export async function readHeader(
  files: FileSystem,
  path: string,
): Promise<SegmentHeader | undefined> {
  const file = await files.openRead(path);
  try {
    return decodeHeader(await file.read(0, HEADER_BYTES));
  } catch (error) {
    if (isKind(error, 'corrupt')) return undefined;
    throw error;
  } finally {
    await file.close();
  }
}
