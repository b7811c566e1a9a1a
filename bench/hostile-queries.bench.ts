/**
 * What one tenant's queries do to another's: a quiet tenant asks for five minutes of one service four times a second, alone
 * and while another tenant asks, eight at a time, for all it has in the most expensive ways, among them a million groups. No
 * file is needed.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { openStore } from '../src/index.js';
import { labelledPprof } from '../test/support/labelled-pprof.js';
import { startServerProcess } from '../test/support/server-process.js';
import { isQuick, memoryMb, printFigure } from './support/figures.js';
import { RECORDED, StackGenerator } from './support/generator.js';

const TYPE = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const START_MS = 1_790_000_000_000;
const STEP_MS = 10_000;
const END_MS = START_MS + 100 * 86_400_000;
const HOUR_END = `${START_MS + 3_600_000}`;
const REQUEST_TYPE = 'requests:time:nanoseconds:time:nanoseconds';
const QUIET = { tenantId: 'quiet', profiles: 180, pods: 1 };
const HOSTILE = { tenantId: 'hostile', profiles: isQuick ? 180 : 1_440, pods: 4 };
/** A million requests in all. */
const REQUEST_PROFILES = 100;
const REQUESTS_EACH = isQuick ? 100 : 10_000;
const SECONDS = isQuick ? 3 : 30;
const QUIET_EVERY_MS = 250;
const HOSTILE_AT_ONCE = 8;

/** Everything, in other ways than the cache of answers knows. */
const HOSTILE_QUERIES: readonly Readonly<Record<string, string>>[] = [
  { path: 'merge', format: 'tree' },
  { path: 'merge', format: 'pprof' },
  { path: 'merge', format: 'tree', focus: '(.*a.*e.*i.*o.*u.*|.*z{1,40}.*){1,8}$' },
  { path: 'merge', format: 'tree', granularity: 'line', inverted: 'true' },
  { path: 'timeseries', step: '1000', groupBy: 'pod', end: HOUR_END },
  { path: 'merge', format: 'flamebearer', maxNodes: '100000' },
  // A group for each request.
  { path: 'merge', format: 'tree', rootLabel: 'request', type: REQUEST_TYPE },
  { path: 'timeseries', step: '1000', groupBy: 'request', type: REQUEST_TYPE, end: HOUR_END },
];

async function fill(dir: string): Promise<void> {
  const [service] = RECORDED;
  if (service === undefined) throw new Error('no service');
  const store = await openStore({ dir, threads: false, compaction: 'manual', resultCacheBytes: 0 });
  for (const { tenantId, profiles, pods } of [QUIET, HOSTILE]) {
    const generator = new StackGenerator(service, 1);
    for (let i = 0; i < profiles; i++) {
      const labels = [
        { name: 'service_name', value: service.service },
        { name: '__name__', value: 'process_cpu' },
        { name: 'pod', value: `p${i % pods}` },
      ];
      await store.write({ labels, profile: generator.pprof(START_MS + i * STEP_MS) }, tenantId);
    }
  }
  for (let i = 0; i < REQUEST_PROFILES; i++) {
    const labels = [
      { name: 'service_name', value: 'requests' },
      { name: '__name__', value: 'requests' },
    ];
    const startMs = START_MS + i * STEP_MS;
    const profile = labelledPprof({ sampleType: 'time', startMs, batch: i, count: REQUESTS_EACH });
    await store.write({ labels, profile }, HOSTILE.tenantId);
  }
  await store.compact({ full: true });
  await store.close();
}

async function ask(
  http: string,
  tenantId: string,
  query: Readonly<Record<string, string>>,
): Promise<{ readonly ms: number; readonly status: number }> {
  const { path, ...parameters } = query;
  const url = new URL(`http://${http}/api/v1/${path}`);
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  const begin = performance.now();
  const response = await fetch(url, { headers: { 'x-scope-orgid': tenantId } });
  await response.arrayBuffer();
  return { ms: performance.now() - begin, status: response.status };
}

/** Latencies, counted from when a query was due: one that waits for the last is late. */
async function quiet(http: string): Promise<number[]> {
  const end = `${START_MS + 300_000}`;
  const query = { path: 'merge', type: TYPE, format: 'tree', start: `${START_MS}`, end };
  const times: Promise<number>[] = [];
  const begin = performance.now();
  for (let i = 0; i * QUIET_EVERY_MS < SECONDS * 1_000; i++) {
    await delay(begin + i * QUIET_EVERY_MS - performance.now());
    times.push(
      ask(http, QUIET.tenantId, query).then(({ ms, status }) => {
        if (status !== 200) throw new Error(`cannot ask: got ${status}; want 200`);
        return ms;
      }),
    );
  }
  return (await Promise.all(times)).sort((a, b) => a - b);
}

async function hostile(http: string, signal: AbortSignal): Promise<Map<string, number>> {
  const answers = new Map<string, number>();
  const range = { type: TYPE, start: `${START_MS}`, end: `${END_MS}` };
  const loop = async (first: number): Promise<void> => {
    for (let i = first; !signal.aborted; i++) {
      const query = HOSTILE_QUERIES[i % HOSTILE_QUERIES.length] ?? {};
      const { status } = await ask(http, HOSTILE.tenantId, { ...range, ...query });
      const name = `${query['path']} ${query['format'] ?? ''} ${status}`;
      answers.set(name, (answers.get(name) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: HOSTILE_AT_ONCE }, (_, i) => loop(i)));
  return answers;
}

const at = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;

const dataDir = mkdtempSync(join(tmpdir(), 'basalt-hostile-'));
try {
  await fill(dataDir);
  const args = ['--self-profile=false', '--result-cache-bytes=0'];
  const server = await startServerProcess({ dataDir, args });
  await delay(isQuick ? 1_000 : 5_000);
  await quiet(server.http);
  const alone = await quiet(server.http);
  const stop = new AbortController();
  const attack = hostile(server.http, stop.signal);
  // The first hostile answers bring their data into the caches.
  await delay(isQuick ? 1_000 : 10_000);
  await quiet(server.http);
  const beside = await quiet(server.http);
  stop.abort();
  const answers = Object.fromEntries(await attack);
  for (const share of [0.5, 0.99]) {
    printFigure({
      figure: `quiet tenant, p${share * 100} beside a hostile one`,
      value: at(beside, share),
      unit: 'ms',
      compare: [{ to: 'alone', value: at(alone, share) }],
      detail: { alone_ms: Math.round(at(alone, share) * 10) / 10, limit_ratio: 2, answers },
    });
  }
  const peak = memoryMb(server.pid).peak;
  printFigure({ figure: 'peak resident memory', value: peak, unit: 'MB' });
  await server.stop();
} finally {
  rmSync(dataDir, { recursive: true, force: true });
}
