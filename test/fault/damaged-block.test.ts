/** One block that cannot be read: the others are merged, garbage is collected, the log goes on, and it is said. */
import { beforeAll, describe, expect, it } from 'vitest';
import { LossyFiles } from '../support/lossy-files.js';
import { markedWrite, numbers, readMarked } from '../support/marked-profiles.js';
import { filesOf, filesWith, openOn } from '../support/stored-files.js';

const TURNS = 3;
const TURN = 6;

describe('a block that cannot be read', () => {
  let stored: ReadonlyMap<string, Uint8Array>;

  /** A block of each turn. */
  beforeAll(async () => {
    const files = new LossyFiles();
    const store = await openOn(files);
    for (let turn = 0; turn < TURNS; turn++) {
      for (const n of numbers(turn * TURN, turn * TURN + TURN)) await store.write(markedWrite(n));
      await store.compact();
      expect((await store.inspect()).blocks.length).toBe(turn + 1);
    }
    await store.close();
    stored = await filesOf(files);
  });

  it.each(['meta', 'samples.parquet', 'nodes.parquet', 'profiles.parquet'])(
    'is left alone, and only it (%s)',
    async (table) => {
      const paths = [...stored.keys()].filter(
        (path) => path.includes('/objects/blocks/') && path.endsWith(`/${table}`),
      );
      expect(paths.length).toBeGreaterThan(1);
      // The newest one.
      const path = paths.sort().at(-1)!;
      const bytes = stored.get(path)!;
      const files = await filesWith(
        stored,
        path,
        bytes.map((byte, i) => (i < bytes.length >> 1 ? byte ^ 1 : byte)),
      );
      const store = await openOn(files);
      for (const n of numbers(TURNS * TURN, TURNS * TURN + TURN)) await store.write(markedWrite(n));
      await expect(store.compact({ full: true })).rejects.toMatchObject({ kind: 'corrupt' });
      // What else there is became one block; what was merged is gone, and the log is consumed.
      const folders = new Set(
        [...(await filesOf(files)).keys()].flatMap(
          (own) => /blocks\/[^/]+\/([^/]+)\//.exec(own)?.[1] ?? [],
        ),
      );
      expect(folders.size).toBe(2);
      expect((await store.ingest.position()).segments.filter((s) => s.sealed)).toEqual([]);
      const { marked, missing } = await readMarked(store.query);
      expect(new Set(missing.map((m) => m.part)).size).toBe(1);
      expect(marked.size).toBeGreaterThanOrEqual(TURNS * TURN);
      expect(marked.size).toBeLessThan((TURNS + 1) * TURN);
      // Said once; an hour later it is tried again.
      await store.compact({ full: true });
      const findings = await store.verify();
      expect(new Set(findings.map((f) => f.part))).toEqual(new Set(missing.map((m) => m.part)));
      const { blocks } = await store.inspect();
      expect(blocks.filter((b) => b.damage !== undefined)).toHaveLength(table === 'meta' ? 1 : 0);
      await store.delete({ selector: '{service_name="svc-1"}' });
      const left = [...(await readMarked(store.query)).marked];
      expect(left.filter((n) => n % 3 === 1)).toEqual([]);
      await store.close();
    },
  );

  it.each([
    ['a segment of the log', /\/log\/.*\.segment$/, 'segment '],
    ['the newest manifest', /\/objects\/manifest\/.*\/\d+$/, 'manifest of anonymous'],
  ])('%s does not keep the rest from being inspected', async (_, pattern, part) => {
    const files = await filesWith(stored);
    const store = await openOn(files);
    await store.write(markedWrite(TURNS * TURN), 'other');
    await store.flush();
    await store.compact();
    await store.write(markedWrite(TURNS * TURN + 1), 'other');
    await store.flush();
    const paths = [...(await filesOf(files)).keys()].filter((path) => pattern.test(path));
    const path = paths
      .filter((p) => !p.includes('/other/'))
      .sort()
      .at(-1)!;
    const bytes = (await files.readAll(path)).map((byte, i) => (i === 70 ? byte ^ 1 : byte));
    await files.writeReplace(path, bytes);
    const { damage, tenants, objects } = await store.inspect();
    expect(damage.map((d) => d.part.startsWith(part))).toContain(true);
    expect(tenants.map((t) => t.tenant)).toContain('other');
    expect(objects.count).toBeGreaterThan(0);
    await store.close();
  });

  it('is seen, and deletions pass, when its meta is gone', async () => {
    const paths = [...stored.keys()].filter((path) => /objects\/blocks\/.*\/meta$/.test(path));
    const files = await filesWith(new Map([...stored].filter(([path]) => path !== paths[0])));
    const store = await openOn(files);
    const { blocks } = await store.inspect();
    expect(blocks.filter((b) => b.damage !== undefined)).toHaveLength(1);
    await store.delete({ selector: '{service_name="svc-1"}' });
    const left = [...(await readMarked(store.query)).marked];
    expect(left.filter((n) => n % 3 === 1)).toEqual([]);
    await store.close();
  });
});
