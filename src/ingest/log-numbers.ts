/**
 * Keeps the log's numbers ahead of what has been consumed of it. A log that was copied before its manifests, or lost its newest
 * segments, ends before a watermark: what it took under a number below that nobody would ever read.
 */
import type { LocalLog } from '../log/local-log.js';
import type { BlockLookup } from './block-lookup.js';

export class LogNumbers {
  readonly #log: Pick<LocalLog, 'segments' | 'open' | 'instance' | 'beginAfter'>;
  readonly #store: BlockLookup;
  readonly #seal: () => Promise<void>;
  readonly #passed = new Set<string>();

  constructor(
    log: Pick<LocalLog, 'segments' | 'open' | 'instance' | 'beginAfter'>,
    store: BlockLookup,
    seal: () => Promise<void>,
  ) {
    this.#log = log;
    this.#store = store;
    this.#seal = seal;
  }

  /** Once for each tenant, before it writes. */
  async pass(tenantId: string): Promise<void> {
    if (this.#passed.has(tenantId)) return;
    const consumed = await this.#store.consumedUpTo(tenantId, this.#log.instance);
    const { open, segments } = this.#log;
    const next = open?.sequence ?? (segments.at(-1)?.sequence ?? 0) + 1;
    if (consumed >= next) {
      this.#log.beginAfter(consumed);
      await this.#seal();
    }
    this.#passed.add(tenantId);
  }
}
