/**
 * Segments under a name that is not theirs: renamed or copied by hand. Every frame is bound to its segment's number, so that
 * under another one all of a file looks torn. Whoever wrote the file put its number into its header.
 */
import type { FileSystem } from '../env/files.js';
import { readHeader } from './read-header.js';
import { segmentFileName, type SegmentHeader } from './segment-format.js';

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
    // What is damaged is repaired under the name that it has.
    const header = await readHeader(files, `${dir}/${segmentFileName(name)}`);
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
