/** Callers, callees and the call graph against `go tool pprof`, on recorded profiles of four servers. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FlameTree, openStore, type Store } from '../../src/index.js';
import { escapedRegex, goMissing, goPprof } from '../support/go-pprof.js';

const corpus = fileURLToPath(new URL('../../../shared/corpus', import.meta.url));
const missing = existsSync(corpus) ? goMissing() : 'no ../shared/corpus';
const TYPE = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const EVERYTHING = ['-unit=ns', '-nodefraction=0', '-edgefraction=0', '-nodecount=1000000'];
const PEEKED = 12;

function profileOf(service: string): string {
  const [version = ''] = readdirSync(join(corpus, service)).sort();
  const dir = join(corpus, service, version, 'cpu');
  return join(dir, readdirSync(dir).sort()[0] ?? '');
}

interface Peek {
  readonly callers: ReadonlyMap<string, bigint>;
  readonly callees: ReadonlyMap<string, bigint>;
}

/** What stands above and below a function in the answer of -peek. */
async function peek(path: string, name: string): Promise<Peek> {
  const expression = `^${escapedRegex(name)}$`;
  const text = (await goPprof([`-peek=${expression}`, ...EVERYTHING, path])).toString('utf8');
  const callers = new Map<string, bigint>();
  const callees = new Map<string, bigint>();
  let side = callers;
  for (const line of text.split('\n')) {
    const [, before = '', after = ''] = /^(.*)\|(.*)$/.exec(line) ?? [];
    if (after === '') continue;
    const called = after.trim().replace(/ \((?:partial-)?inline\)$/, '');
    if (!after.startsWith('   ')) {
      if (called === name) side = callees;
      continue;
    }
    const [, value = '0'] = /(\d+)(?:ns)? +\S+ *$/.exec(before) ?? [];
    side.set(called, (side.get(called) ?? 0n) + BigInt(value));
  }
  return { callers, callees };
}

/** Sorted: which of two equal values comes first is left to chance there. Labels stand below a sample's first line. */
function comparableLines(text: string): readonly string[] {
  const [head = '', ...parts] = text.split(/^-{5,}\+-{5,}$/m);
  const sorted = parts.map((part) => part.trim().split('\n').sort().join('\n')).sort();
  return [...head.split('\n').sort(), ...sorted].filter((line) => line !== '');
}

/** What -raw says of samples, each location spelled out: `values stack labels`, equal stacks added up. */
function rawSamples(text: string): readonly string[] {
  const [, samples = '', locations = ''] =
    /\nSamples:\n(.*?)\nLocations\n(.*?)\nMappings\n/s.exec(text) ?? [];
  const places = new Map<string, string[]>();
  let last: string[] = [];
  for (const line of locations.split('\n')) {
    const [, id, rest = ''] = /^ *(\d+): 0x[0-9a-f]+ (?:M=\d+ )?(.*)$/.exec(line) ?? [];
    if (id === undefined) last.push(line.trim());
    else {
      last = [rest];
      places.set(id, last);
    }
  }
  const sums = new Map<string, bigint[]>();
  let own: { readonly values: readonly bigint[]; readonly stack: string } | undefined;
  let labels: string[] = [];
  const take = (): void => {
    if (own === undefined) return;
    const key = JSON.stringify([own.stack, labels.sort()]);
    const before = sums.get(key) ?? own.values.map(() => 0n);
    sums.set(
      key,
      before.map((sum, i) => sum + (own?.values[i] ?? 0n)),
    );
  };
  for (const line of samples.split('\n').slice(1)) {
    const [, values, ids = ''] = /^((?: +-?\d+)+): (.*)$/.exec(line) ?? [];
    if (values === undefined) labels.push(line.trim());
    else {
      take();
      labels = [];
      const stack = ids
        .trim()
        .split(/ +/)
        .map((id) => (places.get(id) ?? [id]).join(' < '));
      own = { values: values.trim().split(/ +/).map(BigInt), stack: stack.join(' < ') };
    }
  }
  take();
  return [...sums].map(([key, values]) => `${values.at(-1)} ${key}`).sort();
}

/** Value of each child of the root's only child. */
function neighbours({ parent, name, names, value }: FlameTree): Map<string, bigint> {
  const out = new Map<string, bigint>();
  for (let n = 2; n < parent.length; n++) {
    if (parent[n] === 1) out.set(names[name[n] ?? 0] ?? '', value[n] ?? 0n);
  }
  return out;
}

type Edges = ReadonlyMap<string, bigint>;

