/**
 * Regular expressions from outside, anchored at both ends as Prometheus has them or found anywhere as `go tool pprof`
 * has them, in time linear in the text (RE2 syntax, no backtracking). Most patterns that people send are literals, alternations of literals, or a literal with
 * `.*` around it: those never reach the engine.
 */
import { RE2JS, RE2JSException } from 're2js';
import { invalid } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';

export interface SafeRegex {
  /** Throws `invalid` PS_REGEX_COST where that would take too long. True if the whole of `text` matches, or any part of it, as it was compiled. */
  test(text: string): boolean;
}

/** For whole texts. Throws `invalid` PS_REGEX_LENGTH, PS_REGEX_SYNTAX or PS_REGEX_COST. */
export function compileAnchoredRegex(pattern: string): SafeRegex {
  checkLength(pattern);
  const simple = simpleRegex(pattern);
  if (simple !== undefined) return simple;
  const compiled = compiledRegex(pattern, RE2JS.DOTALL);
  return bounded(compiled, (text) => compiled.matches(text));
}

/** For any part of a text. Throws `invalid` PS_REGEX_LENGTH, PS_REGEX_SYNTAX or PS_REGEX_COST. */
export function compileSearchRegex(pattern: string, ignoresCase: boolean): SafeRegex {
  checkLength(pattern);
  const branches = ignoresCase ? undefined : literalBranches(pattern);
  if (branches !== undefined) return { test: (text) => branches.some((b) => text.includes(b)) };
  const compiled = compiledRegex(pattern, ignoresCase ? RE2JS.CASE_INSENSITIVE : 0);
  return bounded(compiled, (text) => compiled.test(text));
}

/** `test` throws `invalid` PS_REGEX_COST for a text that is too long for the expression. */
function bounded(compiled: RE2JS, test: (text: string) => boolean): SafeRegex {
  const charactersMax = Math.floor(LIMITS.regexStepsMax / compiled.programSize());
  return {
    test: (text) => {
      if (text.length <= charactersMax) return test(text);
      throw invalid(
        'PS_REGEX_COST',
        `cannot match regular expression: got a text of ${text.length} characters for ${compiled.programSize()} instructions; want at most ${charactersMax}`,
      );
    },
  };
}

function checkLength(pattern: string): void {
  const sizeBytes = Buffer.byteLength(pattern);
  if (sizeBytes > LIMITS.regexBytesMax) {
    throw invalid(
      'PS_REGEX_LENGTH',
      `cannot compile regular expression: got ${sizeBytes} bytes; want at most ${LIMITS.regexBytesMax}`,
    );
  }
}

function compiledRegex(pattern: string, flags: number): RE2JS {
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(pattern, flags);
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    throw invalid(
      'PS_REGEX_SYNTAX',
      `cannot compile regular expression: got ${JSON.stringify(pattern)} (${error.message}); want RE2 syntax`,
    );
  }
  const instructions = compiled.programSize();
  if (instructions > LIMITS.regexInstructionsMax) {
    throw invalid(
      'PS_REGEX_COST',
      `cannot compile regular expression: got ${instructions} instructions; want at most ${LIMITS.regexInstructionsMax}`,
    );
  }
  return compiled;
}

/** What needs no engine, or undefined. */
function simpleRegex(pattern: string): SafeRegex | undefined {
  const branches = literalBranches(pattern);
  if (branches !== undefined) {
    const [only] = branches;
    if (branches.length === 1 && only !== undefined) return { test: (text) => text === only };
    const set = new Set(branches);
    return { test: (text) => set.has(text) };
  }
  if (pattern === '.+') return { test: (text) => text !== '' };
  const open = pattern.startsWith('.*');
  const close = pattern.length >= (open ? 4 : 2) && endsWithAny(pattern);
  if (!open && !close) return undefined;
  const middle = literalBranches(pattern.slice(open ? 2 : 0, close ? -2 : undefined));
  const text = middle?.length === 1 ? middle[0] : undefined;
  if (text === undefined) return undefined;
  if (open && close) return { test: (value) => value.includes(text) };
  if (open) return { test: (value) => value.endsWith(text) };
  return { test: (value) => value.startsWith(text) };
}

/** `.*` at the end, its dot not escaped. */
function endsWithAny(pattern: string): boolean {
  if (!pattern.endsWith('.*')) return false;
  let slashes = 0;
  for (let i = pattern.length - 3; i >= 0 && pattern[i] === '\\'; i--) slashes++;
  return slashes % 2 === 0;
}

const META = new Set('.+*?()[]{}^$');

/** The texts that `pattern` matches if it is nothing but literals and `|`; else undefined. */
function literalBranches(pattern: string): readonly string[] | undefined {
  const branches: string[] = [];
  let current = '';
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern[i] as string;
    if (c === '|') {
      branches.push(current);
      current = '';
    } else if (c === '\\') {
      const escaped = pattern[++i];
      // A letter or digit after the backslash has a meaning of its own; so has nothing at all.
      if (escaped === undefined || !/[!-/:-@[-`{-~]/.test(escaped)) return undefined;
      current += escaped;
    } else if (META.has(c)) {
      return undefined;
    } else {
      current += c;
    }
  }
  branches.push(current);
  return branches;
}
