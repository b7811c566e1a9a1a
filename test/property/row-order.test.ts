import * as fc from 'fast-check';
import { parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { beforeAll, describe, expect, it } from 'vitest';
import { openBlock } from '../../src/block/reader.js';
import { NO_METADATA } from '../../src/log/profile-metadata.js';
import { gather64, RowOrder, scatter32, scatter64 } from '../../src/block/row-order.js';
import { SAMPLE_ROW_GROUP_ROWS } from '../../src/block/schemas.js';
import type { BlockReader, RowRange, SampleRows } from '../../src/block/types.js';
import { verifyBlock } from '../../src/block/verify.js';
import { MemoryBucket } from '../../src/objstore/memory-bucket.js';
import { BLOCK, type PlainBlock, writeBlock } from '../support/random-blocks.js';
import { symbolsOf } from '../support/symbols.js';

/** Rows by profile: for each its keys. */
const rowsByProfile = fc.array(
  fc.uniqueArray(fc.oneof(fc.nat(6), fc.nat(2 ** 31 - 1)), { maxLength: 8 }),
  { maxLength: 12 },
);

function columns(plain: readonly (readonly number[])[], first: number): [Int32Array, Int32Array] {
  const rows = plain.flatMap((keys, p) =>
    [...keys].sort((a, b) => a - b).map((key) => [first + p * 3, key] as const),
  );
  return [Int32Array.from(rows, ([p]) => p), Int32Array.from(rows, ([, key]) => key)];
}

describe('the orders of a row group', () => {
  it('lie by key, every other key backwards, and come back by profile', () => {
    const order = new RowOrder();
    void fc.assert(
      fc.property(rowsByProfile, rowsByProfile, fc.nat(2 ** 30), (first, second, at) => {
        const [profileA, keyA] = columns(first, at);
        const [profileB, keyB] = columns(second, at + 100);
        const profile = Int32Array.from([...profileA, ...profileB]);
        const key = Int32Array.from([...keyA, ...keyB]);
        const byKey = [...order.byKey(key, [keyA.length, key.length])];
        const stored = byKey.map((row) => [profile[row]!, key[row]!] as const);
        const want = [
          [profileA, keyA],
          [profileB, keyB],
        ].flatMap(([profiles, keys]) =>
          [...new Set(keys)]
            .sort((a, b) => a - b)
            .flatMap((own, rank) => {
              const rows = [...profiles!].filter((_, i) => keys![i] === own);
              return (rank % 2 === 0 ? rows : rows.reverse()).map((p) => [p, own] as const);
            }),
        );
        expect(stored).toEqual(want);
        const storedProfile = Int32Array.from(stored, ([p]) => p);
        const places = order.places(storedProfile, stored.length);
        const backKey = new Int32Array(stored.length);
        const storedKey = Int32Array.from(stored, ([, k]) => k);
        scatter32(storedKey, places, backKey);
        expect(backKey).toEqual(key);
      }),
    );
  });

  it('move 64-bit values whole', () => {
    const values = fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }));
    void fc.assert(
      fc.property(fc.oneof(values, fc.array(fc.constant(0n))), fc.nat(), (list, seed) => {
        const order = Int32Array.from(list, (_, i) => (i + seed) % list.length);
        const out = new BigInt64Array(list.length).fill(-1n);
        const stored = BigInt64Array.from(list);
        gather64(stored, order, out);
        expect([...out]).toEqual([...order].map((row) => list[row]));
        const back = new BigInt64Array(list.length).fill(-1n);
        scatter64(out, order, back);
        expect(back).toEqual(stored);
      }),
    );
  });
});

const KEYS = 2_000;
const NAMES = ['memory', 'process_cpu'];

/** Of several row groups, some of which have rows of several services and profile names; nothing in it is random. */
function largeBlock(): PlainBlock {
  const symbols = symbolsOf(
    Array.from({ length: KEYS }, (_, k) => ({ functions: [`f${k}`], labelSet: '' })),
  );
  const profileOf = (seed: number, at: number) => {
    const key = Int32Array.from({ length: KEYS }, (_, k) => k).filter(
      (k) => (k * 7 + at * seed) % (3 + (k % 5)) === 0,
    );
    const value = (c: number) => BigInt64Array.from(key, (k) => BigInt((k + at) * (c + 1) + 1));
    return {
      profileId: `p${at}`,
      startNs: 1_700_000_000_000_000_000n + BigInt(at) * 10_000_000_000n,
      durationNs: 0n,
      period: 0n,
      flags: 0,
      metadata: NO_METADATA,
      rowCount: key.length,
      key,
      values: [value(0), new BigInt64Array(key.length), value(2), value(3)] as const,
    };
  };
  return {
    services: ['api', 'db'].map((service, s) => ({
      service,
      symbols,
      series: NAMES.flatMap((profileName, n) =>
        ['a', 'b'].map((pod, l) => ({
          series: {
            service,
            profileName,
            labels: [
              { name: 'pod', value: pod },
              { name: 'service_name', value: service },
            ],
            periodType: 'cpu',
            periodUnit: 'nanoseconds',
            sampleTypes: [{ type: 'cpu', unit: 'nanoseconds', temporality: 'delta' as const }],
            group: 0,
          },
          profiles: Array.from({ length: 60 }, (_, at) => profileOf(1 + s * 4 + n * 2 + l, at)).map(
            (p) => ({ ...p, values: [...p.values] as never }),
          ),
        })),
      ),
    })),
  };
}

