/**
 * `basalt verify --repair`: puts aside what is damaged, so that the rest works again, and says what was lost with it.
 *
 * Nothing is deleted. Blocks and carries go to `quarantine/<tenant>/…` in the bucket: copied, then taken out of the
 * manifest by one commit, then removed from their old place; a crash in between leaves orphans at worst. Damaged
 * segments keep their whole commits, as at every start; the files as they were go to `quarantine/log/…` in the
 * directory.
 */
import { isKind, StoreError } from '../base/errors.js';
import { blockPrefix, openBlock } from '../block/reader.js';
import { verifyBlock } from '../block/verify.js';
import type { FileSystem } from '../env/files.js';
import { findInstance } from '../log/local-log.js';
import { lostProfiles } from '../log/damaged-segment.js';
import { recoverSegments } from '../log/recover.js';
import { segmentSequence } from '../log/segment-format.js';
import { decodeCarry } from '../manifest/carry.js';
import { quarantineKey } from '../manifest/quarantine-keys.js';
import type { Manifest, ManifestBlock } from '../manifest/types.js';
import type { Bucket } from '../objstore/bucket.js';
import { copyObject } from '../objstore/copy-object.js';
import { isNewer } from './newer-format.js';
import type { MaintenancePlace } from './maintenance-place.js';

/** One damaged thing that was put aside. Times are unix milliseconds, both inclusive; absent where nobody can tell. */
export interface LostPart {
  /** `block …`, `carry …`, `segment …` */
  readonly part: string;
  readonly code: string;
  readonly message: string;
  readonly movedTo: string;
  readonly tenantId?: string;
  readonly services?: readonly string[];
  readonly profiles?: number;
  readonly start?: number;
  readonly end?: number;
}

export interface RepairReport {
  readonly lost: readonly LostPart[];
  /** Manifests that cannot be read: rebuild them, then repair again. */
  readonly manifests: readonly { readonly tenantId: string; readonly error: StoreError }[];
}

const COMMIT_ATTEMPTS = 8;

export async function repairStore(place: MaintenancePlace): Promise<RepairReport> {
  const lost: LostPart[] = await repairLog(place);
  const manifests: { tenantId: string; error: StoreError }[] = [];
  for (const tenantId of await place.manifests.tenants()) {
    try {
      lost.push(...(await repairTenant(place, tenantId)));
    } catch (error) {
      if (!isKind(error, 'corrupt') || isNewer(error)) throw error;
      manifests.push({ tenantId, error: StoreError.from(error) });
    }
  }
  return { lost, manifests };
}

interface Damage {
  readonly code: string;
  readonly message: string;
}

async function repairTenant(place: MaintenancePlace, tenantId: string): Promise<LostPart[]> {
  const { bucket, manifests } = place;
  const manifest = await manifests.load(tenantId);
  const lost: LostPart[] = [];
  const blocks = new Set<string>();
  const carries = new Set<string>();
  const moved: string[] = [];
  const moveAside = async (key: string): Promise<void> => {
    await copyObject(bucket, { source: key, target: quarantineKey(tenantId, key) });
    moved.push(key);
  };
  for (const block of manifest.blocks) {
    const damage = await damageOf(() => checkBlock(bucket, tenantId, block.blockId));
    if (damage === undefined) continue;
    const prefix = blockPrefix(tenantId, block.blockId);
    lost.push(
      await lostBlock(bucket, {
        tenantId,
        block,
        damage,
        movedTo: quarantineKey(tenantId, prefix),
      }),
    );
    for await (const { key } of bucket.list({ prefix })) await moveAside(key);
    blocks.add(block.blockId);
  }
  for (const { service, objectKey } of manifest.carries) {
    const read = async (): Promise<void> => {
      decodeCarry({ service, objectKey }, (await bucket.get(objectKey)).body);
    };
    const damage = await damageOf(read);
    if (damage === undefined) continue;
    const movedTo = quarantineKey(tenantId, objectKey);
    lost.push({ part: `carry ${objectKey}`, ...damage, movedTo, tenantId, services: [service] });
    await moveAside(objectKey);
    carries.add(objectKey);
  }
  if (blocks.size + carries.size > 0) await forget(place, manifest, { blocks, carries });
  for (const key of moved) await bucket.delete(key);
  return lost;
}

