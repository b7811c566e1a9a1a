import { corrupt } from '../base/errors.js';
import type { Label } from '../model/labels.js';
import { type SampleType, type Series, seriesKey, VALUE_COLUMNS_MAX } from '../model/series.js';

/** The inverse of `seriesKey`, for texts that were stored. Throws `corrupt` PS_SEGMENT_SERIES. */
export function seriesFromKey(key: string): Series {
  try {
    const series = parseKey(JSON.parse(key));
    // A text that is not the key of what it says would make one series look like two.
    if (series !== undefined && seriesKey(series) === key) return series;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw corrupt(
    'PS_SEGMENT_SERIES',
    `cannot read series: got ${JSON.stringify(key.slice(0, 128))}; want the key of a series`,
  );
}

function parseKey(value: unknown): Series | undefined {
  if (!Array.isArray(value) || value.length !== 7) return undefined;
  const [service, profileName, labels, periodType, periodUnit, types, group] = value as unknown[];
  if (typeof service !== 'string' || typeof profileName !== 'string') return undefined;
  if (typeof periodType !== 'string' || typeof periodUnit !== 'string') return undefined;
  if (typeof group !== 'number' || !Number.isSafeInteger(group) || group < 0) return undefined;
  if (!isTextRows(labels, 2) || !isTextRows(types, 3)) return undefined;
  if (types.length === 0 || types.length > VALUE_COLUMNS_MAX) return undefined;
  const sampleTypes: SampleType[] = [];
  for (const [type, unit, temporality] of types as [string, string, string][]) {
    if (temporality !== 'delta' && temporality !== 'gauge' && temporality !== 'cumulative')
      return undefined;
    sampleTypes.push({ type, unit, temporality });
  }
  const pairs = labels.map(
    ([name, text]): Label => ({ name: name as string, value: text as string }),
  );
  return { service, profileName, labels: pairs, periodType, periodUnit, sampleTypes, group };
}

function isTextRows(value: unknown, width: number): value is string[][] {
  return (
    Array.isArray(value) &&
    value.every(
      (row) =>
        Array.isArray(row) && row.length === width && row.every((text) => typeof text === 'string'),
    )
  );
}
