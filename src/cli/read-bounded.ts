import { invalid } from '../base/errors.js';
import type { FileSystem } from '../env/files.js';

/** Reads a file that the user named. Throws `invalid` PS_CLI_FILE_SIZE before reading one that is too large. */
export async function readBounded(
  files: FileSystem,
  path: string,
  sizeBytesMax: number,
): Promise<Uint8Array> {
  const file = await files.openRead(path);
  try {
    const sizeBytes = await file.sizeBytes();
    if (sizeBytes > sizeBytesMax) {
      throw invalid(
        'PS_CLI_FILE_SIZE',
        `cannot read ${path}: got ${sizeBytes} bytes; want at most ${sizeBytesMax}`,
      );
    }
    return await file.read(0, sizeBytes);
  } finally {
    await file.close();
  }
}
