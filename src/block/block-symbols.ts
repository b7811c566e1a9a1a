/** Symbols of one service of a block, checked against the invariants of symbols/source.ts. */
import { corrupt } from '../base/errors.js';
import {
  boolValues,
  type ColumnTable,
  dictionaryValues,
  int64Values,
  mapValues,
  numericValues,
  utf8Values,
} from '../columnar/table.js';
import type { Frame } from '../model/frame.js';
import { sampleLabelsFromKey, sampleLabelsKey } from '../model/sample-labels.js';
import type { FrameTable, KeyTable, LabelSetTable, NodeTable } from '../symbols/source.js';
import { type OpenTable, readNumbers, readTableParts } from './read-rows.js';
import type { ServiceMeta } from './types.js';

const FRAME_COLUMNS = [
  'frame_id',
  'function',
  'system_name',
  'file',
  'line',
  'column',
  'start_line',
  'mapping_file',
  'build_id',
  'mapping_start',
  'mapping_limit',
  'mapping_offset',
  'address',
  'inlined',
  'folded',
  'frame_type',
] as const;

/** All frames of the block. */
export async function readFrames(open: OpenTable, signal?: AbortSignal): Promise<FrameTable> {
  const range = { start: 0, end: open.meta.rowCount };
  const parts = await readTableParts(open, range, FRAME_COLUMNS, signal);
  const count = open.meta.rowCount;
  const idHigh = new Uint32Array(count);
  const idLow = new Uint32Array(count);
  const makers: { firstRow: number; frame: (row: number) => Frame }[] = [];
  let firstRow = 0;
  for (const { table } of parts) {
    const ids = int64Values(table, 'frame_id');
    const words = new Uint32Array(ids.buffer, ids.byteOffset, ids.length * 2);
    for (let i = 0; i < table.rowCount; i++) {
      idLow[firstRow + i] = words[2 * i] as number;
      idHigh[firstRow + i] = words[2 * i + 1] as number;
    }
    makers.push({ firstRow, frame: frameMaker(table) });
    firstRow += table.rowCount;
  }
  return {
    count,
    idHigh,
    idLow,
    frame: (index) => {
      let m = makers.length - 1;
      while (m > 0 && (makers[m]?.firstRow as number) > index) m--;
      const maker = makers[m] as (typeof makers)[number];
      return maker.frame(index - maker.firstRow);
    },
  };
}

function frameMaker(table: ColumnTable): (row: number) => Frame {
  const functionName = utf8Values(table, 'function');
  const systemName = utf8Values(table, 'system_name');
  const fileName = dictionaryValues(table, 'file');
  const line = int64Values(table, 'line');
  const column = int64Values(table, 'column');
  const startLine = int64Values(table, 'start_line');
  const mappingFile = dictionaryValues(table, 'mapping_file');
  const buildId = dictionaryValues(table, 'build_id');
  const mappingStart = int64Values(table, 'mapping_start');
  const mappingLimit = int64Values(table, 'mapping_limit');
  const mappingOffset = int64Values(table, 'mapping_offset');
  const address = int64Values(table, 'address');
  const inlined = boolValues(table, 'inlined');
  const folded = boolValues(table, 'folded');
  const frameType = dictionaryValues(table, 'frame_type');
  const unsigned = (values: BigInt64Array, row: number): bigint =>
    BigInt.asUintN(64, values[row] as bigint);
  return (row) => ({
    functionName: functionName[row] as string,
    systemName: systemName[row] as string,
    fileName: fileName[row] as string,
    line: line[row] as bigint,
    column: column[row] as bigint,
    startLine: startLine[row] as bigint,
    mappingFile: mappingFile[row] as string,
    buildId: buildId[row] as string,
    mappingStart: unsigned(mappingStart, row),
    mappingLimit: unsigned(mappingLimit, row),
    mappingOffset: unsigned(mappingOffset, row),
    address: unsigned(address, row),
    inlined: inlined[row] !== 0,
    folded: folded[row] !== 0,
    frameType: frameType[row] as string,
  });
}

