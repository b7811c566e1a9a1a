/**
 * What compaction costs: level 0 to 1 segment by segment, then merging all of it into one block, over the standard
 * mix. CPU a profile, bytes a non-zero value sent, and the peak of the resident memory (the log is filled by another
 * process). One JSON line a figure.
 *
 *     npx tsx bench/compaction.bench.ts [--quick] [DIR of recorded profiles]
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CompactionReport } from '../src/compaction/report.js';
import { systemClock } from '../src/env/clock.js';
import { nodeFileSystem } from '../src/env/node-files.js';
import { systemRng } from '../src/env/rng.js';
import { NO_BLOCKS } from '../test/support/no-blocks.js';
import { openIngest } from '../src/ingest/ingest.js';
import { ManifestStore } from '../src/manifest/manifest-store.js';
import { openCompactionPart } from '../src/store/compaction-part.js';
import { dataLayout, openStoreBucket } from '../src/store/layout.js';
import { isQuick, memoryMb, printFigure } from './support/figures.js';
import { recordedSeries, tickProfiles } from './support/standard-mix.js';

const TENANT = 'anonymous';
const BUDGET_MS = 0.15;
const PROFILES_A_TICK = 120;
const TICKS = isQuick ? 24 : 120;
const HOUR_MS = 3_600_000;
/** An aligned hour of yesterday. */
const START_NS = BigInt(Math.floor(Date.now() / HOUR_MS - 24) * HOUR_MS) * 1_000_000n;
const environment = { files: nodeFileSystem, clock: systemClock, rng: systemRng };

const corpus = (): string =>
  process.argv.slice(2).findLast((arg) => !arg.startsWith('--') && !arg.startsWith('/tmp/')) ??
  fileURLToPath(new URL('../../shared/corpus', import.meta.url));

const openLog = (logDir: string) =>
  openIngest({ ...environment, logDir, store: NO_BLOCKS, settings: { logBytesMax: 8 * 2 ** 30 } });

/** Writes the mix to the log and prints the values sent. */
async function fill(dir: string): Promise<void> {
  const series = recordedSeries(corpus());
  if (series === undefined) return;
  const ingest = await openLog(dataLayout(dir).logDir);
  for (let tick = 0; tick < TICKS; tick++) {
    const batch = tickProfiles(series, tick, START_NS);
    await Promise.all(batch.map((profile) => ingest.write(TENANT, profile)));
  }
  await ingest.seal();
  console.log(ingest.counters.samples);
  await ingest.close();
}

function checkReport(report: CompactionReport): CompactionReport {
  const [failure] = report.failures;
  if (failure !== undefined) throw failure.error;
  return report;
}

function cpuNow(): { cpuMs: number; wallMs: number; residentMb: number } {
  const { user, system } = process.cpuUsage();
  const residentMb = memoryMb(process.pid).peak;
  return { cpuMs: (user + system) / 1000, wallMs: performance.now(), residentMb };
}

async function measure(dir: string, values: number): Promise<void> {
  const layout = dataLayout(dir);
  const bucket = await openStoreBucket(layout, {}, environment);
  const ingest = await openLog(layout.logDir);
  const logBytes = ingest.gauges().logBytes;
  const compactor = openCompactionPart({
    layout,
    bucket,
    environment,
    position: () => Promise.resolve(ingest.position()),
    consumed: (tenantId, sequence) => ingest.consumed(tenantId, sequence),
  });
  const manifests = new ManifestStore({ bucket, clock: systemClock, rng: systemRng });
  const start = cpuNow();
  let merging = start;
  let mergingMb = 0;
  const report = checkReport(
    await compactor.runFull({
      onProgress: ({ kind }) => {
        if (kind === 'level-zero') merging = cpuNow();
        else if (mergingMb === 0) mergingMb = memoryMb(process.pid).peak;
      },
    }),
  );
  const end = cpuNow();
  const profiles = TICKS * PROFILES_A_TICK;
  const { blocks, carries } = await manifests.load(TENANT);
  const sizeBytes = blocks.reduce((sum, block) => sum + block.sizeBytes, 0);
  printFigure({
    figure: 'compaction: level 0 to 1, CPU a profile',
    value: (merging.cpuMs - start.cpuMs) / profiles,
    unit: 'ms',
    compare: [{ to: 'budget', value: BUDGET_MS }],
    detail: {
      profiles,
      compactions: report.levelZeroCompactions,
      profilesPerSecond: Math.round(profiles / ((merging.wallMs - start.wallMs) / 1000)),
      startMb: Math.round(start.residentMb),
      peakMb: Math.round(mergingMb),
      logBytesPerValue: Number((logBytes / values).toPrecision(3)),
      carryBytes: carries.map((c) => c.sizeBytes),
    },
  });
  printFigure({
    figure: 'compaction: merging all into one block, CPU a profile',
    value: (end.cpuMs - merging.cpuMs) / profiles,
    unit: 'ms',
    detail: {
      merges: report.merges,
      profilesPerSecond: Math.round(profiles / ((end.wallMs - merging.wallMs) / 1000)),
      peakMb: Math.round(end.residentMb),
      blocks: blocks.length,
      rows: blocks.reduce((sum, block) => sum + block.sampleCount, 0),
    },
  });
  printFigure({
    figure: 'compaction: bytes a non-zero value sent',
    value: sizeBytes / values,
    unit: 'bytes',
  });
  await compactor.close();
  await ingest.close();
  await bucket.close();
}

async function main(): Promise<void> {
  const at = process.argv.indexOf('--fill');
  if (at >= 0) {
    await fill(process.argv[at + 1] ?? '');
    return;
  }
  if (recordedSeries(corpus()) === undefined) {
    console.log(JSON.stringify({ figure: 'compaction', skipped: 'no recorded profiles' }));
    return;
  }
  const dir = mkdtempSync(join(tmpdir(), 'basalt-bench-'));
  try {
    const args = [...process.execArgv, ...process.argv.slice(1), '--fill', dir];
    const out = execFileSync(process.execPath, args, { encoding: 'utf8' });
    await measure(dir, Number(out.trim().split('\n').at(-1)));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

await main();
