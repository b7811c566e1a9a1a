import { corrupt, isKind, StoreError } from '../base/errors.js';
import { openBlock } from '../block/reader.js';
import { verifyBlock } from '../block/verify.js';
import { SegmentReader } from '../head/segment-reader.js';
import { decodeCarry } from '../manifest/carry.js';
import { ManifestStore } from '../manifest/manifest-store.js';
import { BLOCKS_PREFIX, blocksPrefix, tenantFromPathPart } from '../manifest/object-keys.js';
import type { Bucket } from '../objstore/bucket.js';
import type { Place } from './place.js';

/** One thing that is wrong. */
export interface Finding {
  /** `block ...`, `segment ...`, `manifest ...`, `carry ...` */
  readonly part: string;
  readonly code: string;
  readonly message: string;
}

/**
 * Checks manifests, blocks, carries and segments: every checksum, and every invariant that can be seen in one object.
 * `find` is asked again when a segment is gone: compaction may have deleted it meanwhile.
 */
export async function verifyPlace(find: () => Promise<Place>): Promise<readonly Finding[]> {
  const place = await find();
  const { bucket, environment } = place;
  const findings: Finding[] = [];
  const check = async (part: string, work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      const { kind, code, message } = StoreError.from(error);
      if (kind !== 'corrupt' && kind !== 'not-found') throw error;
      findings.push({ part, code, message });
    }
  };
  const manifests = new ManifestStore({ bucket, clock: environment.clock, rng: environment.rng });
  for (const tenantId of await manifests.tenants()) {
    await check(`manifest of ${tenantId}`, async () => {
      const manifest = await manifests.load(tenantId);
      for (const { blockId } of manifest.blocks) {
        await check(`block ${blockId}`, async () => {
          for (const { code, message } of await verifyBlock(bucket, tenantId, blockId)) {
            findings.push({ part: `block ${blockId}`, code, message });
          }
        });
      }
      for (const { service, objectKey } of manifest.carries) {
        await check(`carry ${objectKey}`, async () =>
          decodeCarry(service, (await bucket.get(objectKey)).body),
        );
      }
    });
  }
  for (const tenantId of await tenantsWithBlocks(bucket)) {
    await check(`manifest of ${tenantId}`, () => checkNotLost(bucket, manifests, tenantId));
  }
  await verifySegments(find, place, check, findings);
  return findings;
}

async function tenantsWithBlocks(bucket: Bucket): Promise<string[]> {
  const parts = await bucket.listFolders(BLOCKS_PREFIX);
  return parts.map(tenantFromPathPart).filter((tenantId) => tenantId !== undefined);
}

/** Blocks without a manifest are left by a first compaction that was cut off, unless one was made on a manifest. */
async function checkNotLost(
  bucket: Bucket,
  manifests: ManifestStore,
  tenantId: string,
): Promise<void> {
  if ((await manifests.tenants()).includes(tenantId)) return;
  // Throws by itself when there was one for long enough.
  await manifests.load(tenantId);
  for (const blockId of await bucket.listFolders(blocksPrefix(tenantId))) {
    const meta = await openBlock(bucket, tenantId, blockId).then(
      (block) => block.meta,
      (error: unknown) => {
        if (isKind(error, 'not-found') || isKind(error, 'corrupt')) return undefined;
        throw error;
      },
    );
    const base = meta?.lineage.baseVersion ?? 0;
    if (base === 0) continue;
    throw corrupt(
      'PS_MANIFEST_LOST',
      `cannot read manifest of tenant ${tenantId}: got none and block ${blockId}, which was made on version ${base}; want it (basalt verify --rebuild-manifest makes one from the blocks)`,
    );
  }
}

async function verifySegments(
  find: () => Promise<Place>,
  place: Place,
  check: (part: string, work: () => Promise<unknown>) => Promise<void>,
  findings: Finding[],
): Promise<void> {
  const { files } = place.environment;
  const reader = new SegmentReader({ files, dir: place.layout.logDir, cacheBytesMax: 0 });
  for (const position of place.position.segments) {
    const part = `segment ${position.instance}/${position.sequence}`;
    await check(part, async () => {
      try {
        await reader.view(position);
      } catch (error) {
        if (!isKind(error, 'not-found')) throw error;
        const { instance, sequence } = position;
        const { segments } = (await find()).position;
        if (segments.some((s) => s.instance === instance && s.sequence === sequence)) throw error;
      }
    });
    const dir = `${place.layout.logDir}/${position.instance}`;
    try {
      for (const { name } of await files.list(dir)) {
        if (!name.endsWith('.damaged') || findings.some((f) => f.part === `file ${name}`)) continue;
        findings.push({
          part: `file ${name}`,
          code: 'PS_SEGMENT_QUARANTINED',
          message: `cannot read a part of the log: got damage that an earlier start set aside; want it looked at and removed`,
        });
      }
    } catch (error) {
      if (!isKind(error, 'not-found')) throw error;
    }
  }
}
