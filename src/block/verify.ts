/**
 * Checks everything that one block can show about itself: every byte of every file against the checksums of `meta`,
 * the footers against `meta`, and then what the tables say: order, references, intervals, totals, content ids.
 */
import { crc32c } from '../base/crc32c.js';
import { StoreError, corrupt } from '../base/errors.js';
import { boolValues, int32Values } from '../columnar/table.js';
import { type Series, seriesKey } from '../model/series.js';
import type { Bucket } from '../objstore/bucket.js';
import { readFooter } from '../parquet/footer.js';
import { frameContentId } from '../symbols/content-id.js';
import type { FrameTable, SymbolSource } from '../symbols/source.js';
import { PARQUET_MAGIC_BYTES } from './meta-codec.js';
import { tableKey } from './object-keys.js';
import { type OpenTable, readNumbers, readTableParts } from './read-rows.js';
import { openBlock, openTable } from './reader.js';
import { verifyRollups } from './rollup-verify.js';
import { RowOrder, scatter32, scatter64 } from './row-order.js';
import { liesByKey } from './row-scan.js';
import { summarize } from './sample-buffer.js';
import { isWider, sumWidthOf } from './sums.js';
import { trieColumns } from './trie-columns.js';
import type {
  BlockMeta,
  BlockProfiles,
  BlockReader,
  BlockSeries,
  RowRange,
  ServiceMeta,
  TableMeta,
  TableName,
} from './types.js';
import { ROLLUP_WIDTH_NS } from '../model/rollup-width.js';

/** One thing that is wrong with a block. */
export interface BlockFinding {
  readonly code: string;
  readonly message: string;
}

/** Findings of one part end at its first: what follows from damage is no news. */
type Check = (work: () => Promise<void>) => Promise<void>;

const PARQUET_MAGIC = 'PAR1';

/**
 * All findings; empty for a sound block. Damage is reported, never thrown, except that of `meta`, without which
 * nothing can be checked (`corrupt`, `not-found`). Errors that say nothing about the block (`unavailable`) pass.
 */
export async function verifyBlock(
  bucket: Bucket,
  tenantId: string,
  blockId: string,
): Promise<BlockFinding[]> {
  const reader = await openBlock(bucket, tenantId, blockId);
  const { meta } = reader;
  const findings: BlockFinding[] = [];
  const check: Check = async (work) => {
    try {
      await work();
    } catch (error) {
      const { kind, code, message } = StoreError.from(error);
      if (kind !== 'corrupt' && kind !== 'not-found' && code !== 'PS_ASSERT') throw error;
      findings.push({ code, message });
    }
  };
  for (const table of meta.tables) await check(() => verifyFile(bucket, meta, table));
  // The tables cannot be trusted with their meaning before their bytes.
  if (findings.length > 0) return findings;
  await verifyTables({ bucket, meta, reader, check });
  // Rollups are made from the rest, so what is wrong there is wrong here.
  if (findings.length === 0) await check(() => verifyRollups(bucket, meta));
  return findings;
}

function wrong(what: string, got: string, want: string): StoreError {
  return corrupt('PS_BLOCK_INVARIANT', `cannot accept ${what}: got ${got}; want ${want}`);
}

async function verifyFile(bucket: Bucket, meta: BlockMeta, table: TableMeta): Promise<void> {
  const key = tableKey(meta.tenantId, meta.blockId, table.table);
  const { sizeBytes } = await bucket.head(key);
  if (sizeBytes !== table.sizeBytes) {
    throw corrupt(
      'PS_BLOCK_SIZE',
      `cannot read ${key}: got ${sizeBytes} bytes; want ${table.sizeBytes}`,
    );
  }
  const magic = await bucket.getRange(key, { start: 0, end: PARQUET_MAGIC_BYTES });
  if (Buffer.from(magic).toString('latin1') !== PARQUET_MAGIC) {
    throw corrupt('PS_BLOCK_MAGIC', `cannot read ${key}: got another magic; want ${PARQUET_MAGIC}`);
  }
  for (const group of table.rowGroups) {
    const first = group.columns[0];
    const last = group.columns.at(-1);
    if (first === undefined || last === undefined) continue;
    const start = first.offset;
    const bytes = await bucket.getRange(key, { start, end: last.offset + last.sizeBytes });
    for (const { column, offset, sizeBytes: size, crc32c: want } of group.columns) {
      const got = crc32c(bytes.subarray(offset - start, offset - start + size));
      if (got === want) continue;
      throw corrupt(
        'PS_BLOCK_CHECKSUM',
        `cannot read column ${column} of ${key} at ${offset}: got checksum ${got}; want ${want}`,
      );
    }
  }
  const footerStart = table.sizeBytes - table.footer.length;
  const footer = await bucket.getRange(key, { start: footerStart, end: table.sizeBytes });
  if (Buffer.compare(footer, table.footer) !== 0) {
    throw corrupt('PS_BLOCK_FOOTER', `cannot read ${key}: got another footer; want that of meta`);
  }
  verifyFooter(key, table);
}

