/** Filters by what a stack looks like: which keys of a source count. */
import { frameName } from '../model/frame.js';
import type { SymbolSource } from '../symbols/source.js';

/** What a query asks of samples besides its selector. */
export interface SampleFilter {
  /** Function names from the root on: only stacks that start with them count. Empty or absent: all stacks. */
  readonly callSite?: readonly string[];
  /** Only samples of one of these spans count: up to 16 hexadecimal digits each. Empty or absent: all samples. */
  readonly spanIds?: readonly string[];
  /** Only samples of one of these traces count: up to 32 hexadecimal digits each. Empty or absent: all samples. */
  readonly traceIds?: readonly string[];
}

/** Labels of a sample that hold its span's id; agents that know no other place send it as `profile_id`. */
export const SPAN_LABELS = ['span_id', 'profile_id'];
export const TRACE_LABEL = 'trace_id';

export interface KeyFilter {
  /** False if stacks alone decide, so that symbols without labels will do. */
  readonly readsLabels: boolean;
  /** 1 for each key that passes; undefined when all do. The same symbols are asked again and again. */
  readonly mask: (symbols: SymbolSource, query: Stoppable) => Uint8Array | undefined;
}

/** Whose `check` throws when there is no use in going on: regular expressions over many names take their time. */
export interface Stoppable {
  check(): void;
}

/** Undefined when the query asks nothing of samples. `stacks` is what its stack filter asks. */
export function keyFilter(filter: SampleFilter, stacks?: KeyFilter): KeyFilter | undefined {
  const { callSite = [], spanIds = [], traceIds = [] } = filter;
  if (callSite.length + spanIds.length + traceIds.length === 0) return stacks;
  const known = new WeakMap<SymbolSource, { readonly mask: Uint8Array | undefined }>();
  const mask = (symbols: SymbolSource, query: Stoppable): Uint8Array | undefined => {
    let made = known.get(symbols);
    if (made === undefined) {
      const ofStack = callSite.length > 0 ? callSiteMask(symbols, callSite) : undefined;
      const ofSpan = labelMask(symbols, SPAN_LABELS, spanIds);
      const ofTrace = labelMask(symbols, [TRACE_LABEL], traceIds);
      const ofSample = bothMasks(ofStack, bothMasks(ofSpan, ofTrace));
      made = { mask: bothMasks(stacks?.mask(symbols, query), ofSample) };
      known.set(symbols, made);
    }
    return made.mask;
  };
  return { readsLabels: spanIds.length + traceIds.length > 0, mask };
}

function labelMask(
  { keys, labelSets }: SymbolSource,
  names: readonly string[],
  wanted: readonly string[],
): Uint8Array | undefined {
  if (wanted.length === 0) return undefined;
  const values = new Set(wanted.map(canonicalId));
  const passes = new Uint8Array(labelSets.count);
  for (let set = 0; set < labelSets.count; set++) {
    const { strings } = labelSets.labels(set);
    const isWanted = strings.some(
      ({ name, value }) => names.includes(name) && values.has(canonicalId(value)),
    );
    if (isWanted) passes[set] = 1;
  }
  return Uint8Array.from(keys.labelSet, (set) => passes[set]!);
}

/** Tools write ids in either case, and some drop leading zeros. */
function canonicalId(id: string): string {
  return id.toLowerCase().replace(/^0+/, '');
}

/** Both masks at once. */
export function bothMasks(
  a: Uint8Array | undefined,
  b: Uint8Array | undefined,
): Uint8Array | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a.map((passes, k) => passes & b[k]!);
}

const FAILED = -1;

/** One forward pass, because parents come before children: how many names of the call site each node's path has met. */
function callSiteMask(
  { nodes, keys, frames }: SymbolSource,
  callSite: readonly string[],
): Uint8Array {
  const met = new Int32Array(nodes.count).fill(FAILED);
  met[0] = 0;
  for (let n = 1; n < nodes.count; n++) {
    const above = met[nodes.parent[n]!]!;
    if (above === FAILED || above === callSite.length) met[n] = above;
    else if (frameName(frames.frame(nodes.frame[n]!)) === callSite[above]) met[n] = above + 1;
  }
  return Uint8Array.from(keys.node, (node) => (met[node] === callSite.length ? 1 : 0));
}
