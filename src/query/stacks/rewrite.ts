/**
 * Stacks as an answer shows them: frames hidden, stacks cut, functions grouped into coarser frames, labels as first
 * frames, recursion collapsed, everything turned upside down. Each step changes a path of frames; the changed paths
 * make a new trie, and equal ones are summed. Sums stay exact; what loses all of its frames ends at the root.
 *
 * pprof keeps the inlined frames of one address in one *location*; its filters cut locations, not only stacks, and the
 * steps here do so too: see `showFrom` and `pruneFrom`.
 */
import { canShareLocation } from '../../formats/pprof/encode-symbols.js';
import { EMPTY_FRAME, type Frame, frameName } from '../../model/frame.js';
import { labelText } from '../../model/sample-labels.js';
import type { FrameTest } from '../../model/frame-test.js';
import { FramePool } from '../../symbols/frame-pool.js';
import { PairTable } from '../../symbols/int-table.js';
import type { SymbolSource } from '../../symbols/source.js';
import type { MergedValues } from '../merge.js';
import type { QueryContext } from '../context.js';
import type { Stoppable } from '../key-filter.js';
import { checkGroups } from '../sample-groups.js';
import { ExactSums } from '../sums.js';
import type { FrameFilter } from './filter.js';
import type { Granularity, StackView } from './options.js';

/** A stack on its way: `frames` are numbers of a Frames table, root first. */
export interface Path {
  frames: number[];
  /** By frame: the location it belongs to; equal numbers lie next to one another. */
  locations: number[];
  labelSet: number;
}

/** Changes a path in place; false drops it. */
export type PathStep = (path: Path) => boolean;

/** Frames of the new trie: those of the old one as they are, and made ones. */
export class Frames {
  readonly pool = new FramePool();
  readonly #source: SymbolSource;
  readonly #tests = new Map<FrameTest, Int8Array>();
  readonly #query: Stoppable;

  constructor(source: SymbolSource, query: Stoppable) {
    this.#source = source;
    this.#query = query;
  }

