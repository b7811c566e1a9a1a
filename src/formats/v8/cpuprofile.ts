/**
 * V8's .cpuprofile (`node --cpu-prof`, Profiler.stop of node:inspector, DevTools) to pprof: samples/count and
 * cpu/nanoseconds, or wall/nanoseconds.
 *
 * A sample's time lasts until the next one. Times of samples may go backwards (the profiler's thread and V8 disagree):
 * they count from the latest before, so nothing is negative and nothing counts twice. hitCount times interval is not
 * used: it ignores that the profiler was late.
 */
import { LIMITS } from '../../base/limits.js';
import type { Frame } from '../../model/frame.js';
import { encodePprof } from '../pprof/encode.js';
import {
  atLine,
  describe,
  frameOf,
  isObject,
  type JsonObject,
  listOf,
  nonZeroRows,
  numberOf,
  parsedV8,
  V8Tree,
  v8Error,
} from './v8-tree.js';

const OBJECT = 'CPU profile';
const NS_PER_US = 1000;

export interface CpuProfileOptions {
  /** Unix time of the profile's start; V8's own times have no epoch. Default 0n: unknown. */
  readonly timeNs?: bigint;
  /** `cpu` (default) leaves out the samples in which the thread was idle, `wall` keeps them as `(idle)`. */
  readonly clock?: 'cpu' | 'wall';
  /** Default: the median time between samples. */
  readonly periodNs?: bigint;
  /** Splits what a function used itself by line, where V8 counted lines (`positionTicks`). Default false. */
  readonly lines?: boolean;
  readonly comments?: readonly string[];
}

/** Profile in one shape: a node knows its parent, parents come first, and times are microseconds. */
interface CpuTree {
  readonly nodes: readonly CpuNode[];
  /** Index into `nodes` for each sample. */
  readonly sampleNode: Int32Array;
  readonly sampleTimeUs: Float64Array;
  readonly startUs: number;
  readonly endUs: number;
}

interface CpuNode {
  /** Index, or -1 for the root, which is no frame. */
  readonly parent: number;
  readonly frame: Frame;
  readonly content: JsonObject;
}

/** `profile` is the parsed JSON, or its text or bytes. Returns gzip pprof. Throws `invalid` PS_V8_PROFILE. */
export function cpuProfileToPprof(profile: unknown, options: CpuProfileOptions = {}): Uint8Array {
  const parsed = parsedV8(OBJECT, profile);
  const tree = isObject(parsed['head']) ? oldTree(parsed) : newTree(parsed);
  const clock = options.clock ?? 'cpu';
  const tickUs = sampleDurations(tree);
  const counts = new Float64Array(tree.nodes.length);
  const ns = new Float64Array(tree.nodes.length);
  tree.sampleNode.forEach((node, index) => {
    if (clock === 'cpu' && tree.nodes[node]?.frame.functionName === '(idle)') return;
    counts[node] = (counts[node] ?? 0) + 1;
    ns[node] = (ns[node] ?? 0) + (tickUs[index] ?? 0) * NS_PER_US;
  });
  const { symbols, columns } = pprofTree(tree.nodes, [counts, ns], options.lines ?? false);
  return encodePprof({
    ...nonZeroRows(columns),
    sampleTypes: [
      { type: 'samples', unit: 'count' },
      { type: clock, unit: 'nanoseconds' },
    ],
    symbols,
    periodType: clock,
    periodUnit: 'nanoseconds',
    period: options.periodNs ?? BigInt(Math.round(median(tickUs) * NS_PER_US)),
    timeNs: options.timeNs ?? 0n,
    durationNs: BigInt(Math.round(Math.max(0, tree.endUs - tree.startUs) * NS_PER_US)),
    comments: options.comments ?? [],
  });
}

