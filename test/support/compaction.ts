/** Plain stand-ins for what surrounds compaction: segments made from profiles as a test writes them, and simple blocks. */
import { deserialize, serialize } from 'node:v8';
import type {
  BlockMeta,
  BlockReader,
  BlockSeries,
  BlockWriter,
  ProfileGroup,
  ProfileRows,
  RowGroupMeta,
} from '../../src/block/types.js';
import { NO_METADATA } from '../../src/log/profile-metadata.js';
import { StoreError } from '../../src/base/errors.js';
import type { BlockStore, NewBlock, SegmentSource } from '../../src/compaction/dependencies.js';
import type { Frame } from '../../src/model/frame.js';
import {
  canonicalSampleLabels,
  sampleLabelsFromKey,
  sampleLabelsKey,
} from '../../src/model/sample-labels.js';
import type { Series } from '../../src/model/series.js';
import type { LogPosition, SegmentPosition, SegmentView } from '../../src/log/segment-view.js';
import type { Bucket } from '../../src/objstore/bucket.js';
import type { SymbolSource } from '../../src/symbols/source.js';
import type { ModelProfile } from './model-store.js';
import { type PlainKey, symbolReads, symbolsOf } from './symbols.js';

export interface TenantProfile {
  readonly tenantId: string;
  readonly profile: ModelProfile;
}

