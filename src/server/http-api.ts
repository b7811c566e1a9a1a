import { invalid } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import type { Aggregation, ItemsQuery, MergeQuery, QueryApi, RangeQuery } from '../query/api.js';
import { MERGE_FORMAT_NAMES } from '../query/formats.js';
import {
  BUCKETS_DEFAULT,
  ITEM_KINDS,
  ITEMS_DEFAULT,
  MERGE_OPTIONS,
  SELECTION_OPTIONS,
  TIME_SERIES_MEASURES,
} from '../query/option-tables.js';
import {
  planJson,
  profileTypesJson,
  seriesJson,
  stringsJson,
  timeSeriesJson,
} from './http-json.js';
import {
  DIFF_NAMES,
  diffJson,
  diffOf,
  REGRESSION_NAMES,
  regressionsJson,
  regressionsOf,
} from './http-diff.js';
import { beforeOomJson, heatmapJson, itemsJson } from './http-items.js';
import { flagOf, optionParameters, optionsOf } from './http-options.js';
import { readParameters, type ParameterNames, type Parameters } from './http-parameters.js';
import { aboutHeaders, mergeAnswer } from './merge-answer.js';
import { JSON_TYPE, type Reply } from './http-respond.js';
import { defaultStepMs, parseDuration, parseTime } from './http-times.js';
import type { LinkTemplates } from './links.js';
import type { CallContext } from './query-messages.js';
import { checkRange } from './query-range.js';

/** The plain GETs for people and curl. */

export interface ApiCall {
  readonly query: QueryApi;
  readonly context: CallContext;
  readonly nowMs: number;
  /** What follows `?`. */
  readonly search: string;
  /** Where spans are shown elsewhere. */
  readonly links: LinkTemplates;
  /** The variable part of the path, decoded; empty when it has none. */
  readonly pathValue: string;
}

export interface ApiRoute {
  /** For metrics and errors. */
  readonly name: string;
  readonly run: (call: ApiCall) => Promise<Reply>;
}

const START_DEFAULT = 'now-1h';
const END_DEFAULT = 'now';
const AGGREGATIONS: readonly Aggregation[] = ['sum', 'avg', 'last', 'max'];

const LIST_NAMES: ParameterNames = { once: ['match', 'start', 'end'], repeated: [] };
const SELECTION_NAMES = ['type', 'selector', 'start', 'end'];
const AGGREGATED_NAMES = [...SELECTION_NAMES, 'aggregation'];
const MERGE_NAMES: ParameterNames = {
  once: [...AGGREGATED_NAMES, 'format', 'explain', ...optionParameters(MERGE_OPTIONS, false)],
  repeated: optionParameters(MERGE_OPTIONS, true),
};
const ITEM_NAMES: ParameterNames = {
  once: [...SELECTION_NAMES, 'limit', ...optionParameters(SELECTION_OPTIONS, false)],
  repeated: optionParameters(SELECTION_OPTIONS, true),
};
const TIME_SERIES_NAMES: ParameterNames = {
  once: [
    ...AGGREGATED_NAMES,
    'step',
    'measure',
    'limit',
    'explain',
    ...optionParameters(SELECTION_OPTIONS, false),
  ],
  repeated: ['groupBy', ...optionParameters(SELECTION_OPTIONS, true)],
};
const HEATMAP_NAMES: ParameterNames = {
  once: [
    ...SELECTION_NAMES,
    'step',
    'kind',
    'buckets',
    'exemplars',
    ...optionParameters(SELECTION_OPTIONS, false),
  ],
  repeated: ['groupBy', ...optionParameters(SELECTION_OPTIONS, true)],
};

function rangeOf(call: ApiCall, parameters: Parameters, selectorName: string): RangeQuery {
  const startMs = parseTime('start', parameters.optional('start') ?? START_DEFAULT, call.nowMs);
  const endMs = parseTime('end', parameters.optional('end') ?? END_DEFAULT, call.nowMs);
  checkRange(startMs, endMs);
  return { ...call.context, selector: parameters.optional(selectorName) ?? '', startMs, endMs };
}