/** {nodes, startTime, endTime, samples, timeDeltas}, all in microseconds. */
function newTree(profile: JsonObject): CpuTree {
  const raw = listOf(OBJECT, profile, 'nodes', LIMITS.symbolsPerProfileMax);
  const byId = new Map<number, JsonObject>();
  const isChild = new Set<number>();
  for (const node of raw) {
    if (!isObject(node)) throw v8Error(OBJECT, `node: ${describe(node)}`, 'an object');
    const id = numberOf(OBJECT, node, 'id');
    if (byId.has(id)) throw v8Error(OBJECT, `two nodes with id ${id}`, 'ids that differ');
    byId.set(id, node);
    for (const child of childIds(node)) {
      if (isChild.has(child)) throw v8Error(OBJECT, `two parents of node ${child}`, 'a tree');
      isChild.add(child);
    }
  }
  const roots = [...byId].filter(([id]) => !isChild.has(id)).map(([, node]) => node);
  const nodes = flatten(roots, (node) =>
    childIds(node).map((id) => {
      const child = byId.get(id);
      if (child === undefined) throw v8Error(OBJECT, `child ${id} that no node is`, 'a tree');
      return child;
    }),
  );
  const deltas = listOf(OBJECT, profile, 'timeDeltas');
  let atUs = numberOf(OBJECT, profile, 'startTime');
  const sampleTimeUs = Float64Array.from(deltas, (delta) => {
    atUs += checkedNumber(delta, 'timeDeltas');
    return atUs;
  });
  return {
    nodes,
    ...sampleColumns(profile, nodes, sampleTimeUs),
    startUs: numberOf(OBJECT, profile, 'startTime'),
    endUs: numberOf(OBJECT, profile, 'endTime'),
  };
}

function childIds(node: JsonObject): readonly number[] {
  if (node['children'] === undefined) return [];
  const ids = listOf(OBJECT, node, 'children', LIMITS.symbolsPerProfileMax);
  return ids.map((id) => checkedNumber(id, 'children'));
}

/** Before Chrome 60: {head, samples, timestamps in microseconds}. */
function oldTree(profile: JsonObject): CpuTree {
  const nodes = flatten([profile['head']], (node) =>
    node['children'] === undefined
      ? []
      : listOf(OBJECT, node, 'children', LIMITS.symbolsPerProfileMax),
  );
  // Its recorder noted the time of the end as one more.
  const sampleCount = listOf(OBJECT, profile, 'samples').length;
  const times = listOf(OBJECT, profile, 'timestamps').slice(0, sampleCount + 1);
  const timesUs = Float64Array.from(times, (time) => checkedNumber(time, 'timestamps'));
  const sampleTimeUs = timesUs.subarray(0, sampleCount);
  return {
    nodes,
    ...sampleColumns(profile, nodes, sampleTimeUs),
    // Its own start and end are whole seconds.
    startUs: timesUs[0] ?? 0,
    endUs: timesUs[timesUs.length - 1] ?? 0,
  };
}

function checkedNumber(value: unknown, field: string): number {
  return numberOf(OBJECT, { [field]: value }, field);
}

/** Parents first. Nodes that no root reaches (a circle) are left out, and fail when a sample names one. */
function flatten(
  roots: readonly unknown[],
  childrenOf: (node: JsonObject) => readonly unknown[],
): CpuNode[] {
  const out: CpuNode[] = [];
  let level = roots.map((node) => ({ node, parent: -1 }));
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > LIMITS.stackDepthMax) {
      throw v8Error(OBJECT, `a stack of more than ${LIMITS.stackDepthMax}`, 'at most that');
    }
    const next: typeof level = [];
    for (const { node, parent } of level) {
      if (!isObject(node)) throw v8Error(OBJECT, `node: ${describe(node)}`, 'an object');
      // The old format has the call frame's fields in the node itself.
      const frame = frameOf(OBJECT, node['callFrame'] ?? node);
      const index = out.push({ parent, frame, content: node }) - 1;
      if (out.length > LIMITS.symbolsPerProfileMax) {
        throw v8Error(OBJECT, `more than ${LIMITS.symbolsPerProfileMax} nodes`, 'at most that');
      }
      for (const child of childrenOf(node)) next.push({ node: child, parent: index });
    }
    level = next;
  }
  return out;
}