/** `from -> to` and its value, of names that one node alone has. */
function goEdges(dot: string): Edges {
  const tooltips = [...dot.matchAll(/^N(\d+) \[label=.* tooltip="(.*) \(\d+(?:ns)?\)" color/gm)];
  const names = new Map(tooltips.map(([, id, name]) => [id, name ?? '']));
  const count = new Map<string, number>();
  for (const name of names.values()) count.set(name, (count.get(name) ?? 0) + 1);
  const edges = new Map<string, bigint>();
  const pattern = /^N(\d+) -> N(\d+) \[label=" ?(\d+)(?:ns)?[ "\\]/gm;
  for (const [, from, to, value] of dot.matchAll(pattern)) {
    const ends = [names.get(from) ?? '', names.get(to) ?? ''];
    if (ends.some((name) => count.get(name) !== 1)) continue;
    edges.set(ends.join(' -> '), BigInt(value ?? '0'));
  }
  return edges;
}

function ownEdges(dot: string): Edges {
  const nodes = [...dot.matchAll(/^N(\d+) \[label="(.*?)\\n/gm)];
  const names = new Map(nodes.map(([, id, name]) => [id, name ?? '']));
  const edges = new Map<string, bigint>();
  for (const [, from, to, value] of dot.matchAll(/^N(\d+) -> N(\d+) \[label=" (\d+) /gm)) {
    edges.set(`${names.get(from)} -> ${names.get(to)}`, BigInt(value ?? '0'));
  }
  return edges;
}

describe.skipIf(missing !== undefined)(
  `go tool pprof${missing === undefined ? '' : ` (${missing})`}`,
  () => {
    let dir = '';
    let store: Store;
    beforeAll(async () => {
      dir = mkdtempSync(join(tmpdir(), 'basalt-go-reports-'));
      store = await openStore({ dir, threads: false, compaction: 'manual' });
    });
    afterAll(async () => {
      await store.close();
      rmSync(dir, { recursive: true, force: true });
    });

    describe.each(['prometheus', 'caddy', 'etcd', 'nats'])('of %s', (service) => {
      const path = missing === undefined ? profileOf(service) : '';
      const query = {
        tenantId: 'anonymous',
        selector: `{service_name="${service}"}`,
        startMs: 0,
        endMs: 9_000_000_000_000,
        profileType: TYPE,
      };
      beforeAll(async () => {
        const labels = [
          { name: 'service_name', value: service },
          { name: '__name__', value: 'process_cpu' },
        ];
        await store.write({ labels, profile: readFileSync(path) });
      });

      it('has the callers and callees of -peek', async () => {
        const { functions } = await store.query.mergeTop(query);
        const { body } = await store.query.mergeFolded(query);
        const stacks = Buffer.from(body).toString().split('\n');
        const isRecursive = (name: string): boolean =>
          stacks.some(
            (line) =>
              line
                .replace(/ -?\d+$/, '')
                .split(';')
                .filter((f) => f === name).length > 1,
          );
        // A recursive function is between itself there.
        const chosen = [...functions]
          .sort((a, b) => Number(b.total - a.total))
          .map((f) => f.functionName)
          .filter((name) => !isRecursive(name))
          .slice(0, PEEKED);
        expect(chosen).toHaveLength(PEEKED);
        for (const name of chosen) {
          const want = await peek(path, name);
          const asked = { ...query, function: name, levels: 1, maxNodes: 1_000_000 };
          const { callers, callees } = await store.query.mergeSandwich(asked);
          expect({ name, of: [...neighbours(callers)].sort() }).toEqual({
            name,
            of: [...want.callers].sort(),
          });
          expect({ name, of: [...neighbours(callees)].sort() }).toEqual({
            name,
            of: [...want.callees].sort(),
          });
        }
      });

      // It reads ours as it reads what was sent: every sample and label (-raw), and all that it makes of them.
      it.each(['-raw', '-tree', '-top', '-peek=.'])('is the same to %s', async (report) => {
        const { body } = await store.query.mergePprof(query);
        const own = join(dir, `${service}.pb.gz`);
        writeFileSync(own, body);
        const linesOf = async (file: string): Promise<readonly string[]> => {
          const text = (await goPprof([report, ...EVERYTHING, file])).toString('utf8');
          return report === '-raw' ? rawSamples(text) : comparableLines(text);
        };
        const want = await linesOf(path);
        expect(want.length).toBeGreaterThan(50);
        expect(await linesOf(own)).toEqual(want);
      });

      it('has the edges of -dot', async () => {
        const want = goEdges((await goPprof(['-dot', ...EVERYTHING, path])).toString('utf8'));
        const asked = { ...query, format: 'dot' as const, maxNodes: 1_000_000 };
        const own = ownEdges(Buffer.from((await store.query.mergeRendered(asked)).body).toString());
        expect(want.size).toBeGreaterThan(100);
        const shared = [...want.keys()].filter((edge) => own.has(edge));
        expect(shared.length / want.size).toBeGreaterThan(0.95);
        expect(shared.map((edge) => [edge, own.get(edge)])).toEqual(
          shared.map((edge) => [edge, want.get(edge)]),
        );
      });
    });
  },
);
