/**
 * What a log does with its directory before it takes writes: read every segment, cut what a crash left torn, put
 * damaged files aside and keep what was good of them. Steps are ordered so that a crash between any two of them is
 * repaired by the next start.
 */
import { isKind } from '../base/errors.js';
import type { Clock } from '../env/clock.js';
import { releaseMemoryOf } from '../env/release-memory.js';
import type { FileSystem } from '../env/files.js';
import { isMisplaced, moveMisplaced } from './misplaced.js';
import {
  COMMIT_FOOTER,
  HEADER_BYTES,
  encodeCommitFrame,
  encodeHeader,
  segmentFileName,
  segmentSequence,
} from './segment-format.js';
import type { SegmentIndex } from './segment-index.js';
import { type SegmentScan, scanSegment } from './segment-scan.js';

/** Damaged copies of one segment. */
const COPIES_MAX = 100;

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
  /** Missing between others: the log is deleted from its front on, so that someone else removed them. */
  readonly missingSegments: number;
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
  const sequences = await moveMisplaced(input, await listSequences(input.files, input.dir));
  const segments: RecoveredSegment[] = [];
  const damaged: DamagedSegment[] = [];
  let tornSegments = 0;
  let tornBytes = 0;
  let readBytes = 0;
  /** What the header of the next segment says, if that follows without a gap. */
  let fence = { sequence: 0, previousBytes: 0 };
  for (const sequence of sequences.reverse()) {
    const path = `${input.dir}/${segmentFileName(sequence)}`;
    const bytes = await input.files.readAll(path);
    readBytes += bytes.length;
    const isFenced = fence.sequence === sequence + 1 && fence.previousBytes > 0;
    const durableBytes = isFenced ? fence.previousBytes : undefined;
    const scan = scanSegment({ bytes, sequence, durableBytes });
    const isHeaderLost = scan.header === undefined && scan.index.commits.length > 0;
    const { header } = scan;
    const isForeign = header !== undefined && isMisplaced(header, input.instance, sequence);
    if (scan.tornBytes > 0 && !isForeign) {
      tornSegments++;
      tornBytes += scan.tornBytes;
    }
    let sizeBytes = Math.max(scan.goodBytes, HEADER_BYTES);
    let { hasFooter } = scan;
    if (scan.damagedBytes > 0 || isHeaderLost || isForeign) {
      const whole = repaired({ ...input, path, bytes, scan, sequence });
      // First the copy, then the cut: a crash between the two does it again.
      const keptAs = await keepCopy(input.files, path, bytes);
      await input.files.writeReplace(path, whole);
      const lostBytes = isForeign ? bytes.length - HEADER_BYTES : scan.damagedBytes;
      damaged.push({ sequence, keptAs, lostBytes });
      sizeBytes = whole.length;
      hasFooter = true;
    } else await cutTornTail({ ...input, path, bytes, scan, sequence });
    segments.push({ sequence, path, index: scan.index, hasFooter, sizeBytes });
    fence = { sequence, previousBytes: isForeign ? 0 : (header?.previousBytes ?? 0) };
  }
  // The rest of the process would keep what was read here until it needs as much itself, which a quiet one never does.
  releaseMemoryOf(readBytes);
  segments.reverse();
  damaged.reverse();
  const missingSegments = missingBetween(sequences.reverse());
  const recovery = { segments: segments.length, tornSegments, tornBytes, damaged, missingSegments };
  return { segments, recovery };
}

function missingBetween(sequences: readonly number[]): number {
  const [first] = sequences;
  const last = sequences.at(-1);
  return first === undefined || last === undefined ? 0 : last - first + 1 - sequences.length;
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

async function cutTornTail(input: RepairInput): Promise<void> {
  const { files, path, scan } = input;
  // A header that was never whole belongs to a segment that never had a commit.
  if (scan.header === undefined) await files.writeReplace(path, newHeader(input));
  else if (scan.tornBytes > 0) await files.truncate(path, scan.goodBytes);
}

/** Beside the segment, under a name that no earlier damage took. */
async function keepCopy(files: FileSystem, path: string, bytes: Uint8Array): Promise<string> {
  for (let n = 1; ; n++) {
    const keptAs = n === 1 ? `${path}.damaged` : `${path}.damaged-${n}`;
    try {
      await files.writeNew(keptAs, bytes);
      return keptAs;
    } catch (error) {
      if (!isKind(error, 'conflict') || n === COPIES_MAX) throw error;
    }
  }
}

function newHeader({ instance, sequence, clock }: RepairInput): Uint8Array {
  return encodeHeader({ instance, sequence, createdMs: clock.nowMs(), previousBytes: 0 });
}

/**
 * The whole commits, with a header (made anew where that is damaged: all it says is known) and a footer. With the
 * footer the file is a whole segment, however long the next one's header says it once was.
 */
function repaired(input: RepairInput): Uint8Array {
  const { scan, bytes, sequence, instance } = input;
  const isOwn = scan.header !== undefined && !isMisplaced(scan.header, instance, sequence);
  const header = isOwn ? bytes.subarray(0, HEADER_BYTES) : newHeader(input);
  const good = bytes.subarray(HEADER_BYTES, Math.max(scan.goodBytes, HEADER_BYTES));
  if (scan.hasFooter) return Buffer.concat([header, good]);
  const payload = scan.index.encode();
  const offset = HEADER_BYTES + good.length;
  const frame = encodeCommitFrame(COMMIT_FOOTER, { sequence, offset }, payload);
  return Buffer.concat([header, good, frame, ...payload]);
}
