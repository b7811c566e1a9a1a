/**
 * Reads the frames of one segment file and decides what it is: whole, torn at its end, or damaged. Pure: the caller
 * cuts, copies and reports.
 *
 * A bad commit is a torn tail when nothing follows it that was ever acked: no whole commit further on, and no later
 * segment that says that this one was longer. Anything else is damage. A file that ends with a footer is whole.
 */
import { type StoreError, isKind } from '../base/errors.js';
import {
  COMMIT_FOOTER,
  COMMIT_HEADER_BYTES,
  type CommitFrame,
  HEADER_BYTES,
  type SegmentHeader,
  decodeHeader,
  findCommit,
  readCommitFrame,
} from './segment-format.js';
import { SegmentIndex, decodeAddition, decodeFooter } from './segment-index.js';

export interface SegmentScan {
  /** Undefined when it is damaged; the commits were read all the same. */
  readonly header: SegmentHeader | undefined;
  readonly index: SegmentIndex;
  /** Ends with a footer. */
  readonly hasFooter: boolean;
  /** Bytes up to the end of the last commit that counts. */
  readonly goodBytes: number;
  /** Bytes after `goodBytes` that a crash left there before they were acked. */
  readonly tornBytes: number;
  /** Bytes after `goodBytes` of which some were acked once. */
  readonly damagedBytes: number;
}

export interface ScanInput {
  readonly bytes: Uint8Array;
  readonly sequence: number;
  /** From the header of the next segment: what was durable of this one. Undefined for the last one. */
  readonly durableBytes: number | undefined;
}

/** Throws only for a version that this program does not know. */
export function scanSegment(input: ScanInput): SegmentScan {
  const { bytes, sequence, durableBytes } = input;
  const header = readHeader(bytes);
  const limit = Math.min(bytes.length, durableBytes ?? bytes.length);
  const frames: CommitFrame[] = [];
  let good = Math.min(HEADER_BYTES, bytes.length);
  while (good < limit && frames.at(-1)?.kind !== COMMIT_FOOTER) {
    const frame = readCommitFrame(bytes, { sequence, offset: good, base: 0 });
    if (frame === undefined || frame.end > limit) break;
    frames.push(frame);
    good = frame.end;
  }
  const index = readIndex(bytes, frames);
  const counted = index.commits.length;
  const hasFooter = frames.at(-1)?.kind === COMMIT_FOOTER && counted > 0;
  if (!hasFooter && counted < frames.length) good = frames[counted]!.start;
  const rest = bytes.length - good;
  const isWhole = hasFooter || (durableBytes !== undefined && good >= durableBytes);
  const isDamaged =
    !isWhole &&
    (durableBytes !== undefined ||
      findCommit(bytes, { sequence, offset: good, base: 0 }) !== undefined);
  return {
    header,
    index,
    hasFooter,
    goodBytes: good,
    tornBytes: isDamaged ? 0 : rest,
    damagedBytes: isDamaged ? Math.max(rest, (durableBytes ?? 0) - good) : 0,
  };
}

function readHeader(bytes: Uint8Array): SegmentHeader | undefined {
  try {
    return decodeHeader(bytes);
  } catch (error) {
    if (isKind(error, 'corrupt') && (error as StoreError).code === 'PS_SEGMENT_HEADER')
      return undefined;
    throw error;
  }
}

function payloadOf(bytes: Uint8Array, frame: CommitFrame): Uint8Array {
  return bytes.subarray(frame.start + COMMIT_HEADER_BYTES, frame.end);
}

/**
 * From the footer where there is one, else from the commits, up to the first whose content does not fit its checksum
 * (damage from before it was written).
 */
function readIndex(bytes: Uint8Array, frames: readonly CommitFrame[]): SegmentIndex {
  const last = frames.at(-1);
  const index = new SegmentIndex();
  if (last?.kind === COMMIT_FOOTER) {
    const footer = ifReadable(() => decodeFooter(payloadOf(bytes, last)));
    if (footer !== undefined) {
      index.add(footer, HEADER_BYTES, last.start - HEADER_BYTES);
      return index;
    }
  }
  for (const frame of frames) {
    if (frame.kind === COMMIT_FOOTER) break;
    const addition = ifReadable(() => decodeAddition(payloadOf(bytes, frame), index.series.length));
    if (addition === undefined) break;
    index.add(addition, frame.start, frame.end - frame.start);
  }
  return index;
}

function ifReadable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isKind(error, 'corrupt')) return undefined;
    throw error;
  }
}
