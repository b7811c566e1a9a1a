import * as fc from 'fast-check';
import type { BlockMeta, BlockWriter, ProfileRows } from '../../src/block/types.js';
import { createBlockWriter } from '../../src/block/writer.js';
import type { ProfileMetadata } from '../../src/log/segment-view.js';
import { sampleLabelsKey } from '../../src/model/sample-labels.js';
import { type Series, type Temporality, seriesKey } from '../../src/model/series.js';
import type { Bucket } from '../../src/objstore/bucket.js';
import { SymbolMerger } from '../../src/symbols/merge.js';
import type { SymbolSource } from '../../src/symbols/source.js';
import { type PlainKey, symbolsOf } from './symbols.js';

/** A block as a test describes it; rows and order are made from it. */
export interface PlainBlock {
  readonly services: readonly PlainService[];
}

export interface PlainService {
  readonly service: string;
  readonly symbols: SymbolSource;
  readonly series: readonly PlainSeries[];
}

export interface PlainSeries {
  readonly series: Series;
  readonly profiles: readonly Omit<ProfileRows, 'series'>[];
}

const functions = ['main', 'work', 'loop', 'λ', ''];
const labelSets = [
  '',
  '',
  sampleLabelsKey({ strings: [{ name: 'thread', value: 'a' }], numbers: [] }),
  sampleLabelsKey({
    strings: [
      { name: 'k', value: '1' },
      { name: 'k', value: '2' },
    ],
    numbers: [{ name: 'bytes', value: -5n, unit: 'bytes' }],
  }),
];

const plainKey: fc.Arbitrary<PlainKey> = fc.record({
  functions: fc.array(fc.constantFrom(...functions), { maxLength: 4 }),
  labelSet: fc.constantFrom(...labelSets),
});

const metadata: fc.Arbitrary<ProfileMetadata> = fc.record({
  comments: fc.array(fc.string({ maxLength: 4 }), { maxLength: 2 }),
  dropFrames: fc.constantFrom('', 'runtime.*'),
  keepFrames: fc.constant(''),
  defaultSampleType: fc.constantFrom('', 'cpu'),
  docUrl: fc.constantFrom('', 'https://example.org'),
});

function numbered(plain: readonly PlainKey[]): SymbolSource {
  const merger = new SymbolMerger();
  merger.add(symbolsOf(plain));
  return merger.finish().symbols;
}

const value = fc.oneof(
  { weight: 3, arbitrary: fc.bigInt({ min: -5n, max: 1_000_000_000n }) },
  { weight: 1, arbitrary: fc.bigInt({ min: -(2n ** 60n), max: 2n ** 60n }) },
);

function profileArbitrary(keyCount: number): fc.Arbitrary<Omit<ProfileRows, 'series'>> {
  const row = fc.tuple(fc.nat(keyCount - 1), fc.tuple(value, value, value, value));
  return fc
    .record({
      start: fc.integer({ min: 0, max: 20 }),
      id: fc.string({ maxLength: 4 }),
      rows: fc.uniqueArray(row, { maxLength: 6, selector: ([key]) => key }),
      metadata,
      flags: fc.nat(1),
    })
    .map(({ start, id, rows, metadata: about, flags }) => {
      const kept = rows
        .filter(([, values]) => values.some((v) => v !== 0n))
        .sort((a, b) => a[0] - b[0]);
      const column = (c: number): BigInt64Array =>
        BigInt64Array.from(kept, ([, values]) => values[c] as bigint);
      return {
        profileId: id,
        startNs: 1_700_000_000_000_000_000n + BigInt(start),
        durationNs: 10_000_000_000n,
        period: 10_000_000n,
        flags,
        metadata: about,
        rowCount: kept.length,
        key: Int32Array.from(kept, ([key]) => key),
        values: [column(0), column(1), column(2), column(3)],
      };
    });
}

function seriesArbitrary(service: string): fc.Arbitrary<Series> {
  return fc.record({
    service: fc.constant(service),
    profileName: fc.constantFrom('memory', 'process_cpu'),
    labels: fc.constantFrom('a', 'b', 'ü').map((pod) => [
      { name: 'pod', value: pod },
      { name: 'service_name', value: service },
    ]),
    periodType: fc.constant('cpu'),
    periodUnit: fc.constant('nanoseconds'),
    sampleTypes: fc.array(
      fc.record({
        type: fc.constantFrom('samples', 'cpu'),
        unit: fc.constantFrom('count', ''),
        temporality: fc.constantFrom<Temporality>('delta', 'gauge', 'cumulative'),
      }),
      { minLength: 1, maxLength: 4 },
    ),
    group: fc.nat(1),
  });
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function serviceArbitrary(service: string): fc.Arbitrary<PlainService> {
  return fc
    .uniqueArray(plainKey, { minLength: 1, maxLength: 8, selector: (k) => JSON.stringify(k) })
    .chain((plain) => {
      const symbols = numbered(plain);
      const series = fc.record({
        series: seriesArbitrary(service),
        profiles: fc
          .uniqueArray(profileArbitrary(symbols.keys.count), {
            minLength: 1,
            maxLength: 4,
            selector: (p) => `${p.startNs} ${p.profileId}`,
          })
          .map((list) =>
            list.sort(
              (a, b) => Number(a.startNs - b.startNs) || compareText(a.profileId, b.profileId),
            ),
          ),
      });
      return fc
        .uniqueArray(series, {
          minLength: 1,
          maxLength: 3,
          selector: (s) => seriesKey(s.series),
        })
        .map((list) => ({
          service,
          symbols,
          series: list.sort(
            (a, b) =>
              compareText(a.series.profileName, b.series.profileName) ||
              compareText(seriesKey(a.series), seriesKey(b.series)),
          ),
        }));
    });
}

export const blockArbitrary: fc.Arbitrary<PlainBlock> = fc
  .subarray(['api', 'db', 'web'], { minLength: 1 })
  .chain((names) => fc.tuple(...names.map(serviceArbitrary)))
  .map((services) => ({ services }));

export async function writePlain(writer: BlockWriter, block: PlainBlock): Promise<BlockMeta> {
  for (const { service, symbols, series } of block.services) {
    await writer.beginService(
      service,
      symbols,
      series.map((s) => s.series),
    );
    for (let s = 0; s < series.length; s++) {
      for (const profile of series[s]?.profiles ?? []) {
        await writer.writeProfile({ ...profile, series: s });
      }
    }
  }
  return await writer.finish();
}

export const BLOCK = {
  tenantId: 'tenant',
  blockId: '01HZZZZZZZZZZZZZZZZZZZZZZZ',
  level: 1,
  createdMs: 1_700_000_000_000,
};

export async function writeBlock(bucket: Bucket, block: PlainBlock): Promise<BlockMeta> {
  return await writePlain(createBlockWriter({ bucket, ...BLOCK }), block);
}

const BASE_NS = 1_700_000_000_000_000_000n;

/** Starts of the generated blocks are 0 to 20 from a base on: here so many steps. */
export function spread(block: PlainBlock, stepNs: bigint): PlainBlock {
  return {
    services: block.services.map((service) => ({
      ...service,
      series: service.series.map(({ series, profiles }) => ({
        series,
        profiles: profiles.map((p) => ({
          ...p,
          startNs: BASE_NS + (p.startNs - BASE_NS) * stepNs,
          // Values of any size cannot be added up, which is a case of its own.
          values: p.values.map((v) => v.map((x) => x % 2n ** 50n)) as never,
        })),
      })),
    })),
  };
}
