/**
 * The standard hour and the standard day of the corpus, on a real server process over gRPC and HTTP, sent and timed by the replayer
 * that timed the peers: ingest, CPU, memory, start-up, size on disk, merges. `--quick` sends a small part of it.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Figure, pload, ploadMissing } from '../test/support/pload.js';
import { type ServerProcess, startServerProcess } from '../test/support/server-process.js';
import { cpuSeconds, isQuick, memoryMb, printFigure } from './support/figures.js';
import { scanStore } from './support/scan-store.js';

const run = promisify(execFile);
const basalt = fileURLToPath(new URL('../bin/basalt.js', import.meta.url));
const START = 1_790_000_000_000;
const HOUR = { pods: isQuick ? 2 : 10, ticks: isQuick ? 30 : 360, kinds: 'cpu,heap,goroutine' };
const DAY = { pods: 1, ticks: isQuick ? 240 : 8_640, kinds: 'cpu' };
const ARGS = ['--self-profile=false', '--result-cache-bytes=0'];
/** Far more than the query thread takes to warm up. */
const WARM_UP_MS = 5_000;

interface Load {
  readonly pods: number;
  readonly ticks: number;
  readonly kinds: string;
}

function number(figure: Figure | undefined, name: string): number {
  const value = figure?.[name];
  if (typeof value !== 'number') throw new Error(`no ${name} in ${JSON.stringify(figure)}`);
  return value;
}

async function send(server: ServerProcess, load: Load, extra: readonly string[]): Promise<Figure> {
  const [figure] = await pload([
    ...['-mode', 'send', '-addr', server.grpc, '-kinds', load.kinds, '-pods', `${load.pods}`],
    ...['-count', `${load.ticks}`, '-start', `${START}`, ...extra],
  ]);
  if (number(figure, 'failed') > 0) throw new Error(`sends failed: ${JSON.stringify(figure)}`);
  return figure as Figure;
}

async function ingest(name: string, dataDir: string, load: Load): Promise<void> {
  const server = await startServerProcess({ dataDir, args: ARGS });
  printFigure({
    figure: `${name} ready on an empty directory`,
    value: server.readyMs,
    unit: 'ms',
    compare: [
      { to: 'budget', value: 1000 },
      { to: 'pyroscope', value: 47_000 },
    ],
  });
  const before = cpuSeconds(server.pid);
  const sent = await send(server, load, ['-conc', '16']);
  const profiles = number(sent, 'profiles');
  const cpu = cpuSeconds(server.pid) - before;
  const memory = memoryMb(server.pid);
  printFigure({
    figure: `${name} ingest`,
    value: number(sent, 'profiles_per_s'),
    unit: 'profiles/s',
    compare: [
      { to: 'budget', value: 1000 },
      { to: 'pyroscope', value: 235 },
      { to: 'parca', value: 81 },
    ],
    detail: {
      profiles,
      mb_gzip_per_s: Math.round(number(sent, 'mb_gz') / number(sent, 's')),
      p50_ms: sent['p50_ms'],
      p99_ms: sent['p99_ms'],
    },
  });
  printFigure({
    figure: `${name} server CPU a profile, background compaction included`,
    value: (cpu / profiles) * 1000,
    unit: 'ms',
    compare: [
      { to: 'budget', value: 1 },
      { to: 'pyroscope', value: 4.8 },
    ],
  });
  printFigure({
    figure: `${name} peak resident memory under load`,
    value: memory.peak,
    unit: 'MB',
    compare: [
      { to: 'budget', value: 400 },
      { to: 'pyroscope', value: 1150 },
    ],
  });
  await server.stop();
}

async function ackLatency(dataDir: string): Promise<void> {
  const server = await startServerProcess({ dataDir, args: ARGS });
  const load = { ...HOUR, ticks: isQuick ? 10 : 60 };
  const sent = await send(server, load, ['-conc', '64', '-rate', '500']);
  printFigure({
    figure: 'ack p50 at 500 profiles/s',
    value: number(sent, 'p50_ms'),
    unit: 'ms',
    compare: [
      { to: 'budget', value: 20 },
      { to: 'pyroscope', value: 500 },
    ],
  });
  printFigure({
    figure: 'ack p99 at 500 profiles/s',
    value: number(sent, 'p99_ms'),
    unit: 'ms',
    compare: [{ to: 'budget', value: 100 }],
  });
  await server.stop();
}

interface Inspection {
  readonly profiles: number;
  readonly samples: number;
  readonly bytes: number;
  readonly blocks: readonly { readonly id: string; readonly level: number }[];
}

/** Non-zero values sent by the standard hour and day, counted once from the corpus (its README). */
const VALUES_PER_PROFILE = { hour: 33_960_000 / 43_200, day: 10_100_000 / 34_560 };

