import { describe, expect, it } from 'vitest';
import { bytesText, formatValue } from '../../../src/cli/format-value.js';
import { pathLabels } from '../../../src/cli/import.js';
import { parseLabel } from '../../../src/cli/profile-sink.js';
import { progressLine } from '../../../src/cli/progress.js';
import { answerText, percentText } from '../../../src/cli/query-text.js';

function bytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

describe('values', () => {
  it.each([
    [1n, 'nanoseconds', '1 ns'],
    [1_500_000_000n, 'nanoseconds', '1.50 s'],
    [90_000n, 'milliseconds', '1.50 min'],
    [7_200n, 'seconds', '2.00 h'],
    [-2_000n, 'nanoseconds', '-2.00 us'],
    [1_536n, 'bytes', '1.50 KiB'],
    [1_234_567n, 'count', '1,234,567'],
    [9_007_199_254_740_993n, 'count', '9,007,199,254,740,993'],
  ])('%d %s is %s', (value, unit, expected) => {
    expect(formatValue(value, unit)).toBe(expected);
  });

  it('has sizes', () => {
    expect(bytesText(1_023)).toBe('1023 B');
    expect(bytesText(5 * 2 ** 40)).toBe('5.00 TiB');
  });

  it('has exact percentages past 2^53', () => {
    expect(percentText(1n << 62n, 1n << 63n)).toBe('50.0%');
    expect(percentText(1n, 0n)).toBe('-');
  });
});

describe('answers as text', () => {
  it('aligns the functions', () => {
    const answer = {
      unit: 'nanoseconds',
      total: '4000000000',
      functions: [
        { function: 'work', file: 'a.js', self: '3000000000', total: '4000000000' },
        { function: 'rest', file: '', self: '1000000000', total: '1000000000' },
      ],
    };
    expect(answerText('top', bytes(answer), 1)).toBe(
      [
        'total 4.00 s',
        '  self  self%   total  total%  function',
        '3.00 s  75.0%  4.00 s  100.0%  work  a.js',
        '... 1 more functions (--rows)',
        '',
      ].join('\n'),
    );
  });

  it('prints as many functions as are asked for, and nothing that a terminal obeys', () => {
    const functions = Array.from({ length: 200_000 }, (_, i) => ({
      function: i === 0 ? 'a\u001b[31m\nb' : `f${i}`,
      file: '',
      self: '1',
      total: '1',
    }));
    const answer = bytes({ unit: 'count', total: '200000', functions });
    const text = answerText('top', answer, 200_000).split('\n');
    expect(text).toHaveLength(200_000 + 3);
    expect(text[2]).toMatch(/ a \[31m b$/);
  });

  it('prints lists and series', () => {
    expect(answerText('labels', bytes({ labels: ['a', 'b'] }), 1)).toBe('a\nb\n');
    expect(answerText('labels', bytes({ values: ['x'] }), 1)).toBe('x\n');
    expect(answerText('types', bytes({ profileTypes: [{ id: 't' }] }), 1)).toBe('t\n');
    expect(answerText('series', bytes({ series: [{ a: '1', b: '"' }] }), 1)).toBe(
      '{a="1",b="\\""}\n',
    );
    const series = { unit: 'count', series: [{ labels: {}, points: [[0, '5']] }], hidden: 3 };
    expect(answerText('timeseries', bytes(series), 1)).toBe(
      '{}\n  1970-01-01T00:00:00.000Z  5\n... 3 more series (--limit)\n',
    );
    const item = { startMs: 0, profileId: 'p', labels: { a: '1' }, value: '7' };
    const items = { unit: 'count', profiles: [item], hidden: 2 };
    expect(answerText('profiles', bytes(items), 1)).toBe(
      '1970-01-01T00:00:00.000Z  7  p  {a="1"}\n... 2 more (--limit)\n',
    );
    const side = { total: '10', stats: { profiles: 2 } };
    const f = { function: 'f', base: { self: '1' }, other: { self: '5' }, selfChange: 0.4 };
    const compared = { side, functions: [{ ...f, selfP: 0.01, isSelfSignificant: true }] };
    const diff = { unit: 'count', base: side, comparisons: [{ ...compared, hidden: 3 }] };
    expect(answerText('diff', bytes(diff), 1)).toBe(
      [
        'base  10 in 2 profiles',
        'other 10 in 2 profiles',
        ' change         p  base self  self  function',
        '+40.00%  *  0.010          1     5  f',
        '... 3 more functions (--limit)',
        '',
      ].join('\n'),
    );
    const slots = [{ startMs: 0, counts: [0, 1, 9] }];
    const heat = { unit: 'count', bucketStart: [0, 5, 10], series: [{ labels: {}, slots }] };
    expect(answerText('heatmap', bytes(heat), 1)).toBe(
      '0 to 10 and more\n{}\n  1970-01-01T00:00:00.000Z | .@|\n',
    );
  });
});

describe('import', () => {
  it('takes labels from folders, the last one for __name__', () => {
    const names = ['service_name', 'version', '__name__'];
    expect(pathLabels(names, 'api/1.2/x/process_cpu/1.pb.gz')).toEqual([
      { name: 'service_name', value: 'api' },
      { name: 'version', value: '1.2' },
      { name: '__name__', value: 'process_cpu' },
    ]);
    expect(() => pathLabels(names, 'api/1.pb.gz')).toThrow('want at least 3');
    expect(pathLabels([], 'x')).toEqual([]);
  });

  it('reads labels', () => {
    expect(parseLabel('a=b=c')).toEqual({ name: 'a', value: 'b=c' });
    expect(() => parseLabel('=b')).toThrow('want NAME=VALUE');
    expect(() => parseLabel('ab')).toThrow('want NAME=VALUE');
  });
});

describe('progress', () => {
  it('draws a bar', () => {
    expect(progressLine(1, 2, 'x')).toBe('[############............] 50% 1/2 x');
    expect(progressLine(3, 0, 'x')).toBe('3 x');
  });
});
