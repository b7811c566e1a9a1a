/** Filters and reports against `go tool pprof`, over profiles of other projects and of real servers. */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore, type Store } from '../../src/index.js';
import {
  escapedRegex,
  goMissing,
  goPprof,
  stackRows,
  type StackRows,
  symbolTexts,
} from '../support/go-pprof.js';

const shared = fileURLToPath(new URL('../../../shared', import.meta.url));
const missing = existsSync(shared) ? goMissing() : 'no ../shared';

function filesUnder(dir: string): string[] {
  return readdirSync(dir)
    .sort()
    .flatMap((name) => {
      const path = join(dir, name);
      return statSync(path).isDirectory() ? filesUnder(path) : [path];
    });
}

function isProto(path: string): boolean {
  try {
    return stackRows(readFileSync(path)).types.length > 0;
  } catch {
    return false;
  }
}

const CORPUS = [
  ['prometheus', 'cpu'],
  ['etcd', 'heap'],
  ['nats', 'goroutine'],
] as const;

/** All valid fixtures, and of some servers and kinds of the corpus one profile. */
function profiles(): string[] {
  if (missing !== undefined) return [];
  const fixtures = filesUnder(join(shared, 'fixtures/pprof')).filter(
    (path) => !path.includes('/malformed/') && !path.endsWith('.string') && isProto(path),
  );
  const corpus = join(shared, 'corpus');
  const kinds = CORPUS.map(([server, kind]) => {
    const [version] = readdirSync(join(corpus, server)).sort();
    return filesUnder(join(corpus, server, version ?? '', kind))[0] ?? '';
  });
  return [...fixtures, ...kinds];
}

interface GoFilter {
  readonly focus?: string;
  readonly ignore?: string;
  readonly hide?: string;
  readonly show?: string;
  readonly showFrom?: string;
  readonly pruneFrom?: string;
}

const GO_NAMES: Readonly<Record<keyof GoFilter, string>> = {
  focus: 'focus',
  ignore: 'ignore',
  hide: 'hide',
  show: 'show',
  showFrom: 'show_from',
  pruneFrom: 'prune_from',
};

/** Filters made of what is in the profile, so that they find something. */
function filtersFor(body: Uint8Array): GoFilter[] {
  const { functions, files } = symbolTexts(body);
  const pick = (list: readonly string[], share: number): string =>
    list[Math.floor((list.length - 1) * share)] ?? 'nothing';
  const some = [0.1, 0.35, 0.6, 0.85].map((share) => escapedRegex(pick(functions, share)));
  const [a = 'x', b = 'x', c = 'x', d = 'x'] = some;
  const file = escapedRegex(pick(files, 0.5));
  const several = `^(${some.join('|')})$`;
  return [
    ...[a, b, c, file, several, 'runtime', '(?i)MAIN'].map((focus) => ({ focus })),
    ...[a, file, several].map((ignore) => ({ ignore })),
    ...[b, file, '^runtime\\.', '.'].map((hide) => ({ hide })),
    ...[file, several, 'runtime|main'].map((show) => ({ show })),
    ...[c, file, 'main', several].map((showFrom) => ({ showFrom })),
    ...[a, b, c, d, '^runtime\\.', 'Write|Read|Get', 'e'].map((pruneFrom) => ({ pruneFrom })),
    { focus: 'a', ignore: a, hide: 'b', show: '[a-m]', showFrom: 'r', pruneFrom: 'n' },
    { hide: 'e', pruneFrom: 'o' },
    { show: 'e', showFrom: 'a' },
    { ignore: 'no such function' },
  ];
}

function goArgs(filter: GoFilter): string[] {
  return Object.entries(filter).map(
    ([name, value]) => `-${GO_NAMES[name as keyof GoFilter]}=${value}`,
  );
}

/** Self and total of each named function as `-top` prints them, in the type's own unit. */
async function goTop(
  path: string,
  { type, unit }: { readonly type: string; readonly unit: string },
): Promise<Map<string, [bigint, bigint]>> {
  const args = [
    '-top',
    '-nodefraction=0',
    '-edgefraction=0',
    '-nodecount=1000000',
    `-unit=${unit}`,
  ];
  const text = (await goPprof([...args, `-sample_index=${type}`, path])).toString('utf8');
  const out = new Map<string, [bigint, bigint]>();
  for (const line of text.split('\n')) {
    const [, self, total, name = ''] =
      /^ *(-?\d+)[a-zA-Z]* +\S+ +\S+ +(-?\d+)[a-zA-Z]* +\S+ +(.+?)(?: \(inline\)| \(partial-inline\))?$/.exec(
        line,
      ) ?? [];
    if (self === undefined || total === undefined) continue;
    const before = out.get(name) ?? [0n, 0n];
    out.set(name, [before[0] + BigInt(self), before[1] + BigInt(total)]);
  }
  return out;
}

const RANGE = { tenantId: 'anonymous', startMs: 0, endMs: 9_000_000_000_000 };

