/**
 * Which series are rolled up into one: those that are alike in everything but the labels that are dropped. A gauge
 * keeps its whole series, because an average over time is one of each series.
 */
import type { Labels } from '../model/labels.js';
import { type Series, seriesKey } from '../model/series.js';
import type { RollupWidth } from '../model/rollup-width.js';

export interface RollupSettings {
  /** Labels that rollups keep; all others are dropped. */
  readonly keptLabels: readonly string[];
  /** Blocks whose profile starts span less are merged soon and are not rolled up. */
  readonly spanNsMin: bigint;
  /** A rollup is written where it has at most one row for so many rows of samples, by width. */
  readonly savingMin: Readonly<Record<RollupWidth, number>>;
}

export const ROLLUP_SETTINGS: RollupSettings = {
  keptLabels: ['service_name', 'namespace', 'version', 'environment', 'region'],
  spanNsMin: 1_800_000_000_000n,
  savingMin: { '5m': 8, '1h': 16, '1d': 16 },
};

/** What a series is rolled up into. */
export interface RollupSeries {
  /** Number in the block of the first series that is rolled up into the same one. */
  readonly number: number;
  readonly labels: Labels;
}

export function isGauge(series: Series): boolean {
  return series.sampleTypes.some((type) => type.temporality === 'gauge');
}

/** For each of the series of a service, which have the numbers from `firstSeries` on. */
export function rollupSeriesOf(
  series: readonly Series[],
  firstSeries: number,
  keptLabels: readonly string[],
): readonly RollupSeries[] {
  const numbers = new Map<string, number>();
  return series.map((own, i) => {
    const labels = isGauge(own)
      ? own.labels
      : own.labels.filter((label) => keptLabels.includes(label.name));
    const key = seriesKey({ ...own, labels });
    const number = numbers.get(key) ?? firstSeries + i;
    numbers.set(key, number);
    return { number, labels };
  });
}
