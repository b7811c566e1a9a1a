/**
 * Lets profiles be sent again that were deleted while they are still in the log. The registry knows them until their
 * tenant's tombstones are looked at: once after each start and after each deletion, when a retry asks for it.
 */
import type { LocalLog } from '../log/local-log.js';
import { seriesFromKey } from '../log/series-key.js';
import { coversSegment, Removals } from '../manifest/series-removal.js';
import type { BlockLookup } from './block-lookup.js';
import type { Deletions } from './lookups.js';
import type { SeriesRegistry } from './series-registry.js';

export class LogDeletions implements Deletions {
  readonly #log: Pick<LocalLog, 'segments' | 'instance'>;
  readonly #store: BlockLookup;
  readonly #registry: SeriesRegistry;
  readonly #known = new Set<string>();
  /** Grows with each deletion: what was asked for before it says nothing of it. */
  #generation = 0;

  constructor(
    log: Pick<LocalLog, 'segments' | 'instance'>,
    store: BlockLookup,
    registry: SeriesRegistry,
  ) {
    this.#log = log;
    this.#store = store;
    this.#registry = registry;
  }

  areKnown(tenantId: string): boolean {
    return this.#known.has(tenantId);
  }

  /** Call it when the manifest has a new tombstone and `BlockLookup` answers by that manifest. */
  forget(tenantId: string): void {
    this.#generation++;
    this.#known.delete(tenantId);
    this.#registry.startEpoch(tenantId);
  }

  async learn(tenantId: string): Promise<void> {
    const generation = this.#generation;
    const tombstones = await this.#store.tombstones(tenantId);
    if (generation !== this.#generation) return;
    const { instance } = this.#log;
    for (const segment of this.#log.segments) {
      if (!segment.isSealed) continue;
      const covering = tombstones.filter((t) =>
        coversSegment(t, { instance, sequence: segment.sequence }),
      );
      if (covering.length === 0) continue;
      const removals = new Removals(covering);
      this.#registry.forgetDeleted(tenantId, [segment], (key) => {
        const removal = removals.of(seriesFromKey(key));
        return removal === undefined ? undefined : (startNs) => removal.at(startNs) === 'all';
      });
    }
    this.#known.add(tenantId);
  }
}
