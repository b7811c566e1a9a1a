/**
 * Filters of stacks and frames, compiled once a query. Which stacks count is decided from nodes and frames alone: one
 * forward pass over the trie (parents come first), before any sample is read. What is left of a stack that counts is
 * decided when the answer is rendered (rewrite.ts).
 *
 * `focus`, `ignore`, `hide`, `show`, `showFrom` and `pruneFrom` do what the options of `go tool pprof` do: they look
 * for a match in function names, file names and mapping files; hidden frames are not seen by `showFrom` and
 * `pruneFrom`; a stack without any frame does not count as soon as one of the first four is given.
 */
import { invalid } from '../../base/errors.js';
import { LIMITS } from '../../base/limits.js';
import type { Frame } from '../../model/frame.js';
import { type FrameTest, searchTest, type TextTest } from '../../model/frame-test.js';
import {
  parseFramePattern,
  parseStackPattern,
  type StackPattern,
} from '../../model/stack-pattern.js';
import type { SymbolSource } from '../../symbols/source.js';
import type { KeyFilter, Stoppable } from '../key-filter.js';
import type { StackFilter } from './options.js';

/** What is left of a stack: undefined parts leave everything. */
export interface FrameFilter {
  readonly isVisible: FrameTest | undefined;
  readonly showFrom: FrameTest | undefined;
  readonly pruneFrom: FrameTest | undefined;
}

export interface CompiledFilter {
  /** Which stacks count; undefined when all do. */
  readonly keys: KeyFilter | undefined;
  /** Undefined when stacks stay as they are. */
  readonly frames: FrameFilter | undefined;
}

/** Throws `invalid` PS_STACK_PATTERN, PS_STACK_FILTERS or PS_REGEX_*. */
export function compileFilter(filter: StackFilter): CompiledFilter {
  const { focus, ignore, hide, show, showFrom, pruneFrom } = filter;
  const patterns = checked(filter.stack).map(parseStackPattern);
  const hidden = checked(filter.hideFrame).map(parseFramePattern);
  const conditions: StackCondition[] = patterns.map(patternCondition);
  if (focus !== undefined) conditions.push(anyFrame(matcher(focus), true));
  if (ignore !== undefined) conditions.push(anyFrame(matcher(ignore), false));
  const isVisible = visibility({ hide, show, hidden });
  if (isVisible !== undefined) conditions.push(anyFrame(isVisible, true));
  const fromTest = showFrom === undefined ? undefined : matcher(showFrom);
  if (fromTest !== undefined) {
    const test = fromTest;
    conditions.push(
      anyFrame(isVisible === undefined ? test : (f) => isVisible(f) && test(f), true),
    );
  }
  if (ignore !== undefined) conditions.push(anyFrame(() => true, true));
  const pruneTest = pruneFrom === undefined ? undefined : pruneMatcher(searchTest(pruneFrom));
  const rewrites = isVisible !== undefined || fromTest !== undefined || pruneTest !== undefined;
  const frames = { isVisible, showFrom: fromTest, pruneFrom: pruneTest };
  return { keys: keyMaskOf(conditions), frames: rewrites ? frames : undefined };
}

function checked(patterns: readonly string[] | undefined): readonly string[] {
  if (patterns === undefined) return [];
  if (patterns.length > LIMITS.stackPatternsMax) {
    throw invalid(
      'PS_STACK_FILTERS',
      `cannot filter stacks: got ${patterns.length} patterns; want at most ${LIMITS.stackPatternsMax}`,
    );
  }
  return patterns;
}

/** True when nothing is known of a frame's function, so that there is no name to look at. */
function isNameless(frame: Frame): boolean {
  return frame.functionName === '' && frame.systemName === '' && frame.fileName === '';
}

function matchesFunction(frame: Frame, test: TextTest): boolean {
  return !isNameless(frame) && (test(frame.functionName) || test(frame.fileName));
}

function matchesMapping(frame: Frame, test: TextTest): boolean {
  return frame.mappingFile !== '' && test(frame.mappingFile);
}

function matcher(pattern: string): FrameTest {
  const test = searchTest(pattern);
  return (frame) => matchesMapping(frame, test) || matchesFunction(frame, test);
}