export function seriesOf(profile: ModelProfile): Series {
  return {
    service: profile.labels['service_name'] ?? 'unknown_service',
    profileName: profile.name,
    labels: Object.entries(profile.labels)
      .map(([name, value]) => ({ name, value }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
    periodType: profile.periodType,
    periodUnit: profile.periodUnit,
    sampleTypes: profile.types,
    group: 0,
  };
}

function labelSetOf(labels: Readonly<Record<string, string>>): string {
  const strings = Object.entries(labels).map(([name, value]) => ({ name, value }));
  return sampleLabelsKey(canonicalSampleLabels({ strings, numbers: [] }));
}

/** One sealed segment; its keys in the order of first use, equal samples of a profile added up. */
export function segmentOf(
  position: SegmentPosition,
  profiles: readonly TenantProfile[],
): SegmentView {
  const plain: PlainKey[] = [];
  const numbers = new Map<string, number>();
  const keyOf = (key: PlainKey): number => {
    const text = JSON.stringify(key);
    const known = numbers.get(text);
    if (known !== undefined) return known;
    numbers.set(text, plain.length);
    return plain.push(key) - 1;
  };
  const batches = profiles.map(({ profile }) => {
    const rows = new Map<number, bigint[]>();
    for (const { functions, labels, values } of profile.samples) {
      const key = keyOf({ functions, labelSet: labelSetOf(labels) });
      const row = rows.get(key) ?? [0n, 0n, 0n, 0n];
      values.forEach((value, c) => {
        row[c]! += value;
      });
      rows.set(key, row);
    }
    const columns = [0, 1, 2, 3].map((c) => BigInt64Array.from(rows.values(), (row) => row[c]!));
    return { rowCount: rows.size, key: Int32Array.from(rows.keys()), values: columns as never };
  });
  return {
    position,
    symbols: symbolsOf(plain),
    series: profiles.map(({ tenantId, profile }) => ({ tenantId, series: seriesOf(profile) })),
    profiles: {
      count: profiles.length,
      series: Int32Array.from(profiles.keys()),
      startNs: BigInt64Array.from(profiles, ({ profile }) => BigInt(profile.startMs) * 1_000_000n),
      durationNs: new BigInt64Array(profiles.length),
      period: new BigInt64Array(profiles.length),
      flags: new Uint8Array(profiles.length),
      id: profiles.map(({ profile }) => profile.id),
      batch: Int32Array.from(profiles.keys()),
      firstRow: new Int32Array(profiles.length),
      rowCount: Int32Array.from(batches, (batch) => batch.rowCount),
      metadata: profiles.map(() => NO_METADATA),
    },
    batches,
  };
}

/** A log of sealed segments that deletes one when every tenant in it has consumed it. */
export class PlainSegments implements SegmentSource {
  readonly #segments = new Map<number, { view: SegmentView; waiting: Set<string> }>();
  #next = 1;

  add(profiles: readonly TenantProfile[], committedBytes = 1000): void {
    const sequence = this.#next++;
    const view = segmentOf({ instance: 'log', sequence, sealed: true, committedBytes }, profiles);
    this.#segments.set(sequence, { view, waiting: new Set(profiles.map((p) => p.tenantId)) });
  }

  get count(): number {
    return this.#segments.size;
  }

  release(): void {
    // Nothing is kept beside the segments themselves.
  }

  async position(): Promise<LogPosition> {
    return { segments: [...this.#segments.values()].map(({ view }) => view.position) };
  }

  async read({ sequence }: SegmentPosition): Promise<SegmentView> {
    const found = this.#segments.get(sequence);
    if (found !== undefined) return found.view;
    throw new StoreError({ kind: 'not-found', code: 'PS_SEGMENT_NOT_FOUND', message: 'gone' });
  }

  async tenants(segment: SegmentPosition): Promise<readonly string[]> {
    return [...new Set((await this.read(segment)).series.map((s) => s.tenantId))];
  }

  async consumed(tenantId: string, _instance: string, sequence: number): Promise<void> {
    for (const [number, { waiting }] of this.#segments) {
      if (number > sequence) continue;
      waiting.delete(tenantId);
      if (waiting.size === 0) this.#segments.delete(number);
    }
  }
}

interface PlainSymbols {
  readonly frames: readonly Frame[];
  readonly idHigh: Uint32Array;
  readonly idLow: Uint32Array;
  readonly parent: Int32Array;
  readonly frame: Int32Array;
  readonly keyNode: Int32Array;
  readonly keyLabelSet: Int32Array;
  readonly labelSets: readonly string[];
}

type StoredProfile = ProfileRows & { readonly service: string };

export interface PlainBlock {
  readonly services: { service: string; symbols: PlainSymbols; series: readonly Series[] }[];
  readonly profiles: StoredProfile[];
}

const ROW_GROUP_ROWS = 7;

/** Blocks as one serialised object each; checks what a writer may count on. */
export class PlainBlocks implements BlockStore {
  readonly #bucket: Bucket;

  constructor(bucket: Bucket) {
    this.#bucket = bucket;
  }

  prefix(tenantId: string, blockId: string): string {
    return `blocks/${tenantId}/${blockId}/`;
  }

  createWriter(block: NewBlock): BlockWriter {
    return new PlainWriter(this.#bucket, this.prefix(block.tenantId, block.blockId), block);
  }

  async content(tenantId: string, blockId: string): Promise<PlainBlock & { meta: BlockMeta }> {
    const { body } = await this.#bucket.get(`${this.prefix(tenantId, blockId)}all`);
    return deserialize(body) as PlainBlock & { meta: BlockMeta };
  }

  async open(tenantId: string, blockId: string): Promise<BlockReader> {
    return plainReader(await this.content(tenantId, blockId));
  }
}

class PlainWriter implements BlockWriter {
  readonly #bucket: Bucket;
  readonly #prefix: string;
  readonly #block: NewBlock;
  readonly #content: PlainBlock = { services: [], profiles: [] };

  constructor(bucket: Bucket, prefix: string, block: NewBlock) {
    this.#bucket = bucket;
    this.#prefix = prefix;
    this.#block = block;
  }

  async beginService(
    service: string,
    symbols: SymbolSource,
    series: readonly Series[],
  ): Promise<void> {
    const last = this.#content.services.at(-1)?.service;
    check(last === undefined || last < service, 'services come in order');
    this.#content.services.push({ service, symbols: plainSymbols(symbols), series });
  }

  async writeProfile(rows: ProfileRows): Promise<void> {
    const { service, series } = this.#content.services.at(-1)!;
    check(rows.series < series.length, 'the series exists');
    const last = this.#content.profiles.at(-1);
    if (last?.service === service && last.series === rows.series) {
      const isAfter =
        last.startNs === rows.startNs
          ? last.profileId < rows.profileId
          : last.startNs < rows.startNs;
      check(isAfter, 'profiles come in order');
    } else if (last?.service === service) check(last.series < rows.series, 'series come in order');
    const { rowCount } = rows;
    const key = rows.key.slice(0, rowCount);
    check(
      key.every((k, r) => r === 0 || k > key[r - 1]!),
      'keys ascend',
    );
    const values = rows.values.map((v) => v.slice(0, rowCount)) as never as ProfileRows['values'];
    check(
      key.every((_, r) => values.some((v) => v[r] !== 0n)),
      'no row is 0 in every column',
    );
    this.#content.profiles.push({ ...rows, key, values, service });
  }

  async finish(): Promise<BlockMeta> {
    const { profiles, services } = this.#content;
    const starts = profiles.map((p) => p.startNs).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
    const rowCount = profiles.reduce((sum, p) => sum + p.rowCount, 0);
    const rowGroups: RowGroupMeta[] = [];
    for (let firstRow = 0; firstRow < rowCount; firstRow += ROW_GROUP_ROWS) {
      rowGroups.push({
        firstRow,
        rowCount: Math.min(ROW_GROUP_ROWS, rowCount - firstRow),
        columns: [],
      });
    }
    const meta: BlockMeta = {
      ...this.#block,
      formatVersion: 1,
      startNsMin: starts[0]!,
      startNsMax: starts.at(-1)!,
      profileCount: profiles.length,
      sampleCount: rowCount,
      valueMagnitudeMax: [0, 1, 2, 3].map((c) =>
        profiles.some((p) => p.values[c]!.some((v) => v !== 0n)) ? 1n : 0n,
      ) as never,
      services: services.map(({ service, symbols }) => ({
        service,
        firstKeyRow: 0,
        keyCount: symbols.keyNode.length,
        firstNodeRow: 0,
        nodeCount: symbols.parent.length,
        labelSetCount: 1 + Math.max(0, ...symbols.keyLabelSet),
        profileTypes: [],
        rollups: [],
      })),
      tables: [
        { table: 'samples', sizeBytes: 0, rowCount, footer: new Uint8Array(0), rowGroups },
        {
          table: 'profiles',
          sizeBytes: 0,
          rowCount: profiles.length,
          footer: new Uint8Array(0),
          rowGroups: profileGroupsOf(profiles.length),
        },
      ],
    };
    await this.#bucket.put(`${this.#prefix}all`, serialize({ ...this.#content, meta }));
    return meta;
  }

  async abort(): Promise<void> {
    await this.#bucket.delete(`${this.#prefix}all`);
  }
}

const PROFILE_GROUP_ROWS = 3;

function profileGroupsOf(count: number): RowGroupMeta[] {
  return Array.from({ length: Math.ceil(count / PROFILE_GROUP_ROWS) }, (_, g) => ({
    firstRow: g * PROFILE_GROUP_ROWS,
    rowCount: Math.min(PROFILE_GROUP_ROWS, count - g * PROFILE_GROUP_ROWS),
    columns: [],
  }));
}

function check(condition: boolean, message: string): void {
  if (!condition) throw new Error(`block writer was misused: ${message}`);
}

function plainSymbols({ frames, nodes, keys, labelSets }: SymbolSource): PlainSymbols {
  return {
    frames: Array.from({ length: frames.count }, (_, i) => frames.frame(i)),
    idHigh: frames.idHigh.slice(0, frames.count),
    idLow: frames.idLow.slice(0, frames.count),
    parent: nodes.parent.slice(0, nodes.count),
    frame: nodes.frame.slice(0, nodes.count),
    keyNode: keys.node.slice(0, keys.count),
    keyLabelSet: keys.labelSet.slice(0, keys.count),
    labelSets: Array.from({ length: labelSets.count }, (_, i) => labelSets.key(i)),
  };
}

export function plainSource(symbols: PlainSymbols): SymbolSource {
  const { frames, labelSets } = symbols;
  return {
    frames: {
      count: frames.length,
      idHigh: symbols.idHigh,
      idLow: symbols.idLow,
      frame: (i) => frames[i]!,
    },
    nodes: { count: symbols.parent.length, parent: symbols.parent, frame: symbols.frame },
    keys: { count: symbols.keyNode.length, node: symbols.keyNode, labelSet: symbols.keyLabelSet },
    labelSets: {
      count: labelSets.length,
      key: (i) => labelSets[i]!,
      labels: (i) => sampleLabelsFromKey(labelSets[i]!),
    },
  };
}

function plainReader({ meta, services, profiles }: PlainBlock & { meta: BlockMeta }): BlockReader {
  const firstSeries = new Map<string, number>();
  const series: BlockSeries[] = [];
  for (const entry of services) {
    firstSeries.set(entry.service, series.length);
    const none = { profileCount: 0, startNsMin: 0n, startNsMax: 0n, rollupLabels: [] };
    for (const s of entry.series) series.push({ ...none, series: s, rollupSeries: series.length });
  }
  const firstRow: number[] = [];
  let rows = 0;
  for (const p of profiles) {
    firstRow.push(rows);
    rows += p.rowCount;
  }
  const key = profiles.flatMap((p) => [...p.key]);
  const values = [0, 1, 2, 3].map((c) => profiles.flatMap((p) => [...p.values[c]!]));
  const group = (start: number, end: number): ProfileGroup => {
    const part = profiles.slice(start, end);
    const column = (of: (p: StoredProfile) => bigint): BigInt64Array =>
      BigInt64Array.from(part, of);
    return {
      count: part.length,
      series: Int32Array.from(part, (p) => firstSeries.get(p.service)! + p.series),
      startNs: column((p) => p.startNs),
      durationNs: column((p) => p.durationNs),
      period: column((p) => p.period),
      flags: Uint8Array.from(part, (p) => p.flags),
      totals: [0, 1, 2, 3].map(() => new BigInt64Array(part.length)) as never,
      firstRow: Float64Array.from(firstRow.slice(start, end)),
      rowCount: Int32Array.from(part, (p) => p.rowCount),
      id: part.map((p) => p.profileId),
      metadata: part.map((p) => p.metadata),
    };
  };
  const groups = profileGroupsOf(profiles.length);
  return {
    meta,
    series: async () => series,
    profiles: async () => group(0, profiles.length),
    tiles: noTiles,
    tileMetadata: noTiles,
    profileIds: async () => profiles.map((p) => p.profileId),
    profileMetadata: async () => profiles.map((p) => p.metadata),
    profileGroup: async (g) =>
      group(groups[g]!.firstRow, groups[g]!.firstRow + groups[g]!.rowCount),
    ...symbolReads(new Map(services.map((s) => [s.service, plainSource(s.symbols)]))),
    scan: async ({ ranges, valueColumns }, visit) => {
      for (const { start, end } of ranges) {
        visit({
          firstRow: start,
          rowCount: end - start,
          key: Int32Array.from(key.slice(start, end)),
          values: valueColumns.map((c) => BigInt64Array.from(values[c]!.slice(start, end))),
        });
      }
    },
  };
}

/** These blocks have no rollups. */
async function noTiles(): Promise<never> {
  throw new Error('no rollup to read');
}
