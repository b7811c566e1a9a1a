/**
 * Profiles as a test writes them, the blocks, segments and carries that stand for them in memory, and the obvious
 * answers: maps, strings and bigints.
 */
import type {
  BlockProfiles,
  BlockReader,
  BlockSeries,
  ScanRequest,
  SampleRows,
} from '../../src/block/types.js';
import { NO_METADATA } from '../../src/log/profile-metadata.js';
import type { SegmentView } from '../../src/log/segment-view.js';
import { NO_LINEAGE } from '../../src/manifest/lineage.js';
import { formatProfileType, profileTypesOf } from '../../src/model/profile-type.js';
import { type Series, seriesKey } from '../../src/model/series.js';
import type { SymbolSource } from '../../src/symbols/source.js';
import { numberDepthFirst } from '../../src/symbols/depth-first.js';
import { type PlainKey, symbolReads, symbolsOf } from './symbols.js';

export interface PlainSample extends PlainKey {
  /** One for each sample type. */
  readonly values: readonly bigint[];
}

export interface PlainProfile {
  readonly series: Series;
  readonly startNs: bigint;
  readonly id: string;
  /** PROFILE_* bits. */
  readonly flags: number;
  /** Distinct keys. */
  readonly samples: readonly PlainSample[];
}

const keyText = (key: PlainKey): string => JSON.stringify([key.functions, key.labelSet]);

/** All distinct keys of some profiles, and the number of each. */
function keysOf(profiles: readonly PlainProfile[]): {
  list: PlainKey[];
  number: Map<string, number>;
} {
  const list: PlainKey[] = [];
  const number = new Map<string, number>();
  for (const sample of profiles.flatMap((p) => p.samples)) {
    const text = keyText(sample);
    if (number.has(text)) continue;
    number.set(text, list.length);
    list.push({ functions: sample.functions, labelSet: sample.labelSet });
  }
  return { list, number };
}

function valueColumns(
  rows: readonly PlainSample[],
): [BigInt64Array, BigInt64Array, BigInt64Array, BigInt64Array] {
  return [0, 1, 2, 3].map((c) => BigInt64Array.from(rows, (r) => r.values[c] ?? 0n)) as [
    BigInt64Array,
    BigInt64Array,
    BigInt64Array,
    BigInt64Array,
  ];
}

