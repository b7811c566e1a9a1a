import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalLabels, labelValue } from '../../../src/model/labels.js';
import {
  canonicalSampleLabels,
  sampleLabelsFromKey,
  sampleLabelsKey,
} from '../../../src/model/sample-labels.js';

describe('labels', () => {
  it('are sorted and lose empty values', () => {
    const labels = canonicalLabels([
      { name: 'pod', value: 'a' },
      { name: 'zone', value: '' },
      { name: 'app', value: 'x' },
    ]);
    expect(labels).toEqual([
      { name: 'app', value: 'x' },
      { name: 'pod', value: 'a' },
    ]);
    expect(labelValue(labels, 'pod')).toBe('a');
    expect(labelValue(labels, 'zone')).toBe('');
  });

  it.each([
    [[{ name: '', value: 'x' }], 'PS_LABELS_NAME'],
    [
      [
        { name: 'a', value: 'x' },
        { name: 'a', value: 'y' },
      ],
      'PS_LABELS_DUPLICATE',
    ],
    [[{ name: 'a', value: 'é'.repeat(3000) }], 'PS_LABELS_LENGTH'],
    [Array.from({ length: 65 }, (_, i) => ({ name: `l${i}`, value: 'v' })), 'PS_LABELS_COUNT'],
  ])('refuse %#', (pairs, code) => {
    expect(() => canonicalLabels(pairs)).toThrow(
      expect.objectContaining({ kind: 'invalid', code }),
    );
  });
});

describe('sample labels', () => {
  const text = fc.string({ maxLength: 5 });
  const labels = fc.record({
    strings: fc.array(fc.record({ name: text, value: text }), { maxLength: 4 }),
    numbers: fc.array(
      fc.record({
        name: text,
        value: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        unit: text,
      }),
      { maxLength: 4 },
    ),
  });

  it('have one key for every order, and the key gives them back', () => {
    fc.assert(
      fc.property(labels, (given) => {
        const canonical = canonicalSampleLabels(given);
        const key = sampleLabelsKey(canonical);
        const reversed = {
          strings: [...given.strings].reverse(),
          numbers: [...given.numbers].reverse(),
        };
        expect(sampleLabelsKey(canonicalSampleLabels(reversed))).toBe(key);
        expect(sampleLabelsFromKey(key)).toEqual(canonical);
      }),
    );
  });
});
