import { isDamage, isKind, StoreError } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import { openBlock } from '../block/reader.js';
import type { BlockSums } from '../block/types.js';
import { blockTableSizes } from '../block/table-sizes.js';
import { SegmentReader } from '../head/segment-reader.js';
import { ManifestStore } from '../manifest/manifest-store.js';
import type { Manifest, ManifestBlock } from '../manifest/types.js';
import { type Deletion, deletionOf } from './deletion.js';
import type { Place } from './place.js';

/** What `basalt inspect --json` prints. */
export interface Inspection {
  readonly profiles: number;
  /** Rows of samples, in blocks and in level 0 that no block covers yet. */
  readonly samples: number;
  /** Everything: all objects of the bucket, and the log. */
  readonly bytes: number;
  readonly bytesPerSample: number;
  readonly blocks: readonly InspectedBlock[];
  readonly log: { readonly segments: number; readonly bytes: number };
  readonly objects: { readonly count: number; readonly bytes: number };
  readonly tenants: readonly InspectedTenant[];
  /** Manifests and segments of the log that could not be read: what they say is in no figure above. Blocks say it themselves. */
  readonly damage: readonly { readonly part: string; readonly message: string }[];
}

export interface InspectedBlock {
  readonly id: string;
  readonly tenant: string;
  readonly level: number;
  /** Least and greatest profile start, unix milliseconds. */
  readonly start: number;
  readonly end: number;
  readonly profiles: number;
  readonly samples: number;
  /** Present where old profiles are there as sums, each of which counts as one in `profiles`. */
  readonly sums?: BlockSums;
  /** Present where the block does not say what is in it: its tables and columns are then empty. */
  readonly damage?: string;
  readonly bytes: {
    readonly total: number;
    readonly tables: Readonly<Record<string, number>>;
    readonly columns: Readonly<Record<string, number>>;
  };
}

export interface InspectedTenant {
  readonly tenant: string;
  readonly manifestVersion: number;
  readonly blocks: number;
  readonly watermarks: readonly { readonly instance: string; readonly sequence: number }[];
  readonly carries: { readonly count: number; readonly bytes: number };
  readonly tombstones: { readonly count: number; readonly bytes: number };
  /** Deletions that some blocks, or level 0, are read through until compaction has applied them. */
  readonly deletions: readonly Deletion[];
}

function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const n of numbers) total += n;
  return total;
}

/** Looks anew, a few times, when a compaction or its garbage collection took away what was looked at. */
export async function inspectPlace(find: () => Promise<Place>): Promise<Inspection> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await inspectOnce(await find(), attempt >= LIMITS.queryAttemptsMax);
    } catch (error) {
      if (!isKind(error, 'not-found') || attempt >= LIMITS.queryAttemptsMax) throw error;
    }
  }
}

/** `isLast`: what is not there now is damage, not a race. */
async function inspectOnce(place: Place, isLast: boolean): Promise<Inspection> {
  const { bucket, environment, position } = place;
  const manifests = new ManifestStore({ bucket, clock: environment.clock, rng: environment.rng });
  const loaded: Manifest[] = [];
  const blocks: InspectedBlock[] = [];
  const damage: Inspection['damage'][number][] = [];
  /** Undefined for what is damaged, which is noted. */
  const sound = async <T>(part: string, read: Promise<T>): Promise<T | undefined> => {
    try {
      return await read;
    } catch (error) {
      if (!isKind(error, 'corrupt')) throw error;
      damage.push({ part, message: StoreError.from(error).message });
      return undefined;
    }
  };
  for (const tenantId of await manifests.tenants()) {
    const manifest = await sound(`manifest of ${tenantId}`, manifests.load(tenantId));
    if (manifest === undefined) continue;
    loaded.push(manifest);
    for (const block of manifest.blocks)
      blocks.push(await inspectBlock(place, { tenant: tenantId, block, isLast }));
  }
  const objects = { count: 0, bytes: 0 };
  for await (const object of bucket.list({ prefix: '' })) {
    objects.count++;
    objects.bytes += object.sizeBytes;
  }
  const level0 = await inspectLevel0(place, loaded, sound);
  const logBytes = sum(position.segments.map((s) => s.committedBytes));
  const samples = sum(blocks.map((b) => b.samples)) + level0.samples;
  const bytes = objects.bytes + logBytes;
  return {
    profiles: sum(blocks.map((b) => b.profiles)) + level0.profiles,
    samples,
    bytes,
    bytesPerSample: samples === 0 ? 0 : bytes / samples,
    blocks,
    log: { segments: position.segments.length, bytes: logBytes },
    objects,
    tenants: loaded.map(inspectTenant),
    damage,
  };
}

