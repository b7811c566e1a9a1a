import type { RollupSettings } from '../../src/block/rollup-series.js';
import type { BlockReader } from '../../src/block/types.js';
import { openBlock } from '../../src/block/reader.js';
import { createBlockWriter } from '../../src/block/writer.js';
import type { Bucket } from '../../src/objstore/bucket.js';

/** Writes the block again through the real writer and opens it. */
export async function copyBlock(
  source: BlockReader,
  bucket: Bucket,
  blockId: string,
  rollups?: RollupSettings,
): Promise<BlockReader> {
  const { tenantId, level } = source.meta;
  const options = { bucket, tenantId, blockId, level, createdMs: 0 };
  const writer = createBlockWriter(rollups === undefined ? options : { ...options, rollups });
  const [series, profiles, ids, metadata] = await Promise.all([
    source.series(),
    source.profiles(),
    source.profileIds(),
    source.profileMetadata(),
  ]);
  for (const { service } of source.meta.services) {
    const own = series.flatMap((s, number) => (s.series.service === service ? [number] : []));
    const list = own.map((number) => series[number]!.series);
    await writer.beginService(service, await source.symbols(service), list);
    for (let p = 0; p < profiles.count; p++) {
      const at = own.indexOf(profiles.series[p]!);
      if (at < 0) continue;
      const rowCount = profiles.rowCount[p]!;
      const key = new Int32Array(rowCount);
      const column = (): BigInt64Array => new BigInt64Array(rowCount);
      const values = [column(), column(), column(), column()] as const;
      const start = profiles.firstRow[p]!;
      const ranges = rowCount === 0 ? [] : [{ start, end: start + rowCount }];
      await source.scan({ ranges, valueColumns: [0, 1, 2, 3] }, (rows) => {
        key.set(rows.key.subarray(0, rows.rowCount), rows.firstRow - start);
        values.forEach((v, c) => {
          v.set(rows.values[c]!.subarray(0, rows.rowCount), rows.firstRow - start);
        });
      });
      await writer.writeProfile({
        series: at,
        profileId: ids[p]!,
        startNs: profiles.startNs[p]!,
        durationNs: profiles.durationNs[p]!,
        period: profiles.period[p]!,
        flags: profiles.flags[p]!,
        metadata: metadata[p]!,
        rowCount,
        key,
        values,
      });
    }
  }
  await writer.finish();
  return openBlock(bucket, tenantId, blockId);
}
