/**
 * What samples cost on disk and to read: rows/s of decoding and summing (key, v1) from a block in a local directory,
 * bytes a row by column, and the same rows under other codecs and encodings (docs/adr/0006). One JSON line a figure.
 *
 *     npx tsx bench/block-scan.bench.ts [--quick]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBlock } from '../src/block/reader.js';
import { NO_METADATA } from '../src/log/profile-metadata.js';
import { SAMPLES } from '../src/block/schemas.js';
import { blockTableSizes } from '../src/block/table-sizes.js';
import type { BlockMeta } from '../src/block/types.js';
import { verifyBlock } from '../src/block/verify.js';
import { createBlockWriter } from '../src/block/writer.js';
import type { ColumnTable } from '../src/columnar/table.js';
import { systemClock } from '../src/env/clock.js';
import { nodeFileSystem } from '../src/env/node-files.js';
import { systemRng } from '../src/env/rng.js';
import type { Series } from '../src/model/series.js';
import type { Bucket } from '../src/objstore/bucket.js';
import { ParquetReader } from '../src/parquet/reader.js';
import {
  type ColumnEncoding,
  type ParquetCompression,
  createParquetWriter,
} from '../src/parquet/writer.js';
import { dataLayout, openStoreBucket } from '../src/store/layout.js';
import { SymbolMerger } from '../src/symbols/merge.js';
import { plainFrame } from '../test/support/symbols.js';
import { frameContentId } from '../src/symbols/content-id.js';
import type { SymbolSource } from '../src/symbols/source.js';
import { isQuick, printFigure } from './support/figures.js';
import { RECORDED, StackGenerator } from './support/generator.js';

const TENANT = 'bench';
const BLOCK_ID = '01HZZZZZZZZZZZZZZZZZZZZZZZ';
const PROFILES = isQuick ? 600 : 5_400;
const PODS = 10;
const BUDGET_ROWS = 50e6;
const PERIOD_NS = 10_000_000n;
const START_NS = 1_700_000_000_000_000_000n;

interface Generated {
  readonly symbols: SymbolSource;
  /** Of each profile: key and count, by key. */
  readonly profiles: readonly { readonly key: Int32Array; readonly count: Int32Array }[];
}

/** Profiles of the busiest recorded service, with stacks that keep coming new. */
function generate(): Generated {
  const [of] = RECORDED;
  if (of === undefined) throw new Error('there must be a recorded service');
  const generator = new StackGenerator(of, 1);
  const drawn = Array.from({ length: PROFILES }, () => generator.profile());
  const nodeOf = new Map<string, number>();
  const parent = [-1];
  const frame = [-1];
  const keyNode: number[] = [];
  for (let stack = 0; stack < generator.distinctStacks; stack++) {
    let node = 0;
    for (const f of generator.framesOf(stack)) {
      const at = `${node}/${f}`;
      let next = nodeOf.get(at);
      if (next === undefined) {
        next = parent.push(node) - 1;
        frame.push(f);
        nodeOf.set(at, next);
      }
      node = next;
    }
    keyNode.push(node);
  }
  const ids = new Uint32Array(generator.frames * 2);
  for (let f = 0; f < generator.frames; f++) frameContentId(plainFrame(`f${f}`), ids, f * 2);
  const merger = new SymbolMerger();
  const added = merger.add({
    frames: {
      count: generator.frames,
      idHigh: ids.filter((_, i) => i % 2 === 0),
      idLow: ids.filter((_, i) => i % 2 === 1),
      frame: (f) => plainFrame(`f${f}`),
    },
    nodes: {
      count: parent.length,
      parent: Int32Array.from(parent),
      frame: Int32Array.from(frame),
    },
    keys: {
      count: keyNode.length,
      node: Int32Array.from(keyNode),
      labelSet: new Int32Array(keyNode.length),
    },
    labelSets: { count: 1, key: () => '', labels: () => ({ strings: [], numbers: [] }) },
  });
  const { symbols, remap } = merger.finish();
  const profiles = drawn.map((counts) => {
    // Two drawn stacks may be one stack.
    const byKey = new Map<number, number>();
    for (const [stack, count] of counts) {
      const key = remap[added[stack] as number] as number;
      byKey.set(key, (byKey.get(key) ?? 0) + count);
    }
    const rows = [...byKey];
    rows.sort((a, b) => a[0] - b[0]);
    return {
      key: Int32Array.from(rows, ([key]) => key),
      count: Int32Array.from(rows, ([, count]) => count),
    };
  });
  return { symbols, profiles };
}

