import { corrupt, isKind, StoreError } from '../base/errors.js';
import { verifyBlock } from '../block/verify.js';
import { bytesBefore } from '../head/log-position.js';
import { SegmentReader } from '../head/segment-reader.js';
import { HEADER_BYTES } from '../log/segment-format.js';
import type { SegmentPosition } from '../log/segment-view.js';
import { decodeCarry } from '../manifest/carry.js';
import { ManifestStore } from '../manifest/manifest-store.js';
import { BLOCKS_PREFIX, tenantFromPathPart } from '../manifest/object-keys.js';
import type { Manifest } from '../manifest/types.js';
import type { Bucket } from '../objstore/bucket.js';
import { onlyCopiesOf, type OnlyCopyPlace } from './only-copies.js';
import type { Place } from './place.js';

const MANIFEST_LOST = 'PS_MANIFEST_LOST';

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
  const owned = { ...place, manifests };
  const tenants = await manifests.tenants();
  const whole: Manifest[] = [];
  for (const tenantId of tenants) {
    await check(`manifest of ${tenantId}`, async () => {
      const manifest = await manifests.load(tenantId);
      whole.push(manifest);
      for (const { blockId } of manifest.blocks) {
        await check(`block ${blockId}`, async () => {
          for (const { code, message } of await verifyBlock(bucket, tenantId, blockId)) {
            findings.push({ part: `block ${blockId}`, code, message });
          }
        });
      }
      for (const { service, objectKey } of manifest.carries) {
        await check(`carry ${objectKey}`, async () =>
          decodeCarry({ service, objectKey }, (await bucket.get(objectKey)).body),
        );
      }
      await checkNotLost(owned, tenantId);
    });
  }
  for (const tenantId of await tenantsWithBlocks(bucket)) {
    if (tenants.includes(tenantId)) continue;
    await check(`manifest of ${tenantId}`, () => checkNotLost(owned, tenantId));
  }
  await verifySegments(find, place, check, findings);
  // What a damaged or lost manifest consumed is not known: that is one finding, and it is there.
  const areKnown =
    whole.length === tenants.length && findings.every((f) => f.code !== MANIFEST_LOST);
  if (areKnown) findings.push(...(await missingAtFront(place, whole)));
  return findings;
}

async function tenantsWithBlocks(bucket: Bucket): Promise<string[]> {
  const parts = await bucket.listFolders(BLOCKS_PREFIX);
  return parts.map(tenantFromPathPart).filter((tenantId) => tenantId !== undefined);
}

/** Blocks that no manifest names are left by compactions that were cut off, unless they are the only copy of something. */
async function checkNotLost(place: OnlyCopyPlace, tenantId: string): Promise<void> {
  const [first, ...more] = await onlyCopiesOf(place, tenantId);
  if (first === undefined) return;
  const others = more.length === 0 ? '' : ` (and ${more.length} more)`;
  throw corrupt(
    MANIFEST_LOST,
    `cannot find all blocks of tenant ${tenantId} in its manifest: got block ${first.blockId}${others}, which it does not name, and ${first.reason}; want it named (basalt verify --rebuild-manifest makes a manifest from the blocks)`,
  );
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
    findings.push(...missingBefore(place, position));
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

/** The log is deleted from its front on: a segment that is missing between others was removed by someone else. */
function missingBefore({ position }: Place, { instance, sequence }: SegmentPosition): Finding[] {
  const own = position.segments.filter((s) => s.instance === instance).map((s) => s.sequence);
  const before = own.filter((other) => other < sequence);
  const last = Math.max(...before);
  if (before.length === 0 || last === sequence - 1) return [];
  return [
    {
      part: `segment ${instance}/${last + 1}`,
      code: 'PS_SEGMENT_MISSING',
      message: `cannot find segments ${last + 1} to ${sequence - 1} of log ${instance}: got ${last} and ${sequence}; want all between them`,
    },
  ];
}

/**
 * The oldest segment says how long the one before it was. Where that held something, some tenant has consumed it, unless
 * someone else removed it: by hand, or by copying the log after the manifests.
 */
async function missingAtFront(
  { layout, environment, position }: Place,
  manifests: readonly Manifest[],
): Promise<Finding[]> {
  const [first] = position.segments;
  if (first === undefined) return [];
  const { instance, sequence } = first;
  if ((await bytesBefore(environment.files, layout.logDir, first)) <= HEADER_BYTES) return [];
  const isConsumed = manifests.some(({ watermarks }) =>
    watermarks.some((w) => w.instance === instance && w.sequence >= sequence - 1),
  );
  if (isConsumed) return [];
  return [
    {
      part: `segment ${instance}/${sequence - 1}`,
      code: 'PS_SEGMENT_MISSING',
      message: `cannot find segment ${sequence - 1} of log ${instance}: got ${sequence} as the oldest; want those before it there or consumed by a tenant`,
    },
  ];
}
