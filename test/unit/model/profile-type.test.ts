import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  deriveProfileName,
  formatProfileType,
  parseProfileType,
} from '../../../src/model/profile-type.js';
import { temporalityOf } from '../../../src/model/temporality.js';

const part = fc.string({ maxLength: 20 }).filter((text) => !text.includes(':'));

describe('profile types', () => {
  it('come back from their text', () => {
    const type = fc.record({
      name: part.filter((t) => t !== ''),
      sampleType: part.filter((t) => t !== ''),
      sampleUnit: part,
      periodType: part,
      periodUnit: part,
    });
    fc.assert(
      fc.property(type, (t) => {
        expect(parseProfileType(formatProfileType(t))).toEqual(t);
      }),
    );
  });

  it.each([
    '',
    'cpu',
    'a:b:c:d',
    'a:b:c:d:e:f',
    ':b:c:d:e',
    'a::c:d:e',
    `a:b:c:d:${'e'.repeat(9999)}`,
  ])('are refused: %j', (text) => {
    expect(() => parseProfileType(text)).toThrow(/cannot parse profile type: got .*; want /);
  });

  it.each([
    [['samples', 'cpu'], 'cpu', 'process_cpu'],
    [['alloc_objects', 'alloc_space', 'inuse_objects', 'inuse_space'], 'space', 'memory'],
    [['objects', 'space'], 'space', 'memory'],
    [['goroutine'], 'goroutine', 'goroutines'],
    [['contentions', 'delay'], 'contentions', 'mutex'],
    [['contentions', 'delay'], 'block', 'block'],
    [['threadcreate'], 'threadcreate', 'threadcreate'],
    [['samples', 'wall'], 'wall', 'wall'],
    [['samples', 'time'], 'wall', 'wall'],
    [['samples'], 'cpu', 'process_cpu'],
    [['requests', 'errors'], '', 'errors'],
  ])('%j with period %j is called %s', (types, period, name) => {
    const sampleTypes = types.map((type) => ({ type, unit: 'x' }));
    expect(deriveProfileName(sampleTypes, { type: period, unit: 'y' })).toBe(name);
  });
});

describe('temporality', () => {
  const of = (
    sampleType: string,
    durationNs = 0n,
    requested?: 'delta' | 'gauge' | 'cumulative',
  ): string => temporalityOf({ sampleType, periodType: 'x', durationNs, requested });

  it('follows the table of known types', () => {
    expect(['alloc_objects', 'alloc_space', 'contentions', 'delay'].map((t) => of(t))).toEqual(
      Array(4).fill('cumulative'),
    );
    expect(['alloc_objects', 'alloc_space', 'contentions', 'delay'].map((t) => of(t, 1n))).toEqual(
      Array(4).fill('delta'),
    );
    expect(
      ['inuse_objects', 'inuse_space', 'goroutine', 'threadcreate'].map((t) => of(t, 1n)),
    ).toEqual(Array(4).fill('gauge'));
    expect(['cpu', 'wall', 'samples', 'anything'].map((t) => of(t))).toEqual(
      Array(4).fill('delta'),
    );
    expect(temporalityOf({ sampleType: 'space', periodType: 'space', durationNs: 0n })).toBe(
      'gauge',
    );
    expect(temporalityOf({ sampleType: 'space', periodType: 'disk', durationNs: 0n })).toBe(
      'delta',
    );
  });

  it('is what the sender says, but for gauges', () => {
    expect(of('cpu', 0n, 'cumulative')).toBe('cumulative');
    expect(of('alloc_space', 0n, 'delta')).toBe('delta');
    expect(of('queue', 0n, 'gauge')).toBe('gauge');
    expect(of('inuse_space', 0n, 'cumulative')).toBe('gauge');
  });
});
