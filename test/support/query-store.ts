/** A query engine over blocks, segments and carries in memory, laid out as a plan says. */
import { StoreError } from '../../src/base/errors.js';
import type { BlockMeta, BlockReader } from '../../src/block/types.js';
import { systemClock } from '../../src/env/clock.js';
import type { SegmentView } from '../../src/log/segment-view.js';
import { CarryBuilder } from '../../src/manifest/carry.js';
import { emptyManifest } from '../../src/manifest/manifest-codec.js';
import type { Manifest, ManifestBlock } from '../../src/manifest/types.js';
import { seriesKey } from '../../src/model/series.js';
import { type QueryEngine, type QuerySettings, openQueryEngine } from '../../src/query/engine.js';
import { keyContentIds } from '../../src/symbols/content-id.js';
import { plainDeltas } from './plain-query.js';
import { blockOrder, memoryBlock, memorySegment, type PlainProfile } from './plain-store.js';
import { symbolsOf } from './symbols.js';

export const TENANT = 'anonymous';

export interface Layout {
  /** Profiles that start before this are in blocks. */
  readonly consumedBeforeNs: bigint;
  /** Which of the blocks or segments profile i (in the order given) goes to. */
  readonly placeOf: (index: number) => number;
  readonly settings?: QuerySettings;
}

export interface MemoryStore {
  readonly engine: QueryEngine;
  readonly blocks: Map<string, BlockReader>;
  readonly views: Map<number, SegmentView>;
  manifest: Manifest;
}

const PLACES = 3;

export function memoryStore(profiles: readonly PlainProfile[], layout: Layout): MemoryStore {
  const consumed = profiles.filter((p) => p.startNs < layout.consumedBeforeNs);
  const rest = profiles.filter((p) => p.startNs >= layout.consumedBeforeNs);
  const blocks = new Map<string, BlockReader>();
  const deltas = plainDeltas(consumed);
  for (let place = 0; place < PLACES; place++) {
    const own = deltas.filter((_, i) => layout.placeOf(i) % PLACES === place);
    const blockId = `block-${place}`;
    if (own.length > 0) blocks.set(blockId, memoryBlock({ blockId, tenantId: TENANT }, own));
  }
  const views = new Map<number, SegmentView>();
  const place = { instance: 'i', tenantId: TENANT };
  // Segment 1 holds what the blocks have: the watermark covers it. The last one is of another tenant.
  views.set(1, memorySegment({ ...place, sequence: 1 }, consumed));
  for (let p = 0; p < PLACES; p++) {
    const own = rest.filter((_, i) => layout.placeOf(i) % PLACES === p);
    views.set(2 + p, memorySegment({ ...place, sequence: 2 + p }, own));
  }
  const other = { ...place, tenantId: 'other', sequence: 2 + PLACES };
  views.set(2 + PLACES, memorySegment(other, profiles));
  const objects = new Map<string, Uint8Array>();
  const manifest: Manifest = {
    ...emptyManifest(TENANT),
    version: 1,
    blocks: [...blocks.values()].map(({ meta }) => manifestLine(meta)),
    watermarks: [{ instance: 'i', sequence: 1 }],
    carries: carriesOf(consumed, objects),
  };
  const store: Omit<MemoryStore, 'engine'> = { blocks, views, manifest };
  const notFound = (what: string): StoreError =>
    new StoreError({ kind: 'not-found', code: 'PS_OBJECT_NOT_FOUND', message: `no ${what}` });
  const engine = openQueryEngine(
    {
      clock: systemClock,
      bucket: {
        get: async (key) => {
          const body = objects.get(key);
          if (body === undefined) throw notFound(key);
          return { body, etag: '' };
        },
      },
      manifests: { load: async () => store.manifest },
      blocks: {
        open: async (_, blockId) => {
          const block = store.blocks.get(blockId);
          if (block === undefined) throw notFound(blockId);
          return block;
        },
      },
      segments: {
        view: async ({ sequence }) => {
          const view = store.views.get(sequence);
          if (view === undefined) throw notFound(`segment ${sequence}`);
          return view;
        },
      },
      position: async () => ({ segments: [...store.views.values()].map((v) => v.position) }),
    },
    layout.settings,
  );
  return Object.assign(store, { engine });
}

/** The line of the manifest for a block that nothing was deleted from. */
export function manifestLine(meta: BlockMeta): ManifestBlock {
  return { ...meta, sizeBytes: 0, symbolBytes: 0, seriesTombstones: [], retentionStamp: '' };
}

function carriesOf(
  consumed: readonly PlainProfile[],
  objects: Map<string, Uint8Array>,
): Manifest['carries'] {
  const builders = new Map<string, CarryBuilder>();
  const last = new Map<string, PlainProfile>();
  for (const p of [...consumed].sort(blockOrder)) {
    const before = last.get(seriesKey(p.series));
    const isLater = before === undefined || p.startNs > before.startNs;
    if (isLater && p.flags === 0) last.set(seriesKey(p.series), p);
  }
  for (const [key, p] of last) {
    if (!p.series.sampleTypes.some((t) => t.temporality === 'cumulative')) continue;
    const builder = builders.get(p.series.service) ?? new CarryBuilder(p.series.service);
    builders.set(p.series.service, builder);
    const column = (c: number): BigInt64Array =>
      BigInt64Array.from(p.samples, (s) =>
        p.series.sampleTypes[c]?.temporality === 'cumulative' ? (s.values[c] ?? 0n) : 0n,
      );
    const rows = {
      startNs: p.startNs,
      rowCount: p.samples.length,
      key: Int32Array.from(p.samples, (_, i) => i),
      values: [column(0), column(1), column(2), column(3)] as const,
    };
    const carry = { live: rows, deleted: undefined };
    builder.set(key, carry, keyContentIds(symbolsOf(p.samples)));
  }
  return [...builders].map(([service, builder]) => {
    const objectKey = `carry/${service}`;
    const { bytes } = builder.encode(objectKey, { baseVersion: 0, consumed: [] });
    objects.set(objectKey, bytes);
    const sizeBytes = bytes.length;
    return { service, objectKey, sizeBytes, seriesTombstones: [], deletedSinceMs: 0 };
  });
}

/** One delta type, no labels but its service. */
export const API_SERIES: PlainProfile['series'] = {
  service: 'api',
  profileName: 'cpu',
  labels: [{ name: 'service_name', value: 'api' }],
  periodType: 'p',
  periodUnit: 'u',
  sampleTypes: [{ type: 'cpu', unit: 'count', temporality: 'delta' }],
  group: 0,
};