describe.skipIf(missing !== undefined)(
  `go tool pprof${missing === undefined ? '' : ` (${missing})`}`,
  () => {
    let dir = '';
    let store: Store;
    beforeAll(async () => {
      dir = mkdtempSync(join(tmpdir(), 'basalt-go-pprof-'));
      store = await openStore({ dir, threads: false, compaction: 'manual' });
    });
    afterAll(async () => {
      await store.close();
      rmSync(dir, { recursive: true, force: true });
    });

    it("is what Go's compiler reads for -pgo", async () => {
      const path = profiles().find((p) => p.includes('corpus/prometheus')) ?? '';
      const labels = [{ name: 'service_name', value: 'pgo' }];
      await store.write({ labels, profile: readFileSync(path) });
      const query = {
        ...RANGE,
        selector: '{service_name="pgo"}',
        profileType: 'process_cpu:samples:count:cpu:nanoseconds',
      };
      const edgesOf = async (name: string, body: Uint8Array): Promise<Map<string, number>> => {
        const file = join(dir, name);
        writeFileSync(file, body);
        execFileSync('go', ['tool', 'preprofile', '-i', file, '-o', `${file}.txt`]);
        const [head, ...lines] = readFileSync(`${file}.txt`, 'utf8').trim().split('\n');
        expect(head).toBe('GO PREPROFILE V1');
        const edges = new Map<string, number>();
        // Three lines an edge: caller, callee, "line offset, weight".
        for (let i = 0; i + 2 < lines.length; i += 3) {
          const [offset, weight] = (lines[i + 2] ?? '').split(' ');
          edges.set([lines[i], lines[i + 1], offset].join(' '), Number(weight));
        }
        return edges;
      };
      const whole = await edgesOf('sent', readFileSync(path));
      const all = await store.query.mergeRendered({ ...query, format: 'pgo', keepLocations: 4096 });
      expect(await edgesOf('all', all.body)).toEqual(whole);
      const five = await store.query.mergeRendered({ ...query, format: 'pgo' });
      const edges = await edgesOf('five', five.body);
      expect(edges.size).toBeGreaterThan(whole.size / 4);
      expect(five.body.length).toBeLessThan(all.body.length);
      for (const [edge, weight] of edges) expect(weight).toBeLessThanOrEqual(whole.get(edge) ?? 0);
    });

    describe.each(profiles().map((path) => [relative(shared, path), path] as const))(
      '%s',
      (name, path) => {
        const body = readFileSync(path);
        const { types } = stackRows(body);
        const typeIds: string[] = [];
        beforeAll(async () => {
          const labels = [{ name: 'service_name', value: name }];
          await store.write({ labels, profile: body, temporality: 'delta' });
          const selector = `{service_name=${JSON.stringify(name)}}`;
          const { items: infos } = await store.query.profileTypes({ ...RANGE, selector });
          for (const { type, unit } of types) {
            const info = infos.find((i) => i.sampleType === type && i.sampleUnit === unit);
            typeIds.push(info?.id ?? '');
          }
        });
        const query = (t: number) => ({
          ...RANGE,
          selector: `{service_name=${JSON.stringify(name)}}`,
          profileType: typeIds[t] ?? '',
          aggregation: 'sum' as const,
        });

        it('filters', async () => {
          let found = 0;
          for (const [i, filter] of filtersFor(body).entries()) {
            const want = stackRows(await goPprof(['-proto', ...goArgs(filter), path]));
            const t = i % types.length;
            const asked = { ...query(t), ...filter, format: 'pprof' as const };
            const got = stackRows((await store.query.mergeRendered(asked)).body);
            found += got.rows(0).size;
            expectRows(got.rows(0), want.rows(t), filter);
          }
          expect(found).toBeGreaterThan(0);
        });

        it('adds up functions', async () => {
          for (let t = 0; t < types.length; t++) {
            const want = await goTop(path, types[t] ?? { type: '', unit: '' });
            const { functions } = await store.query.mergeTop(query(t));
            // pprof sums functions of one name; two files make two rows here, and a stack may have both.
            const rows = functions.filter(
              (f) => functions.filter((g) => g.functionName === f.functionName).length === 1,
            );
            const named = rows.filter((f) => want.has(f.functionName));
            const sums = named.map((f) => [f.functionName, f.self, f.total]);
            expect(sums).toEqual(
              named.map((f) => [f.functionName, ...(want.get(f.functionName) ?? [])]),
            );
            expect(named.length).toBeGreaterThan(0);
          }
        });
      },
    );
  },
);

function expectRows(
  got: ReturnType<StackRows['rows']>,
  want: ReturnType<StackRows['rows']>,
  filter: object,
): void {
  const sorted = (rows: Map<string, bigint>): string[] =>
    [...rows].map(([stack, value]) => `${value} ${stack}`).sort();
  expect({ filter, rows: sorted(got) }).toEqual({ filter, rows: sorted(want) });
}
