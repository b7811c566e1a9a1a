import { invalid } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import type { Aggregation, MergeQuery, QueryApi, QueryStats, RangeQuery } from '../query/api.js';
import {
  profileTypesJson,
  seriesJson,
  stringsJson,
  timeSeriesJson,
  topJson,
  treeJson,
} from './http-json.js';
import { readParameters, type ParameterNames, type Parameters } from './http-parameters.js';
import { JSON_TYPE, type Reply } from './http-respond.js';
import { defaultStepMs, parseDuration, parseTime } from './http-times.js';
import { checkRange, type CallContext } from './query-messages.js';

/** The plain GETs for people and curl. */

export interface ApiCall {
  readonly query: QueryApi;
  readonly context: CallContext;
  readonly nowMs: number;
  /** What follows `?`. */
  readonly search: string;
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
const FORMATS = ['tree', 'top', 'pprof', 'folded'] as const;

const LIST_NAMES: ParameterNames = { once: ['match', 'start', 'end'], repeated: [] };
const MERGE_NAMES: ParameterNames = {
  once: ['type', 'selector', 'start', 'end', 'format', 'aggregation', 'maxNodes'],
  repeated: [],
};
const TIME_SERIES_NAMES: ParameterNames = {
  once: ['type', 'selector', 'start', 'end', 'step', 'aggregation'],
  repeated: ['groupBy'],
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

/** Stats of an answer whose body has no place for them; ASCII, as headers have to be. */
function statsHeaders(stats: QueryStats): Record<string, string> {
  const { profiles, series, rows, blocks, segments, missing } = stats;
  return {
    'basalt-stats': JSON.stringify({ profiles, series, rows, blocks, segments }),
    'basalt-partial': String(missing.length > 0),
  };
}

function list(answer: (call: ApiCall, range: RangeQuery) => Promise<Uint8Array>): ApiRoute['run'] {
  return async (call) => {
    const range = rangeOf(call, readParameters(call.search, LIST_NAMES), 'match');
    return json(await answer(call, range));
  };
}

async function merge(call: ApiCall): Promise<Reply> {
  const parameters = readParameters(call.search, MERGE_NAMES);
  const query = mergeOf(call, parameters);
  const format = parameters.choice('format', FORMATS, 'PS_FORMAT') ?? 'tree';
  const maxNodes = parameters.count('maxNodes', LIMITS.treeNodesMax);
  if (maxNodes !== undefined && format !== 'tree') {
    throw invalid(
      'PS_PARAMETER_UNKNOWN',
      `cannot merge: got maxNodes with format ${format}; want format tree`,
    );
  }
  switch (format) {
    case 'tree': {
      const cut = maxNodes === undefined ? query : { ...query, maxNodes };
      return json(treeJson(await call.query.mergeTree(cut)));
    }
    case 'top':
      return json(topJson(await call.query.mergeTop(query)));
    case 'pprof': {
      const { body, stats } = await call.query.mergePprof(query);
      const headers = {
        ...statsHeaders(stats),
        'content-disposition': 'attachment; filename="profile.pb.gz"',
      };
      return { contentType: 'application/octet-stream', body, headers, compressible: false };
    }
    case 'folded': {
      const { body, stats } = await call.query.mergeFolded(query);
      return { contentType: 'text/plain; charset=utf-8', body, headers: statsHeaders(stats) };
    }
  }
}

async function timeSeries(call: ApiCall): Promise<Reply> {
  const parameters = readParameters(call.search, TIME_SERIES_NAMES);
  const query = mergeOf(call, parameters);
  const step = parameters.optional('step');
  const stepMs =
    step === undefined ? defaultStepMs(query.startMs, query.endMs) : parseDuration('step', step);
  // `groupBy=a,b` and `groupBy=a&groupBy=b` mean the same.
  const groupBy = parameters
    .all('groupBy')
    .flatMap((value) => value.split(','))
    .filter((name) => name !== '');
  return json(timeSeriesJson(await call.query.timeSeries({ ...query, stepMs, groupBy }), stepMs));
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
