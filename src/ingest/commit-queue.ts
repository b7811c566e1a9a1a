/**
 * Group commit: one commit is being written while the next one fills. Whoever added to a commit waits for its promise.
 *
 * When a write fails, the commit that fills is lost with it, because it may use symbols that the failed one brought;
 * the next commit starts a segment, where nothing is taken as known.
 */
import { StoreError } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import type { Clock } from '../env/clock.js';
import type { LocalLog } from '../log/local-log.js';
import { CommitBuilder } from './commit-builder.js';
import type { StoredIn } from './stored-in.js';

export interface CommitSettings {
  readonly segmentBytesMax: number;
  readonly segmentAgeMsMax: number;
  readonly internBytesMax: number;
}

export const COMMIT_SETTINGS: CommitSettings = {
  segmentBytesMax: LIMITS.segmentBytesMax,
  segmentAgeMsMax: LIMITS.segmentAgeMsMax,
  internBytesMax: LIMITS.internBytesMax,
};

/** A commit and those who wait for it. */
export interface Commit {
  readonly stored: StoredIn;
  /** Settles when the commit is durable or lost. Never unhandled: the queue itself watches it. */
  readonly done: Promise<void>;
  readonly startsSegment: boolean;
  readonly settle: (error: unknown) => void;
  /** Undoes what memory says of the commit's profiles. */
  readonly undo: (() => void)[];
}

function newCommit(startsSegment: boolean): Commit {
  let settle: (error: unknown) => void = () => undefined;
  const done = new Promise<void>((resolve, reject) => {
    settle = (error) => (error === undefined ? resolve() : reject(StoreError.from(error)));
  });
  // Those who wait see the error; a commit that nobody waits for any more must not end the process.
  done.catch(() => undefined);
  return { stored: { pending: done, sequence: 0 }, done, startsSegment, settle, undo: [] };
}

export class CommitQueue {
  readonly builder = new CommitBuilder();
  readonly #log: LocalLog;
  readonly #clock: Clock;
  readonly #settings: CommitSettings;
  #filling: Commit | undefined;
  #writing:
    | { readonly commit: Commit; readonly sizeBytes: number; readonly end: Promise<void> }
    | undefined;
  #needsSegment = true;
  commits = 0;
  commitBytes = 0;
  failedCommits = 0;

  constructor(log: LocalLog, clock: Clock, settings: CommitSettings) {
    this.#log = log;
    this.#clock = clock;
    this.#settings = settings;
  }

  /** Bytes that are not durable yet. */
  get pendingBytes(): number {
    return this.builder.sizeBytes + (this.#writing?.sizeBytes ?? 0);
  }

  /** The commit to add to; the builder is then ready for it. */
  fill(): Commit {
    if (this.#filling !== undefined) return this.#filling;
    const startsSegment = this.#needsSegment || this.#isSegmentFull();
    if (startsSegment) this.builder.startSegment(this.#settings.internBytesMax);
    this.#needsSegment = false;
    this.#filling = newCommit(startsSegment);
    return this.#filling;
  }

  #isSegmentFull(): boolean {
    const { open } = this.#log;
    const writing = this.#writing;
    if (this.builder.isFull(this.#settings.internBytesMax)) return true;
    // The commit being written may start a segment; then its size is all there is of it.
    const isNew = writing?.commit.startsSegment === true;
    const before = isNew ? 0 : (open?.committedBytes ?? 0);
    if (before + (writing?.sizeBytes ?? 0) >= this.#settings.segmentBytesMax) return true;
    return !isNew && this.isAged();
  }

  /** Whether the open segment has data and is old enough to be sealed. */
  isAged(): boolean {
    const { open } = this.#log;
    if (open === undefined || open.index.commits.length === 0) return false;
    return this.#clock.nowMs() - open.createdMs >= this.#settings.segmentAgeMsMax;
  }

  /** Starts writing what is filled, unless a write is running: then that happens when it ends. */
  start(): void {
    const commit = this.#filling;
    if (commit === undefined || this.#writing !== undefined) return;
    this.#filling = undefined;
    let sizeBytes = 0;
    const write = async (): Promise<void> => {
      const { payload, addition } = this.builder.take();
      for (const piece of payload) sizeBytes += piece.length;
      commit.stored.sequence = await this.#log.append(payload, addition, commit.startsSegment);
    };
    const written = write();
    const end = written.then(
      () => this.#succeeded(commit, sizeBytes),
      (error: unknown) => this.#failed(commit, error),
    );
    this.#writing = { commit, sizeBytes, end };
  }

  #succeeded(commit: Commit, sizeBytes: number): void {
    this.#writing = undefined;
    this.commits++;
    this.commitBytes += sizeBytes;
    commit.stored.pending = undefined;
    commit.settle(undefined);
    this.start();
  }

  #failed(commit: Commit, error: unknown): void {
    this.#writing = undefined;
    const lost = this.#filling === undefined ? [commit] : [commit, this.#filling];
    this.#filling = undefined;
    this.#needsSegment = true;
    this.builder.clear();
    for (const { undo, settle } of lost) {
      this.failedCommits++;
      for (const step of undo) step();
      settle(error);
    }
  }

  /** Waits until the write that is running has ended; at once if there is none. */
  async written(): Promise<void> {
    await this.#writing?.end;
  }

  /** Writes all there is, then seals the open segment. Nothing may be added while it runs. */
  async seal(): Promise<void> {
    await this.flush();
    await this.#log.seal();
    this.#needsSegment = true;
  }

  async flush(): Promise<void> {
    while (this.#filling !== undefined || this.#writing !== undefined) {
      this.start();
      await this.written();
    }
  }
}
