/**
 * The memory of a server that answers with a pprof of very many stacks: 12 profiles of 100,000 stacks each, all
 * different, asked for as they lie in level 0, in a few blocks and in one. No file is needed.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore } from '../src/index.js';
import { startServerProcess } from '../test/support/server-process.js';
import { isQuick, memoryMb, printFigure } from './support/figures.js';
import { type RecordedService, StackGenerator } from './support/generator.js';

const TYPE = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const PROFILES = 12;
const STEP_MS = 10_000;
const ASKED = 3;
const BUDGET_MB = 500;
/** Hardly a stack comes twice. */
const WIDE: RecordedService = {
  service: 'wide',
  samplesPerProfile: isQuick ? 5_000 : 100_000,
  depthMean: 12,
  depthDeviation: 5,
  theta: 1e9,
  discount: 0.75,
  framesMax: 60_000,
};

type Layout = 'level 0' | 'a few blocks' | 'one block';

async function fill(dir: string, startMs: number, layout: Layout): Promise<void> {
  const store = await openStore({ dir, threads: false, compaction: 'manual', resultCacheBytes: 0 });
  const generator = new StackGenerator(WIDE, 1);
  const labels = [
    { name: 'service_name', value: WIDE.service },
    { name: '__name__', value: 'process_cpu' },
  ];
  for (let i = 0; i < PROFILES; i++) {
    await store.write({ labels, profile: generator.pprof(startMs + i * STEP_MS) });
    if (layout === 'a few blocks') await store.compact();
  }
  if (layout === 'one block') await store.compact({ full: true });
  await store.close();
}

async function measure(layout: Layout): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'basalt-wide-'));
  const startMs = Date.now() - 600_000;
  try {
    await fill(dataDir, startMs, layout);
    const args = [
      '--self-profile=false',
      '--compaction-interval-ms=3600000',
      '--result-cache-bytes=0',
    ];
    const server = await startServerProcess({ dataDir, args });
    const url = new URL(`http://${server.http}/api/v1/merge`);
    const end = startMs + PROFILES * STEP_MS;
    const asked = { type: TYPE, selector: '{}', start: startMs, end, format: 'pprof' };
    for (const [name, value] of Object.entries(asked)) url.searchParams.set(name, `${value}`);
    const idle = memoryMb(server.pid);
    let bytes = 0;
    let ms = 0;
    for (let i = 0; i < ASKED; i++) {
      const begin = performance.now();
      const response = await fetch(url);
      if (!response.ok) throw new Error(`cannot ask: got ${response.status}; want 200`);
      bytes = (await response.arrayBuffer()).byteLength;
      ms = performance.now() - begin;
    }
    printFigure({
      figure: `peak resident memory, pprof of ${PROFILES * WIDE.samplesPerProfile} stacks, ${layout}`,
      value: memoryMb(server.pid).peak,
      unit: 'MB',
      compare: [{ to: 'budget', value: BUDGET_MB }],
      detail: { before_mb: Math.round(idle.peak), last_ms: Math.round(ms), answer_mb: bytes / 1e6 },
    });
    await server.stop();
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

for (const layout of ['level 0', 'a few blocks', 'one block'] as const) {
  await measure(layout);
}
