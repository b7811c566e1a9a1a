/**
 * Single profiles, or single spans in them, with their values: what heatmaps, exemplars and lists are made of. A value
 * of 0 makes no item, unless it is asked for.
 */
import { StoreError } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import type { ProfileItem, SeriesLabels } from './api.js';
import type { QueryContext } from './context.js';
import { type KeyFilter, SPAN_LABELS, TRACE_LABEL } from './key-filter.js';
import { checkKeys } from './merge.js';
import { GroupSums, labelSetGroups } from './sample-groups.js';
import { type CompiledSelector, seriesLabel } from '../symbols/select.js';
import type { ProfileSource, QuerySeries, Slice } from './source.js';
import { pairToBigint } from './sums.js';
import { isOpen } from './sample-filter.js';

export type ItemKind = 'profile' | 'span';

export interface ItemsRequest {
  readonly kind: ItemKind;
  /** Whether a value of 0 makes an item. */
  readonly keepsZero: boolean;
  readonly sources: readonly ProfileSource[];
  readonly selector: CompiledSelector;
  readonly filter: KeyFilter | undefined;
  readonly groupBy: readonly string[];
  readonly context: QueryContext;
}

export interface Item {
  readonly source: ProfileSource;
  readonly position: number;
  readonly series: QuerySeries;
  readonly startNs: bigint;
  readonly value: bigint;
  /** Empty for a whole profile. */
  readonly spanId: string;
  readonly traceId: string;
  /** Of `groupBy`, without empty values. */
  readonly group: Readonly<Record<string, string>>;
}

/** All items, in no order that means anything. Throws `limit` PS_QUERY_POINTS. */
export async function collectItems(request: ItemsRequest): Promise<readonly Item[]> {
  const items: Item[] = [];
  checkRows(request);
  const add = (item: Item): void => {
    if (item.value === 0n && !request.keepsZero) return;
    if (items.length >= LIMITS.queryPointsMax) throw tooManyItems(request.kind);
    items.push(item);
  };
  for (const source of request.sources) {
    for (const slice of source.slices) {
      request.context.check();
      await request.context.part(source.part, async () => {
        if (needsSamples(request, slice)) await addSampleItems(request, { source, slice }, add);
        else addTotals(request, { source, slice }, add);
      });
    }
  }
  return items;
}

function tooManyItems(kind: ItemKind): StoreError {
  return new StoreError({
    kind: 'limit',
    code: 'PS_QUERY_POINTS',
    message: `cannot answer query: got more than ${LIMITS.queryPointsMax} single ${kind}s; want at most that many`,
  });
}

interface Piece {
  readonly source: ProfileSource;
  readonly slice: Slice;
}

function missingNames({ groupBy }: ItemsRequest, { series }: Slice): readonly string[] {
  return groupBy.filter((n) => seriesLabel(series.series, series.typeId, n) === undefined);
}

function needsSamples(request: ItemsRequest, slice: Slice): boolean {
  if (request.kind === 'span' || request.filter !== undefined) return true;
  return !isOpen(slice) || missingNames(request, slice).length > 0;
}

function checkRows(request: ItemsRequest): void {
  let rows = 0;
  for (const source of request.sources) {
    for (const slice of source.slices) {
      if (needsSamples(request, slice)) rows += source.rowCount(slice);
    }
  }
  request.context.checkRows(rows);
}

function groupOf(
  request: ItemsRequest,
  { series }: Slice,
  ofSample: ReadonlyMap<string, string>,
): Readonly<Record<string, string>> {
  const labelOf = (name: string): string =>
    seriesLabel(series.series, series.typeId, name) ?? ofSample.get(name) ?? '';
  const group = request.groupBy.map((name) => [name, labelOf(name)] as const);
  return Object.fromEntries(group.filter(([, value]) => value !== ''));
}

function addTotals(request: ItemsRequest, piece: Piece, add: (item: Item) => void): void {
  const { source, slice } = piece;
  const totals = source.totals(slice.column);
  const group = groupOf(request, slice, new Map());
  for (let p = slice.first; p < slice.end; p++) {
    add({
      source,
      position: p,
      series: slice.series,
      startNs: source.profiles.startNs[p]!,
      value: pairToBigint(totals[2 * p]! >>> 0, totals[2 * p + 1]!),
      spanId: '',
      traceId: '',
      group,
    });
  }
}

interface SampleItem {
  readonly spanId: string;
  readonly traceId: string;
  readonly group: Readonly<Record<string, string>>;
}

const SPAN_DIGITS = 16;
const TRACE_DIGITS = 32;