function visibility(options: {
  readonly hide: string | undefined;
  readonly show: string | undefined;
  readonly hidden: readonly FrameTest[];
}): FrameTest | undefined {
  const hides =
    options.hide === undefined ? options.hidden : [...options.hidden, matcher(options.hide)];
  const showTest = options.show === undefined ? undefined : searchTest(options.show);
  if (hides.length === 0 && showTest === undefined) return undefined;
  const isShown = (frame: Frame): boolean => {
    if (showTest === undefined) return true;
    // As in pprof: an address without any line is never shown, a line without a function always.
    if (isNameless(frame)) return frame.line !== 0n;
    return matchesMapping(frame, showTest) || matchesFunction(frame, showTest);
  };
  return (frame) => isShown(frame) && !hides.some((hide) => hide(frame));
}

/** pprof looks for `prune_from` in function names without their arguments. */
function pruneMatcher(test: TextTest): FrameTest {
  return ({ functionName }) => functionName !== '' && test(withoutArguments(functionName));
}

const BRACKET = /\(anonymous namespace\)|operator\(\)|\(/g;

function withoutArguments(name: string): string {
  const text = name.startsWith('.') ? name.slice(1) : name;
  for (const { 0: bracket, index } of text.matchAll(BRACKET)) {
    if (bracket === '(') return text.slice(0, index);
  }
  return text;
}

/** 1 for each node at which a stack may end. */
type StackCondition = (symbols: SymbolSource, testsOf: TestFrames) => Uint8Array;
/** The result of a test for each frame of a table, as far as nodes use them. */
type TestFrames = (test: FrameTest) => Uint8Array;

function keyMaskOf(conditions: readonly StackCondition[]): CompiledFilter['keys'] {
  if (conditions.length === 0) return undefined;
  const known = new WeakMap<SymbolSource, Uint8Array>();
  const maskOf = (symbols: SymbolSource, query: Stoppable): Uint8Array => {
    const before = known.get(symbols);
    if (before !== undefined) return before;
    const testFrames = frameTester(symbols, query);
    const { keys } = symbols;
    const mask = new Uint8Array(keys.count).fill(1);
    for (const condition of conditions) {
      const passes = condition(symbols, testFrames);
      for (let k = 0; k < keys.count; k++) mask[k]! &= passes[keys.node[k]!]!;
    }
    known.set(symbols, mask);
    return mask;
  };
  return { readsLabels: false, mask: maskOf };
}

const UNKNOWN = 2;

function frameTester({ frames, nodes }: SymbolSource, query: Stoppable): TestFrames {
  const used = new Uint8Array(frames.count);
  for (let n = 1; n < nodes.count; n++) used[nodes.frame[n]!] = 1;
  const results = new Map<FrameTest, Uint8Array>();
  return (test) => {
    const known = results.get(test);
    if (known !== undefined) return known;
    const result = new Uint8Array(frames.count).fill(UNKNOWN);
    for (let f = 0; f < frames.count; f++) {
      if (used[f] !== 1) continue;
      query.check();
      result[f] = test(frames.frame(f)) ? 1 : 0;
    }
    results.set(test, result);
    return result;
  };
}

/** Stacks with a frame that passes, or without any. */
function anyFrame(test: FrameTest, wanted: boolean): StackCondition {
  return ({ nodes }, testFrames) => {
    const passes = testFrames(test);
    const found = new Uint8Array(nodes.count);
    for (let n = 1; n < nodes.count; n++)
      found[n] = passes[nodes.frame[n]!]! | found[nodes.parent[n]!]!;
    return wanted ? found : found.map((value) => value ^ 1);
  };
}

function patternCondition({ isNegated, place, frames }: StackPattern): StackCondition {
  return ({ nodes }, testFrames) => {
    const passes = frames.map(testFrames);
    const depth = new Int32Array(nodes.count);
    const found = new Uint8Array(nodes.count);
    for (let n = 1; n < nodes.count; n++) {
      const parent = nodes.parent[n]!;
      depth[n] = depth[parent]! + 1;
      if (place !== 'leaf' && found[parent] === 1) found[n] = 1;
      else if (place === 'root' && depth[n] !== frames.length) continue;
      else found[n] = endsWith(nodes, n, passes) ? 1 : 0;
    }
    return isNegated ? found.map((value) => value ^ 1) : found;
  };
}

/** Whether the path to `node` ends with frames that pass. */
function endsWith(
  { parent, frame }: SymbolSource['nodes'],
  node: number,
  passes: readonly Uint8Array[],
): boolean {
  let n = node;
  for (let i = passes.length - 1; i >= 0; i--) {
    if (n <= 0 || passes[i]![frame[n]!] !== 1) return false;
    n = parent[n]!;
  }
  return true;
}
