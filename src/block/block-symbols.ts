/** Symbols of one service of a block, checked against the invariants of symbols/source.ts. */
import { corrupt } from '../base/errors.js';
import { mapValues, numericValues } from '../columnar/table.js';
import { sampleLabelsFromKey, sampleLabelsKey } from '../model/sample-labels.js';
import type { NodeTable } from '../symbols/source.js';
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
  const { labelSet, count } = withoutGaps(numbers);
  const texts = new Array<string | undefined>(count);
  texts[0] = '';
  if (count > 1) await readTexts(open, service, { labelSet, texts, signal });
  return {
    labelSet,
    labelSets: {
      count,
      key: (index) => texts[index] as string,
      labels: (index) => sampleLabelsFromKey(texts[index] as string),
    },
  };
}

/** Numbers from 0 on that are all in use, but perhaps for 0, in the order of the old ones: a gap must cost nothing. */
function withoutGaps(numbers: Int32Array): { labelSet: Int32Array; count: number } {
  const max = numbers.reduce((a, b) => Math.max(a, b), 0);
  const isUsed = new Uint8Array(Math.min(max, numbers.length) + 1);
  isUsed[0] = 1;
  for (const set of numbers) isUsed[set] = 1;
  if (max < isUsed.length && !isUsed.includes(0)) return { labelSet: numbers, count: max + 1 };
  const used = [...new Set([0, ...numbers])].sort((a, b) => a - b);
  const positions = new Map(used.map((set, position) => [set, position]));
  return { labelSet: numbers.map((set) => positions.get(set) as number), count: used.length };
}

function keyRows({ firstKeyRow, keyCount }: ServiceMeta): RowRange {
  return { start: firstKeyRow, end: firstKeyRow + keyCount };
}

/** Fills `texts`, where they are not there yet. */
async function readTexts(
  open: OpenTable,
  service: ServiceMeta,
  into: {
    readonly labelSet: Int32Array;
    readonly texts: (string | undefined)[];
    readonly signal: AbortSignal | undefined;
  },
): Promise<void> {
  const { labelSet, texts, signal } = into;
  const columns = ['labels', 'numeric_labels'];
  let k = 0;
  for (const part of await readTableParts(open, keyRows(service), columns, signal)) {
    const strings = mapValues(part.table, 'labels');
    const numbers = numericValues(part.table, 'numeric_labels');
    for (let row = part.from; row < part.to; row++, k++) {
      const set = labelSet[k] as number;
      texts[set] ??= sampleLabelsKey({ strings: strings[row] ?? [], numbers: numbers[row] ?? [] });
    }
  }
}