function verifyFooter(key: string, table: TableMeta): void {
  const read = readFooter(table.footer, table.sizeBytes);
  const shape = (groups: TableMeta['rowGroups'] | typeof read.rowGroups): string =>
    JSON.stringify(
      groups.map((g) => [g.rowCount, g.columns.map((c) => [c.column, c.offset, c.sizeBytes])]),
    );
  if (shape(read.rowGroups) !== shape(table.rowGroups)) {
    throw corrupt('PS_BLOCK_FOOTER', `cannot read ${key}: got a footer unlike meta; want the same`);
  }
}

interface Verification {
  readonly bucket: Bucket;
  readonly meta: BlockMeta;
  readonly reader: BlockReader;
  readonly check: Check;
}

async function verifyTables({ bucket, meta, reader, check }: Verification): Promise<void> {
  const open = (name: TableName): OpenTable => openTable(bucket, meta, name);
  await check(async () => {
    const series = await reader.series();
    const profiles = await reader.profiles();
    const ids = await reader.profileIds();
    verifySeries(meta, series, profiles);
    verifyProfileOrder(meta, profiles, ids);
    verifySums(meta, profiles);
    await verifySamples(open('samples'), { meta, series, profiles, order: new RowOrder() });
  });
  let frames: FrameTable | undefined;
  for (const service of meta.services) {
    await check(async () => {
      const symbols = await reader.symbols(service.service);
      if (frames === undefined) {
        frames = symbols.frames;
        verifyFrames(frames);
      }
      await verifyTrie(open('nodes'), service, symbols);
    });
  }
}

function verifySeries(
  meta: BlockMeta,
  series: readonly BlockSeries[],
  profiles: BlockProfiles,
): void {
  const services = new Set(meta.services.map((s) => s.service));
  let last = '';
  for (const { series: s } of series) {
    if (!services.has(s.service)) throw wrong('series', s.service, 'a service of meta');
    // A separator below every other character makes the tuple sort like its parts.
    const order = [s.service, s.profileName, seriesKey(s)].join('\0');
    if (order <= last) throw wrong('series', 'two out of order', 'them sorted');
    last = order;
  }
  const counts = series.map(() => 0);
  const min = series.map(() => 0n);
  const max = series.map(() => 0n);
  for (let p = 0; p < profiles.count; p++) {
    const s = profiles.series[p] as number;
    const startNs = profiles.startNs[p] as bigint;
    if (counts[s] === 0 || startNs < (min[s] as bigint)) min[s] = startNs;
    if (counts[s] === 0 || startNs > (max[s] as bigint)) max[s] = startNs;
    counts[s] = (counts[s] as number) + 1;
  }
  series.forEach((s, i) => {
    const same = s.profileCount === counts[i] && s.startNsMin === min[i] && s.startNsMax === max[i];
    if (!same) throw wrong(`series ${i}`, 'another count or range', 'that of its profiles');
  });
}

function verifyProfileOrder(
  meta: BlockMeta,
  profiles: BlockProfiles,
  ids: readonly string[],
): void {
  let min = profiles.startNs[0] as bigint;
  let max = min;
  for (let p = 0; p < profiles.count; p++) {
    const startNs = profiles.startNs[p] as bigint;
    if (startNs < min) min = startNs;
    if (startNs > max) max = startNs;
    if (p === 0) continue;
    const bySeries = (profiles.series[p] as number) - (profiles.series[p - 1] as number);
    const before = profiles.startNs[p - 1] as bigint;
    const isAfter =
      bySeries > 0 ||
      (bySeries === 0 &&
        (startNs > before || (startNs === before && (ids[p] as string) > (ids[p - 1] as string))));
    if (!isAfter) throw wrong(`profile ${p}`, 'it out of order', '(series, start, id) rising');
  }
  if (min !== meta.startNsMin || max !== meta.startNsMax) {
    throw wrong('profiles', `starts ${min} to ${max}`, `${meta.startNsMin} to ${meta.startNsMax}`);
  }
}

