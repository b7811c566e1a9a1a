import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import * as fc from 'fast-check';
import { parquetMetadata } from 'hyparquet';
import { afterAll, describe, expect, it } from 'vitest';
import { ROLLUP_SETTINGS } from '../../src/block/rollup-series.js';
import { BLOCK_TABLES, ROLLUP_TABLES } from '../../src/block/schemas.js';
import { createBlockWriter } from '../../src/block/writer.js';
import { MemoryBucket } from '../../src/objstore/memory-bucket.js';
import {
  BLOCK,
  type PlainBlock,
  blockArbitrary,
  spread,
  writePlain,
} from '../support/random-blocks.js';
import { plainKey } from '../support/symbols.js';

const dir = mkdtempSync(join(tmpdir(), 'basalt-engines-'));
afterAll(() => rmSync(dir, { recursive: true }));

/** Writes the block's objects as files under `dir`. */
async function writeFiles(block: PlainBlock, folder: string): Promise<string> {
  const bucket = new MemoryBucket();
  const rollups = { ...ROLLUP_SETTINGS, spanNsMin: 0n, savingMin: { '5m': 0, '1h': 0, '1d': 0 } };
  await writePlain(createBlockWriter({ bucket, ...BLOCK, rollups }), block);
  for await (const { key } of bucket.list({ prefix: '' })) {
    const path = join(dir, folder, key);
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, (await bucket.get(key)).body);
  }
  return join(dir, folder, 'blocks', BLOCK.tenantId);
}

const sqlOf = (name: string): string =>
  readFileSync(new URL(`../../docs/format/${name}`, import.meta.url), 'utf8');
const views = sqlOf('block-views.sql');

async function query(blocks: string, sql: string): Promise<unknown[][]> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  await connection.run(`SET threads = 1; SET VARIABLE blocks = '${blocks}';`);
  await connection.run(views);
  const rows = await (await connection.runAndReadAll(sql)).getRowsJson();
  connection.closeSync();
  instance.closeSync();
  return rows as unknown[][];
}

function sampleBlocks(count: number): PlainBlock[] {
  return fc.sample(blockArbitrary, { numRuns: count, seed: 77 });
}

