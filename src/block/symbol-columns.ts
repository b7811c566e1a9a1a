/** Symbols as the columns of `nodes`, `keys`, `frames` and `series`. */
import { constantColumn, dictionaryColumn } from '../columnar/slice.js';
import type { Column } from '../columnar/table.js';
import { NO_SAMPLE_LABELS, type SampleLabels } from '../model/sample-labels.js';
import type { FrameTable, SymbolSource } from '../symbols/source.js';
import { trieColumns } from './trie-columns.js';
import type { TableRows } from './table-writer.js';
import type { BlockSeries, RowRange } from './types.js';

function int32(values: Int32Array): Column {
  return { type: 'int32', values };
}

function sequence(start: number, count: number): Column {
  return int32(Int32Array.from({ length: count }, (_, i) => start + i));
}

/** `frameOf` gives the block's number of each frame of `symbols`. */
export function nodeColumns(
  blockId: string,
  service: string,
  symbols: SymbolSource,
  frameOf: (frame: number) => number,
): TableRows {
  const { nodes } = symbols;
  const { firstKey, endKey, depth, outermost } = trieColumns(symbols);
  const frame = Int32Array.from({ length: nodes.count }, (_, n) =>
    n === 0 ? -1 : frameOf(nodes.frame[n] as number),
  );
  const columns: Column[] = [
    constantColumn(blockId, nodes.count),
    constantColumn(service, nodes.count),
    sequence(0, nodes.count),
    int32(nodes.parent.subarray(0, nodes.count)),
    int32(frame),
    int32(firstKey),
    int32(endKey),
    int32(depth),
    { type: 'bool', values: outermost },
  ];
  return { rowCount: nodes.count, columns };
}

/** Keys [start, end). */
export function keyColumns(
  blockId: string,
  service: string,
  { keys, labelSets }: SymbolSource,
  { start, end }: RowRange,
): TableRows {
  const rowCount = end - start;
  const labelSet = keys.labelSet.subarray(start, end);
  const known = new Map<number, SampleLabels>([[0, NO_SAMPLE_LABELS]]);
  const labels = Array.from(labelSet, (set) => {
    const own = known.get(set) ?? labelSets.labels(set);
    known.set(set, own);
    return own;
  });
  const columns: Column[] = [
    constantColumn(blockId, rowCount),
    constantColumn(service, rowCount),
    sequence(start, rowCount),
    int32(keys.node.subarray(start, end)),
    int32(labelSet),
    { type: 'map', values: labels.map((own) => own.strings) },
    { type: 'list-numeric', values: labels.map((own) => own.numbers) },
  ];
  return { rowCount, columns };
}

/** A content id as the signed number that SQL engines have. */
function frameId(frames: FrameTable, index: number): bigint {
  const high = BigInt(frames.idHigh[index] as number);
  return BigInt.asIntN(64, (high << 32n) | BigInt(frames.idLow[index] as number));
}

/** Frames [start, end). */
export function frameColumns(
  blockId: string,
  frames: FrameTable,
  start: number,
  end: number,
): TableRows {
  const rowCount = end - start;
  const list = Array.from({ length: rowCount }, (_, i) => frames.frame(start + i));
  const int64 = (values: bigint[]): Column => ({
    type: 'int64',
    values: BigInt64Array.from(values),
  });
  const bool = (values: boolean[]): Column => ({
    type: 'bool',
    values: Uint8Array.from(values, Number),
  });
  const columns: Column[] = [
    constantColumn(blockId, rowCount),
    sequence(start, rowCount),
    int64(list.map((_, i) => frameId(frames, start + i))),
    { type: 'utf8', values: list.map((f) => f.functionName) },
    { type: 'utf8', values: list.map((f) => f.systemName) },
    dictionaryColumn(list.map((f) => f.fileName)),
    int64(list.map((f) => f.line)),
    int64(list.map((f) => f.column)),
    int64(list.map((f) => f.startLine)),
    dictionaryColumn(list.map((f) => f.mappingFile)),
    dictionaryColumn(list.map((f) => f.buildId)),
    int64(list.map((f) => f.mappingStart)),
    int64(list.map((f) => f.mappingLimit)),
    int64(list.map((f) => f.mappingOffset)),
    int64(list.map((f) => f.address)),
    bool(list.map((f) => f.inlined)),
    bool(list.map((f) => f.folded)),
    dictionaryColumn(list.map((f) => f.frameType)),
  ];
  return { rowCount, columns };
}

export function seriesColumns(
  blockId: string,
  firstSeries: number,
  list: readonly BlockSeries[],
): TableRows {
  const text = (value: (s: BlockSeries) => string): Column => dictionaryColumn(list.map(value));
  const time = (value: (s: BlockSeries) => bigint): Column => ({
    type: 'timestamp',
    values: BigInt64Array.from(list, value),
  });
  const columns: Column[] = [
    constantColumn(blockId, list.length),
    sequence(firstSeries, list.length),
    text((s) => s.series.service),
    text((s) => s.series.profileName),
    text((s) => s.series.periodType),
    text((s) => s.series.periodUnit),
    int32(Int32Array.from(list, (s) => s.series.group)),
    ...[0, 1, 2, 3].flatMap((c) => [
      text((s) => s.series.sampleTypes[c]?.type ?? ''),
      text((s) => s.series.sampleTypes[c]?.unit ?? ''),
      text((s) => s.series.sampleTypes[c]?.temporality ?? ''),
    ]),
    { type: 'map', values: list.map((s) => s.series.labels) },
    { type: 'int64', values: BigInt64Array.from(list, (s) => BigInt(s.profileCount)) },
    time((s) => s.startNsMin),
    time((s) => s.startNsMax),
    int32(Int32Array.from(list, (s) => s.rollupSeries)),
    { type: 'map', values: list.map((s) => s.rollupLabels) },
  ];
  return { rowCount: list.length, columns };
}
