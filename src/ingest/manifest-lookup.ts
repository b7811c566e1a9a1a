/**
 * `BlockLookup` over the blocks that a manifest names. Series tables are kept for all live blocks (a few bytes a
 * series); profile tables, which only profiles older than their series' newest ask for, are kept for the last few.
 *
 * A block that is damaged or gone answers nothing: what it had is missing from answers anyway, and refusing every profile
 * of its tenant until someone repairs it would lose those too.
 */
import { isKind } from '../base/errors.js';
import type { BlockProfiles, BlockReader } from '../block/types.js';
import { seriesFromKey } from '../log/series-key.js';
import type { ManifestStore } from '../manifest/manifest-store.js';
import { Removals, tombstonesOf } from '../manifest/series-removal.js';
import type { Manifest, SeriesTombstone } from '../manifest/types.js';
import { sequenceOf } from '../manifest/watermarks.js';
import { seriesKey } from '../model/series.js';
import type { BlockLookup, StoredProfileKey } from './block-lookup.js';

export interface ManifestLookupOptions {
  readonly manifests: ManifestStore;
  readonly openBlock: (tenantId: string, blockId: string) => Promise<BlockReader>;
  /** Profiles of blocks whose tables are kept. Default 262,144 (about 20 MB). */
  readonly profilesKept?: number;
}

const PROFILES_KEPT = 262_144;

interface KnownBlock {
  readonly reader: BlockReader;
  /** Number in the block and latest start of each series, by key. */
  readonly series: ReadonlyMap<string, { readonly number: number; readonly startNsMax: bigint }>;
  profiles?: Promise<ProfileTable>;
}

interface ProfileTable {
  readonly profiles: BlockProfiles;
  readonly ids: readonly string[];
}

/** `cut`: some samples of it are deleted, so that the next merge drops it if they were all. */
type Found = 'whole' | 'cut' | 'none';

interface TenantBlocks {
  readonly manifest: Manifest;
  /** Undefined for one that is damaged. */
  readonly blocks: Map<string, Promise<KnownBlock | undefined>>;
}

export class ManifestLookup implements BlockLookup {
  readonly #manifests: ManifestStore;
  readonly #openBlock: ManifestLookupOptions['openBlock'];
  readonly #profilesKept: number;
  readonly #tenants = new Map<string, Promise<TenantBlocks>>();
  /** Blocks whose profile tables are kept, least recently used first. */
  readonly #recent = new Set<KnownBlock>();

  constructor(options: ManifestLookupOptions) {
    this.#manifests = options.manifests;
    this.#openBlock = options.openBlock;
    this.#profilesKept = options.profilesKept ?? PROFILES_KEPT;
  }