interface Row {
  readonly key: number;
  readonly values: readonly bigint[];
}

describe('a block of several row groups', () => {
  const block = largeBlock();
  const want: Row[] = block.services.flatMap(({ series }) =>
    series.flatMap(({ profiles }) =>
      profiles.flatMap(({ key, values }) =>
        [...key].map((k, i) => ({ key: k, values: values.map((column) => column[i]!) })),
      ),
    ),
  );
  const bucket = new MemoryBucket();
  let reader: BlockReader;

  beforeAll(async () => {
    await writeBlock(bucket, block);
    reader = await openBlock(bucket, BLOCK.tenantId, BLOCK.blockId);
  });

  async function read(ranges: readonly RowRange[], isUnordered: boolean): Promise<SampleRows[]> {
    const runs: SampleRows[] = [];
    await reader.scan({ ranges, valueColumns: [2, 0], isUnordered }, (run) => {
      runs.push({ ...run, key: run.key.slice(), values: run.values.map((v) => v.slice()) });
    });
    return runs;
  }

  const rowsOf = (runs: readonly SampleRows[]): Row[] =>
    runs.flatMap(({ key, values }) =>
      [...key].map((k, i) => ({ key: k, values: values.map((v) => v[i]!) })),
    );
  const wantIn = (ranges: readonly RowRange[]): Row[] =>
    ranges.flatMap(({ start, end }) =>
      want.slice(start, end).map(({ key, values }) => ({ key, values: [values[2]!, values[0]!] })),
    );
  const text = ({ key, values }: Row): string => `${key} ${values.join()}`;

  it('has them, and passes verification', async () => {
    expect(reader.meta.sampleCount).toBe(want.length);
    expect(want.length).toBeGreaterThan(3 * SAMPLE_ROW_GROUP_ROWS);
    expect(await verifyBlock(bucket, BLOCK.tenantId, BLOCK.blockId)).toEqual([]);
  });

  it('gives rows in the order of profiles, in any ranges, or in any order', async () => {
    const group = fc.integer({ min: 0, max: 3 }).map((g) => g * SAMPLE_ROW_GROUP_ROWS);
    const cut = fc.oneof(fc.nat(want.length), group);
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(cut, { maxLength: 6 }), async (cuts) => {
        const sorted = cuts.sort((a, b) => a - b);
        const ranges: RowRange[] = [];
        for (let i = 0; i + 1 < sorted.length; i += 2) {
          ranges.push({ start: sorted[i]!, end: sorted[i + 1]! });
        }
        const runs = await read(ranges, false);
        expect(rowsOf(runs)).toEqual(wantIn(ranges));
        for (const run of runs) expect(want[run.firstRow]?.key).toBe(run.key[0]);
        const unordered = rowsOf(await read(ranges, true));
        expect(unordered.map(text).sort()).toEqual(wantIn(ranges).map(text).sort());
      }),
      { numRuns: 6 },
    );
  });

  it('lies by key, as another reader sees it', async () => {
    const key = `blocks/${BLOCK.tenantId}/${BLOCK.blockId}/samples.parquet`;
    const { body } = await bucket.get(key);
    const file = body.buffer.slice(body.byteOffset, body.byteOffset + body.length) as ArrayBuffer;
    const rows = (await parquetReadObjects({ file, compressors })) as Record<string, unknown>[];
    let isSorted = true;
    for (let row = 1; row < rows.length; row++) {
      if (row % SAMPLE_ROW_GROUP_ROWS === 0) continue;
      const [a, b] = [rows[row - 1]!, rows[row]!];
      const isSameName = a['service'] === b['service'] && a['profile_name'] === b['profile_name'];
      if (isSameName && Number(b['key']) < Number(a['key'])) isSorted = false;
    }
    expect(isSorted).toBe(true);
    const byProfile = rows
      .map((row) => [Number(row['profile']), Number(row['key'])] as const)
      .sort(([p, k], [q, l]) => p - q || k - l);
    expect(byProfile.map(([, k]) => k)).toEqual(want.map((row) => row.key));
  });
});