/** A segment with one commit a profile. `others` are profiles of another tenant in the same segment. */
export function memorySegment(
  place: { readonly instance: string; readonly sequence: number; readonly tenantId: string },
  profiles: readonly PlainProfile[],
): SegmentView {
  const { list, number } = keysOf(profiles);
  const seriesKeys = [...new Set(profiles.map((p) => seriesKey(p.series)))];
  const series = seriesKeys.map((key) => profiles.find((p) => seriesKey(p.series) === key)!.series);
  return {
    position: {
      instance: place.instance,
      sequence: place.sequence,
      sealed: true,
      committedBytes: 1,
    },
    symbols: symbolsOf(list),
    series: series.map((s) => ({ tenantId: place.tenantId, series: s })),
    profiles: {
      count: profiles.length,
      series: Int32Array.from(profiles, (p) => seriesKeys.indexOf(seriesKey(p.series))),
      startNs: BigInt64Array.from(profiles, (p) => p.startNs),
      durationNs: new BigInt64Array(profiles.length).fill(10n),
      period: new BigInt64Array(profiles.length).fill(3n),
      flags: Uint8Array.from(profiles, (p) => p.flags),
      id: profiles.map((p) => p.id),
      batch: Int32Array.from(profiles, (_, i) => i),
      firstRow: new Int32Array(profiles.length),
      rowCount: Int32Array.from(profiles, (p) => p.samples.length),
      metadata: profiles.map(() => NO_METADATA),
    },
    batches: profiles.map((p) => ({
      rowCount: p.samples.length,
      key: Int32Array.from(p.samples, (s) => number.get(keyText(s))!),
      values: valueColumns(p.samples),
    })),
  };
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** The order of a block: (service, profile name, series, start, id). */
export function blockOrder(a: PlainProfile, b: PlainProfile): number {
  return (
    compareText(a.series.service, b.series.service) ||
    compareText(a.series.profileName, b.series.profileName) ||
    compareText(seriesKey(a.series), seriesKey(b.series)) ||
    (a.startNs < b.startNs ? -1 : a.startNs > b.startNs ? 1 : 0) ||
    compareText(a.id, b.id)
  );
}

/** A block over plain arrays. Values count as they are: cumulative ones must be deltas already. */
export function memoryBlock(
  place: { readonly blockId: string; readonly tenantId: string; readonly rowGroupRows?: number },
  unsorted: readonly PlainProfile[],
): BlockReader {
  const profiles = [...unsorted].sort(blockOrder);
  const services = [...new Set(profiles.map((p) => p.series.service))];
  const symbols = new Map<
    string,
    { source: SymbolSource; number: Map<string, number>; remap: Int32Array }
  >();
  for (const service of services) {
    const { list, number } = keysOf(profiles.filter((p) => p.series.service === service));
    const { symbols: source, remap } = numberDepthFirst(symbolsOf(list));
    symbols.set(service, { source, number, remap });
  }
  const seriesKeys = [...new Set(profiles.map((p) => seriesKey(p.series)))];
  const series: BlockSeries[] = seriesKeys.map((key, number) => {
    const own = profiles.filter((p) => seriesKey(p.series) === key);
    return {
      series: own[0]!.series,
      profileCount: own.length,
      startNsMin: own[0]!.startNs,
      startNsMax: own.at(-1)!.startNs,
      rollupSeries: number,
      rollupLabels: [],
    };
  });
  const rows = profiles.flatMap((p) => {
    const { number, remap } = symbols.get(p.series.service)!;
    return p.samples
      .map((s) => ({ ...s, key: remap[number.get(keyText(s))!]! }))
      .sort((a, b) => a.key - b.key);
  });
  const firstRow = new Float64Array(profiles.length);
  let next = 0;
  profiles.forEach((p, i) => {
    firstRow[i] = next;
    next += p.samples.length;
  });
  const zeroes = profiles.map(() => 0n);
  const totals = [0, 1, 2, 3].map((c) =>
    BigInt64Array.from(zeroes, (_, i) =>
      profiles[i]!.samples.reduce((sum, s) => sum + (s.values[c] ?? 0n), 0n),
    ),
  ) as unknown as BlockProfiles['totals'];
  const table: BlockProfiles = {
    count: profiles.length,
    series: Int32Array.from(profiles, (p) => seriesKeys.indexOf(seriesKey(p.series))),
    startNs: BigInt64Array.from(profiles, (p) => p.startNs),
    durationNs: new BigInt64Array(profiles.length).fill(10n),
    period: new BigInt64Array(profiles.length).fill(3n),
    flags: Uint8Array.from(profiles, (p) => p.flags),
    totals,
    firstRow,
    rowCount: Int32Array.from(profiles, (p) => p.samples.length),
  };
  const key = Int32Array.from(rows, (r) => r.key);
  const values = valueColumns(rows);
  const magnitude = (c: number): bigint =>
    rows.reduce((max, r) => {
      const v = r.values[c] ?? 0n;
      const m = v < 0n ? -v : v;
      return m > max ? m : max;
    }, 0n);
  const groupRows = place.rowGroupRows ?? 4;
  const rowGroups = [];
  for (let first = 0; first < rows.length; first += groupRows) {
    rowGroups.push({
      firstRow: first,
      rowCount: Math.min(groupRows, rows.length - first),
      columns: [],
    });
  }
  return {
    meta: {
      formatVersion: 1,
      blockId: place.blockId,
      tenantId: place.tenantId,
      level: 1,
      createdMs: 0,
      lineage: NO_LINEAGE,
      startNsMin: profiles.reduce((m, p) => (p.startNs < m ? p.startNs : m), profiles[0]!.startNs),
      startNsMax: profiles.reduce((m, p) => (p.startNs > m ? p.startNs : m), profiles[0]!.startNs),
      profileCount: profiles.length,
      sampleCount: rows.length,
      valueMagnitudeMax: [magnitude(0), magnitude(1), magnitude(2), magnitude(3)],
      services: services.map((service) => ({
        service,
        firstKeyRow: 0,
        keyCount: 0,
        firstNodeRow: 0,
        nodeCount: 0,
        labelSetCount: 0,
        rollups: [],
        profileTypes: [
          ...new Set(
            profiles
              .filter((p) => p.series.service === service)
              .flatMap((p) => profileTypesOf(p.series).map(formatProfileType)),
          ),
        ].sort(),
      })),
      tables: [
        {
          table: 'samples',
          sizeBytes: 0,
          rowCount: rows.length,
          footer: new Uint8Array(0),
          rowGroups,
        },
      ],
    },
    series: async () => series,
    profiles: async () => table,
    tiles: noTiles,
    tileMetadata: noTiles,
    profileIds: async () => profiles.map((p) => p.id),
    profileMetadata: async () => profiles.map(() => NO_METADATA),
    profileGroup: () => Promise.reject(new Error('queries read all profiles at once')),
    ...symbolReads(new Map([...symbols].map(([service, { source }]) => [service, source]))),
    scan: async (request: ScanRequest, visit: (rows: SampleRows) => void) => {
      for (const range of request.ranges) {
        for (let start = range.start; start < range.end; ) {
          const end = Math.min(range.end, (Math.floor(start / groupRows) + 1) * groupRows);
          visit({
            firstRow: start,
            rowCount: end - start,
            key: key.slice(start, end),
            values: request.valueColumns.map((c) => values[c]!.slice(start, end)),
          });
          start = end;
        }
      }
    },
  };
}

/** These blocks have no rollups. */
async function noTiles(): Promise<never> {
  throw new Error('no rollup to read');
}