function seriesOf(pod: number): Series {
  return {
    service: 'prometheus',
    profileName: 'process_cpu',
    labels: [
      { name: 'pod', value: `prometheus-${pod}` },
      { name: 'service_name', value: 'prometheus' },
    ],
    periodType: 'cpu',
    periodUnit: 'nanoseconds',
    sampleTypes: [
      { type: 'samples', unit: 'count', temporality: 'delta' },
      { type: 'cpu', unit: 'nanoseconds', temporality: 'delta' },
    ],
    group: 0,
  };
}

async function writeBlock(bucket: Bucket, { symbols, profiles }: Generated): Promise<BlockMeta> {
  const writer = createBlockWriter({
    bucket,
    tenantId: TENANT,
    blockId: BLOCK_ID,
    level: 1,
    createdMs: 0,
  });
  const series = Array.from({ length: PODS }, (_, pod) => seriesOf(pod));
  await writer.beginService('prometheus', symbols, series);
  const each = PROFILES / PODS;
  for (let p = 0; p < PROFILES; p++) {
    const { key, count } = profiles[p] as Generated['profiles'][number];
    const tick = p % each;
    const zeros = new BigInt64Array(key.length);
    await writer.writeProfile({
      series: Math.floor(p / each),
      profileId: p.toString(16).padStart(32, '0'),
      startNs: START_NS + BigInt(tick) * 10_000_000_000n,
      durationNs: 10_000_000_000n,
      period: PERIOD_NS,
      flags: 0,
      metadata: NO_METADATA,
      rowCount: key.length,
      key,
      values: [
        BigInt64Array.from(count, BigInt),
        BigInt64Array.from(count, (n) => BigInt(n) * PERIOD_NS),
        zeros,
        zeros,
      ],
    });
  }
  return await writer.finish();
}

/** Adds low and high halves apart: what a query's kernel does. */
function sumByKey(key: Int32Array, value: BigInt64Array, low: Float64Array): void {
  const words = new Int32Array(value.buffer, value.byteOffset, value.length * 2);
  for (let i = 0; i < key.length; i++) {
    const k = key[i] as number;
    low[k] = (low[k] as number) + (words[2 * i] as number);
  }
}

/** Least CPU milliseconds of several rounds: wall time says little on a machine that others use. */
async function best(rounds: number, work: () => Promise<void>): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const before = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(before);
    least = Math.min(least, (user + system) / 1_000);
  }
  return least;
}

/** Writes and reads the rows of `source` under another encoding, in memory. */
async function tryEncoding(
  source: readonly ColumnTable[],
  how: { readonly compression: ParquetCompression; readonly values: ColumnEncoding },
): Promise<void> {
  const parts: Uint8Array[] = [];
  const schema = SAMPLES.schema;
  const encodings = { ...SAMPLES.encodings, v1: how.values, v2: how.values };
  const writer = createParquetWriter({
    schema,
    sink: { write: async (bytes) => void parts.push(bytes.slice()) },
    rowGroupRows: SAMPLES.rowGroupRows,
    encodings,
    compression: how.compression,
  });
  const start = process.cpuUsage();
  for (const table of source) await writer.writeRowGroup({ ...table, schema });
  const info = await writer.finish();
  const { user, system } = process.cpuUsage(start);
  const writeMs = (user + system) / 1_000;
  const file = Buffer.concat(parts);
  const reader = new ParquetReader({
    name: 'samples',
    info,
    fetch: async (from, to) => file.subarray(from, to),
  });
  const rowGroups = info.rowGroups.map((_, g) => g);
  const sums = new Float64Array(1 << 20);
  const readMs = await best(isQuick ? 3 : 7, () =>
    reader.scan({ rowGroups, columns: ['key', 'v1'] }, ({ columns }) =>
      sumByKey(columns[0] as Int32Array, columns[1] as BigInt64Array, sums),
    ),
  );
  const bytesOf = (column: string): number =>
    info.rowGroups
      .flatMap((group) => group.columns)
      .reduce((sum, chunk) => sum + (chunk.column === column ? chunk.sizeBytes : 0), 0);
  printFigure({
    figure: `samples as ${how.compression}, values ${how.values}`,
    value: info.sizeBytes / info.rowCount,
    unit: 'bytes/row',
    detail: {
      key: bytesOf('key') / info.rowCount,
      v1: bytesOf('v1') / info.rowCount,
      v2: bytesOf('v2') / info.rowCount,
      writeMRowsPerCpuSecond: info.rowCount / writeMs / 1_000,
      readMRowsPerCpuSecond: info.rowCount / readMs / 1_000,
    },
  });
}