function sampleColumns(
  profile: JsonObject,
  nodes: readonly CpuNode[],
  sampleTimeUs: Float64Array,
): Pick<CpuTree, 'sampleNode' | 'sampleTimeUs'> {
  const samples = listOf(OBJECT, profile, 'samples');
  if (samples.length !== sampleTimeUs.length) {
    throw v8Error(OBJECT, `${samples.length} samples, ${sampleTimeUs.length} times`, 'one each');
  }
  const indexOf = new Map(nodes.map((node, index) => [node.content['id'], index]));
  const sampleNode = Int32Array.from(samples, (id) => {
    const index = indexOf.get(id);
    if (index === undefined)
      throw v8Error(OBJECT, `sample of node ${describe(id)}`, 'a known node');
    return index;
  });
  return { sampleNode, sampleTimeUs };
}

/** Microseconds from each sample to the next, the last to the end; never negative. */
function sampleDurations(tree: CpuTree): Float64Array {
  const { sampleTimeUs, endUs } = tree;
  let latestUs = sampleTimeUs[0] ?? 0;
  return Float64Array.from(sampleTimeUs, (_, index) => {
    const nextUs = sampleTimeUs[index + 1] ?? endUs;
    const tickUs = Math.max(0, nextUs - latestUs);
    latestUs = Math.max(latestUs, nextUs);
    return tickUs;
  });
}

function median(values: Float64Array): number {
  return values.slice().sort()[values.length >> 1] ?? 0;
}

/** Symbols without the root's frame, and the columns by their node. */
function pprofTree(
  nodes: readonly CpuNode[],
  columns: readonly Float64Array[],
  isByLine: boolean,
): { symbols: ReturnType<V8Tree['symbols']>; columns: readonly Float64Array[] } {
  const tree = new V8Tree();
  const rows = columns.map(() => [0]);
  const put = (node: number, values: readonly number[]): void => {
    rows.forEach((row, c) => {
      row[node] = (row[node] ?? 0) + (values[c] ?? 0);
    });
  };
  const treeNode: number[] = [];
  nodes.forEach((node, index) => {
    const values = columns.map((column) => column[index] ?? 0);
    const isRoot = node.parent < 0 && node.frame.functionName === '(root)';
    const parent = treeNode[node.parent] ?? 0;
    const own = isRoot ? 0 : tree.add(parent, node.frame);
    treeNode.push(own);
    const shares = isByLine && !isRoot ? lineShares(node.content, values[0] ?? 0) : [];
    let rest = values;
    for (const { line, share } of shares) {
      const part = values.map((value) => Math.floor(value * share));
      rest = rest.map((value, c) => value - (part[c] ?? 0));
      put(tree.add(parent, atLine(node.frame, line)), part);
    }
    put(own, rest);
  });
  return {
    symbols: tree.symbols(),
    columns: rows.map((row) => Float64Array.from({ length: tree.count }, (_, n) => row[n] ?? 0)),
  };
}

/** V8 counts the ticks of a node by line; their sum is the node's count. */
function lineShares(node: JsonObject, count: number): readonly { line: bigint; share: number }[] {
  if (node['positionTicks'] === undefined || count === 0) return [];
  const ticks = listOf(OBJECT, node, 'positionTicks').map((tick) => {
    if (!isObject(tick)) throw v8Error(OBJECT, `positionTicks: ${describe(tick)}`, 'objects');
    return { line: numberOf(OBJECT, tick, 'line'), ticks: numberOf(OBJECT, tick, 'ticks') };
  });
  const known = ticks.filter(({ line, ticks: n }) => line > 0 && n > 0);
  const total = Math.max(
    count,
    known.reduce((sum, tick) => sum + tick.ticks, 0),
  );
  return known.map((tick) => ({ line: BigInt(Math.round(tick.line)), share: tick.ticks / total }));
}
