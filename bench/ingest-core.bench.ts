/**
 * What a profile costs on the ingest thread, gRPC left out: the write path as a whole over the standard mix with real
 * fsyncs, then each of its stages alone. One JSON line a figure.
 *
 *     npx tsx bench/ingest-core.bench.ts [--quick] [DIR of recorded profiles]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32c } from '../src/base/crc32c.js';
import { systemClock } from '../src/env/clock.js';
import { nodeFileSystem } from '../src/env/node-files.js';
import { systemRng } from '../src/env/rng.js';
import { PprofDecoder } from '../src/formats/pprof/decode.js';
import { inflateProfile } from '../src/formats/pprof/inflate.js';
import { ReusedGunzip } from '../src/formats/pprof/reused-gunzip.js';
import { NO_BLOCKS } from '../test/support/no-blocks.js';
import { CommitBuilder } from '../src/ingest/commit-builder.js';
import { openIngest } from '../src/ingest/ingest.js';
import { prepareProfile } from '../src/ingest/prepare.js';
import { SeriesRegistry } from '../src/ingest/series-registry.js';
import { isQuick, printFigure } from './support/figures.js';
import { type MixProfile, recordedSeries, tickProfiles } from './support/standard-mix.js';

const BUDGET_MS = 0.6;
const TICKS = isQuick ? 10 : 60;
/** Ticks before the figures count: the tables are filled and the code is compiled. */
const TICKS_WARM = isQuick ? 4 : 12;
/** Requests under way at once, as sixteen connections would have them. */
const CONCURRENCY = 16;
const START_NS = BigInt(Date.now() - 86_400_000) * 1_000_000n;

async function send(
  write: (profile: MixProfile) => Promise<unknown>,
  profiles: readonly MixProfile[],
): Promise<void> {
  let next = 0;
  const sender = async (): Promise<void> => {
    for (let i = next++; i < profiles.length; i = next++) await write(profiles[i] as MixProfile);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, sender));
}

async function wholePath(series: NonNullable<ReturnType<typeof recordedSeries>>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'basalt-bench-'));
  const settings = { segmentBytesMax: 32 << 20, logBytesMax: 8 * 2 ** 30 };
  const options = {
    files: nodeFileSystem,
    clock: systemClock,
    rng: systemRng,
    store: NO_BLOCKS,
    settings,
  };
  const ingest = await openIngest({ ...options, logDir: join(dir, 'log') });
  let cpuMs = 0;
  let wallMs = 0;
  let profiles = 0;
  let values = 0;
  let waited = 0;
  const waitMs: number[] = [];
  for (let tick = 0; tick < TICKS; tick++) {
    const batch = tickProfiles(series, tick, START_NS);
    const isCounted = tick >= TICKS_WARM;
    const cpu = process.cpuUsage();
    const start = performance.now();
    await send(async (profile) => {
      const began = performance.now();
      await ingest.write('anonymous', profile);
      if (isCounted) waitMs.push(performance.now() - began);
      waited++;
    }, batch);
    if (!isCounted) continue;
    const used = process.cpuUsage(cpu);
    cpuMs += (used.user + used.system) / 1000;
    wallMs += performance.now() - start;
    profiles += batch.length;
  }
  const gauges = ingest.gauges();
  values = ingest.counters.samples;
  await ingest.close();
  waitMs.sort((a, b) => a - b);
  const at = (q: number): number => waitMs[Math.floor(q * (waitMs.length - 1))] as number;
  printFigure({
    figure: 'ingest core',
    value: cpuMs / profiles,
    unit: 'CPU ms/profile',
    compare: [
      { to: 'budget', value: BUDGET_MS },
      { to: 'pyroscope', value: 4.8 },
    ],
  });
  printFigure({ figure: 'ingest speed', value: (profiles / wallMs) * 1000, unit: 'profiles/s' });
  printFigure({ figure: 'ack p50', value: at(0.5), unit: 'ms' });
  printFigure({ figure: 'ack p99', value: at(0.99), unit: 'ms' });
  printFigure({ figure: 'log bytes a value', value: gauges.logBytes / values, unit: 'bytes' });
  printFigure({ figure: 'profiles a commit', value: waited / gauges.commits, unit: 'profiles' });
  printFigure({ figure: 'symbols in memory', value: gauges.internBytes / 2 ** 20, unit: 'MB' });

  const opened = performance.now();
  const again = await openIngest({ ...options, logDir: join(dir, 'log') });
  const logMb = again.gauges().logBytes / 2 ** 20;
  printFigure({
    figure: 'start with a log',
    value: ((performance.now() - opened) / logMb) * 256,
    unit: 'ms for 256 MB',
    compare: [{ to: 'budget', value: 2000 }],
    detail: { logMb },
  });
  await again.close();
  rmSync(dir, { recursive: true });
}

/** CPU and not wall time: what else the machine does must not count. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function stages(series: NonNullable<ReturnType<typeof recordedSeries>>): void {
  const decoder = new PprofDecoder();
  const gunzip = ReusedGunzip.open();
  const builder = new CommitBuilder();
  const registry = new SeriesRegistry();
  builder.startSegment(2 ** 40);
  const ms: Record<string, number> = {};
  let last = 0;
  let isCounted = false;
  let profiles = 0;
  const lap = (stage: string): void => {
    const now = cpuMs();
    if (isCounted) ms[stage] = (ms[stage] ?? 0) + now - last;
    last = cpuMs();
  };
  for (let tick = 0; tick < TICKS; tick++) {
    isCounted = tick >= TICKS_WARM;
    let inCommit = 0;
    for (const request of tickProfiles(series, tick, START_NS)) {
      if (isCounted) profiles++;
      last = cpuMs();
      const plain = inflateProfile(request.profile, {}, gunzip);
      lap('inflate');
      const pprof = decoder.decodePlain(plain);
      lap('decode');
      const prepared = prepareProfile({ request, pprof, nowMs: Date.now() });
      lap('labels and id');
      const keyOf = builder.interner.internSamples(pprof);
      lap('intern');
      const { sampleValue } = pprof;
      const values = new Int32Array(
        sampleValue.buffer,
        sampleValue.byteOffset,
        sampleValue.length * 2,
      );
      const group = prepared.groups[0] as (typeof prepared.groups)[0];
      builder.add(
        { ...prepared, series: registry.state('anonymous', group.seriesKey) },
        {
          sampleCount: pprof.sampleCount,
          values,
          stride: pprof.sampleTypeCount,
          firstType: group.firstType,
          typeCount: group.typeCount,
          keyOf,
          keyCount: builder.interner.keyCount,
        },
      );
      lap('rows');
      if (++inCommit % 8 !== 0) continue;
      const { payload } = builder.take();
      lap('commit encode');
      let crc = 0;
      for (const piece of payload) crc = crc32c(piece, crc);
      lap('checksum');
    }
  }
  for (const [stage, total] of Object.entries(ms)) {
    printFigure({ figure: `stage: ${stage}`, value: total / profiles, unit: 'ms/profile' });
  }
}

async function main(): Promise<void> {
  const directory = process.argv.slice(2).find((argument) => !argument.startsWith('--'));
  const series = recordedSeries(directory ?? join(import.meta.dirname, '../../shared/corpus'));
  if (series === undefined) {
    printFigure({ figure: 'ingest core', value: 0, unit: 'skipped: no recorded profiles' });
    return;
  }
  stages(series);
  await wholePath(series);
}

await main();