const dir = mkdtempSync(join(tmpdir(), 'basalt-bench-'));
try {
  const environment = { files: nodeFileSystem, clock: systemClock, rng: systemRng };
  const bucket = await openStoreBucket(dataLayout(dir), {}, environment);
  const generated = generate();
  const start = performance.now();
  const meta = await writeBlock(bucket, generated);
  const writeMs = performance.now() - start;
  const rows = meta.sampleCount;
  printFigure({
    figure: 'block write',
    value: (rows / writeMs) * 1_000,
    unit: 'rows/s',
    detail: { rows, profiles: meta.profileCount },
  });

  const sums = new Float64Array(generated.symbols.keys.count);
  for (const isUnordered of [true, false]) {
    const scanMs = await best(isQuick ? 3 : 9, async () => {
      const reader = await openBlock(bucket, TENANT, BLOCK_ID);
      const ranges = [{ start: 0, end: rows }];
      await reader.scan({ ranges, valueColumns: [0], isUnordered }, ({ key, values }) =>
        sumByKey(key, values[0] as BigInt64Array, sums),
      );
    });
    printFigure({
      figure: `block open, scan and sum of (key, v1)${isUnordered ? '' : ', by profile'}`,
      value: (rows / scanMs) * 1_000,
      unit: 'rows/CPU s',
      compare: [{ to: 'budget', value: BUDGET_ROWS }],
      detail: { cpuMs: scanMs },
    });
  }

  const { tables, columns } = blockTableSizes(meta);
  const total = Object.values(tables).reduce((sum, n) => sum + n, 0);
  printFigure({
    figure: 'block size',
    value: total / rows,
    unit: 'bytes/row',
    detail: { bytesByTable: tables, sampleBytesByColumn: onlySamples(columns) },
  });

  const verifyStart = process.cpuUsage();
  const findings = await verifyBlock(bucket, TENANT, BLOCK_ID);
  if (findings.length > 0) throw new Error(`the block is not sound: ${findings[0]?.message}`);
  const { user, system } = process.cpuUsage(verifyStart);
  printFigure({
    figure: 'block verify',
    value: rows / ((user + system) / 1e6),
    unit: 'rows/CPU s',
  });

  const open = await openSamples(bucket, meta);
  for (const compression of ['zstd', 'lz4', 'none'] as const) {
    for (const values of ['dictionary', 'delta', 'plain'] as const) {
      await tryEncoding(open, { compression, values });
    }
  }
} finally {
  rmSync(dir, { recursive: true });
}

function onlySamples(columns: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(columns).filter(([name]) => name.startsWith('samples.')),
  );
}

/** All rows of `samples`, row group by row group. */
async function openSamples(bucket: Bucket, meta: BlockMeta): Promise<ColumnTable[]> {
  const table = meta.tables.find((t) => t.table === 'samples');
  if (table === undefined) throw new Error('a block must have samples');
  const key = `blocks/${TENANT}/${BLOCK_ID}/samples.parquet`;
  const reader = new ParquetReader({
    name: key,
    info: table,
    fetch: (start, end) => bucket.getRange(key, { start, end }),
  });
  const rowGroups = table.rowGroups.map((_, g) => g);
  const names = SAMPLES.schema.fields.map((field) => field.name);
  return await reader.tables({ rowGroups, columns: names }, SAMPLES.schema);
}
