/**
 * The write path: admission, decoding, de-duplication, and the wait for the commit.
 *
 * Requests are queued and worked off one after another by the pump, which yields the thread between slices, so that
 * finished writes are noticed and the next commit starts. Only a look-up in the blocks takes a request out of line: it
 * comes back to the queue with the answer and is decided anew, since anything may have happened in between.
 */
import { StoreError } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import type { Clock } from '../env/clock.js';
import type { FileSystem } from '../env/files.js';
import type { Rng } from '../env/rng.js';
import { PprofDecoder } from '../formats/pprof/decode.js';
import type { DecodedPprof } from '../formats/pprof/decoded.js';
import { type LocalLog, type LogSegment, openLocalLog } from '../log/local-log.js';
import type { LogRecovery } from '../log/recover.js';
import type { LogPosition } from '../log/segment-view.js';
import type { Retention } from '../manifest/retention.js';
import { checkTenantId } from '../model/tenant-id.js';
import type { IngestApi, Rejection, WriteRequest, WriteResult, ForeignBody } from './api.js';
import { type Conversion, pyroscopeWrites } from './pyroscope/convert.js';
import type { BlockLookup } from './block-lookup.js';
import { COMMIT_SETTINGS, CommitQueue, type CommitSettings } from './commit-queue.js';
import { decodeWriteRequest } from './envelope.js';
import { LogDeletions } from './log-deletions.js';
import { LogNumbers } from './log-numbers.js';
import { Lookups, type ProfileRef } from './lookups.js';
import { type PreparedProfile, type ProfileGroup, prepareProfile } from './prepare.js';
import { profileKey, SeriesRegistry, type SeriesState } from './series-registry.js';

export interface IngestSettings extends CommitSettings {
  readonly queueBytesMax: number;
  readonly queueRequestsMax: number;
  readonly logBytesMax: number;
  readonly logProfilesMax: number;
}

export const INGEST_SETTINGS: IngestSettings = {
  ...COMMIT_SETTINGS,
  queueBytesMax: LIMITS.ingestQueueBytesMax,
  queueRequestsMax: LIMITS.ingestQueueRequestsMax,
  logBytesMax: LIMITS.logBytesMax,
  logProfilesMax: LIMITS.logProfilesMax,
};

export interface IngestOptions {
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly rng: Rng;
  /** The caller has its exclusive lock. */
  readonly logDir: string;
  readonly store: BlockLookup;
  /** What is past its age is refused. Default: nothing is. */
  readonly retention?: Retention | undefined;
  readonly settings?: Partial<IngestSettings>;
}

/** Figures since the start, for metrics. */
export interface IngestCounters {
  requests: number;
  /** Stored: one for each sample type. */
  profiles: number;
  /** Values that are not 0. */
  samples: number;
  /** Bytes of profiles as they came. */
  receivedBytes: number;
  /** Requests whose profile was there already. */
  duplicates: number;
  /** Requests that failed. */
  refused: number;
  /** Elements cut or dropped from profiles that were stored, by reason. */
  readonly rejections: Map<string, number>;
  lookups: number;
}

export interface IngestGauges {
  readonly queuedRequests: number;
  readonly queuedBytes: number;
  readonly commits: number;
  readonly commitBytes: number;
  readonly failedCommits: number;
  readonly segments: number;
  readonly logBytes: number;
  readonly logProfiles: number;
  readonly series: number;
  readonly internBytes: number;
}

/** Work between two yields: about five milliseconds. */
const SLICE_BYTES = 192 << 10;
const SLICE_REQUESTS = 32;
/** A commit this large is written before more is added to it. */
const COMMIT_BYTES_FULL = 4 << 20;
const BUSY_RETRY_MS = 250;
const LOG_FULL_RETRY_MS = 5_000;
/** How often the age of the open segment is looked at. */
const AGE_CHECKS = 15;
/** A request that meets consumed segments again and again while it looks up. */
const ATTEMPTS_MAX = 100;

interface QueuedWrite {
  readonly tenantId: string;
  readonly request: WriteRequest;
  readonly sizeBytes: number;
  readonly lookups: Lookups;
  readonly resolve: (result: WriteResult | Promise<WriteResult>) => void;
  readonly reject: (error: unknown) => void;
}

interface MissingGroup {
  readonly group: ProfileGroup;
  readonly state: SeriesState;
}

/** A profile of which at least one group is not stored yet. */
interface NewProfile {
  readonly prepared: PreparedProfile;
  readonly pprof: DecodedPprof;
  readonly key: string;
  readonly missing: readonly MissingGroup[];
  readonly rejections: readonly Rejection[];
}

/** Opens the log, repairs what a crash left, and is then ready for writes. */
export async function openIngest(options: IngestOptions): Promise<Ingest> {
  const { files, clock, rng, logDir } = options;
  const log = await openLocalLog({ files, clock, rng, dir: logDir });
  return new Ingest(log, options);
}

