/**
 * How long a merge takes by rows and by blocks, on generated profiles that keep bringing new stacks: the same rows as
 * one block and as many, first (nothing cached) and warm. No file is needed.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore, type Store } from '../src/index.js';
import { isQuick, printFigure } from './support/figures.js';
import { RECORDED, StackGenerator } from './support/generator.js';

const START_MS = 1_790_000_000_000;
const TYPE = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const WARM_RUNS = 9;

const open = (dir: string): Promise<Store> =>
  openStore({ dir, threads: false, compaction: 'manual', resultCacheBytes: 0 });

async function fill(dir: string, profiles: number, blocks: number): Promise<void> {
  const [service] = RECORDED;
  if (service === undefined) throw new Error('no service');
  const generator = new StackGenerator(service, 1);
  const store = await open(dir);
  const labels = [
    { name: 'service_name', value: service.service },
    { name: '__name__', value: 'process_cpu' },
  ];
  for (let block = 0; block < blocks; block++) {
    const count = Math.ceil(profiles / blocks);
    for (let i = 0; i < count; i++) {
      const startMs = START_MS + (block * count + i) * 10_000;
      await store.write({ labels, profile: generator.pprof(startMs) });
    }
    // Merging is left out on purpose: each compaction of level 0 leaves a block.
    await store.compact();
  }
  await store.close();
}

async function measure(profiles: number, blocks: number): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'basalt-merge-'));
  try {
    await fill(dir, profiles, blocks);
    const store = await open(dir);
    const times: number[] = [];
    let rows = 0;
    let found = 0;
    for (let run = 0; run <= WARM_RUNS; run++) {
      const begin = performance.now();
      const { stats } = await store.query.mergeTree({
        tenantId: 'anonymous',
        selector: '{}',
        startMs: START_MS,
        endMs: START_MS + 100 * 86_400_000,
        profileType: TYPE,
      });
      times.push(performance.now() - begin);
      rows = stats.rows;
      found = stats.blocks;
    }
    await store.close();
    const [first = 0, ...warm] = times;
    warm.sort((a, b) => a - b);
    const detail = { rows, blocks: found };
    printFigure({ figure: 'merge, first', value: first, unit: 'ms', detail });
    const median = warm[warm.length >> 1] ?? 0;
    printFigure({ figure: 'merge, warm', value: median, unit: 'ms', detail });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const sizes = isQuick ? [200] : [360, 1_440, 5_760];
for (const profiles of sizes) await measure(profiles, 1);
for (const blocks of isQuick ? [2] : [2, 3]) await measure(sizes[0] ?? 0, blocks);
