/**
 * Other engines on the blocks of a whole store: DuckDB, by the queries of docs/sql.md, gives the same numbers as
 * basalt's own queries, and hyparquet reads the same rows as DuckDB.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { parquetMetadata, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BLOCK_TABLES } from '../../src/block/schemas.js';
import { openStore, type Store } from '../../src/index.js';
import { growthWrite, markedWrite, numbers } from '../support/marked-profiles.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const corpus = join(root, '../shared/corpus');
const hasCorpus = existsSync(corpus);
const FILES_EACH = 4;
const NAMES = { cpu: 'process_cpu', heap: 'memory', goroutine: 'goroutines' } as const;
const ALL = { tenantId: 'anonymous', selector: '{}', startMs: 0, endMs: 9_000_000_000_000 };

async function writeCorpus(store: Store): Promise<void> {
  for (const service of ['prometheus', 'caddy', 'etcd', 'nats']) {
    for (const [kind, name] of Object.entries(NAMES)) {
      const dir = join(corpus, service, 'v1', kind);
      for (const file of readdirSync(dir).sort().slice(0, FILES_EACH)) {
        await store.write({
          labels: [
            { name: '__name__', value: name },
            { name: 'pod', value: `${service}-0` },
            { name: 'service_name', value: service },
          ],
          profile: readFileSync(join(dir, file)),
        });
      }
    }
  }
}

/** The query of docs/sql.md that is marked with `name`. */
function documented(name: string): string {
  const text = readFileSync(join(root, 'docs/sql.md'), 'utf8');
  const match = new RegExp(`\`\`\`sql name=${name}\\n([^\`]*)\`\`\``).exec(text);
  expect(match, `docs/sql.md has a query named ${name}`).not.toBeNull();
  return (match as RegExpExecArray)[1] as string;
}

describe(`SQL on ${hasCorpus ? 'the corpus' : 'generated profiles'}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'basalt-duckdb-'));
  const blocks = join(dir, 'objects/blocks/anonymous');
  let store: Store;
  let instance: DuckDBInstance;
  let connection: DuckDBConnection;

  const rowsOf = async (sql: string): Promise<unknown[][]> =>
    (await (await connection.runAndReadAll(sql)).getRows()) as unknown[][];

  beforeAll(async () => {
    store = await openStore({ dir, threads: false, compaction: 'manual' });
    if (hasCorpus) await writeCorpus(store);
    for (const n of numbers(0, 20)) await store.write(markedWrite(n));
    for (const step of numbers(0, 6)) await store.write(growthWrite(step));
    await store.compact({ full: true });
    instance = await DuckDBInstance.create(':memory:');
    connection = await instance.connect();
    await connection.run(`SET threads = 1; SET VARIABLE blocks = '${blocks}';`);
    await connection.run(readFileSync(join(root, 'docs/format/block-views.sql'), 'utf8'));
  });
  afterAll(async () => {
    connection?.closeSync();
    instance?.closeSync();
    await store?.close();
    rmSync(dir, { recursive: true, force: true });
  });

  it('totals every profile type as basalt does', async () => {
    const got = new Map(
      (await rowsOf(documented('totals'))).map(([type, total]) => [
        String(type),
        BigInt(String(total)),
      ]),
    );
    const { items: types } = await store.query.profileTypes(ALL);
    expect(types.length).toBeGreaterThan(1);
    for (const { id } of types) {
      const { total } = await store.query.mergeTop({ ...ALL, profileType: id, aggregation: 'sum' });
      expect(got.get(id) ?? 0n, id).toBe(total);
    }
    expect([...got.keys()].filter((id) => !types.some((t) => t.id === id))).toEqual([]);
  });

  it('finds the same functions, self and total, recursion counted once', async () => {
    const sql = documented('top');
    const types = (await store.query.profileTypes(ALL)).items.map((t) => t.id);
    const chosen = types.filter((id) => !id.startsWith('memory:alloc_objects'));
    for (const id of chosen) {
      const top = await store.query.mergeTop({ ...ALL, profileType: id, aggregation: 'sum' });
      const rows = await rowsOf(sql.replace('process_cpu:cpu:nanoseconds:cpu:nanoseconds', id));
      expect(rows.length, id).toBe(Math.min(20, top.functions.length));
      const got = rows.map(([name, file, self, total]) => [
        name,
        file,
        BigInt(String(self)),
        BigInt(String(total)),
      ]);
      const want = top.functions
        .slice(0, 20)
        .map((f) => [f.functionName, f.fileName, f.self, f.total]);
      expect(got, id).toEqual(want);
    }
  });

  it('gives the stacks and minutes that docs/sql.md promises', async () => {
    const folded = await store.query.mergeFolded({
      ...ALL,
      profileType: 'process_cpu:cpu:nanoseconds:cpu:nanoseconds',
    });
    const values = new Map<string, bigint>();
    for (const line of Buffer.from(folded.body).toString().trimEnd().split('\n')) {
      const cut = line.lastIndexOf(' ');
      values.set(line.slice(0, cut), BigInt(line.slice(cut + 1)));
    }
    const stacks = await rowsOf(documented('stacks'));
    expect(stacks.length).toBe(20);
    for (const [, stack, value] of stacks) {
      expect(values.get(String(stack)) ?? 0n, String(stack)).toBeGreaterThanOrEqual(
        BigInt(String(value)),
      );
    }
    const total = [...values.values()].reduce((a, b) => a + b, 0n);
    const minutes = await rowsOf(documented('minutes'));
    const seconds = minutes.reduce((sum, row) => sum + Number(row[2]), 0);
    expect(seconds).toBeCloseTo(Number(total) / 1e9, 6);
  });

  it('is read by hyparquet row by row', async () => {
    const ids = readdirSync(blocks);
    expect(ids.length).toBeGreaterThan(0);
    for (const id of ids) {
      for (const { name, schema } of BLOCK_TABLES) {
        const bytes = readFileSync(join(blocks, id, `${name}.parquet`));
        const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
        const sums = schema.fields.filter((f) => f.type === 'int32' || f.type === 'int64');
        const sql = `SELECT count(*), ${sums.map((f) => `sum("${f.name}"::HUGEINT)`).join(', ')}
          FROM read_parquet('${join(blocks, id, name)}.parquet')`;
        const [count, ...want] = ((await rowsOf(sql))[0] as unknown[]).map((v) =>
          BigInt(String(v ?? 0)),
        );
        expect(parquetMetadata(file).num_rows, `${id}/${name}`).toBe(count);
        const rows = await parquetReadObjects({
          file,
          columns: sums.map((f) => f.name),
          compressors,
        });
        expect(BigInt(rows.length)).toBe(count);
        const got = sums.map((f) =>
          rows.reduce((sum, row) => sum + BigInt(row[f.name] as number), 0n),
        );
        expect(got, `${id}/${name}`).toEqual(want);
      }
    }
  });
});
