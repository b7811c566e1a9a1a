import { describe, expect, it } from 'vitest';
import { remarksOf } from '../../../src/cli/remarks.js';

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
    expect(remarksOf({ body: bodyOf(json), about: '' }, true)).toEqual(want);
  });

  it('comes from beside the body where that has no place for it', () => {
    const body = new TextEncoder().encode('main;run 3\n');
    const about = (json: object) => remarksOf({ body, about: JSON.stringify(json) }, false);
    expect(remarksOf({ body, about: '' }, false)).toEqual([]);
    expect(about({ profiles: 3, hidden: { count: 0, value: '0' }, missing: [] })).toEqual([]);
    const parts = [{ part: 'block a', code: 'PS_BLOCK_CHECKSUM' }];
    expect(about({ hidden: { count: 2, value: '-7' }, missing: parts })).toEqual([
      'partial, missing block a: PS_BLOCK_CHECKSUM',
      'left out: 2 that --max-nodes or the format hides, -7 in sum',
    ]);
  });
});
