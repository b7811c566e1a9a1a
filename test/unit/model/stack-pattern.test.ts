import { describe, expect, it } from 'vitest';
import { EMPTY_FRAME, type Frame } from '../../../src/model/frame.js';
import { parseFramePattern, parseStackPattern } from '../../../src/model/stack-pattern.js';

const frame = (part: Partial<Frame>): Frame => ({ ...EMPTY_FRAME, ...part });

describe('patterns of frames', () => {
  it.each<[string, Partial<Frame>, boolean]>([
    ['function=main', { functionName: 'main' }, true],
    ['function = "main" , file*=".go"', { functionName: 'main', fileName: 'x.go' }, true],
    ['function=main, file*=".go"', { functionName: 'main', fileName: 'x.c' }, false],
    ['function=MAIN', { functionName: 'main' }, false],
    ['function=MAIN i', { functionName: 'main' }, true],
    ['function=~"^M"i', { functionName: 'main' }, true],
    ['system!="_Zf"', { systemName: '_Zf' }, false],
    ['mapping!*=LIBC i', { mappingFile: '/lib/libc.so' }, false],
    ['line=12', { line: 12n }, true],
    ['line=1', { line: 12n }, false],
    ['address=0xff', { address: 255n }, true],
    ['name="lib+0xff"', { mappingFile: 'lib', address: 255n }, true],
    ['!function=main', { functionName: 'main' }, false],
    ['*', {}, true],
  ])('%s', (text, part, passes) => {
    expect(parseFramePattern(text)(frame(part))).toBe(passes);
  });

  it('knows places and several frames', () => {
    const pattern = parseStackPattern('! root : function=a > * > line!~"^1"');
    expect(pattern).toMatchObject({ isNegated: true, place: 'root' });
    expect(pattern.frames).toHaveLength(3);
  });

  it.each([
    ['', 'offset 0; want a field'],
    ['func=a', 'offset 0; want a field'],
    ['functions=a', 'offset 0; want a field'],
    ['function', 'got "the end" at offset 8; want !*=, *='],
    ['function=', 'want a string or a word'],
    ['function="a', 'want a closing "'],
    ['function=a >', 'want a field'],
    ['function=a b', 'offset 11; want ">", "," or the end'],
    ['x:function=a', 'want a field'],
    [`*${' > *'.repeat(64)}`, 'want at most 64 frames'],
    [`function=${'a'.repeat(20_000)}`, 'got 20009 bytes'],
  ])('refuses %s', (text, message) => {
    expect(() => parseStackPattern(text)).toThrow(message);
  });

  it('refuses a place or a path where one frame is wanted', () => {
    expect(() => parseFramePattern('leaf:function=a')).toThrow('want one frame');
    expect(() => parseFramePattern('function=a > function=b')).toThrow('want one frame');
    expect(() => parseFramePattern('function=~"("')).toThrow('want RE2 syntax');
  });
});
