import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { columnOf, int32Values, int64Values, timestampValues } from '../../src/columnar/table.js';
import { readTableParts } from '../../src/block/read-rows.js';
import { openBlock, openTable } from '../../src/block/reader.js';
import { ROLLUP_SETTINGS, type RollupSettings } from '../../src/block/rollup-series.js';
import type { BlockMeta, BlockReader } from '../../src/block/types.js';
import { verifyBlock } from '../../src/block/verify.js';
import { createBlockWriter } from '../../src/block/writer.js';
import { seriesKey } from '../../src/model/series.js';
import { MemoryBucket } from '../../src/objstore/memory-bucket.js';
import {
  BLOCK,
  blockArbitrary,
  type PlainBlock,
  spread,
  writePlain,
} from '../support/random-blocks.js';
import { ROLLUP_WIDTHS, ROLLUP_WIDTH_NS, type RollupWidth } from '../../src/model/rollup-width.js';

/** Rollups of everything, however little they save. */
const ALWAYS: RollupSettings = {
  ...ROLLUP_SETTINGS,
  spanNsMin: 0n,
  savingMin: { '5m': 0, '1h': 0, '1d': 0 },
};

interface ModelRow {
  count: number;
  readonly sums: bigint[];
  readonly squares: number[];
}

interface ModelTile {
  profiles: number;
  startNsMin: bigint;
  durationNs: bigint;
  readonly totals: bigint[];
  readonly metadata: Set<string>;
}

function bucketOf(startNs: bigint, width: RollupWidth): bigint {
  return (startNs / ROLLUP_WIDTH_NS[width]) * ROLLUP_WIDTH_NS[width];
}

/** The labels that a rollup keeps, by definition. */
function keptOf(series: PlainBlock['services'][number]['series'][number]['series']): string {
  const isGauge = series.sampleTypes.some((t) => t.temporality === 'gauge');
  const kept = isGauge
    ? series.labels
    : series.labels.filter(({ name }) => ROLLUP_SETTINGS.keptLabels.includes(name));
  return seriesKey({ ...series, labels: kept });
}

function model(block: PlainBlock, width: RollupWidth) {
  const rows = new Map<string, ModelRow>();
  const tiles = new Map<string, ModelTile>();
  for (const { series: list } of block.services) {
    for (const { series, profiles } of list) {
      for (const p of profiles) {
        const bucket = bucketOf(p.startNs, width);
        const tileKey = JSON.stringify([seriesKey(series), `${bucket}`]);
        const tile = tiles.get(tileKey) ?? {
          profiles: 0,
          startNsMin: p.startNs,
          durationNs: 0n,
          totals: [0n, 0n, 0n, 0n],
          metadata: new Set<string>(),
        };
        tiles.set(tileKey, tile);
        tile.profiles++;
        tile.durationNs += p.durationNs;
        if (p.startNs < tile.startNsMin) tile.startNsMin = p.startNs;
        if (Object.values(p.metadata).some((v) => v.length > 0)) {
          tile.metadata.add(JSON.stringify(p.metadata));
        }
        for (let r = 0; r < p.rowCount; r++) {
          const key = JSON.stringify([keptOf(series), `${bucket}`, p.key[r]]);
          const row = rows.get(key) ?? { count: 0, sums: [0n, 0n, 0n, 0n], squares: [0, 0, 0, 0] };
          rows.set(key, row);
          row.count++;
          p.values.forEach((column, c) => {
            const value = column[r]!;
            row.sums[c]! += value;
            row.squares[c]! += Number(value) ** 2;
            tile.totals[c]! += value;
          });
        }
      }
    }
  }
  return { rows, tiles };
}

async function storedRows(bucket: MemoryBucket, reader: BlockReader, width: RollupWidth) {
  const open = openTable(bucket, reader.meta, `rollup_${width}`);
  const series = await reader.series();
  const names = open.table.schema.fields.map((f) => f.name);
  const out: [string, ModelRow][] = [];
  const range = { start: 0, end: open.meta.rowCount };
  for (const { table, from, to } of await readTableParts(open, range, names)) {
    for (let i = from; i < to; i++) {
      const unit = series[int32Values(table, 'rollup_series')[i]!]!;
      const kept = seriesKey({ ...unit.series, labels: unit.rollupLabels });
      const bucketNs = timestampValues(table, 'bucket')[i]!;
      out.push([
        JSON.stringify([kept, `${bucketNs}`, int32Values(table, 'key')[i]]),
        {
          count: int32Values(table, 'count')[i]!,
          sums: [1, 2, 3, 4].map((n) => int64Values(table, `sum_${n}`)[i]!),
          squares: [1, 2, 3, 4].map((n) => columnOf(table, `squares_${n}`, 'float64').values[i]!),
        },
      ]);
    }
  }
  return out;
}

