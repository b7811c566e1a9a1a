/**
 * A month of a quiet fleet on a virtual clock: 20 services of 5 pods, a CPU profile each every half hour for 31 days,
 * compacted as time goes by. Bytes a value at each level, what was written for what is kept, the peak of the resident
 * memory, and what a merge of one service costs over an hour, a day, a week and a month. The profiles come from another
 * process, so that their making counts nowhere.
 *
 * Twice: once a service's program has 7,000 stacks, so that what it runs in the fourth week is what it ran in the first;
 * and once ("growing") new ones keep coming all month, as fast as the recordings brought them in their first minutes. Each
 * in a process of its own.
 *
 *     npx tsx bench/long-run.bench.ts [--quick] [--program | --growing]
 */
import { type ChildProcess, fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Clock, systemClock } from '../src/env/clock.js';
import { nodeFileSystem } from '../src/env/node-files.js';
import { systemRng } from '../src/env/rng.js';
import { openStore, type Store } from '../src/index.js';
import { ManifestStore } from '../src/manifest/manifest-store.js';
import { dataLayout, openStoreBucket } from '../src/store/layout.js';
import { MeteredBucket } from '../test/support/metered-bucket.js';
import { isQuick, memoryMb, printFigure } from './support/figures.js';
import { RECORDED, StackGenerator } from './support/generator.js';

const SERVICES = isQuick ? 2 : 20;
const PODS = isQuick ? 2 : 5;
const DAYS = isQuick ? 2 : 31;
const TICK_MS = 30 * 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** A Thursday at midnight, so that weeks are whole. */
const START_MS = 20_454 * DAY_MS;
const TICKS = (DAYS * DAY_MS) / TICK_MS;
/** As many as a service shows in a day while new ones keep coming. */
const PROGRAM_STACKS = 7_000;
const isGrowing = process.argv.includes('--growing');
const NAME = isGrowing ? 'long run, growing' : 'long run';
const TENANT = 'anonymous';
const TYPE = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const RUNS = isQuick ? 3 : 9;
/** A merge of 30 days may cost this many times one of a day. */
const MONTH_TO_DAY_MAX = 3;
const COMPACTION_MB_MAX = 256;

interface Tick {
  /** One a service and pod, in that order. */
  readonly profiles: readonly Uint8Array[];
  /** Values sent that are not 0. */
  readonly values: number;
}

/** The other process: answers each number of a tick with its profiles. */
function generate(): void {
  const generators = Array.from({ length: SERVICES }, (_, s) => {
    const recorded = RECORDED[s % RECORDED.length];
    if (recorded === undefined) throw new Error('no recorded service');
    const own = isGrowing ? {} : { stacksMax: PROGRAM_STACKS };
    return new StackGenerator({ ...recorded, samplesPerProfile: 60, ...own }, s + 1);
  });
  process.on('message', (tick: number) => {
    const drawn = generators.flatMap((generator) =>
      Array.from({ length: PODS }, () => generator.drawn(START_MS + tick * TICK_MS)),
    );
    const values = drawn.reduce((sum, { values }) => sum + values, 0);
    process.send?.({ profiles: drawn.map(({ pprof }) => pprof), values });
  });
}

async function tickOf(child: ChildProcess, tick: number): Promise<Tick> {
  child.send(tick);
  const [answer] = (await once(child, 'message')) as [Tick];
  return answer;
}

async function writeTick(store: Store, { profiles }: Tick): Promise<void> {
  await Promise.all(
    profiles.map((profile, i) =>
      store.write({
        labels: [
          { name: '__name__', value: 'process_cpu' },
          { name: 'service_name', value: `service-${Math.floor(i / PODS)}` },
          { name: 'pod', value: `pod-${i % PODS}` },
        ],
        profile,
      }),
    ),
  );
}

/** Bytes and rows of every block that was ever live, by level. */
class LevelSizes {
  readonly levels = new Map<number, { bytes: number; rows: number }>();
  readonly #seen = new Set<string>();
  readonly #manifests: ManifestStore;

  constructor(manifests: ManifestStore) {
    this.#manifests = manifests;
  }

