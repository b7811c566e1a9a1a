import type { Labels } from './labels.js';

/** How values of one type relate over time; design: data model. */
export type Temporality = 'delta' | 'gauge' | 'cumulative';

export interface SampleType {
  readonly type: string;
  readonly unit: string;
  readonly temporality: Temporality;
}

/** Sibling sample types share a row of `samples` as its value columns v1 ... v4. */
export const VALUE_COLUMNS_MAX = 4;

/**
 * One source of profiles: tenant + profile name + labels, and the shape of its values. A profile with more than four
 * sample types belongs to several series that differ in `group` only. The same labels with other sample types are
 * another series.
 */
export interface Series {
  /** `service_name`, or `unknown_service`. */
  readonly service: string;
  /** `process_cpu`, `memory`, ...: the first part of a profile type. */
  readonly profileName: string;
  /** All labels but `__name__`, `service_name` included. */
  readonly labels: Labels;
  readonly periodType: string;
  readonly periodUnit: string;
  /** One to four, in the sender's order. */
  readonly sampleTypes: readonly SampleType[];
  /** Which four of the sender's sample types these are: 0 for the first four, and so on. */
  readonly group: number;
}

/** Exact text key of a series within its tenant. Its UTF-16 order is the order of series inside a block's service and name. */
export function seriesKey(series: Series): string {
  return JSON.stringify([
    series.service,
    series.profileName,
    series.labels.map((l) => [l.name, l.value]),
    series.periodType,
    series.periodUnit,
    series.sampleTypes.map((t) => [t.type, t.unit, t.temporality]),
    series.group,
  ]);
}
