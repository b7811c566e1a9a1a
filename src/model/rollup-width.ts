/** The buckets of rollups, aligned since 1970, UTC. */

/** Fine to coarse; a coarser one is a multiple of each finer one. */
export const ROLLUP_WIDTHS = ['5m', '1h', '1d'] as const;

export type RollupWidth = (typeof ROLLUP_WIDTHS)[number];

export const ROLLUP_WIDTH_NS: Readonly<Record<RollupWidth, bigint>> = {
  '5m': 300_000_000_000n,
  '1h': 3_600_000_000_000n,
  '1d': 86_400_000_000_000n,
};