async function inspectBlock(
  place: Place,
  of: { readonly tenant: string; readonly block: ManifestBlock; readonly isLast: boolean },
): Promise<InspectedBlock> {
  const { tenant, block } = of;
  const described = await describeBlock(place, of);
  const { tables = {}, columns = {}, ...about } = described;
  return {
    id: block.blockId,
    tenant,
    level: block.level,
    start: Number(block.startNsMin / 1_000_000n),
    end: Number(block.startNsMax / 1_000_000n),
    profiles: block.profileCount,
    samples: block.sampleCount,
    ...about,
    bytes: { total: block.sizeBytes, tables, columns },
  };
}

/** What its meta says; the damage where that cannot be read. */
async function describeBlock(
  place: Place,
  {
    tenant,
    block: { blockId },
    isLast,
  }: { readonly tenant: string; readonly block: ManifestBlock; readonly isLast: boolean },
): Promise<Pick<InspectedBlock, 'sums' | 'damage'> & Partial<ReturnType<typeof blockTableSizes>>> {
  try {
    const { meta } = await openBlock(place.bucket, tenant, blockId);
    return { ...blockTableSizes(meta), ...(meta.sums === undefined ? {} : { sums: meta.sums }) };
  } catch (error) {
    if (!isDamage(error, isLast)) throw error;
    return { damage: StoreError.from(error).message };
  }
}

/** Level 0 above the watermarks: what queries read from the log. */
async function inspectLevel0(
  place: Place,
  manifests: readonly Manifest[],
  sound: <T>(part: string, read: Promise<T>) => Promise<T | undefined>,
): Promise<{ profiles: number; samples: number }> {
  const watermarks = new Map<string, number>();
  for (const { tenantId, watermarks: marks } of manifests) {
    for (const { instance, sequence } of marks)
      watermarks.set(`${tenantId}\n${instance}`, sequence);
  }
  const reader = new SegmentReader({
    files: place.environment.files,
    dir: place.layout.logDir,
    cacheBytesMax: 0,
  });
  const counts = { profiles: 0, samples: 0 };
  for (const position of place.position.segments) {
    const part = `segment ${position.instance}/${position.sequence}`;
    const view = await sound(part, reader.view(position));
    if (view === undefined) continue;
    const { series, profiles } = view;
    for (let p = 0; p < profiles.count; p++) {
      const tenantId = series[profiles.series[p] as number]?.tenantId;
      const watermark = watermarks.get(`${tenantId}\n${position.instance}`) ?? 0;
      if (position.sequence <= watermark) continue;
      counts.profiles++;
      counts.samples += profiles.rowCount[p] as number;
    }
  }
  return counts;
}

function inspectTenant(manifest: Manifest): InspectedTenant {
  const { tenantId, version, blocks, watermarks, carries, tombstones } = manifest;
  return {
    tenant: tenantId,
    manifestVersion: version,
    blocks: blocks.length,
    watermarks,
    carries: { count: carries.length, bytes: sum(carries.map((c) => c.sizeBytes)) },
    tombstones: { count: tombstones.length, bytes: sum(tombstones.map((t) => t.sizeBytes)) },
    deletions: manifest.seriesTombstones.map((t) => deletionOf(manifest, t)),
  };
}
