/**
 * String literals as Go and Prometheus write them: "..." and '...' with escapes, `...` without. Escapes of bytes
 * (\x41, \101) are bytes of UTF-8, as in Go.
 */
export type QuotedResult =
  /** `end` is the offset after the closing quote. */
  | { readonly value: string; readonly end: number }
  /** What is wrong: at offset `at`, `want` was wanted. */
  | { readonly want: string; readonly at: number };

const SIMPLE: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
};

const BYTE_RUN = /(?:\\x[0-9A-Fa-f]{2}|\\[0-3][0-7]{2})+/y;
const SHORT_POINT = /\\u([0-9A-Fa-f]{4})/y;
const LONG_POINT = /\\U([0-9A-Fa-f]{8})/y;
const PLAIN = /[^"'\\\n]+/y;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The literal that starts at `start`, or undefined if none does. */
export function readQuoted(text: string, start: number): QuotedResult | undefined {
  const quote = text[start];
  if (quote === '`') {
    const close = text.indexOf('`', start + 1);
    if (close < 0) return { want: 'a closing `', at: text.length };
    return { value: text.slice(start + 1, close), end: close + 1 };
  }
  if (quote !== '"' && quote !== "'") return undefined;
  let value = '';
  let at = start + 1;
  for (;;) {
    const c = text[at];
    if (c === quote) return { value, end: at + 1 };
    if (c === undefined || c === '\n') return { want: `a closing ${quote}`, at };
    if (c === '\\') {
      const unescaped = readEscape(text, at);
      if (unescaped === undefined) return { want: 'an escape sequence of Go', at };
      value += unescaped.value;
      at = unescaped.end;
    } else if (c === '"' || c === "'") {
      value += c;
      at++;
    } else {
      PLAIN.lastIndex = at;
      const run = PLAIN.exec(text)?.[0] ?? c;
      value += run;
      at += run.length;
    }
  }
}

function readEscape(text: string, at: number): { value: string; end: number } | undefined {
  const simple = SIMPLE[text[at + 1] ?? ''];
  if (simple !== undefined) return { value: simple, end: at + 2 };
  for (const pattern of [SHORT_POINT, LONG_POINT]) {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    const digits = found?.[1];
    if (found === null || digits === undefined) continue;
    const point = Number.parseInt(digits, 16);
    if (point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) return undefined;
    return { value: String.fromCodePoint(point), end: at + found[0].length };
  }
  BYTE_RUN.lastIndex = at;
  const run = BYTE_RUN.exec(text)?.[0];
  if (run === undefined) return undefined;
  const bytes = run
    .split('\\')
    .slice(1)
    .map((part) =>
      part.startsWith('x') ? Number.parseInt(part.slice(1), 16) : Number.parseInt(part, 8),
    );
  try {
    return { value: utf8.decode(Uint8Array.from(bytes)), end: at + run.length };
  } catch {
    return undefined;
  }
}
