/**
 * Segments under a name that is not theirs: renamed or copied by hand. Every frame is bound to its segment's number, so that
 * under another one all of a file looks torn. Whoever wrote the file put its number into its header.
 */
import { isKind } from '../base/errors.js';
import type { FileSystem } from '../env/files.js';
import {
  decodeHeader,
  HEADER_BYTES,
  segmentFileName,
  type SegmentHeader,
} from './segment-format.js';

/** Moves back what is the only file with its number, whose name is free; returns the names that are left, ascending. */
export async function moveMisplaced(
  {
    files,
    dir,
    instance,
  }: { readonly files: FileSystem; readonly dir: string; readonly instance: string },
  sequences: readonly number[],
): Promise<number[]> {
  const names = new Set(sequences);
  const claims = new Map<number, number[]>();
  for (const name of sequences) {
    const header = await headerOf(files, `${dir}/${segmentFileName(name)}`);
    if (header === undefined || !isMisplaced(header, instance, name)) continue;
    if (header.instance === instance && !names.has(header.sequence))
      claims.set(header.sequence, [...(claims.get(header.sequence) ?? []), name]);
  }
  for (const [sequence, [name, ...others]] of claims) {
    if (name === undefined || others.length > 0) continue;
    await files.rename(`${dir}/${segmentFileName(name)}`, `${dir}/${segmentFileName(sequence)}`);
    names.delete(name);
    names.add(sequence);
  }
  return [...names].sort((a, b) => a - b);
}

export function isMisplaced(header: SegmentHeader, instance: string, sequence: number): boolean {
  return header.instance !== instance || header.sequence !== sequence;
}

async function headerOf(files: FileSystem, path: string): Promise<SegmentHeader | undefined> {
  const file = await files.openRead(path);
  try {
    return decodeHeader(await file.read(0, HEADER_BYTES));
  } catch (error) {
    // What is damaged is repaired under the name that it has.
    if (isKind(error, 'corrupt')) return undefined;
    throw error;
  } finally {
    await file.close();
  }
}