function mergeOf(call: ApiCall, parameters: Parameters): MergeQuery {
  const aggregation = parameters.choice('aggregation', AGGREGATIONS, 'PS_AGGREGATION');
  return {
    ...rangeOf(call, parameters, 'selector'),
    profileType: parameters.required('type'),
    ...(aggregation === undefined ? {} : { aggregation }),
  };
}

function json(body: Uint8Array): Reply {
  return { contentType: JSON_TYPE, body };
}

function list(answer: (call: ApiCall, range: RangeQuery) => Promise<Uint8Array>): ApiRoute['run'] {
  return async (call) => {
    const range = rangeOf(call, readParameters(call.search, LIST_NAMES), 'match');
    return json(await answer(call, range));
  };
}

async function merge(call: ApiCall): Promise<Reply> {
  const parameters = readParameters(call.search, MERGE_NAMES);
  const query = { ...mergeOf(call, parameters), ...optionsOf(parameters, MERGE_OPTIONS) };
  const format = parameters.choice('format', MERGE_FORMAT_NAMES, 'PS_FORMAT') ?? 'tree';
  if (flagOf(parameters, 'explain')) {
    return json(planJson(await call.query.explain({ ...query, format, kind: 'merge' })));
  }
  const { body, contentType, fileName, about } = await mergeAnswer(call.query, query, format);
  if (about === undefined) return json(body);
  const isText = contentType.startsWith('text/') || contentType === JSON_TYPE;
  const disposition = { 'content-disposition': `attachment; filename="${fileName}"` };
  const headers = { ...aboutHeaders(about), ...(isText ? {} : disposition) };
  return { contentType, body, headers, ...(isText ? {} : { compressible: false }) };
}

async function timeSeries(call: ApiCall): Promise<Reply> {
  const parameters = readParameters(call.search, TIME_SERIES_NAMES);
  const query = { ...mergeOf(call, parameters), ...optionsOf(parameters, SELECTION_OPTIONS) };
  const stepMs = stepOf(parameters, query);
  const groupBy = groupByOf(parameters);
  const measure = parameters.choice('measure', TIME_SERIES_MEASURES, 'PS_QUERY_MEASURE');
  const limit = parameters.count('limit', LIMITS.queryGroupsMax);
  const own = {
    ...query,
    stepMs,
    groupBy,
    ...(measure === undefined ? {} : { measure }),
    ...(limit === undefined ? {} : { limit }),
  };
  if (flagOf(parameters, 'explain')) {
    return json(planJson(await call.query.explain({ ...own, kind: 'timeseries' })));
  }
  return json(timeSeriesJson(await call.query.timeSeries(own), stepMs));
}

/** `groupBy=a,b` and `groupBy=a&groupBy=b` mean the same. */
function groupByOf(parameters: Parameters): string[] {
  return parameters
    .all('groupBy')
    .flatMap((value) => value.split(','))
    .filter((name) => name !== '');
}

function stepOf(parameters: Parameters, { startMs, endMs }: RangeQuery): number {
  const step = parameters.optional('step');
  return step === undefined ? defaultStepMs(startMs, endMs) : parseDuration('step', step);
}

async function heatmap(call: ApiCall): Promise<Reply> {
  const parameters = readParameters(call.search, HEATMAP_NAMES);
  const query = { ...mergeOf(call, parameters), ...optionsOf(parameters, SELECTION_OPTIONS) };
  const kind = parameters.choice('kind', ITEM_KINDS, 'PS_ITEM_KIND') ?? 'profile';
  const stepMs = stepOf(parameters, query);
  const answer = await call.query.heatmap({
    ...query,
    kind,
    stepMs,
    groupBy: groupByOf(parameters),
    buckets: parameters.count('buckets', LIMITS.heatmapBucketsMax) ?? BUCKETS_DEFAULT,
    withExemplars: flagOf(parameters, 'exemplars'),
  });
  return json(heatmapJson(answer, { kind, stepMs, links: call.links }));
}

