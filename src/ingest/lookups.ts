/** What the blocks answered for one request, and whether that still holds. */
import type { BlockLookup } from './block-lookup.js';
import type { LogNumbers } from './log-numbers.js';
import type { SeriesRegistry, SeriesState } from './series-registry.js';
import type { StoredIn } from './stored-in.js';

/** A profile as one of its series has it. */
export interface ProfileRef {
  readonly state: SeriesState;
  /** `profileKey`. */
  readonly key: string;
  readonly startNs: bigint;
  readonly profileId: string;
}

/** Deletions of profiles that are still in the log. */
export interface Deletions {
  /** Whether the registry has forgotten what they cover. */
  areKnown(tenantId: string): boolean;
  learn(tenantId: string): Promise<void>;
}

export type Verdict =
  | { readonly kind: 'new' }
  /** `stored` is undefined when it is in a block. */
  | { readonly kind: 'known'; readonly stored: StoredIn | undefined }
  /** The blocks must be asked first. */
  | { readonly kind: 'ask' };

const NEW: Verdict = { kind: 'new' };
const ASK: Verdict = { kind: 'ask' };
const IN_BLOCK: Verdict = { kind: 'known', stored: undefined };

export class Lookups {
  readonly #store: BlockLookup;
  readonly #registry: SeriesRegistry;
  readonly #tenantId: string;
  /** By series key and `profileKey`. */
  #answers: Map<string, { readonly epoch: number; readonly isContained: boolean }> | undefined;
  attempts = 0;

  readonly #deletions: Deletions;
  readonly #numbers: Pick<LogNumbers, 'pass'>;

  constructor(
    parts: {
      readonly store: BlockLookup;
      readonly registry: SeriesRegistry;
      readonly deletions: Deletions;
      readonly numbers: Pick<LogNumbers, 'pass'>;
    },
    tenantId: string,
  ) {
    this.#store = parts.store;
    this.#registry = parts.registry;
    this.#deletions = parts.deletions;
    this.#numbers = parts.numbers;
    this.#tenantId = tenantId;
  }

  verdict(profile: ProfileRef): Verdict {
    const { state, key, startNs } = profile;
    const stored = state.profiles.get(key);
    // What is in the log may have been deleted. What is on its way there is younger than any deletion known of.
    if (stored !== undefined && stored.sequence > 0 && !this.#deletions.areKnown(this.#tenantId))
      return ASK;
    if (stored !== undefined) return { kind: 'known', stored };
    if (!state.isLookedUp) return ASK;
    if (state.blocksLastNs === undefined || startNs > state.blocksLastNs) return NEW;
    const answer = this.#answers?.get(state.key + key);
    if (answer === undefined || answer.epoch !== this.#registry.epoch(this.#tenantId)) return ASK;
    return answer.isContained ? IN_BLOCK : NEW;
  }

  /**
   * Asks what `verdict` lacks. An answer counts only if nothing of the tenant moved from memory to its blocks while it
   * was under way: else there would be a moment at which neither of the two was asked about a profile.
   */
  async ask(profile: ProfileRef): Promise<void> {
    const { state, key, startNs, profileId } = profile;
    const tenantId = this.#tenantId;
    this.attempts++;
    const epoch = this.#registry.epoch(tenantId);
    const seriesKey = state.key;
    await this.#numbers.pass(tenantId);
    if (!this.#deletions.areKnown(tenantId)) await this.#deletions.learn(tenantId);
    if (!state.isLookedUp) {
      const last = await this.#store.lastStartNs(tenantId, seriesKey);
      if (this.#registry.epoch(tenantId) !== epoch) return;
      state.isLookedUp = true;
      if (last !== undefined && (state.blocksLastNs === undefined || last > state.blocksLastNs)) {
        state.blocksLastNs = last;
      }
    }
    if (state.blocksLastNs === undefined || startNs > state.blocksLastNs) return;
    const isContained = await this.#store.contains({ tenantId, seriesKey, startNs, profileId });
    if (this.#registry.epoch(tenantId) !== epoch) return;
    this.#answers ??= new Map();
    this.#answers.set(seriesKey + key, { epoch, isContained });
  }
}
