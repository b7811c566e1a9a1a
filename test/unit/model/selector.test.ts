import { describe, expect, it } from 'vitest';
import { StoreError } from '../../../src/base/errors.js';
import { compileMatcher, type Matcher } from '../../../src/model/matcher.js';
import { compileAnchoredRegex, compileSearchRegex } from '../../../src/model/safe-regex.js';
import { parseSelector } from '../../../src/model/selector.js';

/** The matcher as the selector grammar writes it. */
function formatMatcher({ name, operator, value }: Matcher): string {
  const plain = /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? name : JSON.stringify(name);
  return `${plain}${operator}${JSON.stringify(value)}`;
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return error instanceof StoreError ? `${error.code} ${error.message}` : String(error);
  }
  return 'no error';
}

const plain = (matchers: readonly Matcher[]): string[] =>
  matchers.map((m) => `${m.name} ${m.operator} ${m.value}`);

describe('parseSelector', () => {
  it.each<[string, string[]]>([
    ['', []],
    ['{}', []],
    [' { } ', []],
    ['{a="b"}', ['a = b']],
    ['{a="b",c=~"x.*",d!="e",f!~"g"}', ['a = b', 'c =~ x.*', 'd != e', 'f !~ g']],
    ['{ a = "b" , c = \'d\' , }', ['a = b', 'c = d']],
    ['process_cpu', ['__name__ = process_cpu']],
    ['process_cpu{}', ['__name__ = process_cpu']],
    ['a:b {c="d"}', ['__name__ = a:b', 'c = d']],
    ['{"process_cpu"}', ['__name__ = process_cpu']],
    ['{"process_cpu",a="b"}', ['__name__ = process_cpu', 'a = b']],
    ['{"k8s.pod/name"="x"}', ['k8s.pod/name = x']],
    ['{a=`\\d"\'+`}', ['a = \\d"\'+']],
    ['{a="\\n\\t\\\\\\"\\\'"}', ['a = \n\t\\"\'']],
    ['{a="\\u00e9\\U0001F600\\xc3\\xa9\\303\\251"}', ['a = é😀éé']],
    ['{a="}"}', ['a = }']],
    ['{a=""}', ['a = ']],
    ['{a="x",a!="y"}', ['a = x', 'a != y']],
  ])('reads %s', (text, want) => {
    expect(plain(parseSelector(text))).toEqual(want);
  });

  it.each<[string, number, string]>([
    ['{', 1, 'a label name or "}"'],
    ['{a}', 2, '"=", "!=", "=~" or "!~"'],
    ['{a="b"', 6, '"," or "}"'],
    ['{a=b}', 3, 'a quoted string'],
    ['{a="b}', 6, 'a closing "'],
    ["{a='b\n'}", 5, "a closing '"],
    ['{a=`b}', 6, 'a closing `'],
    ['{a="\\q"}', 4, 'an escape sequence of Go'],
    ['{a="\\xff"}', 4, 'an escape sequence of Go'],
    ['{a="\\ud800"}', 4, 'an escape sequence of Go'],
    ['{,}', 1, 'a label name or "}"'],
    ['{a="b",,}', 7, 'a label name or "}"'],
    ['{a="b"} x', 8, 'the end'],
    ['{a="b"}{c="d"}', 7, 'the end'],
    ['9', 0, '"{"'],
    ['{""="x"}', 4, 'a label name that is not empty before it'],
    ['{a=="b"}', 3, 'a quoted string'],
    ['{é="b"}', 1, 'a label name or "}"'],
  ])('refuses %s', (text, offset, want) => {
    const message = codeOf(() => parseSelector(text));
    expect(message).toContain('PS_SELECTOR_SYNTAX');
    expect(message).toContain(`at offset ${offset}; want ${want}`);
  });

  it('is bounded', () => {
    expect(codeOf(() => parseSelector(`{a="${'x'.repeat(20_000)}"}`))).toContain(
      'PS_SELECTOR_LENGTH',
    );
    const many = Array.from({ length: 65 }, (_, i) => `a${i}="x"`).join(',');
    expect(codeOf(() => parseSelector(`{${many}}`))).toContain('PS_SELECTOR_MATCHERS');
  });

  it('reads back what formatMatcher writes', () => {
    const matchers: Matcher[] = [
      { name: 'a', operator: '=', value: 'x"\\\n' },
      { name: 'b.c', operator: '!~', value: '.*é' },
    ];
    expect(parseSelector(`{${matchers.map(formatMatcher).join(',')}}`)).toEqual(matchers);
  });
});

describe('compileMatcher', () => {
  it.each<[Matcher['operator'], string, string, boolean]>([
    ['=', '', '', true],
    ['=', 'a', 'a', true],
    ['!=', 'a', '', true],
    ['=~', '', '', true],
    ['=~', '', 'x', false],
    ['=~', '.*', '', true],
    ['=~', '.+', '', false],
    ['=~', '.+', 'x', true],
    ['=~', 'a', 'ab', false],
    ['=~', 'a|b', 'b', true],
    ['=~', 'a|b', 'ab', false],
    ['=~', 'a|', '', true],
    ['=~', 'a.*', 'a\nb', true],
    ['=~', '.*b', 'ab', true],
    ['=~', '.*b.*', 'abc', true],
    ['=~', 'a\\.*', 'a...', true],
    ['=~', 'a\\.*', 'ab', false],
    ['=~', 'a\\.b', 'a.b', true],
    ['=~', 'a\\.b', 'axb', false],
    ['=~', 'pod-[0-9]+', 'pod-12', true],
    ['=~', 'pod-[0-9]+', 'pod-12x', false],
    ['=~', '(?i)ABC', 'abc', true],
    ['=~', 'a.c', 'a\nc', true],
    ['=~', '^a$', 'a', true],
    ['=~', 'a.?', 'a😀', true],
    ['!~', 'a|b', 'c', true],
    ['!~', 'a|b', 'a', false],
  ])('%s %s on %s', (operator, value, text, want) => {
    const compiled = compileMatcher({ name: 'n', operator, value });
    expect(compiled.test(text)).toBe(want);
    expect(compiled.test(text)).toBe(want);
  });

  it.each([
    ['(', 'PS_REGEX_SYNTAX'],
    ['a**', 'PS_REGEX_SYNTAX'],
    ['(?=a)', 'PS_REGEX_SYNTAX'],
    ['(a)\\1', 'PS_REGEX_SYNTAX'],
    ['((a{100}){10}){10}', 'PS_REGEX_SYNTAX'],
    ['(.*a.*){900}', 'PS_REGEX_COST'],
    [`[a]${'x'.repeat(5000)}`, 'PS_REGEX_LENGTH'],
  ])('refuses %s', (pattern, code) => {
    expect(codeOf(() => compileAnchoredRegex(pattern))).toContain(code);
  });

  it('refuses a text that is too long for the expression, which others are not', () => {
    const test = (pattern: string, length: number): boolean =>
      compileSearchRegex(pattern, false).test('x'.repeat(length));
    expect(codeOf(() => test('[ab].{600}[xyz]', 1 << 20))).toContain('PS_REGEX_COST');
    expect(test('[ab].{600}[xyz]', 1 << 12)).toBe(false);
    expect(test('[ab]x?[xyz]', 1 << 20)).toBe(false);
  });

  it('takes linear time on what makes backtracking explode', () => {
    const text = 'x'.repeat(4096);
    for (const pattern of ['(x+x+)+y', '(x*)*y', '(x|x)*y', '(.*)(.*)(.*)(.*)[^x]']) {
      expect(compileAnchoredRegex(pattern).test(text)).toBe(false);
    }
  });
});
