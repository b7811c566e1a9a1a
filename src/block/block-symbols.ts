/** Symbols of one service of a block, checked against the invariants of symbols/source.ts. */
import { corrupt } from '../base/errors.js';
import { mapValues, numericValues } from '../columnar/table.js';
import { sampleLabelsFromKey, sampleLabelsKey } from '../model/sample-labels.js';
import type { KeyTable, LabelSetTable, NodeTable } from '../symbols/source.js';
import { type OpenTable, readNumbers, readTableParts } from './read-rows.js';
import type { ServiceMeta } from './types.js';

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

/** Texts of the label sets by number, ascending. */
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
