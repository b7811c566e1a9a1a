/** Filters and reports against `go tool pprof`, over profiles of other projects and of real servers. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
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
          const infos = await store.query.profileTypes({ ...RANGE, selector });
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