async function write(
  bucket: MemoryBucket,
  block: PlainBlock,
  rollups: RollupSettings,
): Promise<BlockMeta> {
  return await writePlain(createBlockWriter({ bucket, ...BLOCK, rollups }), block);
}

const stepNs = fc.constantFrom(60_000_000_000n, 1_020_000_000_000n, 20_000_000_000_000n);

describe('rollups of a block (I3)', () => {
  it('hold what its profiles add up to, bucket by bucket', async () => {
    await fc.assert(
      fc.asyncProperty(blockArbitrary, stepNs, async (random, step) => {
        const block = spread(random, step);
        const bucket = new MemoryBucket();
        await write(bucket, block, ALWAYS);
        expect(await verifyBlock(bucket, BLOCK.tenantId, BLOCK.blockId)).toEqual([]);
        const reader = await openBlock(bucket, BLOCK.tenantId, BLOCK.blockId);
        const series = await reader.series();
        for (const width of ROLLUP_WIDTHS) {
          const want = model(block, width);
          const rollups = reader.meta.services.flatMap((s) => s.rollups);
          const own = rollups.filter((r) => r.width === width);
          const tiles = new Map<string, ModelTile>();
          for (const rollup of own) {
            const got = await reader.tiles(rollup);
            const metadata = await reader.tileMetadata(rollup);
            for (let t = 0; t < got.count; t++) {
              const key = seriesKey(series[got.series[t]!]!.series);
              tiles.set(JSON.stringify([key, `${got.bucketNs[t]}`]), {
                profiles: got.profileCount[t]!,
                startNsMin: got.startNsMin[t]!,
                durationNs: got.durationNs[t]!,
                totals: got.totals.map((column) => column[t]!),
                metadata: new Set(metadata[t]!.map((m) => JSON.stringify(m))),
              });
            }
          }
          expect(tiles).toEqual(want.tiles);
          if (!own.some((r) => r.hasRows)) continue;
          // A coarser rollup that saves too little beside a finer one is left out; the others are whole.
          const rolled = new Set(own.filter((r) => r.hasRows).map((r) => r.profileName));
          const stored = await storedRows(bucket, reader, width);
          const rows = new Map(stored);
          expect(rows.size).toBe(stored.length);
          for (const [key, row] of rows) {
            const wanted = want.rows.get(key)!;
            expect(row.count).toBe(wanted.count);
            expect(row.sums).toEqual(wanted.sums);
            // Doubles: near, in whatever order they were added.
            for (const [c, square] of row.squares.entries()) {
              const near = Math.abs(square - wanted.squares[c]!) <= 1e-12 * wanted.squares[c]!;
              expect(near).toBe(true);
            }
          }
          const whole = own.filter((r) => r.hasRows).reduce((sum, r) => sum + r.rowCount, 0);
          expect(stored.length).toBe(whole);
          expect(rolled.size).toBeGreaterThan(0);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('are left out where a sum might not fit 64 bits', async () => {
    await fc.assert(
      fc.asyncProperty(blockArbitrary, async (random) => {
        const bucket = new MemoryBucket();
        const { services } = await write(bucket, oneLargeValueEach(random), ALWAYS);
        for (const { service, rollups } of services) {
          const own = random.services.find((s) => s.service === service)!;
          for (const { profileName } of rollups) {
            const list = own.series.filter((s) => s.series.profileName === profileName);
            expect(list.reduce((sum, s) => sum + s.profiles.length, 0)).toBe(1);
          }
        }
      }),
      { numRuns: 20 },
    );
  });
});

/** Every profile has one row with 2^62 in each column: two of them do not fit. */
function oneLargeValueEach(block: PlainBlock): PlainBlock {
  const large = BigInt64Array.of(2n ** 62n);
  return {
    services: block.services.map((service) => ({
      ...service,
      series: service.series.map(({ series, profiles }) => ({
        series,
        profiles: profiles.map((p) => ({
          ...p,
          rowCount: 1,
          key: Int32Array.of(0),
          values: [large, large, large, large] as const,
        })),
      })),
    })),
  };
}