/** Single spans or profiles, those with the greatest values first. */
async function items(call: ApiCall, kind: ItemsQuery['kind']): Promise<Reply> {
  const parameters = readParameters(call.search, ITEM_NAMES);
  const limit = parameters.count('limit', LIMITS.queryItemsMax) ?? ITEMS_DEFAULT;
  const query = { ...mergeOf(call, parameters), ...optionsOf(parameters, SELECTION_OPTIONS) };
  const answer = await call.query.items({ ...query, kind, limit });
  return json(itemsJson(answer, kind, call.links));
}

const BEFORE_OOM_NAMES: ParameterNames = {
  once: ['type', 'selector', 'start', 'end', 'limit'],
  repeated: [],
};

async function beforeOom(call: ApiCall): Promise<Reply> {
  const parameters = readParameters(call.search, BEFORE_OOM_NAMES);
  const profileType = parameters.optional('type');
  const limit = parameters.count('limit', LIMITS.queryItemsMax);
  const answer = await call.query.beforeOom({
    ...rangeOf(call, parameters, 'selector'),
    ...(profileType === undefined ? {} : { profileType }),
    ...(limit === undefined ? {} : { limit }),
  });
  return json(beforeOomJson(answer));
}

async function regressions(call: ApiCall): Promise<Reply> {
  const parameters = readParameters(call.search, REGRESSION_NAMES);
  const query = regressionsOf(rangeOf(call, parameters, 'selector'), parameters);
  return json(regressionsJson(await call.query.regressions(query)));
}

async function diff(call: ApiCall): Promise<Reply> {
  const parameters = readParameters(call.search, DIFF_NAMES);
  const range = rangeOf(call, parameters, 'selector');
  return json(diffJson(await call.query.diff(diffOf(range, parameters, call.nowMs))));
}

const ROUTES: ReadonlyMap<string, ApiRoute> = new Map(
  [
    {
      name: '/api/v1/profile-types',
      run: list(async ({ query }, range) => profileTypesJson(await query.profileTypes(range))),
    },
    {
      name: '/api/v1/labels',
      run: list(async ({ query }, range) => stringsJson('labels', await query.labelNames(range))),
    },
    {
      name: '/api/v1/labels/{name}/values',
      run: list(async ({ query, pathValue }, range) =>
        stringsJson('values', await query.labelValues({ ...range, name: pathValue })),
      ),
    },
    {
      name: '/api/v1/series',
      run: list(async ({ query }, range) => seriesJson(await query.series(range))),
    },
    { name: '/api/v1/merge', run: merge },
    { name: '/api/v1/timeseries', run: timeSeries },
    { name: '/api/v1/heatmap', run: heatmap },
    { name: '/api/v1/diff', run: diff },
    { name: '/api/v1/before-oom', run: beforeOom },
    { name: '/api/v1/regressions', run: regressions },
    { name: '/api/v1/spans', run: (call: ApiCall) => items(call, 'span') },
    { name: '/api/v1/profiles', run: (call: ApiCall) => items(call, 'profile') },
  ].map((route) => [route.name, route]),
);

export const API_ROUTE_NAMES: readonly string[] = [...ROUTES.keys()];

const LABEL_VALUES_PATTERN = /^\/api\/v1\/labels\/([^/]+)\/values$/;

/** The route of a path, and the variable part of it. Throws `invalid` PS_PATH for a broken escape. */
export function findApiRoute(path: string): { route: ApiRoute; pathValue: string } | undefined {
  const name = LABEL_VALUES_PATTERN.exec(path)?.[1];
  const route = ROUTES.get(name === undefined ? path : '/api/v1/labels/{name}/values');
  if (route === undefined) return undefined;
  try {
    return { route, pathValue: name === undefined ? '' : decodeURIComponent(name) };
  } catch {
    throw invalid(
      'PS_PATH',
      `cannot read path: got a broken escape in ${JSON.stringify(name)}; want %XX`,
    );
  }
}
