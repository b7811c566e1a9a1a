/** I5: profiles written by other projects come back as pprof-format reads them, up to order and the documented normalisation. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore, type Store } from '../../src/index.js';
import { readPprof } from '../support/read-pprof.js';

const folder = fileURLToPath(new URL('../../../shared/fixtures/pprof', import.meta.url));
const present = existsSync(folder);

function filesUnder(dir: string): string[] {
  return readdirSync(dir).flatMap((name) => {
    const path = join(dir, name);
    return statSync(path).isDirectory() ? filesUnder(path) : [path];
  });
}

const all = present ? filesUnder(folder) : [];
const malformed = all.filter((path) => path.includes('/malformed/'));
/** Formats older than profile.proto: refused with a message that names them. */
const legacy = all.filter(
  (path) => path.includes('/google/') && !path.endsWith('.string') && !isProto(path),
);
const valid = all.filter(
  (path) => !path.includes('/malformed/') && !path.endsWith('.string') && isProto(path),
);

function isProto(path: string): boolean {
  try {
    return readPprof(readFileSync(path)).types.length > 0;
  } catch {
    return false;
  }
}

/** Go's fuzz corpus text form: `[]byte("...")` on the second line. */
function fuzzBytes(path: string): Uint8Array {
  const literal = /\[\]byte\((".*")\)/s.exec(readFileSync(path, 'utf8'))?.[1];
  if (literal === undefined) throw new Error(`no literal in ${path}`);
  const bytes: number[] = [];
  const pattern =
    /\\x([0-9a-f]{2})|\\([0-7]{3})|\\u([0-9a-f]{4})|\\U([0-9a-f]{8})|\\(.)|([^\\])/gsu;
  const simple: Record<string, number> = {
    n: 10,
    r: 13,
    t: 9,
    a: 7,
    b: 8,
    f: 12,
    v: 11,
    '\\': 92,
    '"': 34,
    "'": 39,
  };
  for (const m of literal.slice(1, -1).matchAll(pattern)) {
    const [, hex, octal, u4, u8, escaped, plain] = m;
    if (hex !== undefined) bytes.push(Number.parseInt(hex, 16));
    else if (octal !== undefined) bytes.push(Number.parseInt(octal, 8));
    else if (escaped !== undefined) bytes.push(simple[escaped] ?? escaped.charCodeAt(0));
    else
      bytes.push(
        ...Buffer.from(plain ?? String.fromCodePoint(Number.parseInt(u4 ?? (u8 as string), 16))),
      );
  }
  return Uint8Array.from(bytes);
}

describe.skipIf(!present)('fixtures of other projects', () => {
  let dir = '';
  let store: Store;
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'basalt-fixtures-'));
    store = await openStore({ dir, threads: false, compaction: 'manual' });
  });
  afterAll(async () => {
    await store.close();
    rmSync(dir, { recursive: true, force: true });
  });

  const merged = async (service: string, typeId: string): Promise<Uint8Array> => {
    const answer = await store.query.mergePprof({
      tenantId: 'anonymous',
      selector: `{service_name=${JSON.stringify(service)}}`,
      startMs: 0,
      endMs: 9_223_372_036_854,
      profileType: typeId,
      aggregation: 'sum',
    });
    expect(answer.stats.missing).toEqual([]);
    return answer.body;
  };

  it('are there', () => {
    expect(valid.length).toBeGreaterThan(15);
    expect(malformed.length).toBeGreaterThan(5);
  });

  it.each(valid.map((path) => relative(folder, path)))(
    '%s comes back',
    async (name) => {
      const body = readFileSync(join(folder, name));
      const want = readPprof(body);
      const labels = [
        { name: 'service_name', value: name },
        { name: '__name__', value: 'fixture' },
      ];
      const result = await store.write({ labels, profile: body, temporality: 'delta' });
      expect(result.rejections).toEqual([]);
      expect(result.profiles).toBe(want.types.length);
      for (const compacted of [false, true]) {
        if (compacted) await store.compact({ full: true });
        for (const [index, { type, unit }] of want.types.entries()) {
          const typeId = ['fixture', type, unit, want.periodType, want.periodUnit].join(':');
          const got = readPprof(await merged(name, typeId));
          expect(got.types).toEqual([{ type, unit }]);
          expect(Object.fromEntries(got.rows(0))).toEqual(Object.fromEntries(want.rows(index)));
        }
      }
    },
    60_000,
  );

  it.each(malformed.map((path) => relative(folder, path)))('%s harms nothing', async (name) => {
    const before = await merged(relative(folder, valid[0] as string), typeOf(valid[0] as string));
    const write = store.write({
      labels: [{ name: 'service_name', value: name }],
      profile: fuzzBytes(join(folder, name)),
      temporality: 'delta',
    });
    const outcome = await write.then(
      (result) => result,
      (error: unknown) => error,
    );
    if (outcome instanceof Error)
      expect(outcome).toMatchObject({ name: 'StoreError', kind: 'invalid' });
    const after = await merged(relative(folder, valid[0] as string), typeOf(valid[0] as string));
    expect(Buffer.from(after).equals(Buffer.from(before))).toBe(true);
  });

  it.each(legacy.map((path) => relative(folder, path)))('%s is refused by name', async (name) => {
    const write = store.write({
      labels: [{ name: 'service_name', value: name }],
      profile: readFileSync(join(folder, name)),
    });
    await expect(write).rejects.toMatchObject({ kind: 'invalid', code: 'PS_PPROF_NOT_PPROF' });
  });
});

function typeOf(path: string): string {
  const profile = readPprof(readFileSync(path));
  const first = profile.types[0];
  return ['fixture', first?.type, first?.unit, profile.periodType, profile.periodUnit].join(':');
}
