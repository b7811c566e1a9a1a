/**
 * Deletes what a selector takes in a range of time: by one commit to the manifest, which queries, compaction and
 * de-duplication read their data through (manifest/series-removal.ts) until compaction has left it out for good.
 */
import { invalid, isKind, StoreError } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import { markBlock } from '../compaction/deletions.js';
import type { IngestApi } from '../ingest/api.js';
import type { SegmentPosition } from '../log/segment-view.js';
import { ManifestStore } from '../manifest/manifest-store.js';
import type { Manifest, SeriesTombstone, Watermark } from '../manifest/types.js';
import { PROFILE_TYPE, PROFILE_TYPE_PARTS, SERVICE_NAME } from '../model/labels.js';
import { TENANT_DEFAULT, checkTenantId } from '../model/tenant-id.js';
import type { Bucket } from '../objstore/bucket.js';
import { compileSelector } from '../symbols/select.js';
import { checkSums } from './deletion-sums.js';
import type { Environment } from './options.js';

/** Profile starts [startMs, endMs), unix milliseconds. */
export interface DeleteRequest {
  /** Default `anonymous`. */
  readonly tenantId?: string;
  /** At least one matcher. Matchers about samples' own labels delete those samples only. */
  readonly selector: string;
  /** Default: everything before `endMs`. */
  readonly startMs?: number;
  /** Exclusive. Default: everything since `startMs`. */
  readonly endMs?: number;
}

/** A deletion that compaction has not applied everywhere yet. */
export interface Deletion {
  readonly id: number;
  readonly tenantId: string;
  readonly selector: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly createdMs: number;
  /** Blocks that are still read through it. */
  readonly blocks: number;
}

/** What a call that deletes answers. */
export interface DeletionResult extends Deletion {
  /**
   * Blocks that hold old profiles as sums without a label that the selector names: what it takes stays in those sums.
   */
  readonly sumsKept: number;
}

/** Greatest time in milliseconds whose nanoseconds fit in 64 bits. */
const TIME_MS_MAX = 9_223_372_036_854;
const COMMIT_ATTEMPTS = 16;

export interface DeletionPlace {
  readonly bucket: Bucket;
  readonly environment: Environment;
}

/** Throws `invalid` PS_DELETE_*, PS_TENANT, PS_SELECTOR_*, `limit` PS_TOMBSTONES, and what a commit does. */
export async function deleteProfiles(
  { ingest, ...place }: DeletionPlace & { readonly ingest: IngestApi },
  request: DeleteRequest,
): Promise<DeletionResult> {
  const manifests = manifestsOf(place);
  const { tenantId, selector, startMs, endMs } = checked(request);
  // Sealed, so that a segment lies before the deletion or after it, and never on both sides.
  const { segments } = await ingest.seal();
  const covered = lastSealed(segments);
  try {
    let goneFrom = -1;
    for (let attempt = 1; ; attempt++) {
      const base = await manifests.load(tenantId);
      checkCount(base);
      const id = base.version + 1;
      const createdMs = place.environment.clock.nowMs();
      const tombstone = { id, selector, startMs, endMs, createdMs, covered };
      try {
        // A block that is gone although no newer manifest says so is damaged.
        const isLost = goneFrom === base.version;
        const range = { selector, startMs, endMs };
        const sumsKept = await checkSums(place.bucket, base, { ...range, isLost });
        const next = await manifests.commit(base, (now) => withTombstone(now, tombstone));
        return { ...deletionOf(next, tombstone), sumsKept };
      } catch (error) {
        // Another commit came first, or a block that was looked at has been compacted away.
        const isGone = isKind(error, 'not-found');
        if (isGone) goneFrom = base.version;
        const isRace = isGone || isKind(error, 'conflict');
        if (!isRace || attempt >= COMMIT_ATTEMPTS) throw error;
      }
    }
  } finally {
    // Also after a failure: the commit may have happened all the same.
    await ingest.deleted(tenantId);
  }
}

