/**
 * Runs compactions: plan, execute, commit, one at a time, until nothing is left to do.
 *
 * An executor only writes new objects; the manifest commit alone changes what is live. So a crash at any point leaves
 * orphans and nothing else, and whoever loses the race for inputs removes what it wrote and plans again. When it is
 * unknown whether a commit happened, nothing is removed.
 */
import { assert } from '../base/assert.js';
import { isKind, StoreError } from '../base/errors.js';
import { releaseMemoryOf } from '../env/release-memory.js';
import type { SegmentPosition } from '../log/segment-view.js';
import type { ManifestChange } from '../manifest/manifest-store.js';
import { Retention, type RetentionRule } from '../manifest/retention.js';
import type { Manifest, SeriesTombstone } from '../manifest/types.js';
import { advanced, sequenceOf } from '../manifest/watermarks.js';
import { collectGarbage } from './collect-garbage.js';
import { DamagedBlocks } from './damaged-blocks.js';
import type { CompactionDependencies } from './dependencies.js';
import { compactLevelZero } from './level-zero.js';
import { compactCarry, idleTombstones, markBlock, tombstonesSince } from './deletions.js';
import { manifestBlock } from './manifest-block.js';
import { levelOf } from './merge-blocks.js';
import {
  type CarrySpec,
  COMPACTION_SETTINGS,
  type CompactionSettings,
  type CompactionSpec,
  type DropSpec,
  type LevelZeroSpec,
  type MergeSpec,
  batchesOf,
  planBlocks,
  planLevelZero,
} from './plan.js';
import {
  type CompactionCounts,
  type CompactionProgress,
  type CompactionReport,
  noCounts,
} from './report.js';
import { isRewriteValid, markRewritten, rewrite } from './rewrite.js';

export interface CompactorSettings extends CompactionSettings {
  /** How long the objects of merged blocks stay for queries that planned before. Longer than any query. */
  readonly tombstoneDelayMs: number;
  /** Carries this far behind the newest profile of their service are dropped; a series that returns starts anew. */
  readonly carryAgeMsMax: number;
  /** What is past its age is dropped. */
  readonly retention: readonly RetentionRule[];
}

export const COMPACTOR_SETTINGS: CompactorSettings = {
  ...COMPACTION_SETTINGS,
  tombstoneDelayMs: 10 * 60_000,
  carryAgeMsMax: 30 * 24 * 3_600_000,
  retention: [],
};

export interface CompactorRunOptions {
  /** All tenants when absent. */
  readonly tenantId?: string;
  /** Tenants whose turn is left out. */
  readonly except?: readonly string[] | undefined;
  /** Also looks for orphans. */
  readonly isSweep?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: CompactionProgress) => void;
}

export type CompactorStatus = 'idle' | 'running' | 'closed';

/** Outputs that lost a race in a row before a tenant's turn ends. */
const CONFLICTS_MAX = 8;
const COMMIT_ATTEMPTS = 16;
/** More compactions than this in one turn can only be a planner that never ends. */
const COMPACTIONS_MAX = 100_000;

export class Compactor implements AsyncDisposable {
  readonly counts: CompactionCounts = noCounts();
  readonly #dependencies: CompactionDependencies;
  readonly #settings: CompactorSettings;
  readonly #retention: Retention;
  readonly #damaged: DamagedBlocks;
  readonly #closing = new AbortController();
  #status: CompactorStatus = 'idle';
  /** The run that is on; the next one waits for it, so no input is compacted twice at once. */
  #tail: Promise<unknown> = Promise.resolve();

  constructor(dependencies: CompactionDependencies, settings: Partial<CompactorSettings> = {}) {
    this.#dependencies = dependencies;
    this.#damaged = new DamagedBlocks(dependencies);
    this.#settings = { ...COMPACTOR_SETTINGS, ...settings };
    this.#retention = new Retention(this.#settings.retention);
  }

  get status(): CompactorStatus {
    return this.#status;
  }

  /** Does what is due, then deletes what has been dead for long enough. */
  async runOnce(options: CompactorRunOptions = {}): Promise<CompactionReport> {
    return await this.#queue(() => this.#run(options, false));
  }

  /** Merges until nothing is left to merge and deletes what is dead at once: nothing else may use the store. */
  async runFull(options: CompactorRunOptions = {}): Promise<CompactionReport> {
    return await this.#queue(() => this.#run(options, true));
  }

