/**
 * Whether a block that no manifest names may be the only copy of something: made on a version that the manifest never
 * had, or from segments that neither a live block claims nor a log at hand has. That is what a manifest leaves which
 * was lost, or whose newest versions were.
 */
import { isKind, StoreError } from '../base/errors.js';
import type { SegmentRef } from '../log/segment-view.js';
import { type BlockLineage, claimRest, type LogClaim } from './lineage.js';
import type { Manifest } from './types.js';
import { sequenceOf } from './watermarks.js';

export interface OnlyCopyEvidence {
  /** Of any block; undefined for one that was never finished. Throws `corrupt` for one that is damaged. */
  readonly originOf: (tenantId: string, blockId: string) => Promise<BlockOrigin | undefined>;
  /** What the logs at hand have, listed before the manifest was read. */
  readonly logged: readonly SegmentRef[];
}

/** What the meta of a block says of its profiles. */
export interface BlockOrigin {
  readonly lineage: BlockLineage;
  /** Greatest profile start, unix nanoseconds. */
  readonly startNsMax: bigint;
}

export interface OnlyCopyReason {
  /** `unknown`: nothing shows that something is lost without it, and nothing that it is garbage. */
  readonly kind: 'only-copy' | 'unknown';
  readonly text: string;
}

export class OnlyCopies {
  readonly #evidence: OnlyCopyEvidence;
  readonly #manifest: Manifest;
  readonly #expiredNs: bigint | undefined;
  readonly #logged: ReadonlySet<string>;
  #claims: Promise<LogClaim[]> | undefined;

  /** `expiredNs`: profiles that start before are past every age, and nobody misses them. */
  constructor(evidence: OnlyCopyEvidence, manifest: Manifest, expiredNs?: bigint) {
    this.#evidence = evidence;
    this.#manifest = manifest;
    this.#expiredNs = expiredNs;
    this.#logged = new Set(evidence.logged.map(segmentName));
  }

  /** Undefined for a block that is garbage for certain. */
  async reasonOf(blockId: string): Promise<OnlyCopyReason | undefined> {
    const { tenantId, version } = this.#manifest;
    let origin: BlockOrigin | undefined;
    try {
      origin = await this.#evidence.originOf(tenantId, blockId);
    } catch (error) {
      if (!isKind(error, 'corrupt')) throw error;
      return { kind: 'unknown', text: `it cannot be read: ${StoreError.from(error).message}` };
    }
    if (origin === undefined) return undefined;
    if (this.#expiredNs !== undefined && origin.startNsMax < this.#expiredNs) return undefined;
    const { claims, baseVersion } = origin.lineage;
    if (claims.length === 0)
      return { kind: 'unknown', text: 'it does not say where it comes from' };
    const ahead = claims.find((claim) => claim.sequence > this.#newestOf(claim.instance));
    if (ahead !== undefined) {
      // As in a copy of a store at work: the log was copied first.
      const text = `it was made from segment ${ahead.sequence} of log ${ahead.instance}, and the one at hand ends before it`;
      return { kind: 'unknown', text };
    }
    const missing = await this.#missingOf(origin.lineage);
    if (missing !== undefined) return { kind: 'only-copy', text: missing };
    if (baseVersion <= version) return undefined;
    const text = `it was made on manifest version ${baseVersion}, and the newest is ${version}`;
    return { kind: version === 0 ? 'only-copy' : 'unknown', text };
  }

  /** Infinite where the log is not at hand. */
  #newestOf(instance: string): number {
    const own = this.#evidence.logged.filter((s) => s.instance === instance);
    return own.length === 0 ? Number.POSITIVE_INFINITY : Math.max(...own.map((s) => s.sequence));
  }

  async #missingOf({ claims, firstSequence }: BlockLineage): Promise<string | undefined> {
    const { watermarks } = this.#manifest;
    for (const given of claims) {
      // A block of level 1 has nothing of segments before the first that it read.
      const afterSequence = Math.max(given.afterSequence, firstSequence - 1);
      const claim = alongLog({ ...given, afterSequence });
      const consumed = sequenceOf(watermarks, claim.instance);
      const lost = this.#lostSegment(claim, firstSequence, consumed);
      if (lost !== undefined) {
        return `no log at hand has segment ${lost} of log ${claim.instance}, and the manifest does not say that it was consumed`;
      }
      const sequence = Math.min(claim.sequence, consumed);
      if (sequence <= claim.afterSequence) continue;
      const [rest] = claimRest({ ...claim, sequence }, await this.#liveClaims());
      if (rest === undefined) continue;
      return `no live block has segments ${rest.afterSequence + 1} to ${rest.sequence} of log ${rest.instance}`;
    }
    return undefined;
  }

  /** A segment of the claim that held something of the tenant, is not consumed and lies in no log at hand. */
  #lostSegment(claim: LogClaim, firstSequence: number, consumed: number): number | undefined {
    const { instance } = claim;
    return [firstSequence, claim.sequence].find(
      (sequence) =>
        sequence > consumed &&
        sequence > claim.afterSequence &&
        !this.#logged.has(segmentName({ instance, sequence })),
    );
  }

  /**
   * What the live blocks have of the log, whatever the times: which days a segment's profiles are from only the
   * compaction knew that read it.
   */
  #liveClaims(): Promise<LogClaim[]> {
    this.#claims ??= this.#readClaims();
    return this.#claims;
  }

  async #readClaims(): Promise<LogClaim[]> {
    const claims: LogClaim[] = [];
    for (const { blockId } of this.#manifest.blocks) {
      try {
        const origin = await this.#evidence.originOf(this.#manifest.tenantId, blockId);
        claims.push(...(origin?.lineage.claims ?? []).map(alongLog));
      } catch (error) {
        // A damaged block claims nothing: then more is kept.
        if (!isKind(error, 'corrupt')) throw error;
      }
    }
    return claims;
  }
}

function alongLog(claim: LogClaim): LogClaim {
  return { ...claim, startNs: 0n, endNs: 1n };
}

function segmentName({ instance, sequence }: SegmentRef): string {
  return `${instance}/${sequence}`;
}
