/**
 * The segment log on a local directory: one commit at a time, written and fsynced before it counts.
 *
 * The rule after a failed write or fsync: that file is never written again. Its bytes beyond the last fsynced commit
 * are cut off; should that fail too, the header of the next segment says how long this one is, and recovery cuts it.
 *
 * The newest segment is never deleted: its number tells the next process where to go on, and a number used twice
 * would make a watermark cover data that nobody consumed.
 */
import { assert } from '../base/assert.js';
import { StoreError } from '../base/errors.js';
import { Mutex } from './mutex.js';
import type { Clock } from '../env/clock.js';
import type { AppendFile, FileSystem } from '../env/files.js';
import { randomUuid, type Rng } from '../env/rng.js';
import { recoverSegments, type LogRecovery } from './recover.js';
import {
  COMMIT_DATA,
  COMMIT_FOOTER,
  COMMIT_HEADER_BYTES,
  encodeCommitFrame,
  encodeHeader,
  HEADER_BYTES,
  segmentFileName,
} from './segment-format.js';
import { type IndexAddition, SegmentIndex } from './segment-index.js';
import type { LogPosition } from './segment-view.js';

export interface LogOptions {
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly rng: Rng;
  /** Holds one directory for the instance. The caller has its exclusive lock. */
  readonly dir: string;
}

/** A segment of this log. */
export interface LogSegment {
  readonly sequence: number;
  readonly path: string;
  readonly index: SegmentIndex;
  readonly createdMs: number;
  isSealed: boolean;
  /** Durable bytes; 0 before the first commit. */
  committedBytes: number;
  /** Nobody needs it any more. */
  isConsumed: boolean;
}

const INSTANCE_PATTERN = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The instance of a log directory, or undefined when it has none yet. Throws `conflict` PS_LOG_INSTANCES for several. */
export async function findInstance(files: FileSystem, dir: string): Promise<string | undefined> {
  const found = (await files.list(dir)).filter(
    (e) => e.isDirectory && INSTANCE_PATTERN.test(e.name),
  );
  if (found.length > 1) {
    throw new StoreError({
      kind: 'conflict',
      code: 'PS_LOG_INSTANCES',
      message: `cannot open log ${dir}: got ${found.length} instances; want 1`,
    });
  }
  return found[0]?.name;
}

/** Recovers what is there and opens it for writing. */
export async function openLocalLog(options: LogOptions): Promise<LocalLog> {
  const { files, clock, rng } = options;
  await files.makeDir(options.dir);
  const instance = (await findInstance(files, options.dir)) ?? randomUuid(rng);
  const dir = `${options.dir}/${instance}`;
  await files.makeDir(dir);
  const { segments, recovery } = await recoverSegments({ files, clock, dir, instance });
  const log = new LocalLog({ files, clock, dir, instance, recovery });
  await log.adopt(segments);
  return log;
}

interface LogParts {
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly dir: string;
  readonly instance: string;
  readonly recovery: LogRecovery;
}

export class LocalLog {
  readonly instance: string;
  readonly recovery: LogRecovery;
  readonly #files: FileSystem;
  readonly #clock: Clock;
  readonly #dir: string;
  /** Oldest first; all but the last are sealed. */
  readonly #segments: LogSegment[] = [];
  #file: AppendFile | undefined;
  readonly #mutex = new Mutex();
  #isClosed = false;
  /** The least number that a new segment may have. */
  #sequenceMin = 1;
  failedAppends = 0;
  failedSeals = 0;

  constructor(parts: LogParts) {
    this.instance = parts.instance;
    this.recovery = parts.recovery;
    this.#files = parts.files;
    this.#clock = parts.clock;
    this.#dir = parts.dir;
  }

  get segments(): readonly LogSegment[] {
    return this.#segments;
  }

  /** The segment that takes commits, or undefined when the next commit must start one. */
  get open(): LogSegment | undefined {
    const last = this.#segments.at(-1);
    return last === undefined || last.isSealed ? undefined : last;
  }