  /** The pool's number of frame `index` of the old trie. */
  of(index: number): number {
    return this.pool.intern(this.#source.frames, index);
  }

  frame(number: number): Frame {
    return this.pool.frame(number);
  }

  labels(labelSet: number): ReturnType<SymbolSource['labelSets']['labels']> {
    return this.#source.labelSets.labels(labelSet);
  }

  passes(test: FrameTest, number: number): boolean {
    let results = this.#tests.get(test);
    if (results === undefined || results.length <= number) {
      const wider = new Int8Array(Math.max(1024, this.pool.count * 2));
      if (results !== undefined) wider.set(results);
      results = wider;
      this.#tests.set(test, results);
    }
    if (results[number] === 0) {
      this.#query.check();
      results[number] = test(this.frame(number)) ? 1 : -1;
    }
    return results[number] === 1;
  }

  /** A map of frame numbers, each asked for once. */
  mapped(map: (frame: Frame) => Frame): (number: number) => number {
    const known = new Map<number, number>();
    return (number) => {
      let target = known.get(number);
      if (target === undefined) {
        const frame = this.frame(number);
        const changed = map(frame);
        target = changed === frame ? number : this.pool.add(changed);
        known.set(number, target);
      }
      return target;
    };
  }
}

/** Frames between two looks at the clock and at the budget. */
const CHECK_FRAMES = 1 << 16;

/** `merged` with each key's path changed by `steps` in turn. */
export function rewriteStacks(
  merged: MergedValues,
  stepsOf: (frames: Frames) => readonly PathStep[],
  context: QueryContext,
): MergedValues {
  const { symbols, sums } = merged;
  const frames = new Frames(symbols, context);
  const steps = stepsOf(frames);
  const nodes = new PairTable();
  const keys = new PairTable();
  const target = new ExactSums();
  nodes.intern(-1, -1);
  const { locationOf, walk } = pathWalker(symbols, frames);
  let walked = 0;
  for (let k = 0; k < symbols.keys.count; k++) {
    if (sums.low[k] === 0 && sums.high[k] === 0) continue;
    const path: Path = { frames: [], locations: [], labelSet: symbols.keys.labelSet[k]! };
    walk(symbols.keys.node[k]!, path, locationOf);
    if (!steps.every((step) => step(path))) continue;
    let node = 0;
    for (const frame of path.frames) node = nodes.intern(node, frame);
    const key = keys.intern(node, path.labelSet);
    target.reserve(keys.count);
    target.addWords(key, sums.low[k]!, sums.high[k]!);
    // A stack may have thousands of frames.
    walked += 1 + path.frames.length;
    if (walked < CHECK_FRAMES) continue;
    walked = 0;
    context.check();
    context.checkNodes(nodes.count);
  }
  context.checkNodes(nodes.count);
  return {
    symbols: {
      frames: frames.pool,
      nodes: {
        count: nodes.count,
        parent: nodes.first.subarray(0, nodes.count),
        frame: nodes.second.subarray(0, nodes.count),
      },
      keys: {
        count: keys.count,
        node: keys.first.subarray(0, keys.count),
        labelSet: keys.second.subarray(0, keys.count),
      },
      labelSets: symbols.labelSets,
    },
    sums: target,
  };
}

/** Paths with their locations: a node is in its parent's where its frame was inlined into the parent's. */
function pathWalker(symbols: SymbolSource, frames: Frames) {
  const { nodes } = symbols;
  const locationOf = new Int32Array(nodes.count);
  for (let n = 1; n < nodes.count; n++) {
    const parent = nodes.parent[n]!;
    const frame = symbols.frames.frame(nodes.frame[n]!);
    const isShared =
      frame.inlined &&
      parent > 0 &&
      canShareLocation(frame, symbols.frames.frame(nodes.frame[parent]!));
    locationOf[n] = isShared ? locationOf[parent]! : n;
  }
  const walk = (node: number, path: Path, locations: Int32Array): void => {
    for (let n = node; n > 0; n = nodes.parent[n]!) {
      path.frames.push(frames.of(nodes.frame[n]!));
      path.locations.push(locations[n]!);
    }
    path.frames.reverse();
    path.locations.reverse();
  };
  return { locationOf, walk };
}

export function keep(path: Path, isKept: (index: number) => boolean): void {
  let at = 0;
  for (let i = 0; i < path.frames.length; i++) {
    if (!isKept(i)) continue;
    path.frames[at] = path.frames[i]!;
    path.locations[at++] = path.locations[i]!;
  }
  path.frames.length = at;
  path.locations.length = at;
}

/** The steps of a filter. Afterwards the outermost frame of each location is not marked as inlined. */
export function filterSteps(filter: FrameFilter, frames: Frames): readonly PathStep[] {
  const { isVisible, showFrom, pruneFrom } = filter;
  const steps: PathStep[] = [];
  if (isVisible !== undefined) {
    steps.push((path) => {
      keep(path, (i) => frames.passes(isVisible, path.frames[i]!));
      return path.frames.length > 0;
    });
  }
  if (showFrom !== undefined) {
    steps.push((path) => {
      const isMatch = path.frames.map((f) => frames.passes(showFrom, f));
      const first = isMatch.indexOf(true);
      if (first < 0) return false;
      // Within a location that has a match, what lies outside of its outermost match goes, wherever the location is.
      const matched = firstIn(path, isMatch);
      keep(path, (i) => i >= first && i >= (matched.get(path.locations[i]!) ?? 0));
      return true;
    });
  }
  if (pruneFrom !== undefined) {
    steps.push((path) => {
      const isMatch = path.frames.map((f) => frames.passes(pruneFrom, f));
      const last = isMatch.lastIndexOf(true);
      if (last < 0) return true;
      const matched = lastIn(path, isMatch);
      keep(path, (i) => i <= last && i <= (matched.get(path.locations[i]!) ?? i));
      return true;
    });
  }
  const outermost = frames.mapped(asOutermost);
  steps.push((path) => {
    path.locations.forEach((location, i) => {
      if (location !== path.locations[i - 1]) path.frames[i] = outermost(path.frames[i]!);
    });
    return true;
  });
  return steps;
}

function asOutermost(frame: Frame): Frame {
  return frame.inlined ? { ...frame, inlined: false } : frame;
}

function firstIn(path: Path, isMatch: readonly boolean[]): ReadonlyMap<number, number> {
  const out = new Map<number, number>();
  isMatch.forEach((matches, i) => {
    const location = path.locations[i]!;
    if (matches && !out.has(location)) out.set(location, i);
  });
  return out;
}

function lastIn(path: Path, isMatch: readonly boolean[]): ReadonlyMap<number, number> {
  const out = new Map<number, number>();
  isMatch.forEach((matches, i) => {
    if (matches) out.set(path.locations[i]!, i);
  });
  return out;
}

const UNKNOWN_NAME = '[unknown]';
const NO_LABEL = '[none]';

function named(functionName: string, fileName = ''): Frame {
  return { ...EMPTY_FRAME, functionName, fileName };
}

function lineName(frame: Frame): Frame {
  const { fileName, line } = frame;
  if (fileName === '' && line === 0n) return frame;
  return named(`${frameName(frame)} ${fileName}:${line}`, fileName);
}

/** What a frame becomes. An address is kept only of frames without a function; the others show their line. */
const COARSER: Readonly<Record<Granularity, ((frame: Frame) => Frame) | undefined>> = {
  function: undefined,
  file: ({ fileName }) => named(fileName === '' ? UNKNOWN_NAME : fileName, fileName),
  mapping: ({ mappingFile }) => named(mappingFile === '' ? UNKNOWN_NAME : mappingFile),
  line: lineName,
  address: lineName,
};

/** The steps of a view, after those of a filter. */
export function viewSteps(view: StackView, frames: Frames): readonly PathStep[] {
  const steps: PathStep[] = [];
  const coarser = COARSER[view.granularity ?? 'function'];
  if (coarser !== undefined) {
    const map = frames.mapped(coarser);
    steps.push((path) => {
      path.frames = path.frames.map(map);
      return true;
    });
  }
  if (view.collapseRecursion === true) {
    steps.push((path) => {
      const names = path.frames.map((f) => frameName(frames.frame(f)));
      keep(path, (i) => i === 0 || names[i] !== names[i - 1]);
      return true;
    });
  }
  if (view.inverted === true) steps.push(inversion(frames));
  const rootLabels = view.rootLabel ?? [];
  if (rootLabels.length > 0) steps.push(rootLabelStep(rootLabels, frames));
  return steps;
}

/** Leaf first. No frame is inlined into what it now hangs from. */
export function inversion(frames: Frames): PathStep {
  const outermost = frames.mapped(asOutermost);
  return (path) => {
    path.frames = path.frames.reverse().map(outermost);
    path.locations.reverse();
    return true;
  };
}

/** Throws `limit` PS_QUERY_GROUPS. */
function rootLabelStep(names: readonly string[], frames: Frames): PathStep {
  const known = new Map<number, readonly number[]>();
  return (path) => {
    let roots = known.get(path.labelSet);
    if (roots === undefined) {
      checkGroups(names, known.size + 1);
      const labels = frames.labels(path.labelSet);
      roots = names.map((name) => {
        const text = labelText(labels, name);
        return frames.pool.add(named(text === '' ? NO_LABEL : text, name));
      });
      known.set(path.labelSet, roots);
    }
    path.frames.unshift(...roots);
    path.locations.unshift(...roots.map((_, i) => -1 - i));
    return true;
  };
}