describe('other engines on our blocks', () => {
  it('DuckDB: totals by sample type through samples_long', async () => {
    for (const [i, block] of sampleBlocks(4).entries()) {
      const blocks = await writeFiles(block, `long-${i}`);
      const sql = `SELECT service, profile_name, series, sample_type, sample_unit, sum(value::HUGEINT)::VARCHAR
        FROM samples_long GROUP BY ALL ORDER BY ALL`;
      const want = new Map<string, bigint>();
      const all = block.services.flatMap((s) => s.series);
      all.forEach(({ series, profiles }, number) => {
        series.sampleTypes.forEach(({ type, unit }, c) => {
          const values = profiles.flatMap((p) => [...(p.values[c] ?? [])]);
          if (values.every((v) => v === 0n)) return;
          const key = JSON.stringify([series.service, series.profileName, number, type, unit]);
          want.set(
            key,
            values.reduce((sum, v) => sum + v, want.get(key) ?? 0n),
          );
        });
      });
      const got = (await query(blocks, sql)).map((row) => [
        JSON.stringify(row.slice(0, 5)),
        BigInt(row[5] as string),
      ]);
      expect(new Map(got as [string, bigint][])).toEqual(want);
    }
  });

  it('DuckDB: stacks root first through stacks_flat, labels, metadata', async () => {
    for (const [i, block] of sampleBlocks(4).entries()) {
      const blocks = await writeFiles(block, `flat-${i}`);
      const rows = await query(
        blocks,
        'SELECT service, key, functions FROM stacks_flat ORDER BY service, key',
      );
      const want = block.services.flatMap(({ service, symbols }) =>
        Array.from({ length: symbols.keys.count }, (_, k) => [
          service,
          k,
          plainKey(symbols, k).functions,
        ]),
      );
      expect(rows).toEqual(want);
      const labels = await query(
        blocks,
        'SELECT service, key, len(map_keys(labels)), list_transform(numeric_labels, x -> x.value)::VARCHAR FROM keys ORDER BY service, key',
      );
      expect(labels.map((row) => Number(row[2]))).toEqual(
        block.services.flatMap(({ symbols }) =>
          Array.from(symbols.keys.labelSet, (set) => symbols.labelSets.labels(set).strings.length),
        ),
      );
      const ids = await query(blocks, 'SELECT profile_id, comments FROM profiles ORDER BY profile');
      expect(ids).toEqual(
        block.services
          .flatMap((s) => s.series)
          .flatMap((s) => s.profiles)
          .map((p) => [p.profileId, p.metadata.comments]),
      );
    }
  });

  it('DuckDB: functions totalled by the outermost mark, without recursion', async () => {
    for (const [i, block] of sampleBlocks(4).entries()) {
      const blocks = await writeFiles(block, `outer-${i}`);
      const sql = `SELECT n.service, f.function, sum(s.v1::HUGEINT)::VARCHAR
        FROM samples s JOIN nodes n ON n.block_id = s.block_id AND n.service = s.service
          AND n.first_key <= s.key AND s.key < n.end_key AND n.outermost
        JOIN frames f ON f.block_id = n.block_id AND f.frame = n.frame
        WHERE f.function <> '' GROUP BY ALL`;
      const want = new Map<string, bigint>();
      for (const { service, symbols, series } of block.services) {
        for (const { key, values } of series.flatMap((s) => s.profiles)) {
          key.forEach((k, row) => {
            for (const name of new Set(plainKey(symbols, k).functions)) {
              if (name === '') continue;
              const at = `${service} ${name}`;
              want.set(at, (want.get(at) ?? 0n) + (values[0][row] as bigint));
            }
          });
        }
      }
      const rows = await query(blocks, sql);
      const got = rows.map((row): [string, bigint] => [
        `${row[0]} ${row[1]}`,
        BigInt(row[2] as string),
      ]);
      expect(new Map(got)).toEqual(want);
    }
  });

  it('DuckDB: rollups add up to the samples, by kept labels', async () => {
    for (const [i, random] of sampleBlocks(4).entries()) {
      const blocks = await writeFiles(spread(random, 20_000_000_000_000n), `rollup-${i}`);
      // The other widths save nothing on these few profiles.
      const made = sqlOf('rollup-views.sql')
        .split('\n')
        .filter((line) => !line.includes('_1h') && !line.includes('_1d'));
      const rolled = `${made.join('\n')}
        SELECT r.service, r.profile_name, labels::VARCHAR, bucket::VARCHAR, key, count,
               sum_1, sum_2, sum_3, sum_4, printf('%.9e', squares_1)
        FROM rollup_5m r JOIN rollup_series USING (block_id, rollup_series) ORDER BY ALL`;
      const added = `SELECT samples.service, samples.profile_name, rollup_labels::VARCHAR,
               time_bucket(INTERVAL '5 minutes', start)::VARCHAR, key, count(*)::INTEGER,
               sum(v1)::BIGINT, sum(v2)::BIGINT, sum(v3)::BIGINT, sum(v4)::BIGINT,
               printf('%.9e', sum(v1::DOUBLE * v1))
        FROM samples JOIN series USING (block_id, series)
        JOIN (SELECT block_id, profile, start FROM profiles) USING (block_id, profile)
        GROUP BY block_id, rollup_series, 1, 2, 3, 4, 5 ORDER BY ALL`;
      const want = await query(blocks, added);
      expect(want.length).toBeGreaterThan(0);
      expect(await query(blocks, rolled)).toEqual(want);
    }
  });

  it('hyparquet: schema, field ids and numbers of every table', async () => {
    const [block] = sampleBlocks(1);
    const blocks = await writeFiles(spread(block as PlainBlock, 20_000_000_000_000n), 'hyparquet');
    const tables = [...BLOCK_TABLES, ...ROLLUP_TABLES].filter(
      // The day's rollup of these few rows saves nothing beside the hour's.
      ({ name }) => existsSync(join(blocks, BLOCK.blockId, `${name}.parquet`)),
    );
    expect(tables.map((t) => t.name)).toEqual(
      expect.arrayContaining(['rollup_5m', 'tiles_5m', 'tiles_1h', 'tiles_1d']),
    );
    for (const { name, schema } of tables) {
      const bytes = readFileSync(join(blocks, BLOCK.blockId, `${name}.parquet`));
      const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
      const metadata = parquetMetadata(file);
      for (const field of schema.fields) {
        const element = metadata.schema.find((e) => e.name === field.name);
        expect(element?.field_id, `${name}.${field.name}`).toBe(field.id);
        expect(element?.repetition_type).toBe('REQUIRED');
      }
      expect(metadata.created_by).toBe('basalt');
      const ints = schema.fields.filter((f) => f.type === 'int32').map((f) => f.name);
      const chunk = metadata.row_groups[0]?.columns.find((c) =>
        ints.includes(c.meta_data?.path_in_schema[0] ?? ''),
      );
      expect(chunk?.meta_data?.statistics?.min_value).toBeDefined();
    }
  });
});