function verifySums(
  { sums }: BlockMeta,
  { count, flags, startNs, profileCounts }: BlockProfiles,
): void {
  for (let p = 0; p < count; p++) {
    const width = sumWidthOf(flags[p] as number);
    const counted = profileCounts?.[p] ?? 1;
    const isSound =
      width === undefined
        ? counted === 1
        : sums !== undefined &&
          !isWider(width, sums.width) &&
          counted >= 1 &&
          (startNs[p] as bigint) % ROLLUP_WIDTH_NS[width] === 0n;
    if (!isSound) throw wrong(`profile ${p}`, `a sum of ${counted}`, 'one that meta knows');
  }
}

interface SampleContext {
  readonly meta: BlockMeta;
  readonly series: readonly BlockSeries[];
  readonly profiles: BlockProfiles;
  readonly order: RowOrder;
}

/** A row group of `samples`, its rows by profile. */
interface SampleGroup {
  readonly series: Int32Array;
  readonly profile: Int32Array;
  readonly key: Int32Array;
  /** Before version 3. */
  readonly time: BigInt64Array | undefined;
  readonly values: readonly BigInt64Array[];
}

const SAMPLE_COLUMNS = ['series', 'profile', 'key', 'v1', 'v2', 'v3', 'v4'];

async function readSamples(
  open: OpenTable,
  range: RowRange,
  context: SampleContext,
): Promise<SampleGroup> {
  const isByKey = liesByKey(context.meta);
  const names = [...SAMPLE_COLUMNS, ...(isByKey ? [] : ['time'])];
  const columns = await readNumbers(open, range, names);
  const [series, profile, key] = columns as Int32Array[] as [Int32Array, Int32Array, Int32Array];
  const values = columns.slice(3, 7) as BigInt64Array[];
  if (!isByKey) return { series, profile, key, time: columns[7] as BigInt64Array, values };
  verifyOrderByKey(range, { profile, key }, context);
  const places = context.order.places(profile, profile.length);
  const ordered32 = (column: Int32Array): Int32Array => {
    const out = new Int32Array(column.length);
    scatter32(column, places, out);
    return out;
  };
  const ordered64 = (column: BigInt64Array): BigInt64Array => {
    const out = new BigInt64Array(column.length);
    scatter64(column, places, out);
    return out;
  };
  return {
    series: ordered32(series),
    profile: ordered32(profile),
    key: ordered32(key),
    time: undefined,
    values: values.map(ordered64),
  };
}

/** By (service, profile name, key, profile), where the profiles of every other key run backwards. */
function verifyOrderByKey(
  { start }: RowRange,
  { profile, key }: Pick<SampleGroup, 'profile' | 'key'>,
  { series, profiles }: SampleContext,
): void {
  const nameOf = (row: number): Series | undefined =>
    series[profiles.series[profile[row] as number] ?? -1]?.series;
  let isBackwards = false;
  let own = nameOf(0);
  for (let row = 1; row < key.length; row++) {
    const step = (key[row] as number) - (key[row - 1] as number);
    const rise = (profile[row] as number) - (profile[row - 1] as number);
    const before = own;
    own = nameOf(row);
    const isSameName = before?.service === own?.service && before?.profileName === own?.profileName;
    if (isSameName && step === 0) {
      if (isBackwards ? rise < 0 : rise > 0) continue;
    } else if (isSameName ? step > 0 : rise > 0) {
      isBackwards = isSameName && !isBackwards;
      continue;
    }
    throw wrong(`row ${start + row}`, 'it out of place', 'it sorted by key');
  }
}

