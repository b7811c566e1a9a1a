import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const LITERAL = /['"](PS_[A-Z0-9_]*[A-Z0-9])['"]/g;
const DOCUMENTED = /^\| `(PS_[A-Z0-9_]+)` \|/gm;

/** Code literals of src/ with the first file that has each. */
function codesOfSource(): Map<string, string> {
  const codes = new Map<string, string>();
  const files = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.startsWith('gen/'))
    .sort();
  for (const file of files) {
    const text = readFileSync(join(ROOT, 'src', file), 'utf8');
    for (const [, code] of text.matchAll(LITERAL)) {
      if (code !== undefined && !codes.has(code)) codes.set(code, file);
    }
  }
  return codes;
}

function codesOfPage(): string[] {
  const page = readFileSync(join(ROOT, 'docs', 'errors.md'), 'utf8');
  return [...page.matchAll(DOCUMENTED)].map(([, code]) => code ?? '');
}

describe('docs/errors.md', () => {
  it('lists every code of src/', () => {
    const documented = new Set(codesOfPage());
    const missing = [...codesOfSource()].filter(([code]) => !documented.has(code));
    expect(missing.map(([code, file]) => `${code} (src/${file})`)).toEqual([]);
  });

  it('lists each code once, and none that src/ no longer has', () => {
    const codes = codesOfPage();
    expect(codes.filter((code, i) => codes.indexOf(code) !== i)).toEqual([]);
    const known = codesOfSource();
    expect(codes.filter((code) => !known.has(code))).toEqual([]);
  });
});
