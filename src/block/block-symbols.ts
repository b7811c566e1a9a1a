/** Symbols of one service of a block, checked against the invariants of symbols/source.ts. */
import { corrupt } from '../base/errors.js';
import { mapValues, numericValues } from '../columnar/table.js';
import { sampleLabelsFromKey, sampleLabelsKey } from '../model/sample-labels.js';
import type { LabelSetTable, NodeTable } from '../symbols/source.js';
import { type OpenTable, readNumbers, readTableParts } from './read-rows.js';
import type { RowRange, ServiceLabels, ServiceMeta } from './types.js';

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

/** The node of each key. */
export async function readKeyNodes(
  open: OpenTable,
  service: ServiceMeta,
  signal?: AbortSignal,
): Promise<Int32Array> {
  const [node] = (await readNumbers(open, keyRows(service), ['node'], signal)) as [Int32Array];
  let ok = true;
  let last = 0;
  for (const n of node) {
    if (n < last || n >= service.nodeCount) ok = false;
    last = n;
  }
  if (!ok) throw damaged(`keys of ${service.service}`, 'a bad node', 'nodes in order');
  return node;
}

/** The number of each key's label set, 0 for the empty one. */
export async function readLabelSetNumbers(
  open: OpenTable,
  service: ServiceMeta,
  signal?: AbortSignal,
): Promise<Int32Array> {
  const columns = await readNumbers(open, keyRows(service), ['label_set'], signal);
  const [labelSet] = columns as [Int32Array];
  if (labelSet.some((set) => set < 0)) {
    throw damaged(`keys of ${service.service}`, 'a bad label set', 'one from 0 on');
  }
  return labelSet;
}

/** The label sets themselves, by the numbers that `readLabelSetNumbers` gave. */
export async function readLabels(
  open: OpenTable,
  service: ServiceMeta,
  { numbers, signal }: { readonly numbers: Int32Array; readonly signal: AbortSignal | undefined },
): Promise<ServiceLabels> {
  const texts = numbers.every((set) => set === 0)
    ? new Map([[0, '']])
    : await readLabelSets(open, service, numbers, signal);
  return { labelSet: compactSets(numbers, texts), labelSets: labelSetTable(texts) };
}

function keyRows({ firstKeyRow, keyCount }: ServiceMeta): RowRange {
  return { start: firstKeyRow, end: firstKeyRow + keyCount };
}

/** Texts of the label sets by number, ascending. */
async function readLabelSets(
  open: OpenTable,
  service: ServiceMeta,
  labelSet: Int32Array,
  signal?: AbortSignal,
): Promise<Map<number, string>> {
  const range = keyRows(service);
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
  return new Map([...texts].sort(([a], [b]) => a - b));
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