  /** Cancels what is running and waits for it. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#tail.catch(() => undefined);
    this.#status = 'closed';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #queue<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#tail.catch(() => undefined);
    const run = before.then(async () => {
      if (this.#closing.signal.aborted) {
        const message = 'cannot compact: got a compactor that is closed; want an open one';
        throw new StoreError({ kind: 'closed', code: 'PS_COMPACTOR_CLOSED', message });
      }
      this.#status = 'running';
      try {
        return await work();
      } finally {
        this.#status = 'idle';
      }
    });
    this.#tail = run;
    return await run;
  }

  async #run(given: CompactorRunOptions, isFull: boolean): Promise<CompactionReport> {
    const signals = given.signal === undefined ? [] : [given.signal];
    const signal = AbortSignal.any([this.#closing.signal, ...signals]);
    const options = { ...given, signal };
    const report: CompactionReport = {
      ...noCounts(),
      orphansKept: 0,
      twoWriters: [],
      failures: [],
    };
    const run = { options, isFull, report };
    const failed = new Set(given.except);
    const attempt = async (tenantId: string, work: () => Promise<void>): Promise<void> => {
      if (failed.has(tenantId)) return;
      try {
        await work();
      } catch (error) {
        if (signal.aborted) throw StoreError.from(error);
        // Out for the rest of this run: later segments must not be consumed before the failed ones.
        failed.add(tenantId);
        report.failures.push({ tenantId, error: StoreError.from(error) });
      }
    };
    const log: LogProgress = { taken: new Map(), hasFailed: false };
    let hasWork = true;
    for (let round = 0; hasWork; round++) {
      assert(round < COMPACTIONS_MAX, 'a planner comes to an end');
      await this.#drain(run, log, attempt);
      hasWork = false;
      for (const tenantId of await this.#tenants(run)) {
        await attempt(tenantId, async () => {
          if (await this.#next(tenantId, run, [])) hasWork = true;
        });
      }
    }
    for (const tenantId of await this.#tenants(run)) {
      await attempt(tenantId, async () => {
        await this.#forgetDeletions(tenantId, run);
        await this.#collect(tenantId, run);
      });
    }
    for (const name of Object.keys(this.counts) as (keyof CompactionCounts)[]) {
      this.counts[name] += report[name];
    }
    return report;
  }

  async #tenants({ options }: TenantRun): Promise<readonly string[]> {
    const { tenantId, signal } = options;
    return tenantId === undefined ? this.#dependencies.manifests.tenants({ signal }) : [tenantId];
  }

  /** Consumes what has been sealed since the last call of this run. */
  async #drain(
    run: TenantRun,
    log: LogProgress,
    attempt: (tenantId: string, work: () => Promise<void>) => Promise<void>,
  ): Promise<void> {
    if (log.hasFailed) return;
    try {
      await this.#drainLog(run.options.tenantId, log.taken, async (tenantId, segments) => {
        await attempt(tenantId, () => this.#levelZeroOf(tenantId, run, segments));
      });
    } catch (error) {
      // A segment that cannot be read: what comes after it waits, for every tenant; blocks can still be merged.
      if (run.options.signal.aborted) throw StoreError.from(error);
      log.hasFailed = true;
      run.report.failures.push({ tenantId: '', error: StoreError.from(error) });
    } finally {
      this.#dependencies.segments.release();
    }
  }

  /**
   * Goes through the sealed segments of each log instance, oldest first, as many at a time as one compaction takes,
   * and calls `work` for each tenant in them. So a segment is decoded once, however many tenants share it.
   */
  async #drainLog(
    only: string | undefined,
    taken: Map<string, number>,
    work: (tenantId: string, segments: readonly SegmentPosition[]) => Promise<void>,
  ): Promise<void> {
    const position = await this.#dependencies.segments.position();
    const segments = position.segments.filter((s) => s.sequence > (taken.get(s.instance) ?? 0));
    for (const instance of new Set(segments.map((segment) => segment.instance))) {
      const list = segments
        .filter((segment) => segment.instance === instance)
        .sort((a, b) => a.sequence - b.sequence);
      const open = list.findIndex((segment) => !segment.sealed);
      const sealed = open < 0 ? list : list.slice(0, open);
      for (const batch of batchesOf(sealed, this.#settings.levelZeroBytesMax)) {
        const byTenant = await this.#byTenant(batch);
        for (const [tenantId, own] of byTenant) {
          if (only === undefined || only === tenantId) await work(tenantId, own);
        }
        taken.set(instance, batch.at(-1)!.sequence);
        // Before the next batch is decoded, or blocks are merged: what was decoded of this one is garbage now.
        this.#dependencies.segments.release();
        releaseMemoryOf(batch.reduce((sum, segment) => sum + segment.committedBytes, 0));
      }
    }
  }

  /** Tenants of the segments, sorted, each with the segments that hold something of it. */
  async #byTenant(batch: readonly SegmentPosition[]): Promise<[string, SegmentPosition[]][]> {
    const byTenant = new Map<string, SegmentPosition[]>();
    for (const segment of batch) {
      for (const tenantId of await this.#tenantsOf(segment)) {
        const own = byTenant.get(tenantId);
        if (own === undefined) byTenant.set(tenantId, [segment]);
        else own.push(segment);
      }
    }
    return [...byTenant].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  async #tenantsOf(segment: SegmentPosition): Promise<readonly string[]> {
    try {
      return await this.#dependencies.segments.tenants(segment, this.#closing.signal);
    } catch (error) {
      // Deleted since the position was taken: every tenant in it has consumed it.
      if (isKind(error, 'not-found')) return [];
      throw error;
    }
  }

  /** Compacts these segments, as many compactions as that takes. */
  async #levelZeroOf(
    tenantId: string,
    run: TenantRun,
    segments: readonly SegmentPosition[],
  ): Promise<void> {
    for (let count = 0; await this.#next(tenantId, run, segments); count++) {
      assert(count < COMPACTIONS_MAX, 'a planner comes to an end');
    }
  }

  /**
   * One compaction of these segments or, when there are none, of the tenant's blocks; false if there is nothing to do.
   * One at a time, so that a tenant with much to merge keeps neither others nor the log waiting (I7).
   */
  async #next(
    tenantId: string,
    run: TenantRun,
    segments: readonly SegmentPosition[],
  ): Promise<boolean> {
    const { manifests, clock } = this.#dependencies;
    const { signal } = run.options;
    const settings = this.#settings;
    for (let conflicts = 0; ; ) {
      signal.throwIfAborted();
      const manifest = await manifests.load(tenantId, { signal });
      await this.#tellConsumed(manifest, segments);
      const log = { segments };
      const { isFull } = run;
      const retention = this.#retention;
      const damaged = this.#damaged.ids();
      const nowMs = clock.nowMs();
      const input = { manifest, log, nowMs, settings, isFull, retention, damaged };
      const [spec] = segments.length > 0 ? planLevelZero(input) : planBlocks(input);
      if (spec === undefined) return false;
      try {
        await this.#execute(manifest, spec, run);
        return true;
      } catch (error) {
        // Lost a race, or inputs were deleted since they were listed.
        const isRace = isKind(error, 'conflict') || isKind(error, 'not-found');
        if (isRace && ++conflicts <= CONFLICTS_MAX) {
          run.report.conflicts++;
          continue;
        }
        const inputs = spec.kind === 'merge' ? spec.blocks : [];
        if (!(await this.#damaged.setAside(tenantId, inputs, error))) throw error;
        run.report.failures.push({ tenantId, error: StoreError.from(error) });
        return true;
      }
    }
  }

  async #collect(tenantId: string, { isFull, options, report }: TenantRun): Promise<void> {
    const { signal, isSweep = false } = options;
    const lastAgeMs = this.#retention.lastAgeMs(tenantId);
    const nowMs = this.#dependencies.clock.nowMs();
    const expiredNs = lastAgeMs === undefined ? undefined : BigInt(nowMs - lastAgeMs) * 1_000_000n;
    const garbage = await collectGarbage(this.#dependencies, tenantId, {
      isFull,
      isSweep,
      expiredNs,
      signal,
    });
    report.objectsDeleted += garbage.objects;
    report.bytesDeleted += garbage.bytes;
    report.orphansDeleted += garbage.orphans;
    report.orphansKept += garbage.orphansKept;
  }

  /** Also what an earlier process committed and could not tell any more. */
  async #tellConsumed(manifest: Manifest, segments: readonly SegmentPosition[]): Promise<void> {
    for (const { instance, sequence } of manifest.watermarks) {
      const isBehind = segments.some((s) => s.instance === instance && s.sequence <= sequence);
      if (!isBehind) continue;
      await this.#dependencies.segments.consumed(manifest.tenantId, instance, sequence);
    }
  }

  async #execute(base: Manifest, spec: CompactionSpec, run: TenantRun): Promise<void> {
    const undo: (() => Promise<void>)[] = [];
    try {
      if (spec.kind === 'level-zero') await this.#levelZero(base, spec, { ...run, undo });
      else if (spec.kind === 'merge') await this.#merge(base, spec, { ...run, undo });
      else if (spec.kind === 'drop') await this.#drop(base, spec, { ...run, undo });
      else await this.#carry(base, spec, { ...run, undo });
    } catch (error) {
      const isUncertain = error instanceof StoreError && error.code === 'PS_MANIFEST_UNCERTAIN';
      if (!isUncertain) await undoAll(undo);
      throw error;
    }
  }

  async #levelZero(base: Manifest, spec: LevelZeroSpec, run: ExecutorRun): Promise<void> {
    const { tenantId, instance } = spec;
    const sequence = spec.segments.at(-1)?.sequence ?? 0;
    const output = await compactLevelZero(this.#dependencies, base, spec, {
      undo: run.undo,
      signal: run.options.signal,
      carryAgeNsMax: BigInt(this.#settings.carryAgeMsMax) * 1_000_000n,
      onProfiles: progressOf(run, spec, { level: 1, total: 0 }),
    });
    const { bucket, blocks: store } = this.#dependencies;
    const blocks = await Promise.all(
      output.blocks.map((meta) =>
        manifestBlock(bucket, meta, store.prefix(tenantId, meta.blockId)),
      ),
    );
    const touched = new Set(output.carries.map((c) => c.service));
    const replaced = base.carries.filter((c) => touched.has(c.service));
    const since = (now: Manifest): readonly SeriesTombstone[] | undefined =>
      tombstonesSince(base, now, { spec, hasCarries: touched.size > 0 });
    const isValid = (now: Manifest): boolean =>
      sequenceOf(now.watermarks, instance) === sequenceOf(base.watermarks, instance) &&
      since(now) !== undefined &&
      // Other instances share the carries: whoever comes second computes its deltas anew.
      [...touched].every((service) => carryKeyOf(now, service) === carryKeyOf(base, service));
    await this.#commit(run, base, isValid, (now) => ({
      ...now,
      blocks: [
        ...now.blocks,
        ...blocks.map((block) => (since(now) ?? []).reduce(markBlock, block)),
      ],
      watermarks: advanced(now.watermarks, { instance, sequence }),
      carries: [
        ...now.carries.filter((c) => !touched.has(c.service)),
        ...output.carries.map((c) => ({
          ...c,
          seriesTombstones: (since(now) ?? []).map((t) => t.id),
        })),
      ],
      tombstones: [
        ...now.tombstones,
        ...replaced.map((c) => this.#tombstone(c.objectKey, c.sizeBytes)),
      ],
    }));
    const { report } = run;
    report.levelZeroCompactions++;
    report.profiles += output.profileCount;
    report.duplicates += output.duplicateCount;
    report.carriesDropped += output.carriesDropped;
    report.twoWriters.push(...output.twoWriters);
    await this.#dependencies.segments.consumed(tenantId, instance, sequence);
  }

  async #merge(base: Manifest, spec: MergeSpec, run: ExecutorRun): Promise<void> {
    const nowMs = this.#dependencies.clock.nowMs();
    const retention = this.#retention;
    const inputs = new Set(spec.blocks.map((input) => input.blockId));
    const total = spec.blocks.reduce((sum, block) => sum + block.profileCount, 0);
    const output = await rewrite(this.#dependencies, base, spec, {
      retention,
      nowMs,
      undo: run.undo,
      signal: run.options.signal,
      onProfiles: progressOf(run, spec, { level: levelOf(spec), total }),
    });
    const isValid = (now: Manifest): boolean => isRewriteValid(base, now, output, inputs);
    const isKept = output.kind === 'kept';
    await this.#commit(run, base, isValid, (now) => ({
      ...now,
      blocks: [
        ...now.blocks.filter((live) => !inputs.has(live.blockId)),
        ...markRewritten(base, now, output, { retention, inputs }),
      ],
      tombstones: [...now.tombstones, ...(isKept ? [] : this.#blockTombstones(spec))],
    }));
    if (isKept) return;
    run.report.merges++;
    run.report.profiles += total - output.duplicateCount;
    run.report.duplicates += output.duplicateCount;
  }

  async #drop(base: Manifest, spec: DropSpec, run: ExecutorRun): Promise<void> {
    const dropped = new Set(spec.blocks.map((block) => block.blockId));
    const isValid = (now: Manifest): boolean =>
      now.blocks.filter((live) => dropped.has(live.blockId)).length === dropped.size;
    await this.#commit(run, base, isValid, (now) => ({
      ...now,
      blocks: now.blocks.filter((live) => !dropped.has(live.blockId)),
      tombstones: [...now.tombstones, ...this.#blockTombstones(spec)],
    }));
    run.report.blocksDropped += dropped.size;
  }

  async #carry(base: Manifest, spec: CarrySpec, run: ExecutorRun): Promise<void> {
    const { service, objectKey, sizeBytes } = spec.carry;
    const output = await compactCarry(this.#dependencies, base, { spec, undo: run.undo });
    const marks = (manifest: Manifest): string =>
      String(manifest.carries.find((c) => c.service === service)?.seriesTombstones);
    const isValid = (now: Manifest): boolean =>
      carryKeyOf(now, service) === objectKey && marks(now) === marks(base);
    await this.#commit(run, base, isValid, (now) => ({
      ...now,
      carries: [
        ...now.carries.filter((c) => c.service !== service),
        ...(output === undefined ? [] : [output]),
      ],
      tombstones: [...now.tombstones, this.#tombstone(objectKey, sizeBytes)],
    }));
  }

  /** Takes tombstones that are applied everywhere out of the manifest. */
  async #forgetDeletions(tenantId: string, run: TenantRun): Promise<void> {
    const { manifests, segments } = this.#dependencies;
    const { signal } = run.options;
    const base = await manifests.load(tenantId, { signal });
    if (base.seriesTombstones.length === 0) return;
    const own: SegmentPosition[] = [];
    const known = (await segments.position()).segments;
    for (const segment of known) {
      const isTheirs = segment.sealed && !(await this.#tenantsOf(segment)).includes(tenantId);
      if (!isTheirs) own.push(segment);
    }
    const idle = new Set(idleTombstones(base, known, own).map((t) => t.id));
    if (idle.size === 0) return;
    try {
      await manifests.commit(base, (now) => ({
        ...now,
        seriesTombstones: now.seriesTombstones.filter((t) => !idle.has(t.id)),
      }));
    } catch (error) {
      // They do no harm: the next run sees to it.
      if (!isKind(error, 'conflict')) throw error;
    }
  }

  /** Commits on the newest manifest as long as the inputs are what they were. From then on nothing is undone. */
  async #commit(
    { undo }: ExecutorRun,
    base: Manifest,
    isValid: (now: Manifest) => boolean,
    change: ManifestChange,
  ): Promise<void> {
    const { manifests } = this.#dependencies;
    for (let attempt = 1; ; attempt++) {
      const now = await manifests.load(base.tenantId);
      // Orphans were swept since: what was written on an older base may be gone.
      if (now.fenceVersion > base.version || !isValid(now)) {
        throw new StoreError({
          kind: 'conflict',
          code: 'PS_COMPACTION_INPUTS',
          message: `cannot commit compaction of tenant ${base.tenantId}: got inputs or outputs that another process has compacted or swept; want live ones`,
        });
      }
      try {
        await manifests.commit(now, change);
        // The outputs are live: a failure after this, of telling the log for example, must not remove them.
        undo.length = 0;
        return;
      } catch (error) {
        if (!isKind(error, 'conflict') || attempt >= COMMIT_ATTEMPTS) throw error;
      }
    }
  }

  #blockTombstones({ tenantId, blocks }: MergeSpec | DropSpec): Manifest['tombstones'] {
    return blocks.map(({ blockId, sizeBytes }) =>
      this.#tombstone(this.#dependencies.blocks.prefix(tenantId, blockId), sizeBytes),
    );
  }

  #tombstone(objectPrefix: string, sizeBytes: number): Manifest['tombstones'][number] {
    const deleteAfterMs = this.#dependencies.clock.nowMs() + this.#settings.tombstoneDelayMs;
    return { objectPrefix, sizeBytes, deleteAfterMs };
  }
}

