import type { Series } from '../model/series.js';

/** A series with its key, which is made once. */
export interface KeyedSeries {
  readonly series: Series;
  readonly seriesKey: string;
}

/** The order of the series of one service in a block. */
export function bySeriesOrder(a: KeyedSeries, b: KeyedSeries): number {
  return (
    compareText(a.series.profileName, b.series.profileName) || compareText(a.seriesKey, b.seriesKey)
  );
}

/** By UTF-16 code units. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
