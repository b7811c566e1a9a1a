/** Blocks are plain Parquet: pandas (pyarrow) reads every table of one, and its sums are those of queries. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore, type Store } from '../../src/index.js';
import { interopClient } from '../support/interop-client.js';
import { growthWrite, markedWrite, numbers } from '../support/marked-profiles.js';

const client = interopClient('pandas');

interface Answer {
  readonly rows: Readonly<Record<string, number>>;
  readonly sums: Readonly<Record<string, number>>;
  readonly joined: number;
  readonly starts: readonly number[];
}

describe.skipIf(client.missing !== undefined)(`pandas (${client.missing ?? 'there'})`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'basalt-pandas-'));
  let store: Store;
  let answer: Answer;

  beforeAll(async () => {
    store = await openStore({ dir, threads: false, compaction: 'manual' });
    for (const n of numbers(0, 60)) await store.write(markedWrite(n));
    for (const step of numbers(0, 8)) await store.write(growthWrite(step));
    await store.compact({ full: true });
    const { blocks } = await store.inspect();
    expect(blocks).toHaveLength(1);
    const folder = join(dir, 'objects', 'blocks', 'anonymous', blocks[0]!.id);
    expect(readdirSync(folder)).toContain('samples.parquet');
    const file = join(dir, 'answer.json');
    await client.run([folder, file], { timeoutMs: 120_000 });
    answer = JSON.parse(readFileSync(file, 'utf8')) as Answer;
  });

  afterAll(async () => {
    await store.close();
    rmSync(dir, { recursive: true, force: true });
  });

  it('reads all rows of all tables', async () => {
    const [block] = (await store.inspect()).blocks;
    expect(answer.rows).toMatchObject({ profiles: block!.profiles, samples: block!.samples });
    expect(Object.keys(answer.rows)).toEqual(Object.keys(block!.bytes.tables).sort());
    for (const count of Object.values(answer.rows)) expect(count).toBeGreaterThan(0);
    // Each sample has a key, each key a node.
    expect(answer.joined).toBe(answer.rows['samples']);
    for (const startNs of answer.starts) expect(startNs).toBeGreaterThan(1e18);
  });

  it('adds up to what queries answer', async () => {
    const range = { tenantId: 'anonymous', selector: '', startMs: 0, endMs: 9e12 };
    const { items: types } = await store.query.profileTypes(range);
    let compared = 0;
    for (const { id } of types) {
      const [profileName, sampleType] = id.split(':');
      const sum = answer.sums[`${profileName}/${sampleType}`];
      if (sum === undefined) continue;
      compared++;
      const { total } = await store.query.mergeTop({
        ...range,
        profileType: id,
        aggregation: 'sum',
      });
      expect(BigInt(sum), id).toBe(total);
    }
    expect(compared).toBeGreaterThanOrEqual(2);
  });
});
