/**
 * How far a log on disk goes, for readers beside a running server or after it: no lock is taken and nothing is
 * repaired. Segments before the newest are as long as the next one's header says; the newest one is read up to its
 * last whole commit.
 */
import { isKind } from '../base/errors.js';
import type { FileSystem } from '../env/files.js';
import { findInstance } from '../log/local-log.js';
import { readHeader } from '../log/read-header.js';
import { listSequences } from '../log/recover.js';
import { segmentFileName } from '../log/segment-format.js';
import { scanSegment } from '../log/segment-scan.js';
import type { LogPosition, SegmentPosition } from '../log/segment-view.js';

/** Empty when there is no log. A damaged segment is listed; reading it says what is wrong. */
export async function listLogPosition(files: FileSystem, dir: string): Promise<LogPosition> {
  const instance = await ifThere(() => findInstance(files, dir));
  if (instance === undefined) return { segments: [] };
  const instanceDir = `${dir}/${instance}`;
  const sequences = await listSequences(files, instanceDir);
  const segments: SegmentPosition[] = [];
  let fence = { sequence: 0, previousBytes: 0 };
  for (const sequence of sequences.reverse()) {
    const path = `${instanceDir}/${segmentFileName(sequence)}`;
    const isFenced = fence.sequence === sequence + 1 && fence.previousBytes > 0;
    // A segment may be consumed and deleted while this runs.
    const found = await ifThere(async () => {
      const header = await readHeader(files, path);
      const durableBytes = isFenced ? fence.previousBytes : undefined;
      const { sizeBytes } = await files.stat(path);
      if (sizeBytes === durableBytes) return { header, committedBytes: sizeBytes, sealed: true };
      const scan = scanSegment({ bytes: await files.readAll(path), sequence, durableBytes });
      const isNewest = segments.length === 0;
      // A file without a whole header never had a commit, unless the next segment says that it had.
      const isBegun = isFenced || scan.header !== undefined || scan.index.commits.length > 0;
      const committedBytes = isBegun ? scan.goodBytes + scan.damagedBytes : 0;
      return { header, committedBytes, sealed: scan.hasFooter || !isNewest };
    });
    if (found === undefined) continue;
    const { header, committedBytes, sealed } = found;
    segments.push({ instance, sequence, sealed, committedBytes });
    fence = { sequence, previousBytes: header?.previousBytes ?? 0 };
  }
  return { segments: segments.reverse() };
}

/** Bytes that the segment before `segment` had when that was begun, 0 where nothing says so or it is gone. */
export async function bytesBefore(
  files: FileSystem,
  dir: string,
  { instance, sequence }: Pick<SegmentPosition, 'instance' | 'sequence'>,
): Promise<number> {
  const path = `${dir}/${instance}/${segmentFileName(sequence)}`;
  return (await ifThere(() => readHeader(files, path)))?.previousBytes ?? 0;
}

async function ifThere<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (isKind(error, 'not-found')) return undefined;
    throw error;
  }
}
