import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  COMPACTION_SETTINGS,
  planLevelZero,
  planBlocks,
  planMerges,
  type CompactionSpec,
} from '../../../src/compaction/plan.js';
import { emptyManifest } from '../../../src/manifest/manifest-codec.js';
import { parseRetentionRule, Retention } from '../../../src/manifest/retention.js';
import type { Manifest, ManifestBlock } from '../../../src/manifest/types.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** A Thursday, where aligned weeks begin. */
const WEEK_START = 2_900 * 7 * DAY;
const SETTINGS = {
  ...COMPACTION_SETTINGS,
  mergeInputsMax: 5,
  blockBytesMax: 1000,
  blockRowsMax: 1e6,
  blockSymbolBytesMax: 10_000,
  deletedCarryMs: 1000,
};

interface Sketch {
  readonly id: string;
  readonly from: number;
  readonly to: number;
  readonly level?: number;
  readonly bytes?: number;
  readonly symbols?: number;
  readonly createdMs?: number;
}

function blockOf(sketch: Sketch): ManifestBlock {
  const { id, from, to, level = 1, bytes = 10, symbols = 0, createdMs = 0 } = sketch;
  return {
    blockId: id,
    level,
    startNsMin: BigInt(WEEK_START + from) * 1_000_000n,
    startNsMax: BigInt(WEEK_START + to) * 1_000_000n,
    profileCount: 1,
    sampleCount: 1,
    sizeBytes: bytes,
    symbolBytes: symbols,
    createdMs,
    seriesTombstones: [],
    retentionStamp: '',
  };
}

const manifestOf = (blocks: readonly Sketch[], watermark = 0): Manifest => ({
  ...emptyManifest('t'),
  blocks: blocks.map(blockOf),
  watermarks: watermark === 0 ? [] : [{ instance: 'log', sequence: watermark }],
});

const text = (spec: CompactionSpec): string =>
  spec.kind === 'merge'
    ? spec.blocks.map((b) => b.blockId).join('+')
    : spec.kind === 'carry'
      ? `carry ${spec.carry.service}`
      : spec.kind === 'drop'
        ? `drop ${spec.blocks.map((b) => b.blockId).join(',')}`
        : `${spec.instance}:${spec.segments.map((s) => s.sequence).join(',')}`;

function plan(
  manifest: Manifest,
  now: number,
  more: { isFull?: boolean; log?: string; retention?: readonly string[] } = {},
): string[] {
  const segments = (more.log ?? '').split(' ').filter((s) => s !== '');
  const input = {
    manifest,
    log: {
      segments: segments.map((s) => {
        const [instance = '', sequence = '', bytes = '1', state] = s.split('/');
        return {
          instance,
          sequence: Number(sequence),
          committedBytes: Number(bytes) << 20,
          sealed: state !== 'open',
        };
      }),
    },
    nowMs: WEEK_START + now,
    settings: SETTINGS,
    isFull: more.isFull === true,
    retention: new Retention((more.retention ?? []).map(parseRetentionRule)),
  };
  return [...planLevelZero(input), ...planBlocks(input)].map(text);
}

const hours = (...starts: number[]): Sketch[] =>
  starts.map((h, i) => ({ id: `h${i}`, from: h * HOUR, to: h * HOUR + 50 * MINUTE, level: 2 }));