function damaged(what: string, got: string, want: string): Error {
  return corrupt('PS_BLOCK_SYMBOLS', `cannot read ${what}: got ${got}; want ${want}`);
}

export async function readNodes(
  open: OpenTable,
  service: ServiceMeta,
  frameCount: number,
  signal?: AbortSignal,
): Promise<NodeTable> {
  const start = service.firstNodeRow;
  const count = service.nodeCount;
  const range = { start, end: start + count };
  const columns = await readNumbers(open, range, ['parent', 'frame'], signal);
  const [parent, frame] = columns as [Int32Array, Int32Array];
  let ok = count > 0 && parent[0] === -1 && frame[0] === -1;
  for (let n = 1; n < count; n++) {
    const p = parent[n] as number;
    const f = frame[n] as number;
    if (p < 0 || p >= n || f < 0 || f >= frameCount) ok = false;
  }
  if (!ok) throw damaged(`nodes of ${service.service}`, 'a bad parent or frame', 'a trie');
  return { count, parent, frame };
}

export async function readKeys(
  open: OpenTable,
  service: ServiceMeta,
  signal?: AbortSignal,
): Promise<{ keys: KeyTable; labelSets: LabelSetTable }> {
  const start = service.firstKeyRow;
  const count = service.keyCount;
  const range = { start, end: start + count };
  const columns = await readNumbers(open, range, ['node', 'label_set'], signal);
  const [node, labelSet] = columns as [Int32Array, Int32Array];
  let ok = true;
  let setMax = 0;
  let last = 0;
  for (let k = 0; k < count; k++) {
    const n = node[k] as number;
    const set = labelSet[k] as number;
    if (n < last || n >= service.nodeCount || set < 0) ok = false;
    last = n;
    if (set > setMax) setMax = set;
  }
  if (!ok) throw damaged(`keys of ${service.service}`, 'a bad node or label set', 'nodes in order');
  const texts =
    setMax === 0 ? new Map([[0, '']]) : await readLabelSets(open, service, labelSet, signal);
  return {
    keys: { count, node, labelSet: compactSets(labelSet, texts) },
    labelSets: labelSetTable(texts),
  };
}

/** Texts of the label sets by number, 0 first. */
async function readLabelSets(
  open: OpenTable,
  service: ServiceMeta,
  labelSet: Int32Array,
  signal?: AbortSignal,
): Promise<Map<number, string>> {
  const range = { start: service.firstKeyRow, end: service.firstKeyRow + service.keyCount };
  const texts = new Map<number, string>([[0, '']]);
  let k = 0;
  for (const part of await readTableParts(open, range, ['labels', 'numeric_labels'], signal)) {
    const strings = mapValues(part.table, 'labels');
    const numbers = numericValues(part.table, 'numeric_labels');
    for (let row = part.from; row < part.to; row++, k++) {
      const set = labelSet[k] as number;
      if (texts.has(set)) continue;
      texts.set(set, sampleLabelsKey({ strings: strings[row] ?? [], numbers: numbers[row] ?? [] }));
    }
  }
  return texts;
}

/** Replaces numbers by positions in `texts`, so that a hole in the numbers costs nothing. */
function compactSets(labelSet: Int32Array, texts: ReadonlyMap<number, string>): Int32Array {
  const positions = new Map<number, number>();
  for (const set of texts.keys()) positions.set(set, positions.size);
  return labelSet.map((set) => positions.get(set) as number);
}

function labelSetTable(texts: ReadonlyMap<number, string>): LabelSetTable {
  const keys = [...texts.values()];
  return {
    count: keys.length,
    key: (index) => keys[index] as string,
    labels: (index) => sampleLabelsFromKey(keys[index] as string),
  };
}