/** Row group by row group; a profile that spans several is summed across them. */
async function verifySamples(open: OpenTable, context: SampleContext): Promise<void> {
  const { meta, series, profiles } = context;
  const keyCounts = new Map(meta.services.map((s) => [s.service, s.keyCount]));
  const magnitudeMax = [0n, 0n, 0n, 0n];
  const totals = [0n, 0n, 0n, 0n];
  let p = 0;
  let lastKey = -1;
  for (const { firstRow, rowCount } of open.meta.rowGroups) {
    const range = { start: firstRow, end: firstRow + rowCount };
    const group = await readSamples(open, range, context);
    const { series: seriesOf, profile, key, time, values } = group;
    let row = 0;
    while (row < rowCount) {
      while (p < profiles.count && profileEnd(profiles, p) <= firstRow + row) {
        verifyTotals(profiles, p++, totals);
        lastKey = -1;
      }
      const end = Math.min(rowCount, profileEnd(profiles, p) - firstRow);
      const s = profiles.series[p] as number;
      const keyCount = keyCounts.get(series[s]?.series.service ?? '') ?? 0;
      for (let i = row; i < end; i++) {
        const k = key[i] as number;
        const ok =
          profile[i] === p &&
          seriesOf[i] === s &&
          (time === undefined || time[i] === profiles.startNs[p]) &&
          k > lastKey;
        if (!ok || k >= keyCount)
          throw wrong(`row ${firstRow + i}`, 'it out of place', 'it sorted');
        lastKey = k;
      }
      values.forEach((column, c) => {
        const summary = summarize(column.subarray(row, end), end - row);
        totals[c] = (totals[c] as bigint) + summary.sum;
        if (summary.magnitudeMax > (magnitudeMax[c] as bigint)) {
          magnitudeMax[c] = summary.magnitudeMax;
        }
      });
      row = end;
    }
  }
  while (p < profiles.count) verifyTotals(profiles, p++, totals);
  meta.valueMagnitudeMax.forEach((want, c) => {
    if (magnitudeMax[c] !== want) {
      throw wrong(`values v${c + 1}`, `a magnitude of ${magnitudeMax[c]}`, String(want));
    }
  });
}

function profileEnd(profiles: BlockProfiles, p: number): number {
  return (profiles.firstRow[p] as number) + (profiles.rowCount[p] as number);
}

/** Compares the sums of profile `p` with its totals and sets them back to 0. */
function verifyTotals(profiles: BlockProfiles, p: number, totals: bigint[]): void {
  profiles.totals.forEach((column, c) => {
    if (column[p] !== totals[c]) {
      throw wrong(`profile ${p}`, `a total of ${column[p]}`, `its sum, ${totals[c]}`);
    }
    totals[c] = 0n;
  });
}

function verifyFrames(frames: FrameTable): void {
  const id = new Uint32Array(2);
  for (let f = 0; f < frames.count; f++) {
    frameContentId(frames.frame(f), id);
    if (id[0] !== frames.idHigh[f] || id[1] !== frames.idLow[f]) {
      throw wrong(`frame ${f}`, 'another content id', 'that of its content');
    }
  }
}

const TRIE_COLUMNS = ['node', 'first_key', 'end_key', 'depth'];

async function verifyTrie(
  open: OpenTable,
  service: ServiceMeta,
  symbols: SymbolSource,
): Promise<void> {
  const start = service.firstNodeRow;
  const range = { start, end: start + service.nodeCount };
  const [node, firstKey, endKey, depth] = (await readNumbers(open, range, TRIE_COLUMNS)) as [
    Int32Array,
    Int32Array,
    Int32Array,
    Int32Array,
  ];
  const want = trieColumns(symbols);
  for (let n = 0; n < service.nodeCount; n++) {
    const ok =
      node[n] === n &&
      firstKey[n] === want.firstKey[n] &&
      endKey[n] === want.endKey[n] &&
      depth[n] === want.depth[n];
    if (!ok) throw wrong(`node ${n} of ${service.service}`, 'another interval', 'that of its keys');
  }
  let n = 0;
  for (const { table, from, to } of await readTableParts(open, range, ['frame', 'outermost'])) {
    const outermost = boolValues(table, 'outermost');
    const frame = int32Values(table, 'frame');
    for (let row = from; row < to; row++, n++) {
      if (outermost[row] !== want.outermost[n] || frame[row] !== symbols.nodes.frame[n]) {
        throw wrong(`node ${n} of ${service.service}`, 'another mark', 'the outermost call marked');
      }
    }
  }
}
