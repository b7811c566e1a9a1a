import { describe, expect, it } from 'vitest';
import { partialLines } from '../../../src/cli/partial.js';

const bodyOf = (json: object): Uint8Array => new TextEncoder().encode(JSON.stringify(json));
const missing = (part: string) => ({ part, code: 'PS_BLOCK_CHECKSUM', message: 'damaged' });

describe('what a command says of an answer that lacks something', () => {
  it.each([
    ['nothing of a whole one', { stats: { missing: [] } }, []],
    ['nothing of a list', { labels: ['a'] }, []],
    ['the parts of its stats', { stats: { missing: [missing('block a')] } }, ['block a']],
    ['the parts of a search for regressions', { missing: [missing('block a')] }, ['block a']],
    [
      'the parts of both sides of a comparison, each once',
      {
        base: { stats: { missing: [missing('block a')] } },
        comparisons: [{ side: { stats: { missing: [missing('block a'), missing('block b')] } } }],
      },
      ['block a', 'block b'],
    ],
  ])('is %s', (_, json, parts) => {
    const want = parts.map((part) => `partial, missing ${part}: damaged`);
    expect(partialLines({ body: bodyOf(json), isPartial: false }, true)).toEqual(want);
  });

  it('is that it is partial where its body cannot say of what', () => {
    const folded = new TextEncoder().encode('main;run 3\n');
    expect(partialLines({ body: folded, isPartial: false }, false)).toEqual([]);
    expect(partialLines({ body: folded, isPartial: true }, false)).toEqual([
      expect.stringContaining('could not be read'),
    ]);
  });
});