async function compactAndMeasure(
  name: 'hour' | 'day',
  dataDir: string,
  budget: number,
): Promise<void> {
  const started = performance.now();
  const timed = `${basalt} compact --data ${dataDir} --full`;
  const { stderr } = await run('/usr/bin/time', ['-f', '%U %S %M', 'sh', '-c', timed]).catch(
    async () => {
      await run(basalt, ['compact', '--data', dataDir, '--full']);
      return { stderr: '' };
    },
  );
  const seconds = (performance.now() - started) / 1000;
  const [user, system, peakKb] = (stderr.trim().split('\n').at(-1) ?? '').split(' ').map(Number);
  const { stdout } = await run(basalt, ['inspect', '--data', dataDir, '--json'], {
    maxBuffer: 1 << 28,
  });
  const found = JSON.parse(stdout) as Inspection;
  const values = found.profiles * VALUES_PER_PROFILE[name];
  printFigure({
    figure: `${name}: compact --full`,
    value: seconds,
    unit: 's',
    detail: { cpu_s: (user ?? 0) + (system ?? 0), blocks: found.blocks.length },
  });
  if (peakKb !== undefined && peakKb > 0)
    printFigure({
      figure: `${name}: peak memory of compact --full`,
      value: peakKb / 1024,
      unit: 'MB',
      compare: [{ to: 'budget', value: 256 }],
    });
  printFigure({
    figure: `${name}: bytes on disk per non-zero value sent`,
    value: found.bytes / values,
    unit: 'B',
    compare: [
      { to: 'budget', value: budget },
      { to: 'pyroscope', value: name === 'hour' ? 7.6 : 10 },
    ],
    detail: { bytes: found.bytes, rows: found.samples },
  });
  await scanStore(
    name,
    dataDir,
    found.blocks.map((block) => block.id),
  );
}

async function merges(server: ServerProcess, cases: readonly MergeCase[]): Promise<void> {
  for (const { name, selector, hours, format, budget, first, peer } of cases) {
    const [figure] = await pload([
      ...[
        '-mode',
        'merge',
        '-http',
        server.http,
        '-selector',
        selector,
        '-format',
        format,
        '-reps',
        '9',
      ],
      ...['-from', `${START}`, '-to', `${START + hours * 3_600_000}`],
    ]);
    printFigure({
      figure: `merge ${name}, warm`,
      value: number(figure, 'median_ms'),
      unit: 'ms',
      compare: [
        { to: 'budget', value: budget },
        { to: 'pyroscope', value: peer },
      ],
    });
    if (first !== undefined)
      printFigure({
        figure: `merge ${name}, first`,
        value: number(figure, 'first_ms'),
        unit: 'ms',
        compare: [{ to: 'budget', value: first }],
      });
  }
}

interface MergeCase {
  readonly name: string;
  readonly selector: string;
  readonly hours: number;
  readonly format: string;
  readonly budget: number;
  readonly first?: number;
  readonly peer: number;
}

async function inDirectory(work: (dataDir: string) => Promise<void>): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'basalt-bench-'));
  try {
    await work(dataDir);
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

async function main(): Promise<void> {
  const missing = ploadMissing();
  if (missing !== undefined) {
    console.log(JSON.stringify({ skipped: 'standard-hour', why: missing }));
    return;
  }
  await inDirectory(ackLatency);
  await inDirectory(async (dataDir) => {
    await ingest('hour', dataDir, HOUR);
    await compactAndMeasure('hour', dataDir, 0.5);
    const server = await startServerProcess({ dataDir, args: ARGS });
    printFigure({
      figure: 'hour ready with data',
      value: server.readyMs,
      unit: 'ms',
      compare: [{ to: 'budget', value: 2000 }],
    });
    // `first` is of a server whose query thread has run its code by itself (src/server/warm-up.ts).
    await setTimeout(WARM_UP_MS);
    const prometheus = '{service_name="prometheus"}';
    await merges(server, [
      {
        name: 'prometheus CPU, 10 pods, 1 h',
        selector: prometheus,
        hours: 1,
        format: 'tree',
        budget: 40,
        first: 100,
        peer: 255,
      },
      {
        name: 'prometheus CPU, 10 pods, 1 h, as pprof',
        selector: prometheus,
        hours: 1,
        format: 'pprof',
        budget: 80,
        peer: 450,
      },
      {
        name: 'prometheus CPU, one pod, 1 h',
        selector: '{service_name="prometheus",pod="prometheus-001"}',
        hours: 1,
        format: 'tree',
        budget: 40,
        peer: 105,
      },
      {
        name: 'all services CPU, 1 h',
        selector: '{}',
        hours: 1,
        format: 'tree',
        budget: 160,
        peer: 640,
      },
    ]);
    await server.stop();
  });
  await inDirectory(async (dataDir) => {
    await ingest('day', dataDir, DAY);
    await compactAndMeasure('day', dataDir, 0.95);
    const server = await startServerProcess({ dataDir, args: ARGS });
    await setTimeout(WARM_UP_MS);
    await merges(server, [
      {
        name: 'prometheus CPU, one pod, 24 h',
        selector: '{service_name="prometheus"}',
        hours: 24,
        format: 'tree',
        budget: 90,
        first: 200,
        peer: 335,
      },
    ]);
    await server.stop();
  });
}

await main();
