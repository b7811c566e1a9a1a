import { describe, expect, it } from 'vitest';
import type { RollupMeta } from '../../../src/block/types.js';
import { coverRange } from '../../../src/query/tiles.js';
import type { RollupWidth } from '../../../src/model/rollup-width.js';

const MINUTE = 60_000_000_000n;
const HOUR = 60n * MINUTE;
const DAY = 24n * HOUR;

const rollup = (width: RollupWidth): RollupMeta => ({
  profileName: 'cpu',
  width,
  firstTile: 0,
  tileCount: 1,
  hasRows: true,
  firstRow: 0,
  rowCount: 1,
});
const ALL = [rollup('1d'), rollup('1h'), rollup('5m')];
const WEEK = { minNs: 0n, maxNs: 7n * DAY };

function textOf({ tiles, raw }: ReturnType<typeof coverRange>): unknown {
  return {
    tiles: tiles.map((t) => [t.rollup.width, t.startNs / MINUTE, t.endNs / MINUTE]),
    raw: raw.map((r) => [r.startNs / MINUTE, r.endNs / MINUTE]),
  };
}

describe('the planner of rollups', () => {
  it('takes the coarsest buckets, finer ones at the edges, and profiles at theirs', () => {
    const range = { startNs: DAY - 62n * MINUTE, endNs: 3n * DAY + HOUR + 7n * MINUTE };
    expect(textOf(coverRange(range, WEEK, ALL))).toEqual({
      tiles: [
        ['1h', 1380n, 1440n],
        ['1d', 1440n, 4320n],
        ['1h', 4320n, 4380n],
        ['5m', 4380n, 4385n],
      ],
      raw: [
        [1378n, 1380n],
        [4385n, 4387n],
      ],
    });
  });

  it('takes whole buckets where nothing starts beyond the edge', () => {
    const extent = { minNs: DAY + 3n * MINUTE, maxNs: 2n * DAY + 3n * MINUTE };
    const range = { startNs: DAY + 2n * MINUTE, endNs: 5n * DAY };
    expect(textOf(coverRange(range, extent, ALL))).toEqual({
      tiles: [['1d', 1440n, 4320n]],
      raw: [],
    });
    const later = { startNs: DAY + 4n * MINUTE, endNs: 5n * DAY };
    expect(textOf(coverRange(later, extent, [rollup('1d')]))).toEqual({
      tiles: [['1d', 2880n, 4320n]],
      raw: [[1444n, 2880n]],
    });
  });

  it('reads profiles without rollups, and nothing of an empty range', () => {
    const range = { startNs: 0n, endNs: DAY };
    expect(coverRange(range, WEEK, [])).toEqual({ tiles: [], raw: [range] });
    expect(coverRange({ startNs: DAY, endNs: DAY }, WEEK, ALL)).toEqual({ tiles: [], raw: [] });
  });

  it('counts buckets before 1970 down, not towards it', () => {
    const extent = { minNs: -2n * HOUR + 1n, maxNs: -1n };
    const range = { startNs: -10n * DAY, endNs: DAY };
    expect(textOf(coverRange(range, extent, [rollup('1h')]))).toEqual({
      tiles: [['1h', -120n, 0n]],
      raw: [],
    });
  });
});
