import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openBlock } from '../../src/block/reader.js';
import { verifyBlock } from '../../src/block/verify.js';
import { MemoryBucket } from '../../src/objstore/memory-bucket.js';
import { BLOCK } from '../support/random-blocks.js';

/** `expected.json` has the answers that were true when the files were made. */
const VERSIONS = [
  { version: 1, blockId: BLOCK.blockId },
  { version: 2, blockId: '01KYTSUMS00000000000000000' },
  { version: 3, blockId: BLOCK.blockId },
];

function text(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}

describe.each(VERSIONS)('a block of format version $version', ({ version, blockId }) => {
  const dir = new URL(`block-v${version}/`, import.meta.url);

  it('reads as it did when it was written (I9)', async () => {
    const expected = JSON.parse(readFileSync(new URL('expected.json', dir), 'utf8')) as unknown;
    const bucket = new MemoryBucket();
    for (const name of readdirSync(dir)) {
      if (name === 'expected.json') continue;
      const key = `blocks/${BLOCK.tenantId}/${blockId}/${name}`;
      await bucket.put(key, readFileSync(new URL(name, dir)));
    }
    expect(await verifyBlock(bucket, BLOCK.tenantId, blockId)).toEqual([]);
    const reader = await openBlock(bucket, BLOCK.tenantId, blockId);
    const rows: unknown[] = [];
    const all = { start: 0, end: reader.meta.sampleCount };
    await reader.scan({ ranges: [all], valueColumns: [0, 1, 2, 3] }, (run) => {
      for (let i = 0; i < run.rowCount; i++) rows.push([run.key[i], ...run.values.map((v) => v[i])]);
    });
    const symbols = [];
    for (const { service } of reader.meta.services) {
      const { frames, nodes, keys, labelSets } = await reader.symbols(service);
      symbols.push({
        service,
        parent: [...nodes.parent],
        frame: [...nodes.frame].map((f) => (f < 0 ? null : frames.frame(f))),
        key: [...keys.node].map((node, k) => [node, labelSets.key(keys.labelSet[k] as number)]),
      });
    }
    const tiles = [];
    const rolled: unknown[] = [];
    for (const rollup of reader.meta.services.flatMap((s) => s.rollups)) {
      const { firstRow, rowCount, series, bucketNs, profileCount, totals } =
        await reader.tiles(rollup);
      const columns = [firstRow, rowCount, series, bucketNs, profileCount, ...totals];
      const metadata = await reader.tileMetadata(rollup);
      tiles.push({ rollup, columns: columns.map((column) => [...column]), metadata });
      const { width, firstRow: start } = rollup;
      const ranges = [{ start, end: start + rollup.rowCount }];
      if (!rollup.hasRows) continue;
      await reader.scan({ rollup: width, ranges, valueColumns: [0, 1, 2, 3] }, (run) => {
        for (let i = 0; i < run.rowCount; i++)
          rolled.push([width, run.key[i], ...run.values.map((v) => v[i])]);
      });
    }
    const { flags, profileCounts } = await reader.profiles();
    const { sums } = reader.meta;
    expect(reader.meta.formatVersion).toBe(version);
    const answers = {
      series: await reader.series(),
      ids: await reader.profileIds(),
      metadata: await reader.profileMetadata(),
      starts: [...(await reader.profiles()).startNs],
      rows,
      symbols,
      tiles,
      rolled,
      ...(sums === undefined ? {} : { sums, flags: [...flags], counts: [...(profileCounts ?? [])] }),
    };
    expect(JSON.parse(JSON.stringify(answers, text))).toEqual(expected);
  });
});