describe('deletions and ages', () => {
  const DAY = 24 * HOUR;
  const marked = (manifest: Manifest, ...ids: string[]): Manifest => ({
    ...manifest,
    blocks: manifest.blocks.map((b) =>
      ids.includes(b.blockId) ? { ...b, seriesTombstones: [7] } : b,
    ),
    seriesTombstones: [
      { id: 7, selector: '{a="b"}', startMs: 0, endMs: 1, createdMs: WEEK_START, covered: [] },
    ],
  });

  it('rewrite a marked block alone unless a merge takes it', () => {
    const four = manifestOf([...hours(1, 1, 1, 1), { id: 'x', from: 9 * HOUR, to: 9 * HOUR + 1 }]);
    expect(plan(marked(four, 'h1', 'x'), 2 * HOUR)).toEqual(['h0+h1+h2+h3', 'x']);
    expect(plan(four, 2 * HOUR)).toEqual(['h0+h1+h2+h3']);
  });

  it('rewrite a marked carry when its time has come, or at once in full', () => {
    const carry = { service: 's', objectKey: 'k', sizeBytes: 1, deletedSinceMs: 0 };
    const manifest = {
      ...marked(manifestOf([])),
      carries: [{ ...carry, seriesTombstones: [7] }],
    };
    expect(plan(manifest, 999)).toEqual([]);
    expect(plan(manifest, 1_000)).toEqual(['carry s']);
    expect(plan(manifest, 0, { isFull: true })).toEqual(['carry s']);
    const applied = {
      ...manifest,
      carries: [{ ...carry, seriesTombstones: [], deletedSinceMs: WEEK_START + 500 }],
    };
    expect(plan(applied, 1_499)).toEqual([]);
    expect(plan(applied, 1_500)).toEqual(['carry s']);
  });

  it('drop a block once all of it is past the last age, never before, never without such an age', () => {
    const one = manifestOf([{ id: 'x', from: 0, to: 5 * MINUTE }]);
    const at = 7 * DAY + 5 * MINUTE;
    expect(plan(one, at + 1, { retention: ['7d'] })).toEqual([]);
    expect(plan(one, at + 2, { retention: ['7d'] })).toEqual(['drop x']);
    expect(plan(one, at + 2, { retention: ['{a="b"}=30d', '7d'] })).toEqual(['x']);
    expect(plan(one, 90 * DAY, { retention: ['{a="b"}=7d'] })).toEqual(['x']);
    expect(plan(one, at + 2, { retention: ['other=7d'] })).toEqual([]);
    expect(plan(one, at + 2, { retention: ['t=30d', '7d'] })).toEqual([]);
  });

  it('rewrite a block once for each age that it passes', () => {
    const retention = ['{a="b"}=1d', '{a="c"}=2d', '30d'];
    const one = manifestOf([{ id: 'x', from: 0, to: 1 }]);
    const stamp = new Retention(retention.map(parseRetentionRule)).stamp('t', DAY + 1);
    const after = { ...one, blocks: one.blocks.map((b) => ({ ...b, retentionStamp: stamp })) };
    expect(plan(one, DAY + 3, { retention })).toEqual(['x']);
    expect(plan(after, DAY + 3, { retention })).toEqual([]);
    expect(plan(after, 2 * DAY + 3, { retention })).toEqual(['x']);
    expect(plan(after, DAY + 3, { retention: ['{a="d"}=1d'] })).toEqual(['x']);
  });
});

describe('level zero plans', () => {
  const none = manifestOf([]);
  it.each([
    ['nothing sealed', none, 'log/1/1/open', []],
    ['sealed ones up to the open one', none, 'log/2/1 log/1/1 log/3/1/open', ['log:1,2']],
    ['above the watermark only', manifestOf([], 2), 'log/1 log/2 log/3 log/4', ['log:3,4']],
    ['36 MB at once', none, 'log/1/16 log/2/20 log/3/1', ['log:1,2']],
    ['one that is larger alone', none, 'log/1/100 log/2/1', ['log:1']],
    ['over one that is gone', none, 'log/1 log/3', ['log:1,3']],
    ['each instance', none, 'b/1 a/1 b/2', ['a:1', 'b:1,2']],
  ])('take %s', (_, manifest, log, want) => {
    expect(plan(manifest, 0, { log })).toEqual(want);
  });
});