export class Ingest implements IngestApi {
  readonly counters: IngestCounters = {
    requests: 0,
    profiles: 0,
    samples: 0,
    receivedBytes: 0,
    duplicates: 0,
    refused: 0,
    rejections: new Map(),
    lookups: 0,
  };
  readonly #log: LocalLog;
  readonly #clock: Clock;
  readonly #store: BlockLookup;
  readonly #retention: Retention | undefined;
  readonly #settings: IngestSettings;
  readonly #commits: CommitQueue;
  readonly #registry = new SeriesRegistry();
  readonly #deletions: LogDeletions;
  readonly #lookupParts: ConstructorParameters<typeof Lookups>[0];
  readonly #decoder = new PprofDecoder();
  /** Consumed up to, by tenant. */
  readonly #consumed = new Map<string, number>();
  readonly #queue: QueuedWrite[] = [];
  /** Accepted and not answered. */
  #openRequests = 0;
  #openBytes = 0;
  readonly #inFlight = new Set<Promise<WriteResult>>();
  #pumping: Promise<void> | undefined;
  /** While not 0 the pump leaves the queue alone: a seal is running. */
  #pauses = 0;
  readonly #closing = new AbortController();
  #closed: Promise<void> | undefined;
  readonly #ageLoop: Promise<void>;

  constructor(log: LocalLog, options: IngestOptions) {
    this.#log = log;
    this.#clock = options.clock;
    this.#store = options.store;
    this.#retention = options.retention;
    this.#settings = { ...INGEST_SETTINGS, ...options.settings };
    this.#commits = new CommitQueue(log, options.clock, this.#settings);
    for (const { index, sequence } of log.segments) {
      this.#registry.restore(index, { pending: undefined, sequence });
    }
    this.#deletions = new LogDeletions(log, this.#store, this.#registry);
    this.#lookupParts = {
      store: this.#store,
      registry: this.#registry,
      deletions: this.#deletions,
      numbers: new LogNumbers(log, this.#store, () => this.#seal()),
    };
    this.#ageLoop = this.#sealWhenAged();
  }

  get recovery(): LogRecovery {
    return this.#log.recovery;
  }

  get status(): 'open' | 'closed' {
    return this.#closing.signal.aborted ? 'closed' : 'open';
  }

  gauges(): IngestGauges {
    return {
      queuedRequests: this.#openRequests,
      queuedBytes: this.#openBytes,
      commits: this.#commits.commits,
      commitBytes: this.#commits.commitBytes,
      failedCommits: this.#commits.failedCommits,
      segments: this.#log.segments.length,
      logBytes: this.#log.sizeBytes,
      logProfiles: this.#registry.profileCount,
      series: this.#registry.seriesCount,
      internBytes: this.#commits.builder.interner.sizeBytes,
    };
  }

  async writeEncoded(tenantId: string, request: Uint8Array): Promise<WriteResult> {
    return this.write(tenantId, decodeWriteRequest(request));
  }

  async write(tenantId: string, request: WriteRequest): Promise<WriteResult> {
    this.counters.requests++;
    const sizeBytes = request.profile.length;
    try {
      this.#assertOpen();
      checkTenantId(tenantId);
      this.#admit(sizeBytes);
    } catch (error) {
      this.counters.refused++;
      throw error;
    }
    this.counters.receivedBytes += sizeBytes;
    this.#openRequests++;
    this.#openBytes += sizeBytes;
    const answer = new Promise<WriteResult>((resolve, reject) => {
      const lookups = new Lookups(this.#lookupParts, tenantId);
      this.#enqueue({ tenantId, request, sizeBytes, lookups, resolve, reject });
    });
    this.#inFlight.add(answer);
    try {
      return await answer;
    } catch (error) {
      this.counters.refused++;
      throw error;
    } finally {
      this.#inFlight.delete(answer);
      this.#openRequests--;
      this.#openBytes -= sizeBytes;
    }
  }

  async writeForeign(tenantId: string, body: ForeignBody): Promise<readonly WriteResult[]> {
    let conversion: Conversion;
    try {
      this.#assertOpen();
      checkTenantId(tenantId);
      this.#admit(body.body.length);
      conversion = pyroscopeWrites(body);
    } catch (error) {
      this.counters.requests++;
      this.counters.refused++;
      throw error;
    }
    const { writes, rejections } = conversion;
    this.#noteRejections(rejections);
    // Every profile is tried: the caller sends all again after an error, and what is stored counts once.
    const settled = await Promise.allSettled(writes.map((one) => this.write(tenantId, one)));
    return settled.map((one, index) => {
      if (one.status === 'rejected') throw StoreError.from(one.reason);
      if (index > 0) return one.value;
      return { ...one.value, rejections: [...rejections, ...one.value.rejections] };
    });
  }

  #assertOpen(): void {
    if (this.status === 'open') return;
    throw new StoreError({
      kind: 'closed',
      code: 'PS_CLOSED',
      message: 'cannot write profile: got a closed store; want an open one',
    });
  }

