/**
 * Patterns of stacks (docs/filters.md):
 *
 *   pattern = [ "!" ] [ ( "any" | "leaf" | "root" ) ":" ] frame { ">" frame }
 *   frame   = "*"  |  test { "," test }
 *   test    = field ( "=" | "!=" | "=~" | "!~" | "*=" | "!*=" ) ( string | word ) [ "i" ]
 *   field   = "name" | "function" | "system" | "file" | "mapping" | "line" | "address"
 *
 * A frame passes if all of its tests do; `A > B` is a frame A that called the frame B, with none between them.
 */
import { invalid, type StoreError } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import { FRAME_FIELDS, FRAME_OPERATORS, type FrameTest } from './frame-test.js';
import { readQuoted } from './quoted.js';

export interface StackPattern {
  /** True for a pattern that must not be found. */
  readonly isNegated: boolean;
  /** Where the frames must lie: at the leaf end, at the root end, or anywhere. */
  readonly place: 'any' | 'leaf' | 'root';
  /** One after another, the one nearest to the root first; at least one. */
  readonly frames: readonly FrameTest[];
}

const PLACE = /(any|leaf|root)\s*:/y;
const FIELD = new RegExp(`(${Object.keys(FRAME_FIELDS).join('|')})(?![A-Za-z0-9_])`, 'y');
const OPERATOR = new RegExp(Object.keys(FRAME_OPERATORS).map(escaped).join('|'), 'y');
const WORD = /[A-Za-z0-9_./:@-]+/y;
const SPACE = /[ \t\r\n]*/y;

function escaped(text: string): string {
  return text.replaceAll(/[*!~=]/g, String.raw`\$&`);
}

/** Throws `invalid` PS_STACK_PATTERN or PS_REGEX_*. */
export function parseStackPattern(text: string): StackPattern {
  if (Buffer.byteLength(text) > LIMITS.stackPatternBytesMax) {
    throw invalid(
      'PS_STACK_PATTERN',
      `cannot parse stack pattern: got ${Buffer.byteLength(text)} bytes; want at most ${LIMITS.stackPatternBytesMax}`,
    );
  }
  return new Parser(text).pattern();
}

/** A pattern of one frame, wherever it is. Throws `invalid` PS_STACK_PATTERN or PS_REGEX_*. */
export function parseFramePattern(text: string): FrameTest {
  const { isNegated, place, frames } = parseStackPattern(text);
  const [test] = frames;
  if (test === undefined || frames.length > 1 || place !== 'any') {
    throw invalid(
      'PS_STACK_PATTERN',
      `cannot parse frame pattern: got ${JSON.stringify(text)}; want one frame, without a place`,
    );
  }
  return isNegated ? (frame) => !test(frame) : test;
}

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  pattern(): StackPattern {
    this.#take(SPACE);
    const isNegated = this.#takeText('!');
    const place = (this.#take(PLACE)?.[1] ?? 'any') as StackPattern['place'];
    const frames = [this.#frame()];
    while (this.#takeText('>')) {
      if (frames.length >= LIMITS.stackPatternFramesMax) {
        throw this.#error(`at most ${LIMITS.stackPatternFramesMax} frames`);
      }
      frames.push(this.#frame());
    }
    if (this.#at < this.#text.length) throw this.#error('">", "," or the end');
    return { isNegated, place, frames };
  }

  #frame(): FrameTest {
    this.#take(SPACE);
    if (this.#takeText('*')) return () => true;
    const tests = [this.#test()];
    while (this.#takeText(',')) tests.push(this.#test());
    const [only] = tests;
    if (only !== undefined && tests.length === 1) return only;
    return (frame) => tests.every((test) => test(frame));
  }

  #test(): FrameTest {
    this.#take(SPACE);
    const field = FRAME_FIELDS[this.#take(FIELD)?.[1] ?? ''];
    if (field === undefined) {
      throw this.#error(`a field (${Object.keys(FRAME_FIELDS).join(', ')}) or *`);
    }
    this.#take(SPACE);
    const operator = FRAME_OPERATORS[this.#take(OPERATOR)?.[0] ?? ''];
    if (operator === undefined) throw this.#error(Object.keys(FRAME_OPERATORS).join(', '));
    this.#take(SPACE);
    const value = this.#value();
    const ignoresCase = this.#takeText('i');
    const test = operator(value, ignoresCase);
    return (frame) => test(field(frame));
  }

  #value(): string {
    const quoted = readQuoted(this.#text, this.#at);
    if (quoted === undefined) {
      const word = this.#take(WORD)?.[0];
      if (word === undefined) throw this.#error('a string or a word');
      return word;
    }
    if ('want' in quoted) {
      this.#at = quoted.at;
      throw this.#error(quoted.want);
    }
    this.#at = quoted.end;
    return quoted.value;
  }

  #take(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text) ?? undefined;
    if (found !== undefined) this.#at += found[0].length;
    return found;
  }

  #takeText(text: string): boolean {
    this.#take(SPACE);
    if (!this.#text.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    this.#take(SPACE);
    return true;
  }

  #error(want: string): StoreError {
    const got =
      this.#at < this.#text.length ? this.#text.slice(this.#at, this.#at + 32) : 'the end';
    return invalid(
      'PS_STACK_PATTERN',
      `cannot parse stack pattern: got ${JSON.stringify(got)} at offset ${this.#at}; want ${want}`,
    );
  }
}
