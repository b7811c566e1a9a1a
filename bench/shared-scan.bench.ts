/**
 * A scan that is too large to be kept, by how many threads sum it: one service of five pods, a profile each every 10 s,
 * merged from its rows alone (no rollups, no cache of decoded rows). As many helpers as there are cores to spare, and
 * with more than one also half of them.
 *
 *     npx tsx bench/shared-scan.bench.ts [--quick | --data DIR --selector SELECTOR]
 *
 * With `--data` over a store that is there already.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../src/env/clock.js';
import { nodeFileSystem } from '../src/env/node-files.js';
import { systemRng } from '../src/env/rng.js';
import { coreCount } from '../src/env/threads.js';
import { openStore } from '../src/index.js';
import { openBlock } from '../src/block/reader.js';
import { ManifestStore } from '../src/manifest/manifest-store.js';
import { openQueryEngine } from '../src/query/engine.js';
import { dataLayout, openStoreBucket } from '../src/store/layout.js';
import { ScanThreads } from '../src/store/scan-threads.js';
import { isQuick, printFigure } from './support/figures.js';
import { RECORDED, StackGenerator } from './support/generator.js';

const START_MS = 1_790_000_000_000;
const TYPE = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const PODS = 5;
const TICKS = isQuick ? 120 : 3_000;
/** What a running service has after some hours, and no more. */
const STACKS = 20_000;
const RUNS = isQuick ? 3 : 31;

function option(name: string): string | undefined {
  const at = process.argv.indexOf(name);
  return at < 0 ? undefined : process.argv[at + 1];
}

async function fill(dir: string): Promise<void> {
  const [of] = RECORDED;
  if (of === undefined) throw new Error('no recorded service');
  const generator = new StackGenerator({ ...of, stacksMax: STACKS }, 1);
  const store = await openStore({ dir, threads: false, compaction: 'manual' });
  for (let tick = 0; tick < TICKS; tick++) {
    const startMs = START_MS + tick * 10_000;
    await Promise.all(
      Array.from({ length: PODS }, (_, pod) =>
        store.write({
          labels: [
            { name: '__name__', value: 'process_cpu' },
            { name: 'service_name', value: of.service },
            { name: 'pod', value: `pod-${pod}` },
          ],
          profile: generator.pprof(startMs),
        }),
      ),
    );
  }
  await store.compact({ full: true });
  await store.close();
}

async function measure(dir: string, selector: string, helpers: number): Promise<number> {
  const environment = { files: nodeFileSystem, clock: systemClock, rng: systemRng };
  const bucket = await openStoreBucket(dataLayout(dir), {}, environment);
  const threads = new ScanThreads({ dir }, helpers);
  const engine = openQueryEngine(
    {
      bucket,
      manifests: new ManifestStore({ bucket, ...environment }),
      blocks: { open: (tenantId, blockId) => openBlock(bucket, tenantId, blockId) },
      segments: { view: () => Promise.reject(new Error('everything is in blocks')) },
      position: async () => ({ segments: [] }),
      clock: systemClock,
      helpers: threads,
    },
    { usesRollups: false, resultBytes: 0, cacheBytes: isQuick ? 8 << 20 : 32 << 20 },
  );
  const query = {
    tenantId: 'anonymous',
    selector,
    startMs: START_MS,
    endMs: START_MS + 100 * 86_400_000,
    profileType: TYPE,
  };
  const times: number[] = [];
  let rows = 0;
  for (let run = 0; run <= RUNS; run++) {
    const begin = performance.now();
    rows = (await engine.mergeTree(query)).stats.rows;
    times.push(performance.now() - begin);
  }
  const [first = 0, ...warm] = times;
  warm.sort((a, b) => a - b);
  const medianMs = warm[warm.length >> 1] ?? 0;
  const cores = coreCount();
  printFigure({
    figure: `shared scan: merge of rows, ${helpers} helpers`,
    value: (rows / medianMs) * 1_000,
    unit: 'rows/s',
    compare: [{ to: 'budget of one core', value: 50e6 }],
    detail: { rows, medianMs, minMs: warm[0], firstMs: first, cores },
  });
  await threads.close();
  await bucket.close();
  return medianMs;
}

async function main(): Promise<void> {
  const given = option('--data');
  const dir = given ?? mkdtempSync(join(tmpdir(), 'basalt-shared-'));
  try {
    if (given === undefined) await fill(dir);
    measureAll(dir);
  } finally {
    if (given === undefined) rmSync(dir, { recursive: true, force: true });
  }
}

/** In a process with the flags of the `basalt` command: collectors of many threads get in one another's way. */
function measureAll(dir: string): void {
  const flags = ['--single-threaded-gc', '--max-semi-space-size=4', ...process.execArgv];
  const args = [...process.argv.slice(1), '--measure', dir];
  const { status } = spawnSync(process.execPath, [...flags, ...args], { stdio: 'inherit' });
  if (status !== 0) throw new Error('it could not be measured');
}

const measured = option('--measure');
if (measured === undefined) await main();
else {
  const spare = Math.max(1, coreCount() - 1);
  const counts = [...new Set([0, Math.ceil(spare / 2), Math.min(spare, 4)])];
  for (const helpers of counts) await measure(measured, option('--selector') ?? '{}', helpers);
}