  /** The tenant's manifest has changed: the next question reads it anew. Call before what a block now covers is forgotten elsewhere. */
  invalidate(tenantId: string): void {
    const before = this.#tenants.get(tenantId);
    if (before === undefined) return;
    // Blocks are immutable, so what is known of those that stay live is kept.
    void this.#set(
      tenantId,
      before.then(
        (known) => known.blocks,
        () => new Map(),
      ),
    );
  }

  lastStartNs(tenantId: string, key: string): Promise<bigint | undefined> {
    return this.#again(tenantId, (isLast) => this.#lastStartNs({ tenantId, key, isLast }));
  }

  async contains(profile: StoredProfileKey): Promise<boolean> {
    const { tenantId } = profile;
    const find = (isLast: boolean): Promise<Found> => this.#find(profile, isLast);
    const found = await this.#again(tenantId, find);
    if (found !== 'cut') return found === 'whole';
    // A merge may have dropped it since, for nothing was left of it: that is told to nobody.
    this.invalidate(tenantId);
    return (await this.#again(tenantId, find)) !== 'none';
  }

  async consumedUpTo(tenantId: string, instance: string): Promise<number> {
    return sequenceOf((await this.#tenant(tenantId)).manifest.watermarks, instance);
  }

  async tombstones(tenantId: string): Promise<readonly SeriesTombstone[]> {
    return (await this.#tenant(tenantId)).manifest.seriesTombstones;
  }

  /** A block that was merged into another and deleted since the manifest was read is no failure: look once more. */
  async #again<T>(tenantId: string, ask: (isLast: boolean) => Promise<T>): Promise<T> {
    try {
      return await ask(false);
    } catch (error) {
      if (!isKind(error, 'not-found')) throw error;
      this.invalidate(tenantId);
      return await ask(true);
    }
  }

  async #lastStartNs(of: {
    readonly tenantId: string;
    readonly key: string;
    readonly isLast: boolean;
  }): Promise<bigint | undefined> {
    let last: bigint | undefined;
    for (const { opened } of await this.#blocksOf(of.tenantId)) {
      const startNs = (await ifThere(opened, of.isLast))?.series.get(of.key)?.startNsMax;
      if (startNs !== undefined && (last === undefined || startNs > last)) last = startNs;
    }
    return last;
  }

  async #find(
    { tenantId, seriesKey: key, startNs, profileId }: StoredProfileKey,
    isLast: boolean,
  ): Promise<Found> {
    for (const { opened, tombstones } of await this.#blocksOf(tenantId)) {
      const block = await ifThere(opened, isLast);
      if (block === undefined) continue;
      const { startNsMin, startNsMax } = block.reader.meta;
      const series = block.series.get(key);
      if (series === undefined || startNs < startNsMin || startNs > startNsMax) continue;
      // What was deleted may come again, although its rows are there until compaction has passed.
      const removed = new Removals(tombstones).of(seriesFromKey(key))?.at(startNs) ?? [];
      if (removed === 'all') continue;
      const table = await ifThere(ifSound(this.#table(block)), isLast);
      if (table === undefined) continue;
      const { profiles, ids } = table;
      for (let i = firstAt(profiles, series.number, startNs); i < profiles.count; i++) {
        if (profiles.series[i] !== series.number || profiles.startNs[i] !== startNs) break;
        if (ids[i] === profileId) return removed.length > 0 ? 'cut' : 'whole';
      }
    }
    return 'none';
  }

  #tenant(tenantId: string): Promise<TenantBlocks> {
    return this.#tenants.get(tenantId) ?? this.#set(tenantId, Promise.resolve(new Map()));
  }

  async #blocksOf(tenantId: string): Promise<
    readonly {
      readonly opened: Promise<KnownBlock | undefined>;
      readonly tombstones: readonly SeriesTombstone[];
    }[]
  > {
    const { manifest, blocks } = await this.#tenant(tenantId);
    return manifest.blocks.map((live) => {
      const opened = blocks.get(live.blockId) ?? ifSound(this.#open(tenantId, live.blockId));
      blocks.set(live.blockId, opened);
      opened.catch(() => blocks.delete(live.blockId));
      return { opened, tombstones: tombstonesOf(manifest, live) };
    });
  }

  #set(tenantId: string, blocks: Promise<TenantBlocks['blocks']>): Promise<TenantBlocks> {
    const loading = (async () => {
      const [manifest, old] = await Promise.all([this.#manifests.load(tenantId), blocks]);
      const live: TenantBlocks['blocks'] = new Map();
      for (const { blockId } of manifest.blocks) {
        const opened = old.get(blockId);
        if (opened !== undefined) live.set(blockId, opened);
      }
      return { manifest, blocks: live };
    })();
    this.#tenants.set(tenantId, loading);
    loading.catch(() => {
      if (this.#tenants.get(tenantId) === loading) this.#tenants.delete(tenantId);
    });
    return loading;
  }

  async #open(tenantId: string, blockId: string): Promise<KnownBlock> {
    const reader = await this.#openBlock(tenantId, blockId);
    const series = new Map<string, { number: number; startNsMax: bigint }>();
    for (const [number, row] of (await reader.series()).entries()) {
      series.set(seriesKey(row.series), { number, startNsMax: row.startNsMax });
    }
    return { reader, series };
  }

  async #table(block: KnownBlock): Promise<ProfileTable> {
    this.#recent.delete(block);
    this.#recent.add(block);
    block.profiles ??= Promise.all([block.reader.profiles(), block.reader.profileIds()]).then(
      ([profiles, ids]) => ({ profiles, ids }),
    );
    let kept = 0;
    for (const recent of [...this.#recent].reverse()) {
      kept += recent.reader.meta.profileCount;
      if (kept <= this.#profilesKept || recent === block) continue;
      delete recent.profiles;
      this.#recent.delete(recent);
    }
    try {
      return await block.profiles;
    } catch (error) {
      delete block.profiles;
      throw error;
    }
  }
}

/** Undefined for what is damaged. */
async function ifSound<T>(read: Promise<T>): Promise<T | undefined> {
  try {
    return await read;
  } catch (error) {
    if (isKind(error, 'corrupt')) return undefined;
    throw error;
  }
}

/** Undefined for what the newest manifest names and is gone all the same. */
async function ifThere<T>(read: Promise<T>, isLast: boolean): Promise<T | undefined> {
  try {
    return await read;
  } catch (error) {
    if (isLast && isKind(error, 'not-found')) return undefined;
    throw error;
  }
}

/** The first profile at or after (series, start): profiles are sorted so. */
function firstAt(profiles: BlockProfiles, series: number, startNs: bigint): number {
  let low = 0;
  let high = profiles.count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const s = profiles.series[middle] as number;
    if (s < series || (s === series && (profiles.startNs[middle] as bigint) < startNs))
      low = middle + 1;
    else high = middle;
  }
  return low;
}
