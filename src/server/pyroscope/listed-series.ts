/** Series as Pyroscope lists them, which makes a series of each set of labels that samples have (dynamic tags). */
import { PROFILE_NAME, PROFILE_TYPE, SERVICE_NAME } from '../../model/labels.js';
import type { QueryApi, RangeQuery, SeriesLabels } from '../../query/api.js';
import { isDerivedName } from './labels.js';

/**
 * The series of `query`; told apart by labels of samples among `names`, where no series has a label of that name. That
 * reads the samples of the range. Throws `limit` PS_QUERY_GROUPS.
 */
export async function listedSeries(
  api: QueryApi,
  query: RangeQuery,
  names: readonly string[],
): Promise<readonly SeriesLabels[]> {
  const { items } = await api.series(query);
  const lacking = names.filter(
    (name) => !isDerivedName(name) && !items.some((series) => Object.hasOwn(series, name)),
  );
  if (items.length === 0 || lacking.length === 0) return items;
  const known = new Set((await api.labelNames(query)).items);
  if (!lacking.some((name) => known.has(name))) return items;
  const plain = names.filter((name) => !isDerivedName(name));
  const groupBy = [...new Set([PROFILE_NAME, SERVICE_NAME, ...plain])];
  const stepMs = query.endMs - query.startMs;
  const listed: SeriesLabels[] = [];
  for (const profileType of new Set(items.map((series) => series[PROFILE_TYPE] ?? ''))) {
    const { series } = await api.timeSeries({
      ...query,
      profileType,
      groupBy,
      stepMs,
      measure: 'samples',
    });
    for (const { labels } of series) listed.push({ ...labels, [PROFILE_TYPE]: profileType });
  }
  return listed;
}
