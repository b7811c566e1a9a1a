/**
 * `basalt verify --rebuild-manifest`: for each tenant whose manifest is lost or damaged, makes one from its blocks and
 * carries (manifest/rebuild.ts says what counts). Each block is read and checked in full before it counts.
 */
import { isKind, StoreError } from '../base/errors.js';
import { blockPrefix, openBlock } from '../block/reader.js';
import { verifyBlock } from '../block/verify.js';
import { manifestBlock } from '../compaction/manifest-block.js';
import { findInstance } from '../log/local-log.js';
import { listSequences } from '../log/recover.js';
import { decodeCarry, decodeCarryOrigin, hasDeletedRows } from '../manifest/carry.js';
import { emptyManifest } from '../manifest/manifest-codec.js';
import { blocksPrefix, carryPrefix } from '../manifest/object-keys.js';
import {
  type FoundBlock,
  type FoundCarry,
  type FoundLog,
  planRebuild,
} from '../manifest/rebuild.js';
import type { ManifestBlock } from '../manifest/types.js';
import type { Bucket } from '../objstore/bucket.js';
import { tenantsOf } from './collect-store.js';
import type { MaintenancePlace } from './maintenance-place.js';
import { isNewer } from './newer-format.js';
import { onlyCopiesOf } from './only-copies.js';

export interface RebuiltManifest {
  readonly tenantId: string;
  /** Why it was needed. */
  readonly code: string;
  readonly version: number;
  readonly blocks: number;
  readonly profiles: number;
  readonly carries: number;
  /** Blocks and carries that do not count, with the reason. They stay where they are. */
  readonly leftOut: readonly { readonly name: string; readonly reason: string }[];
}

/** Tenants whose manifest is whole, and names all that is the only copy of something, are left alone. */
export async function rebuildManifests(
  place: MaintenancePlace,
): Promise<readonly RebuiltManifest[]> {
  const rebuilt: RebuiltManifest[] = [];
  const log = await findLog(place);
  for (const tenantId of await tenantsOf(place.bucket)) {
    const code = await whyNeeded(place, tenantId);
    if (code !== undefined) rebuilt.push(await rebuild(place, { tenantId, code, log }));
  }
  return rebuilt;
}

async function whyNeeded(place: MaintenancePlace, tenantId: string): Promise<string | undefined> {
  try {
    const { version } = await place.manifests.load(tenantId);
    const isLost = version === 0 || (await onlyCopiesOf(place, tenantId)).length > 0;
    return isLost ? 'PS_MANIFEST_LOST' : undefined;
  } catch (error) {
    if (!isKind(error, 'corrupt') || isNewer(error)) throw error;
    return StoreError.from(error).code;
  }
}

async function findLog({ layout, environment }: MaintenancePlace): Promise<FoundLog | undefined> {
  const { files } = environment;
  try {
    const instance = await findInstance(files, layout.logDir);
    if (instance === undefined) return undefined;
    const [firstSequence = 0] = await listSequences(files, `${layout.logDir}/${instance}`);
    return { instance, firstSequence };
  } catch (error) {
    if (isKind(error, 'not-found')) return undefined;
    throw error;
  }
}

async function rebuild(
  { bucket, manifests, environment }: MaintenancePlace,
  what: { readonly tenantId: string; readonly code: string; readonly log: FoundLog | undefined },
): Promise<RebuiltManifest> {
  const { tenantId, code, log } = what;
  const leftOut: { name: string; reason: string }[] = [];
  const nowMs = environment.clock.nowMs();
  const blocks = await findBlocks(bucket, tenantId, leftOut);
  const carries = await findCarries(bucket, tenantId, leftOut);
  const plan = planRebuild([...blocks.values()], [...carries.values()], log);
  for (const { blockId, reason } of plan.leftOut)
    leftOut.push({ name: `block ${blockId}`, reason });
  const live = plan.blocks.map((blockId) => (blocks.get(blockId) as SizedBlock).block);
  const manifest = await manifests.restore(tenantId, plan.baseVersionMax, {
    ...emptyManifest(tenantId),
    blocks: live,
    watermarks: plan.watermarks,
    carries: plan.carries.map(({ service, objectKey }) => ({
      service,
      objectKey,
      sizeBytes: carries.get(objectKey)?.sizeBytes ?? 0,
      seriesTombstones: [],
      deletedSinceMs: carries.get(objectKey)?.hasDeleted === true ? nowMs : 0,
    })),
  });
  return {
    tenantId,
    code,
    version: manifest.version,
    blocks: live.length,
    profiles: live.reduce((sum, block) => sum + block.profileCount, 0),
    carries: plan.carries.length,
    leftOut,
  };
}

type LeftOut = { push(entry: { name: string; reason: string }): void };

interface SizedCarry extends FoundCarry {
  readonly sizeBytes: number;
  readonly hasDeleted: boolean;
}

interface SizedBlock extends FoundBlock {
  readonly block: ManifestBlock;
}

async function findBlocks(
  bucket: Bucket,
  tenantId: string,
  leftOut: LeftOut,
): Promise<Map<string, SizedBlock>> {
  const found = new Map<string, SizedBlock>();
  for (const blockId of await bucket.listFolders(blocksPrefix(tenantId))) {
    const name = `block ${blockId}`;
    try {
      const { meta } = await openBlock(bucket, tenantId, blockId);
      const [finding] = await verifyBlock(bucket, tenantId, blockId);
      if (finding !== undefined) {
        leftOut.push({ name, reason: `${finding.code} ${finding.message}` });
        continue;
      }
      const block = await manifestBlock(bucket, meta, blockPrefix(tenantId, blockId));
      found.set(blockId, { blockId, lineage: meta.lineage, block });
    } catch (error) {
      const e = StoreError.from(error);
      if (e.kind === 'not-found') leftOut.push({ name, reason: 'it was never finished' });
      else if (e.kind === 'corrupt' && !isNewer(e))
        leftOut.push({ name, reason: `${e.code} ${e.message}` });
      else throw error;
    }
  }
  return found;
}

async function findCarries(
  bucket: Bucket,
  tenantId: string,
  leftOut: LeftOut,
): Promise<Map<string, SizedCarry>> {
  const found = new Map<string, SizedCarry>();
  for await (const { key, sizeBytes } of bucket.list({ prefix: carryPrefix(tenantId) })) {
    try {
      const { body } = await bucket.get(key);
      const { service, lineage } = decodeCarryOrigin(body);
      const { series } = decodeCarry({ service, objectKey: key }, body);
      const hasDeleted = hasDeletedRows(series);
      found.set(key, { objectKey: key, service, lineage, sizeBytes, hasDeleted });
    } catch (error) {
      const e = StoreError.from(error);
      if (e.kind !== 'corrupt' || isNewer(e)) throw error;
      leftOut.push({ name: `carry ${key}`, reason: `${e.code} ${e.message}` });
    }
  }
  return found;
}