/** Deletions of a tenant that are not applied everywhere yet, oldest first. */
export async function listDeletions(
  place: DeletionPlace,
  tenantId: string,
): Promise<readonly Deletion[]> {
  const manifest = await manifestsOf(place).load(tenantId);
  return manifest.seriesTombstones.map((tombstone) => deletionOf(manifest, tombstone));
}

function manifestsOf({ bucket, environment }: DeletionPlace): ManifestStore {
  return new ManifestStore({ bucket, clock: environment.clock, rng: environment.rng });
}

export function deletionOf(manifest: Manifest, tombstone: SeriesTombstone): Deletion {
  const { id, selector, startMs, endMs, createdMs } = tombstone;
  const blocks = manifest.blocks.filter((b) => b.seriesTombstones.includes(id)).length;
  return { id, tenantId: manifest.tenantId, selector, startMs, endMs, createdMs, blocks };
}

function checked(request: DeleteRequest): Required<DeleteRequest> {
  const tenantId = request.tenantId ?? TENANT_DEFAULT;
  checkTenantId(tenantId);
  const { selector, startMs = -TIME_MS_MAX, endMs = TIME_MS_MAX } = request;
  const matchers = compileSelector(selector);
  if (matchers.length === 0) {
    throw invalid(
      'PS_DELETE_SELECTOR',
      'cannot delete: got a selector that takes everything; want at least one matcher, {service_name=~".+"} for all',
    );
  }
  const typed = matchers.find(
    ({ name }) => name === PROFILE_TYPE || PROFILE_TYPE_PARTS.includes(name),
  );
  if (typed !== undefined) {
    throw invalid(
      'PS_DELETE_SELECTOR',
      `cannot delete: got a matcher of ${typed.name}; want none: a profile is deleted with all of its sample types`,
    );
  }
  for (const [name, value] of Object.entries({ startMs, endMs })) {
    if (Number.isSafeInteger(value) && Math.abs(value) <= TIME_MS_MAX) continue;
    throw invalid('PS_DELETE_RANGE', `cannot delete: got ${name} ${value}; want unix milliseconds`);
  }
  if (startMs >= endMs) {
    throw invalid(
      'PS_DELETE_RANGE',
      `cannot delete: got the range ${startMs} to ${endMs}; want a start before the end`,
    );
  }
  return { tenantId, selector, startMs, endMs };
}

function checkCount({ tenantId, seriesTombstones }: Manifest): void {
  if (seriesTombstones.length < LIMITS.seriesTombstonesMax) return;
  throw new StoreError({
    kind: 'limit',
    code: 'PS_TOMBSTONES',
    message: `cannot delete: got ${seriesTombstones.length} deletions of tenant ${tenantId} that compaction has yet to apply; want less than ${LIMITS.seriesTombstonesMax}`,
  });
}

function lastSealed(segments: readonly SegmentPosition[]): readonly Watermark[] {
  const last = new Map<string, number>();
  for (const { instance, sequence, sealed } of segments) {
    if (sealed && sequence > (last.get(instance) ?? 0)) last.set(instance, sequence);
  }
  return [...last].map(([instance, sequence]) => ({ instance, sequence }));
}

function withTombstone(now: Manifest, tombstone: SeriesTombstone): Manifest {
  const isAbout = serviceTest(tombstone.selector);
  return {
    ...now,
    blocks: now.blocks.map((block) => markBlock(block, tombstone)),
    carries: now.carries.map((carry) =>
      isAbout(carry.service)
        ? { ...carry, seriesTombstones: [...carry.seriesTombstones, tombstone.id] }
        : carry,
    ),
    seriesTombstones: [...now.seriesTombstones, tombstone],
  };
}

/** Whether a selector may take something of a service. */
function serviceTest(selector: string): (service: string) => boolean {
  const own = compileSelector(selector).filter((matcher) => matcher.name === SERVICE_NAME);
  return (service) => own.every((matcher) => matcher.test(service));
}