  async look(): Promise<void> {
    for (const block of (await this.#manifests.load(TENANT)).blocks) {
      if (this.#seen.has(block.blockId)) continue;
      this.#seen.add(block.blockId);
      const level = this.levels.get(block.level) ?? { bytes: 0, rows: 0 };
      this.levels.set(block.level, level);
      level.bytes += block.sizeBytes;
      level.rows += block.sampleCount;
    }
  }

  async live(): Promise<{ bytes: number; blocks: number }> {
    const { blocks } = await this.#manifests.load(TENANT);
    return { bytes: blocks.reduce((sum, b) => sum + b.sizeBytes, 0), blocks: blocks.length };
  }
}

async function fill(dir: string): Promise<void> {
  const here = fileURLToPath(import.meta.url);
  const args = [...process.argv.slice(2), '--generate'];
  const child = fork(here, args, { serialization: 'advanced', execArgv: process.execArgv });
  let nowMs = START_MS;
  const clock: Clock = { ...systemClock, nowMs: () => nowMs };
  const environment = { files: nodeFileSystem, clock, rng: systemRng };
  const bucket = new MeteredBucket(await openStoreBucket(dataLayout(dir), {}, environment));
  const sizes = new LevelSizes(new ManifestStore({ bucket, ...environment }));
  const store = await openStore({ dir, environment, bucket, compaction: 'manual' });
  let values = 0;
  for (let tick = 0; tick < TICKS; tick++) {
    nowMs = START_MS + tick * TICK_MS + 1_000;
    const profiles = await tickOf(child, tick);
    values += profiles.values;
    await writeTick(store, profiles);
    await store.compact();
    await sizes.look();
  }
  child.disconnect();
  nowMs += 8 * DAY_MS;
  await store.compact({ full: true });
  await sizes.look();
  const written = bucket.counts.put.bytes + bucket.counts.upload.bytes;
  const live = await sizes.live();
  await store.close();
  await bucket.close();
  report(values, sizes, { written, ...live });
}

function report(
  values: number,
  sizes: LevelSizes,
  bytes: { readonly written: number; readonly bytes: number; readonly blocks: number },
): void {
  const profiles = TICKS * SERVICES * PODS;
  const rows = Math.max(...[...sizes.levels.values()].map((level) => level.rows));
  for (const [level, { bytes, rows: own }] of [...sizes.levels].sort(([a], [b]) => a - b)) {
    // Values a row are the same at every level: what a level's rows stand for follows from its share.
    printFigure({
      figure: `${NAME}: bytes a value at level ${level}`,
      value: bytes / ((values * own) / rows),
      unit: 'bytes',
    });
  }
  printFigure({
    figure: `${NAME}: bytes a value kept`,
    value: bytes.bytes / values,
    unit: 'bytes',
    detail: { profiles, values, blocks: bytes.blocks },
  });
  printFigure({
    figure: `${NAME}: bytes written for each byte kept`,
    value: bytes.written / bytes.bytes,
    unit: 'times',
  });
  printFigure({
    figure: `${NAME}: peak resident memory, writing and compacting`,
    value: memoryMb(process.pid).peak,
    unit: 'MB',
    compare: [{ to: 'budget of a compaction alone', value: COMPACTION_MB_MAX }],
  });
}

async function timed(store: Store, rangeMs: number): Promise<{ first: number; warm: number }> {
  // Ranges end where the data ends; begun at an odd minute, so that edges are raw rows.
  const endMs = START_MS + DAYS * DAY_MS - 7 * 60_000;
  const times: number[] = [];
  for (let run = 0; run <= RUNS; run++) {
    const begin = performance.now();
    await store.query.mergeTree({
      tenantId: TENANT,
      selector: '{service_name="service-0"}',
      startMs: Math.max(START_MS, endMs - rangeMs),
      endMs,
      profileType: TYPE,
    });
    times.push(performance.now() - begin);
  }
  const [first = 0, ...warm] = times;
  warm.sort((a, b) => a - b);
  return { first, warm: warm[warm.length >> 1] ?? 0 };
}

async function measureMerges(dir: string): Promise<void> {
  const ranges: readonly [string, number][] = [
    ['1 h', HOUR_MS],
    ['1 d', DAY_MS],
    ['7 d', 7 * DAY_MS],
    ['30 d', 30 * DAY_MS],
  ];
  const warmMs = new Map<string, number>();
  for (const [name, rangeMs] of ranges) {
    if (rangeMs > DAYS * DAY_MS) continue;
    const store = await openStore({
      dir,
      threads: false,
      compaction: 'manual',
      resultCacheBytes: 0,
    });
    const { first, warm } = await timed(store, rangeMs);
    await store.close();
    warmMs.set(name, warm);
    const day = warmMs.get('1 d');
    printFigure({
      figure: `${NAME}: merge of one service over ${name}, warm`,
      value: warm,
      unit: 'ms',
      ...(name === '30 d' && day !== undefined
        ? { compare: [{ to: 'three times 1 d', value: day * MONTH_TO_DAY_MAX }] }
        : {}),
      detail: { firstMs: Math.round(first) },
    });
  }
}

/** Both kinds of a month, one after the other. */
function runBoth(): void {
  for (const kind of ['--program', '--growing']) {
    const args = [...process.execArgv, ...process.argv.slice(1), kind];
    const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
    if (status !== 0) throw new Error(`the month ${kind} could not be measured`);
  }
}

async function main(): Promise<void> {
  if (process.argv.includes('--generate')) {
    generate();
    return;
  }
  if (!isGrowing && !process.argv.includes('--program')) {
    runBoth();
    return;
  }
  const dir = mkdtempSync(join(tmpdir(), 'basalt-long-'));
  try {
    await fill(dir);
    await measureMerges(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

await main();