/** How far one run has got in the log. */
interface LogProgress {
  /** Last sequence taken, by instance. */
  readonly taken: Map<string, number>;
  /** A segment could not be read: the run takes no more of the log. */
  hasFailed: boolean;
}

interface TenantRun {
  readonly options: CompactorRunOptions & { readonly signal: AbortSignal };
  readonly isFull: boolean;
  readonly report: CompactionReport;
}

interface ExecutorRun extends TenantRun {
  readonly undo: (() => Promise<void>)[];
}

function progressOf(
  { options }: TenantRun,
  { tenantId, kind }: CompactionSpec,
  { level, total }: { level: number; total: number },
): (count: number) => void {
  let profilesDone = 0;
  return (count) => {
    profilesDone += count;
    options.onProgress?.({ tenantId, kind, level, profilesDone, profilesTotal: total });
  };
}

/** Removes outputs that never became live. What cannot be removed stays an orphan. */
async function undoAll(undo: readonly (() => Promise<void>)[]): Promise<void> {
  for (const remove of undo) {
    try {
      await remove();
    } catch {
      // The error that brought us here is the one to report; orphans are swept later.
    }
  }
}

function carryKeyOf(manifest: Manifest, service: string): string | undefined {
  return manifest.carries.find((c) => c.service === service)?.objectKey;
}