async function checkBlock(bucket: Bucket, tenantId: string, blockId: string): Promise<void> {
  const [first] = await verifyBlock(bucket, tenantId, blockId);
  if (first !== undefined) throw new StoreError({ kind: 'corrupt', ...first });
}

async function damageOf(check: () => Promise<void>): Promise<Damage | undefined> {
  try {
    await check();
    return undefined;
  } catch (error) {
    const { kind, code, message } = StoreError.from(error);
    if (isNewer(error) || (kind !== 'corrupt' && kind !== 'not-found')) throw error;
    return { code, message };
  }
}

async function lostBlock(
  bucket: Bucket,
  found: {
    readonly tenantId: string;
    readonly block: ManifestBlock;
    readonly damage: Damage;
    readonly movedTo: string;
  },
): Promise<LostPart> {
  const { tenantId, block, damage, movedTo } = found;
  let services: readonly string[] | undefined;
  const read = async (): Promise<void> => {
    const { meta } = await openBlock(bucket, tenantId, block.blockId);
    services = meta.services.map((s) => s.service);
  };
  await damageOf(read);
  return {
    part: `block ${block.blockId}`,
    ...damage,
    movedTo,
    tenantId,
    ...(services === undefined ? {} : { services }),
    profiles: block.profileCount,
    start: Number(block.startNsMin / 1_000_000n),
    end: Number(block.startNsMax / 1_000_000n),
  };
}

/** One commit without what was put aside. The series of a lost carry start anew. */
async function forget(
  { manifests }: MaintenancePlace,
  manifest: Manifest,
  {
    blocks,
    carries,
  }: { readonly blocks: ReadonlySet<string>; readonly carries: ReadonlySet<string> },
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const base = attempt === 1 ? manifest : await manifests.load(manifest.tenantId);
    try {
      await manifests.commit(base, (m) => ({
        ...m,
        blocks: m.blocks.filter((b) => !blocks.has(b.blockId)),
        carries: m.carries.filter((c) => !carries.has(c.objectKey)),
      }));
      return;
    } catch (error) {
      if (!isKind(error, 'conflict') || attempt >= COMMIT_ATTEMPTS) throw error;
    }
  }
}

/** A name that no earlier repair took. */
async function freePath(files: FileSystem, path: string): Promise<string> {
  for (let n = 1; ; n++) {
    const candidate = n === 1 ? path : `${path}-${n}`;
    try {
      await files.stat(candidate);
    } catch (error) {
      if (isKind(error, 'not-found')) return candidate;
      throw error;
    }
  }
}

/** As a start does it; then the copies of damaged files are taken out of the log's way. */
async function repairLog({ layout, environment }: MaintenancePlace): Promise<LostPart[]> {
  const { files, clock } = environment;
  let instance: string | undefined;
  try {
    instance = await findInstance(files, layout.logDir);
  } catch (error) {
    if (!isKind(error, 'not-found')) throw error;
  }
  if (instance === undefined) return [];
  const dir = `${layout.logDir}/${instance}`;
  await recoverSegments({ files, clock, dir, instance });
  const lost: LostPart[] = [];
  const quarantine = `${layout.dir}/quarantine/log/${instance}`;
  for (const { name } of await files.list(dir)) {
    const [segment] = name.split('.damaged');
    const sequence = name.includes('.damaged') ? segmentSequence(segment ?? '') : undefined;
    if (sequence === undefined) continue;
    const path = `${dir}/${name}`;
    const profiles = await lostProfiles(files, { path, sequence });
    await files.makeDir(quarantine);
    const movedTo = await freePath(files, `${quarantine}/${name}`);
    await files.rename(path, movedTo);
    const about = {
      part: `segment ${instance}/${sequence}`,
      code: 'PS_SEGMENT_QUARANTINED',
      message: 'cannot read a part of the segment: got damage; want whole commits, which were kept',
      movedTo,
    };
    if (profiles === undefined) lost.push(about);
    for (const { tenantId, service, profiles: count, startNsMin, startNsMax } of profiles ?? []) {
      lost.push({
        ...about,
        tenantId,
        services: [service],
        profiles: count,
        start: Number(startNsMin / 1_000_000n),
        end: Number(startNsMax / 1_000_000n),
      });
    }
  }
  return lost;
}