/** An id as tracing has it, in whatever case and with however many leading zeros it was sent. */
function padded(id: string, digits: number): string {
  return id.length <= digits && /^[0-9a-f]+$/i.test(id)
    ? id.toLowerCase().padStart(digits, '0')
    : id;
}

/** Samples of one span may have it under several labels and spellings. */
function distinctItems(found: readonly SampleItem[]): {
  readonly items: readonly SampleItem[];
  /** By number in `found`. */
  readonly numberOf: Int32Array;
} {
  const items: SampleItem[] = [];
  const numbers = new Map<string, number>();
  const numberOf = Int32Array.from(found, (item) => {
    const key = JSON.stringify([item.spanId, item.traceId, Object.entries(item.group)]);
    const number = numbers.get(key) ?? items.push(item) - 1;
    numbers.set(key, number);
    return number;
  });
  return { items, numberOf };
}

async function addSampleItems(
  request: ItemsRequest,
  { source, slice }: Piece,
  add: (item: Item) => void,
): Promise<void> {
  const { kind, context } = request;
  const symbols = await source.symbols();
  const spanNames = kind === 'span' ? [...SPAN_LABELS, TRACE_LABEL] : [];
  const names = [...spanNames, ...missingNames(request, slice)];
  const sets = labelSetGroups(symbols.labelSets, names, slice, context);
  const passes = request.filter?.mask(symbols, context);
  const found = sets.keys.map((key) => {
    const values = key === '' ? [] : (JSON.parse(key) as string[]);
    const labels = new Map(names.map((name, i) => [name, values[i] ?? '']));
    const spanId = SPAN_LABELS.map((name) => labels.get(name) ?? '').find((v) => v !== '') ?? '';
    const traceId = padded(labels.get(TRACE_LABEL) ?? '', TRACE_DIGITS);
    return { spanId: padded(spanId, SPAN_DIGITS), traceId, group: groupOf(request, slice, labels) };
  });
  const { items: itemOf, numberOf } = distinctItems(found);
  const groupOfKey = symbols.keys.labelSet.map((set, k) => {
    const group = passes === undefined || passes[k] === 1 ? sets.groupOf[set]! : -1;
    return group < 0 ? -1 : numberOf[group]!;
  });
  // Most services send no spans: their rows need no look.
  if (kind === 'span' && !itemOf.some((item) => item.spanId !== '')) return;
  const sums = new GroupSums(itemOf.length);
  let current = -1;
  const flush = (): void => {
    if (current < 0) return;
    const startNs = source.profiles.startNs[current]!;
    sums.take((g, low, high) => {
      const item = itemOf[g]!;
      if (kind === 'span' && item.spanId === '') return;
      const value = pairToBigint(low, high);
      add({ source, position: current, series: slice.series, startNs, value, ...item });
    });
  };
  const call = { slices: [slice], column: slice.column, signal: context.signal };
  await source.scanProfiles(call, (position, run) => {
    checkKeys(source, run, groupOfKey.length);
    if (position !== current) {
      context.check();
      flush();
      current = position;
    }
    sums.add(run, groupOfKey);
  });
  flush();
}

export function labelsOf({ series, typeId }: QuerySeries): SeriesLabels {
  return {
    ...Object.fromEntries(series.labels.map((label) => [label.name, label.value])),
    service_name: series.service,
    __name__: series.profileName,
    __profile_type__: typeId,
  };
}

/** Items as a caller sees them, in the order given. */
export async function namedItems(
  items: readonly Item[],
  context: QueryContext,
): Promise<readonly ProfileItem[]> {
  const idsOf = new Map<ProfileSource, readonly string[]>();
  for (const { source } of items) {
    if (!idsOf.has(source)) idsOf.set(source, await source.ids(context.signal));
  }
  return items.map(({ source, position, series, startNs, value, spanId, traceId }) => ({
    labels: labelsOf(series),
    startMs: Number(startNs / 1_000_000n),
    profileId: idsOf.get(source)?.[position] ?? '',
    spanId,
    traceId,
    value,
  }));
}

/** The greatest first; equal ones by start, series and place, so that equal data gives equal answers. */
export function byValue(a: Item, b: Item): number {
  if (a.value !== b.value) return a.value > b.value ? -1 : 1;
  if (a.startNs !== b.startNs) return a.startNs < b.startNs ? -1 : 1;
  const x = JSON.stringify([a.series.series.labels, a.spanId]);
  const y = JSON.stringify([b.series.series.labels, b.spanId]);
  return x < y ? -1 : x > y ? 1 : a.position - b.position;
}
