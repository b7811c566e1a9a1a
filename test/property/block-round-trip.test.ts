import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openBlock } from '../../src/block/reader.js';
import { blockTableSizes } from '../../src/block/table-sizes.js';
import type { RowRange, SampleRows } from '../../src/block/types.js';
import { MemoryBucket } from '../../src/objstore/memory-bucket.js';
import { BLOCK, blockArbitrary, writeBlock } from '../support/random-blocks.js';
import { plainKey } from '../support/symbols.js';

describe('blocks', () => {
  it('give back what was written (I3, I5)', async () => {
    await fc.assert(
      fc.asyncProperty(blockArbitrary, async (block) => {
        const bucket = new MemoryBucket();
        const meta = await writeBlock(bucket, block);
        const reader = await openBlock(bucket, BLOCK.tenantId, BLOCK.blockId);
        expect(reader.meta).toEqual(meta);
        const plainSeries = block.services.flatMap((s) => s.series);
        const profiles = plainSeries.flatMap((s) => s.profiles);

        const series = await reader.series();
        expect(series.map((s) => s.series)).toEqual(plainSeries.map((s) => s.series));
        expect(series.map((s) => [s.profileCount, s.startNsMin, s.startNsMax])).toEqual(
          plainSeries.map((s) => [
            s.profiles.length,
            s.profiles[0]?.startNs,
            s.profiles.at(-1)?.startNs,
          ]),
        );

        const read = await reader.profiles();
        expect(read.count).toBe(profiles.length);
        expect([...read.series]).toEqual(plainSeries.flatMap((s, i) => s.profiles.map(() => i)));
        expect([...read.startNs]).toEqual(profiles.map((p) => p.startNs));
        expect([...read.flags]).toEqual(profiles.map((p) => p.flags));
        expect([...read.rowCount]).toEqual(profiles.map((p) => p.rowCount));
        expect(await reader.profileIds()).toEqual(profiles.map((p) => p.profileId));
        expect(await reader.profileMetadata()).toEqual(profiles.map((p) => p.metadata));
        const { rowGroups } = reader.meta.tables.find((t) => t.table === 'profiles')!;
        const groups = await Promise.all(rowGroups.map((_, g) => reader.profileGroup(g)));
        expect(groups.flatMap((g) => g.id)).toEqual(profiles.map((p) => p.profileId));
        expect(groups.flatMap((g) => g.metadata)).toEqual(profiles.map((p) => p.metadata));
        expect(groups.flatMap((g) => [...g.startNs])).toEqual([...read.startNs]);
        expect(groups.flatMap((g) => [...g.firstRow])).toEqual([...read.firstRow]);
        for (const c of [0, 1, 2, 3] as const) {
          const totals = profiles.map((p) => p.values[c].reduce((sum, v) => sum + v, 0n));
          expect([...read.totals[c]]).toEqual(totals);
        }

        for (const { service, symbols } of block.services) {
          const back = await reader.symbols(service);
          expect(back.keys.count).toBe(symbols.keys.count);
          expect(back.nodes.count).toBe(symbols.nodes.count);
          for (let k = 0; k < symbols.keys.count; k++) {
            expect(plainKey(back, k)).toEqual(plainKey(symbols, k));
          }
        }

        const rows: [number, ...bigint[]][] = [];
        const all = { start: 0, end: meta.sampleCount };
        const visit = (run: SampleRows): void => {
          expect(run.firstRow).toBe(rows.length);
          for (let i = 0; i < run.rowCount; i++) {
            rows.push([run.key[i] as number, ...run.values.map((v) => v[i] as bigint)]);
          }
        };
        await reader.scan({ ranges: [all], valueColumns: [3, 0, 0] }, visit);
        expect(rows).toEqual(
          profiles.flatMap((p) =>
            [...p.key].map((key, i) => [key, p.values[3][i], p.values[0][i], p.values[0][i]]),
          ),
        );

        const sizes = blockTableSizes(meta);
        expect(Object.keys(sizes.tables)).toHaveLength(6);
      }),
      { numRuns: 25 },
    );
  });

  it('scan any ranges', async () => {
    const [block] = fc.sample(blockArbitrary, { numRuns: 30, seed: 11 }).slice(-1);
    const bucket = new MemoryBucket();
    const meta = await writeBlock(bucket, block as NonNullable<typeof block>);
    const reader = await openBlock(bucket, BLOCK.tenantId, BLOCK.blockId);
    const keys: number[] = [];
    const all = [{ start: 0, end: meta.sampleCount }];
    await reader.scan({ ranges: all, valueColumns: [] }, (run) => {
      keys.push(...run.key);
    });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(meta.sampleCount), { maxLength: 6 }), async (cuts) => {
        const sorted = cuts.sort((a, b) => a - b);
        const ranges: RowRange[] = [];
        for (let i = 0; i + 1 < sorted.length; i += 2) {
          ranges.push({ start: sorted[i] as number, end: sorted[i + 1] as number });
        }
        const seen: number[] = [];
        await reader.scan({ ranges, valueColumns: [0] }, (run) => {
          seen.push(...run.key);
        });
        expect(seen).toEqual(ranges.flatMap(({ start, end }) => keys.slice(start, end)));
      }),
      { numRuns: 30 },
    );
  });
});
