/**
 * The selector grammar (docs/selectors.md), Prometheus' vector selector without its functions and ranges:
 *
 *   selector = [ name ] [ "{" [ item { "," item } [ "," ] ] "}" ]
 *   item     = label ( "=" | "!=" | "=~" | "!~" ) string  |  string          (a string alone names the profile)
 *   label    = identifier | string
 *
 * The parser goes once over the text; every error says the offset (UTF-16 units from 0) and what was wanted there.
 */
import { invalid, type StoreError } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import { PROFILE_NAME } from './labels.js';
import type { Matcher, MatchOperator } from './matcher.js';
import { readQuoted } from './quoted.js';

/** All matchers must hold. */
export type Selector = readonly Matcher[];

const IDENTIFIER = /[A-Za-z_][A-Za-z0-9_]*/y;
const NAME = /[A-Za-z_:][A-Za-z0-9_:]*/y;
const OPERATOR = /=~|!~|!=|=/y;
const SPACE = /[ \t\r\n]*/y;

/** Throws `invalid` PS_SELECTOR_LENGTH, PS_SELECTOR_SYNTAX or PS_SELECTOR_MATCHERS. */
export function parseSelector(text: string): Selector {
  const sizeBytes = Buffer.byteLength(text);
  if (sizeBytes > LIMITS.selectorBytesMax) {
    throw invalid(
      'PS_SELECTOR_LENGTH',
      `cannot parse selector: got ${sizeBytes} bytes; want at most ${LIMITS.selectorBytesMax}`,
    );
  }
  return new SelectorParser(text).parse();
}

class SelectorParser {
  readonly #text: string;
  readonly #matchers: Matcher[] = [];
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): Selector {
    this.#skipSpace();
    const name = this.#take(NAME);
    if (name !== undefined) this.#push({ name: PROFILE_NAME, operator: '=', value: name });
    this.#skipSpace();
    if (this.#text[this.#at] === '{') this.#braces();
    this.#skipSpace();
    if (this.#at < this.#text.length) {
      throw this.#error(name === undefined && this.#matchers.length === 0 ? '"{"' : 'the end');
    }
    return this.#matchers;
  }

  #braces(): void {
    this.#at++;
    for (;;) {
      this.#skipSpace();
      if (this.#text[this.#at] === '}') break;
      this.#push(this.#item());
      this.#skipSpace();
      if (this.#text[this.#at] === ',') {
        this.#at++;
        continue;
      }
      if (this.#text[this.#at] === '}') break;
      throw this.#error('"," or "}"');
    }
    this.#at++;
  }

  #item(): Matcher {
    const quoted = this.#quotedHere();
    const name = quoted ?? this.#take(IDENTIFIER);
    if (name === undefined) throw this.#error('a label name or "}"');
    this.#skipSpace();
    const operator = this.#take(OPERATOR) as MatchOperator | undefined;
    if (operator === undefined) {
      const next = this.#text[this.#at];
      if (quoted !== undefined && (next === ',' || next === '}')) {
        return { name: PROFILE_NAME, operator: '=', value: quoted };
      }
      throw this.#error('"=", "!=", "=~" or "!~"');
    }
    if (name === '') throw this.#error('a label name that is not empty before it');
    this.#skipSpace();
    const value = this.#quotedHere();
    if (value === undefined) throw this.#error('a quoted string');
    return { name, operator, value };
  }

  #quotedHere(): string | undefined {
    const result = readQuoted(this.#text, this.#at);
    if (result === undefined) return undefined;
    if ('want' in result) {
      this.#at = result.at;
      throw this.#error(result.want);
    }
    this.#at = result.end;
    return result.value;
  }

  #push(matcher: Matcher): void {
    if (this.#matchers.length >= LIMITS.matchersMax) {
      throw invalid(
        'PS_SELECTOR_MATCHERS',
        `cannot parse selector: got more than ${LIMITS.matchersMax} matchers; want at most that many`,
      );
    }
    this.#matchers.push(matcher);
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #skipSpace(): void {
    this.#take(SPACE);
  }

  #error(want: string): StoreError {
    const rest = this.#text.slice(this.#at, this.#at + 16);
    const got = rest === '' ? 'the end' : JSON.stringify(rest);
    return invalid(
      'PS_SELECTOR_SYNTAX',
      `cannot parse selector: got ${got} at offset ${this.#at}; want ${want}`,
      { offset: this.#at },
    );
  }
}
