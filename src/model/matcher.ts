/** One predicate over a label's value. A missing label has the empty value, as in Prometheus. */
import { compileAnchoredRegex } from './safe-regex.js';

export type MatchOperator = '=' | '!=' | '=~' | '!~';

export interface Matcher {
  readonly name: string;
  readonly operator: MatchOperator;
  readonly value: string;
}

/** A matcher ready to run. */
export interface CompiledMatcher {
  readonly name: string;
  readonly matcher: Matcher;
  test(value: string): boolean;
}

/** Verdicts kept for one regular expression: enough for the distinct values of a label, bounded for sample labels. */
const VERDICTS_MAX = 65_536;

/** Throws `invalid` PS_REGEX_* for a bad regular expression. */
export function compileMatcher(matcher: Matcher): CompiledMatcher {
  const { name, operator, value } = matcher;
  switch (operator) {
    case '=':
      return { name, matcher, test: (text) => text === value };
    case '!=':
      return { name, matcher, test: (text) => text !== value };
    case '=~':
      return { name, matcher, test: memoized(compileAnchoredRegex(value).test, true) };
    case '!~':
      return { name, matcher, test: memoized(compileAnchoredRegex(value).test, false) };
  }
}

function memoized(test: (text: string) => boolean, wanted: boolean): (text: string) => boolean {
  const verdicts = new Map<string, boolean>();
  return (text) => {
    const known = verdicts.get(text);
    if (known !== undefined) return known;
    if (verdicts.size >= VERDICTS_MAX) verdicts.clear();
    const verdict = test(text) === wanted;
    verdicts.set(text, verdict);
    return verdict;
  };
}