  /** Throws `limit` PS_INGEST_BUSY or PS_LOG_FULL. */
  #admit(sizeBytes: number): void {
    const { queueRequestsMax, queueBytesMax, logBytesMax, logProfilesMax } = this.#settings;
    // One request is always let in, however large it is: its own limit is checked when it is inflated.
    const isBytesFull = this.#openRequests > 0 && this.#openBytes + sizeBytes > queueBytesMax;
    if (this.#openRequests >= queueRequestsMax || isBytesFull) {
      throw new StoreError({
        kind: 'limit',
        code: 'PS_INGEST_BUSY',
        message: `cannot accept profile: got ${this.#openRequests} requests of ${this.#openBytes} bytes waiting; want less than ${queueRequestsMax} of ${queueBytesMax}`,
        details: { retryAfterMs: BUSY_RETRY_MS },
      });
    }
    const logBytes = this.#log.sizeBytes + this.#commits.pendingBytes;
    if (logBytes >= logBytesMax || this.#registry.profileCount >= logProfilesMax) {
      throw new StoreError({
        kind: 'limit',
        code: 'PS_LOG_FULL',
        message: `cannot accept profile: got a log of ${logBytes} bytes and ${this.#registry.profileCount} profiles; want less than ${logBytesMax} and ${logProfilesMax}`,
        details: { retryAfterMs: LOG_FULL_RETRY_MS },
      });
    }
  }

  #enqueue(item: QueuedWrite): void {
    this.#queue.push(item);
    this.#startPump();
  }

  #startPump(): void {
    if (this.#pumping !== undefined || this.#pauses > 0 || this.#queue.length === 0) return;
    this.#pumping = this.#pump().finally(() => {
      this.#pumping = undefined;
      this.#startPump();
    });
  }

  async #pump(): Promise<void> {
    // What comes in the same turn of the event loop shares a commit.
    await Promise.resolve();
    let bytes = 0;
    let requests = 0;
    while (this.#pauses === 0) {
      const item = this.#queue.shift();
      if (item === undefined) break;
      this.#step(item);
      bytes += item.sizeBytes;
      requests++;
      if (bytes >= SLICE_BYTES || requests >= SLICE_REQUESTS) {
        this.#commits.start();
        await this.#clock.sleep(0);
        bytes = 0;
        requests = 0;
      }
      if (this.#commits.builder.sizeBytes >= COMMIT_BYTES_FULL) {
        this.#commits.start();
        await this.#commits.written();
      }
    }
    this.#commits.start();
  }

  #step(item: QueuedWrite): void {
    try {
      this.#decide(item);
    } catch (error) {
      item.reject(StoreError.from(error));
    }
  }

  /** Decodes the profile and settles what it is: new, known, or a question to the blocks. */
  #decide(item: QueuedWrite): void {
    const pprof = this.#decoder.decode(item.request.profile);
    const nowMs = this.#clock.nowMs();
    const prepared = prepareProfile({
      request: item.request,
      pprof,
      nowMs,
      cutoffOf: this.#retention?.cutoffOf(item.tenantId, nowMs),
    });
    const key = profileKey(prepared.startNs, prepared.id, prepared.flags);
    const missing: MissingGroup[] = [];
    let pending: Promise<void> | undefined;
    for (const group of prepared.groups) {
      const state = this.#registry.state(item.tenantId, group.seriesKey);
      const ref = { state, key, startNs: prepared.startNs, profileId: prepared.id };
      const verdict = item.lookups.verdict(ref);
      if (verdict.kind === 'ask') {
        this.#ask(item, ref);
        return;
      }
      if (verdict.kind === 'new') missing.push({ group, state });
      else pending = verdict.stored?.pending ?? pending;
    }
    const rejections = pprof.rejections.slice();
    if (missing.length > 0) this.#add(item, { prepared, pprof, key, missing, rejections });
    else
      this.#answerKnown(
        item,
        { profileId: prepared.id, profiles: 0, samples: 0, rejections },
        pending,
      );
  }

  #ask(item: QueuedWrite, ref: ProfileRef): void {
    this.counters.lookups++;
    if (item.lookups.attempts >= ATTEMPTS_MAX) {
      throw new StoreError({
        kind: 'unavailable',
        code: 'PS_INGEST_LOOKUP',
        message: `cannot accept profile: got ${ATTEMPTS_MAX} look-ups that were overtaken by compaction; want one that is not`,
        details: { retryAfterMs: BUSY_RETRY_MS },
      });
    }
    item.lookups.ask(ref).then(
      () => this.#enqueue(item),
      (error: unknown) => item.reject(StoreError.from(error)),
    );
  }

  #answerKnown(item: QueuedWrite, result: WriteResult, pending: Promise<void> | undefined): void {
    this.counters.duplicates++;
    // A retry that meets its original before that is durable is acked with it, or fails with it.
    item.resolve(pending === undefined ? result : pending.then(() => result));
  }

  #add(item: QueuedWrite, profile: NewProfile): void {
    const { prepared, pprof, key, missing, rejections } = profile;
    const commit = this.#commits.fill();
    // Only now: a commit that starts a segment may have begun with new tables.
    const { builder } = this.#commits;
    const keyOf = builder.interner.internSamples(pprof);
    const { sampleValue } = pprof;
    const values = new Int32Array(
      sampleValue.buffer,
      sampleValue.byteOffset,
      sampleValue.length * 2,
    );
    let profiles = 0;
    let samples = 0;
    let overflows = 0;
    for (const { group, state } of missing) {
      const counts = builder.add(
        { ...prepared, series: state },
        {
          sampleCount: pprof.sampleCount,
          values,
          stride: pprof.sampleTypeCount,
          firstType: group.firstType,
          typeCount: group.typeCount,
          keyOf,
          keyCount: builder.interner.keyCount,
        },
      );
      profiles += group.typeCount;
      samples += counts.values;
      overflows += counts.overflows;
      this.#registry.addProfile(state, key, commit.stored);
      commit.undo.push(() => this.#registry.removeProfile(state, key, commit.stored));
    }
    const all = overflows === 0 ? rejections : [...rejections, overflowRejection(overflows)];
    const result = { profileId: prepared.id, profiles, samples, rejections: all };
    item.resolve(
      commit.done.then(() => {
        this.counters.profiles += profiles;
        this.counters.samples += samples;
        this.#noteRejections(all);
        return result;
      }),
    );
  }

  #noteRejections(rejections: readonly Rejection[]): void {
    const counts = this.counters.rejections;
    for (const { reason, count } of rejections)
      counts.set(reason, (counts.get(reason) ?? 0) + count);
  }

  async position(): Promise<LogPosition> {
    return this.#log.position();
  }

  async seal(): Promise<LogPosition> {
    this.#assertOpen();
    await this.#seal();
    return this.#log.position();
  }

  async #seal(): Promise<void> {
    this.#pauses++;
    try {
      await this.#pumping;
      await this.#commits.seal();
    } finally {
      this.#pauses--;
      this.#startPump();
    }
  }

  /**
   * Call it after the manifest says so and `BlockLookup` answers by that manifest: from here on the blocks are asked
   * about the profiles of these segments.
   */
  async consumed(tenantId: string, sequence: number): Promise<void> {
    this.#assertOpen();
    const before = this.#consumed.get(tenantId) ?? 0;
    const isNews = (s: LogSegment): boolean =>
      s.isSealed && s.sequence > before && s.sequence <= sequence;
    this.#registry.moveToBlocks(tenantId, this.#log.segments.filter(isNews));
    this.#consumed.set(tenantId, Math.max(before, sequence));
    for (const segment of this.#log.segments.slice()) {
      if (segment.isSealed && !segment.isConsumed && this.#isConsumed(segment)) {
        await this.#log.remove(segment.sequence);
      }
    }
  }

  /** Call it as `consumed`, for a new tombstone: what it covers may be sent again. */
  async deleted(tenantId: string): Promise<void> {
    this.#assertOpen();
    this.#deletions.forget(tenantId);
  }

  #isConsumed(segment: LogSegment): boolean {
    for (const tenantId of segment.index.tenants) {
      if ((this.#consumed.get(tenantId) ?? 0) < segment.sequence) return false;
    }
    return true;
  }

  async #sealWhenAged(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        await this.#clock.sleep(this.#settings.segmentAgeMsMax / AGE_CHECKS, signal);
      } catch {
        return;
      }
      try {
        if (this.#commits.isAged()) await this.#seal();
      } catch {
        // The disk failed: the log counts that, and the next write says it to its caller.
      }
    }
  }

  /** Answers what was accepted, then closes the log. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    this.#closing.abort();
    await this.#ageLoop;
    while (this.#inFlight.size > 0) await Promise.allSettled([...this.#inFlight]);
    await this.#pumping;
    await this.#commits.flush();
    await this.#log.close();
  }
}

function overflowRejection(count: number): Rejection {
  return {
    reason: 'PS_SAMPLE_OVERFLOW',
    count,
    message: `cannot add up ${count} samples of equal stack and labels: got a sum past 64 bits; want less`,
  };
}