  get sizeBytes(): number {
    let total = 0;
    for (const segment of this.#segments) total += segment.committedBytes;
    return total;
  }

  position(): LogPosition {
    return {
      segments: this.#segments.map(({ sequence, isSealed, committedBytes }) => ({
        instance: this.instance,
        sequence,
        sealed: isSealed,
        committedBytes,
      })),
    };
  }

  /** Takes over what recovery found. Only `openLocalLog` calls it. */
  async adopt(
    found: readonly {
      sequence: number;
      path: string;
      index: SegmentIndex;
      hasFooter: boolean;
      sizeBytes: number;
    }[],
  ): Promise<void> {
    for (const { sequence, path, index, hasFooter, sizeBytes } of found) {
      const isLast = sequence === found.at(-1)?.sequence;
      const segment: LogSegment = {
        sequence,
        path,
        index,
        createdMs: this.#clock.nowMs(),
        isSealed: !isLast || hasFooter,
        committedBytes: sizeBytes,
        isConsumed: false,
      };
      this.#segments.push(segment);
      // Its symbols are not in memory, so nothing can be appended; an empty one goes on being the open one.
      if (!segment.isSealed && index.commits.length > 0) await this.#sealLast(segment);
    }
  }

  /**
   * Writes one commit and makes it durable. `startsSegment` seals the open segment first and begins another; it must
   * be set when there is no open one. Resolves to the segment's sequence. When it throws, nothing of the commit counts,
   * and the next must start a segment.
   */
  append(
    payload: readonly Uint8Array[],
    addition: IndexAddition,
    startsSegment: boolean,
  ): Promise<number> {
    return this.#mutex.run(async () => {
      this.#assertOpen();
      if (startsSegment) await this.#startSegment();
      const segment = this.open;
      assert(segment !== undefined, 'a commit needs an open segment');
      const isFirst = segment.committedBytes === 0;
      const offset = isFirst ? HEADER_BYTES : segment.committedBytes;
      const frame = encodeCommitFrame(COMMIT_DATA, { sequence: segment.sequence, offset }, payload);
      const pieces = isFirst ? [this.#header(segment), frame, ...payload] : [frame, ...payload];
      await this.#write(segment, pieces);
      segment.committedBytes = offset + sizeOf(payload) + COMMIT_HEADER_BYTES;
      segment.index.add(addition, offset, segment.committedBytes - offset);
      return segment.sequence;
    });
  }

  /**
   * From the next commit that starts a segment on, numbers are above `sequence`: someone has consumed that far, of a log
   * that was longer than this one is.
   */
  beginAfter(sequence: number): void {
    this.#sequenceMin = Math.max(this.#sequenceMin, sequence + 1);
  }

  /** Seals the open segment if it has a commit. */
  seal(): Promise<void> {
    return this.#mutex.run(async () => {
      this.#assertOpen();
      const { open } = this;
      if (open !== undefined && open.index.commits.length > 0) await this.#sealLast(open);
    });
  }

  /** Marks a sealed segment as consumed and deletes the consumed ones at the front. */
  remove(sequence: number): Promise<void> {
    return this.#mutex.run(async () => {
      this.#assertOpen();
      const segment = this.#segments.find((candidate) => candidate.sequence === sequence);
      if (segment === undefined) return;
      assert(segment.isSealed, 'only a sealed segment can be consumed');
      segment.isConsumed = true;
      if (this.#segments.at(-1)?.isConsumed === true) await this.#beginEmpty();
      while (this.#segments[0]?.isConsumed === true) {
        await this.#files.remove(this.#segments[0].path);
        this.#segments.shift();
      }
    });
  }

  /** Waits for what is running; the open segment stays as it is. */
  close(): Promise<void> {
    return this.#mutex.run(async () => {
      this.#isClosed = true;
      const file = this.#file;
      this.#file = undefined;
      await file?.close();
    });
  }

  #assertOpen(): void {
    if (!this.#isClosed) return;
    throw new StoreError({
      kind: 'closed',
      code: 'PS_CLOSED',
      message: 'cannot write to the log: got a closed one; want an open one',
    });
  }

  #header(segment: LogSegment): Uint8Array {
    const previous = this.#segments.at(-2);
    // 0 would mean that nothing is known of it, and it may have no durable byte at all.
    const previousBytes =
      previous === undefined ? 0 : Math.max(HEADER_BYTES, previous.committedBytes);
    const { sequence, createdMs } = segment;
    return encodeHeader({ instance: this.instance, sequence, createdMs, previousBytes });
  }

  async #startSegment(): Promise<void> {
    const { open } = this;
    if (open !== undefined) {
      const isEmpty = open.index.commits.length === 0;
      if (isEmpty && open.sequence >= this.#sequenceMin) return;
      if (isEmpty) {
        open.isSealed = true;
        await this.#closeFile();
      } else await this.#sealLast(open);
    }
    this.#pushSegment();
  }

  #pushSegment(): LogSegment {
    const sequence = Math.max(this.#sequenceMin, (this.#segments.at(-1)?.sequence ?? 0) + 1);
    const segment: LogSegment = {
      sequence,
      path: `${this.#dir}/${segmentFileName(sequence)}`,
      index: new SegmentIndex(),
      createdMs: this.#clock.nowMs(),
      isSealed: false,
      committedBytes: 0,
      isConsumed: false,
    };
    this.#segments.push(segment);
    return segment;
  }

  /** A segment that is only a header, so that the one before it may be deleted. */
  async #beginEmpty(): Promise<void> {
    const segment = this.#pushSegment();
    await this.#write(segment, [this.#header(segment)]);
    segment.committedBytes = HEADER_BYTES;
  }

  async #write(segment: LogSegment, pieces: readonly Uint8Array[]): Promise<void> {
    try {
      this.#file ??= await this.#openFile(segment);
      await this.#file.append(pieces);
      await this.#file.sync();
    } catch (error) {
      this.failedAppends++;
      await this.#abandon(segment);
      throw error;
    }
  }

  async #openFile(segment: LogSegment): Promise<AppendFile> {
    const file = await this.#files.openAppend(segment.path);
    if (file.sizeBytes === segment.committedBytes) return file;
    await file.close();
    // Left by a segment of the same number that failed before its first commit.
    assert(segment.committedBytes === 0, 'a segment must be as long as its commits');
    await this.#files.truncate(segment.path, 0);
    return this.#files.openAppend(segment.path);
  }

  /** Never again a byte to this file: what a failed fsync left in it nobody can know. */
  async #abandon(segment: LogSegment): Promise<void> {
    await this.#closeFile();
    segment.isSealed = true;
    try {
      if (segment.committedBytes > 0) {
        await this.#files.truncate(segment.path, segment.committedBytes);
      } else {
        await this.#files.remove(segment.path);
        this.#segments.pop();
      }
    } catch {
      // The next segment's header says where this one ends, and recovery cuts it there.
    }
  }

  async #sealLast(segment: LogSegment): Promise<void> {
    const payload = segment.index.encode();
    const place = { sequence: segment.sequence, offset: segment.committedBytes };
    const frame = encodeCommitFrame(COMMIT_FOOTER, place, payload);
    try {
      await this.#write(segment, [frame, ...payload]);
      segment.committedBytes += sizeOf(payload) + COMMIT_HEADER_BYTES;
    } catch {
      // A footer only saves time: the commits are durable, and the segment takes no more of them.
      this.failedSeals++;
    }
    segment.isSealed = true;
    await this.#closeFile();
  }

  async #closeFile(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    try {
      await file?.close();
    } catch {
      // Everything that counts was fsynced before.
    }
  }
}

function sizeOf(pieces: readonly Uint8Array[]): number {
  let sizeBytes = 0;
  for (const piece of pieces) sizeBytes += piece.length;
  return sizeBytes;
}
