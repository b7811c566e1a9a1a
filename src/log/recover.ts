/**
 * What a log does with its directory before it takes writes: read every segment, cut what a crash left torn, put
 * damaged files aside and keep what was good of them. Steps are ordered so that a crash between any two of them is
 * repaired by the next start.
 */
import type { Clock } from '../env/clock.js';
import type { FileSystem } from '../env/files.js';
import { HEADER_BYTES, encodeHeader, segmentFileName, segmentSequence } from './segment-format.js';
import type { SegmentIndex } from './segment-index.js';
import { type SegmentScan, scanSegment } from './segment-scan.js';

/** A segment whose acked bytes are partly lost. The file as it was found is kept beside it. */
export interface DamagedSegment {
  readonly sequence: number;
  readonly keptAs: string;
  readonly lostBytes: number;
}

/** What was found and done at the start; for the operator's eyes, so nothing of it may be dropped. */
export interface LogRecovery {
  readonly segments: number;
  readonly tornSegments: number;
  readonly tornBytes: number;
  readonly damaged: readonly DamagedSegment[];
}

export interface RecoveredSegment {
  readonly sequence: number;
  readonly path: string;
  readonly index: SegmentIndex;
  readonly hasFooter: boolean;
  readonly sizeBytes: number;
}

export interface RecoverInput {
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly dir: string;
  readonly instance: string;
}

/** Segments oldest first. */
export async function recoverSegments(
  input: RecoverInput,
): Promise<{ readonly segments: RecoveredSegment[]; readonly recovery: LogRecovery }> {
  const sequences = await listSequences(input.files, input.dir);
  const segments: RecoveredSegment[] = [];
  const damaged: DamagedSegment[] = [];
  let tornSegments = 0;
  let tornBytes = 0;
  /** What the header of the next segment says, if that follows without a gap. */
  let fence = { sequence: 0, previousBytes: 0 };
  for (const sequence of sequences.reverse()) {
    const path = `${input.dir}/${segmentFileName(sequence)}`;
    const bytes = await input.files.readAll(path);
    const isFenced = fence.sequence === sequence + 1 && fence.previousBytes > 0;
    const durableBytes = isFenced ? fence.previousBytes : undefined;
    const scan = scanSegment({ bytes, sequence, durableBytes });
    if (scan.tornBytes > 0) {
      tornSegments++;
      tornBytes += scan.tornBytes;
    }
    const lost = await repair({ ...input, path, bytes, scan, sequence });
    if (lost !== undefined) damaged.push(lost);
    segments.push({
      sequence,
      path,
      index: scan.index,
      hasFooter: scan.hasFooter,
      sizeBytes: Math.max(scan.goodBytes, HEADER_BYTES),
    });
    fence = { sequence, previousBytes: scan.header?.previousBytes ?? 0 };
  }
  segments.reverse();
  damaged.reverse();
  return { segments, recovery: { segments: segments.length, tornSegments, tornBytes, damaged } };
}

export async function listSequences(files: FileSystem, dir: string): Promise<number[]> {
  const sequences: number[] = [];
  for (const entry of await files.list(dir)) {
    const sequence = entry.isDirectory ? undefined : segmentSequence(entry.name);
    if (sequence !== undefined) sequences.push(sequence);
  }
  return sequences.sort((a, b) => a - b);
}

interface RepairInput extends RecoverInput {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly scan: SegmentScan;
  readonly sequence: number;
}

async function repair(input: RepairInput): Promise<DamagedSegment | undefined> {
  const { files, path, bytes, scan, sequence } = input;
  const isHeaderWhole = scan.header !== undefined;
  const hasCommits = scan.index.commits.length > 0;
  if (scan.damagedBytes > 0 || (!isHeaderWhole && hasCommits)) {
    // First the copy, then the cut: a crash between the two does it again.
    const keptAs = `${path}.damaged`;
    await files.writeReplace(keptAs, bytes);
    await files.writeReplace(path, goodPart(input));
    return { sequence, keptAs, lostBytes: scan.damagedBytes };
  }
  // A header that was never whole belongs to a segment that never had a commit.
  if (!isHeaderWhole) await files.writeReplace(path, goodPart(input));
  else if (scan.tornBytes > 0) await files.truncate(path, scan.goodBytes);
  return undefined;
}

/** The header (made anew where it is damaged: all it says is known) and the commits that are whole. */
function goodPart(input: RepairInput): Uint8Array {
  const { scan, bytes, sequence, instance, clock } = input;
  if (scan.header !== undefined) return bytes.subarray(0, scan.goodBytes);
  const header = encodeHeader({ instance, sequence, createdMs: clock.nowMs(), previousBytes: 0 });
  const good = new Uint8Array(Math.max(scan.goodBytes, HEADER_BYTES));
  good.set(header);
  if (scan.goodBytes > HEADER_BYTES) {
    good.set(bytes.subarray(HEADER_BYTES, scan.goodBytes), HEADER_BYTES);
  }
  return good;
}