describe('merge plans', () => {
  const quarter = (id: string, at: number, bytes = 10): Sketch => ({
    id,
    from: at,
    to: at + 14 * MINUTE,
    bytes,
  });
  const four = [0, 15, 30, 45].map((m, i) => quarter(`q${i}`, m * MINUTE));
  it.each([
    ['nothing of one block', four.slice(0, 1), 9 * DAY, []],
    ['nothing of three in an open hour', four.slice(0, 3), HOUR, []],
    ['four in an open hour', four, HOUR, ['q0+q1+q2+q3']],
    ['three in a closed hour', four.slice(0, 3), 2 * HOUR, ['q0+q1+q2']],
    ['the day once its hours are done', hours(0, 1, 2, 3), 5 * HOUR, ['h0+h1+h2+h3']],
    ['nothing of three hours of an open day', hours(0, 1, 2), 5 * HOUR, []],
    ['a closed day', hours(0, 20), 25 * HOUR, ['h0+h1']],
    ['not across the days of an open week', hours(0, 25), 3 * DAY, []],
    ['a closed week', hours(0, 25), 8 * DAY, ['h0+h1']],
    ['an hour before its day', [...four, ...hours(3, 4)], 25 * HOUR, ['q0+q1+q2+q3']],
    [
      'not beyond the greatest size',
      [0, 1, 2].map((h) => quarter(`b${h}`, h * 15 * MINUTE, 400)),
      DAY,
      ['b0+b1'],
    ],
    [
      'not beyond the symbols that fit into memory, and no block that has half of them',
      [0, 1, 2, 3].map((i) => ({
        ...quarter(`s${i}`, i * MINUTE),
        symbols: i === 1 ? 5_000 : 4_000,
      })),
      DAY,
      ['s0+s2'],
    ],
    ['no block that is large already', [quarter('a', 0, 600), quarter('b', MINUTE)], 9 * DAY, []],
    [
      'not a day again for a late profile',
      [quarter('a', 0, 400), quarter('b', MINUTE, 1)],
      9 * DAY,
      [],
    ],
    [
      'late ones together',
      [quarter('a', 0, 400), quarter('b', MINUTE, 1), quarter('c', 0, 1)],
      9 * DAY,
      ['c+b'],
    ],
  ])('take %s', (_, blocks, now, want) => {
    expect(plan(manifestOf(blocks), now).sort()).toEqual([...want].sort());
  });

  it('a window of the past as an open one while data comes into it', () => {
    const nowMs = WEEK_START + 9 * DAY;
    const lately = (count: number, createdMs: number): readonly Sketch[] =>
      four.slice(0, count).map((block, i) => ({ ...block, createdMs: i === 0 ? createdMs : 0 }));
    expect(plan(manifestOf(lately(3, nowMs - MINUTE)), 9 * DAY)).toEqual([]);
    expect(plan(manifestOf(lately(4, nowMs - MINUTE)), 9 * DAY)).toEqual(['q0+q1+q2+q3']);
    expect(plan(manifestOf(lately(3, nowMs - 5 * MINUTE)), 9 * DAY)).toEqual(['q0+q1+q2']);
    const merged = { ...quarter('m', 0), level: 2, createdMs: nowMs };
    expect(plan(manifestOf([merged, ...four.slice(1, 3)]), 9 * DAY)).toEqual(['m+q1+q2']);
  });

  it('full: weeks as far as size and inputs allow', () => {
    const blocks = [...hours(0, 1, 30, 31, 80, 81), { id: 'next', from: 8 * DAY, to: 8 * DAY }];
    expect(plan(manifestOf(blocks), 0, { isFull: true })).toEqual(['h0+h1+h2+h3+h4']);
  });

  it('come to an end, whatever the blocks, and never take one block twice', () => {
    const sketch = fc.record({
      from: fc.integer({ min: 0, max: 20 * DAY }),
      length: fc.integer({ min: 0, max: DAY }),
      level: fc.integer({ min: 1, max: 4 }),
      bytes: fc.integer({ min: 1, max: 1200 }),
      symbols: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 12_000 })),
    });
    fc.assert(
      fc.property(
        fc.array(sketch, { maxLength: 40 }),
        fc.nat(30 * DAY),
        fc.boolean(),
        (sketches, now, isFull) => {
          let blocks = sketches.map((s, i) =>
            blockOf({
              id: `b${i}`,
              from: s.from,
              to: s.from + s.length,
              level: s.level,
              bytes: s.bytes,
              symbols: s.symbols,
            }),
          );
          for (let round = 0; ; round++) {
            expect(round).toBeLessThanOrEqual(40);
            const manifest = { ...emptyManifest('t'), blocks };
            const specs = planMerges({
              manifest,
              log: { segments: [] },
              nowMs: WEEK_START + now,
              settings: SETTINGS,
              retention: new Retention([]),
              isFull,
            });
            if (specs.length === 0) break;
            const taken = specs.flatMap((s) =>
              s.kind === 'merge' ? s.blocks.map((b) => b.blockId) : [],
            );
            expect(new Set(taken).size).toBe(taken.length);
            for (const [i, spec] of specs.entries()) {
              if (spec.kind !== 'merge') continue;
              expect(spec.blocks.length).toBeLessThanOrEqual(SETTINGS.mergeInputsMax);
              const sum = spec.blocks.reduce((n, b) => n + b.sizeBytes, 0);
              expect(sum).toBeLessThanOrEqual(SETTINGS.blockBytesMax);
              const symbolBytes = spec.blocks.reduce((n, b) => n + b.symbolBytes, 0);
              expect(symbolBytes).toBeLessThanOrEqual(SETTINGS.blockSymbolBytesMax);
              const starts = spec.blocks
                .flatMap((b) => [b.startNsMin, b.startNsMax])
                .sort((a, b) => (a < b ? -1 : 1));
              blocks = blocks.filter((b) => !spec.blocks.includes(b));
              blocks.push({
                ...spec.blocks[0]!,
                blockId: `m${round}.${i}`,
                level: 1 + Math.max(...spec.blocks.map((b) => b.level)),
                sizeBytes: sum,
                symbolBytes,
                startNsMin: starts[0]!,
                startNsMax: starts.at(-1)!,
              });
            }
          }
        },
      ),
    );
  });
});
