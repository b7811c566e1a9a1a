/**
 * Blocks that could not be read when they were to be merged: left out of plans for a while, so that the others are merged
 * and garbage is collected all the same. Queries say that they are partial, `basalt verify --repair` puts them aside.
 */
import { isKind, StoreError } from '../base/errors.js';
import { verifyBlock } from '../block/verify.js';
import type { Clock } from '../env/clock.js';
import type { ManifestBlock } from '../manifest/types.js';
import type { Bucket } from '../objstore/bucket.js';

/** After it they are tried again: someone may have put the object back. */
const SET_ASIDE_MS = 3_600_000;

export class DamagedBlocks {
  readonly #bucket: Bucket;
  readonly #clock: Clock;
  /** Until when each is left out. Ids are never used twice, whatever the tenant. */
  readonly #until = new Map<string, number>();

  constructor({ bucket, clock }: { readonly bucket: Bucket; readonly clock: Clock }) {
    this.#bucket = bucket;
    this.#clock = clock;
  }

  /** Those to leave out now. */
  ids(): ReadonlySet<string> {
    const nowMs = this.#clock.nowMs();
    for (const [blockId, untilMs] of this.#until) {
      if (untilMs <= nowMs) this.#until.delete(blockId);
    }
    return new Set(this.#until.keys());
  }

  /** Reads all of the blocks after `error`, and sets those aside that are damaged; false when none is. */
  async setAside(
    tenantId: string,
    blocks: readonly ManifestBlock[],
    error: unknown,
  ): Promise<boolean> {
    if (!isDamage(error)) return false;
    let isFound = false;
    for (const { blockId } of blocks) {
      if (!(await this.#isDamaged(tenantId, blockId))) continue;
      this.#until.set(blockId, this.#clock.nowMs() + SET_ASIDE_MS);
      isFound = true;
    }
    return isFound;
  }

  async #isDamaged(tenantId: string, blockId: string): Promise<boolean> {
    try {
      return (await verifyBlock(this.#bucket, tenantId, blockId)).length > 0;
    } catch (error) {
      if (isDamage(error)) return true;
      throw StoreError.from(error);
    }
  }
}

function isDamage(error: unknown): boolean {
  return isKind(error, 'corrupt') || isKind(error, 'not-found');
}
