/**
 * Pyroscope's older GETs: `/pyroscope/render`, `/pyroscope/render-diff`, `/pyroscope/label-values`. Parameters that they
 * do not know are left alone.
 */
import { invalid } from '../../base/errors.js';
import { LIMITS } from '../../base/limits.js';
import { PROFILE_NAME } from '../../model/labels.js';
import { parseProfileType } from '../../model/profile-type.js';
import type { MergeQuery, QueryApi, TimeSeries } from '../../query/api.js';
import { dotOf } from '../../query/render/dot.js';
import { diffFlamebearer, type Flamebearer, flamebearer } from '../../query/render/flamebearer.js';
import type { ApiCall, ApiRoute } from '../http-api.js';
import { JSON_TYPE, type Reply } from '../http-respond.js';
import { JsonText } from '../json-text.js';
import { parseAttime } from './attime.js';
import { diffOf } from './flame-graph.js';
import { NotedApi } from './noted-api.js';
import { parseQuery } from './query-text.js';
import type { RenderPath } from './render-paths.js';
import { ALL_TIME, type Range } from './requests.js';

const MAX_NODES_DEFAULT = 8_192;
const DOT_NODES_DEFAULT = 100;
const TIMELINE_POINTS_MAX = 1_500;
const TIMELINE_STEP_MS_MIN = 15_000;
const NS_PER_MS = 1_000_000n;

function parametersOf(search: string): URLSearchParams {
  const parameters = new URLSearchParams(search);
  if (parameters.size <= LIMITS.httpParametersMax) return parameters;
  throw invalid(
    'PS_PARAMETER_COUNT',
    `cannot read parameters: got ${parameters.size}; want at most ${LIMITS.httpParametersMax}`,
  );
}

/** Both ends included, as everywhere in Pyroscope. Throws `invalid` PS_TIME or PS_RANGE. */
function rangeOf(
  parameters: URLSearchParams,
  names: { readonly from: string; readonly until: string },
  nowMs: number,
): Range {
  const read = (name: string, missing: string): number => {
    const ns = parseAttime(name, parameters.get(name) || missing, nowMs);
    return Number(ns / NS_PER_MS);
  };
  const startMs = read(names.from, 'now-1h');
  const lastMs = read(names.until, 'now');
  if (startMs > 0 && lastMs > 0 && startMs <= lastMs) return { startMs, endMs: lastMs + 1 };
  throw invalid(
    'PS_RANGE',
    `cannot query: got ${names.from} ${startMs} and ${names.until} ${lastMs}; want 0 < ${names.from} <= ${names.until}`,
  );
}

function sideOf(
  call: ApiCall,
  parameters: URLSearchParams,
  names: { readonly query: string; readonly from: string; readonly until: string },
): MergeQuery {
  const { profileType, selector } = parseQuery(parameters.get(names.query) ?? '');
  const range = rangeOf(parameters, names, call.nowMs);
  return { ...call.context, ...range, profileType, selector, aggregation: 'sum' };
}

/** 0 and what is no number are ignored, as there. */
function maxNodesOf(parameters: URLSearchParams, missing: number): number {
  const text = parameters.get('maxNodes') || parameters.get('max-nodes') || '';
  const number = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  return number === 0 ? missing : Math.min(number, LIMITS.treeNodesMax);
}

async function render(call: ApiCall): Promise<Reply> {
  const parameters = parametersOf(call.search);
  const query = sideOf(call, parameters, { query: 'query', from: 'from', until: 'until' });
  if (parameters.get('format') === 'dot') {
    const tree = await call.query.mergeTree({ ...query, maxNodes: LIMITS.treeNodesMax });
    const dot =
      tree.total === 0n ? '' : dotOf(tree, maxNodesOf(parameters, DOT_NODES_DEFAULT)).text;
    return { contentType: 'text/plain; charset=utf-8', body: Buffer.from(dot) };
  }
  const tree = await call.query.mergeTree({
    ...query,
    maxNodes: maxNodesOf(parameters, MAX_NODES_DEFAULT),
  });
  const text = new JsonText().raw('{"version":1,"flamebearer":');
  writeFlamebearer(text, flamebearer(tree));
  text.raw(',"metadata":').value(metadataOf(query, 'single'));
  await writeTimelines(text, call.query, query, parameters);
  return { contentType: JSON_TYPE, body: text.raw(',"heatmap":null}').finish() };
}

async function renderDiff(call: ApiCall): Promise<Reply> {
  const parameters = parametersOf(call.search);
  const side = (name: 'left' | 'right'): MergeQuery =>
    sideOf(call, parameters, {
      query: `${name}Query`,
      from: `${name}From`,
      until: `${name}Until`,
    });
  const left = side('left');
  const sides = { left, right: side('right') };
  const tree = await diffOf(call.query, sides, maxNodesOf(parameters, MAX_NODES_DEFAULT));
  const text = new JsonText().raw('{"version":1,"flamebearer":');
  writeFlamebearer(text, diffFlamebearer(tree));
  text.raw(',"metadata":').value(metadataOf(left, 'double'));
  const [leftTicks, rightTicks] = [tree.left, tree.right].map(({ value }) => value[0] ?? 0n);
  text.raw(',"timeline":null,"groups":null,"heatmap":null');
  text.raw(`,"leftTicks":${leftTicks},"rightTicks":${rightTicks}}`);
  return { contentType: JSON_TYPE, body: text.finish() };
}

/** Numbers are JSON numbers here, exact in the text whatever a reader makes of them. */
function writeFlamebearer(text: JsonText, graph: Flamebearer): void {
  text.raw('{"names":').strings(graph.names).raw(',"levels":[');
  text.raw(graph.levels.map((level) => `[${level.join()}]`).join());
  text.raw(`],"numTicks":${graph.total},"maxSelf":${graph.maxSelf}}`);
}

const UNITS: ReadonlyMap<string, string> = new Map([
  ['count', 'objects'],
  ['nanoseconds', 'samples'],
]);
const NS_PER_S = 1_000_000_000;
const SAMPLE_RATE_DEFAULT = 100;

function metadataOf({ profileType }: MergeQuery, format: 'single' | 'double') {
  const { sampleType, sampleUnit } = parseProfileType(profileType);
  return {
    format,
    spyName: '',
    // Times are shown as samples of a nanosecond each.
    sampleRate: sampleUnit === 'nanoseconds' ? NS_PER_S : SAMPLE_RATE_DEFAULT,
    units: UNITS.get(sampleUnit) ?? sampleUnit,
    name: sampleType,
  };
}

async function writeTimelines(
  text: JsonText,
  api: QueryApi,
  query: MergeQuery,
  parameters: URLSearchParams,
): Promise<void> {
  const rangeMs = query.endMs - query.startMs;
  // The answer says its step in seconds.
  const stepMs = Math.max(
    TIMELINE_STEP_MS_MIN,
    Math.ceil(rangeMs / TIMELINE_POINTS_MAX / 1_000) * 1_000,
  );
  const [name] = parameters.getAll('groupBy').filter((n) => n !== '');
  const { series } = await api.timeSeries({
    ...query,
    ...(parameters.get('aggregation') === 'avg' ? { aggregation: 'avg' as const } : {}),
    stepMs,
    groupBy: name === undefined ? [] : [name],
  });
  const grid = { startMs: query.startMs, stepMs, steps: Math.ceil(rangeMs / stepMs) };
  text.raw(',"timeline":');
  writeTimeline(text, series, grid);
  text.raw(',"groups":{');
  if (name !== undefined) {
    series.forEach((one, i) => {
      text
        .raw(i > 0 ? ',' : '')
        .value(one.labels[name] ?? '')
        .raw(':');
      writeTimeline(text, [one], grid);
    });
  }
  text.raw('}');
}

interface Grid {
  readonly startMs: number;
  readonly stepMs: number;
  readonly steps: number;
}

function writeTimeline(text: JsonText, series: readonly TimeSeries[], grid: Grid): void {
  const samples = new BigInt64Array(grid.steps);
  for (const { timestampMs, value } of series) {
    timestampMs.forEach((ms, i) => {
      const step = Math.round((ms - grid.startMs) / grid.stepMs);
      samples[step] = (samples[step] ?? 0n) + (value[i] ?? 0n);
    });
  }
  text.raw(`{"startTime":${Math.floor(grid.startMs / 1_000)},"samples":[${samples.join()}]`);
  text.raw(`,"durationDelta":${grid.stepMs / 1_000},"watermarks":null}`);
}

/** All values of a label; of `__name__` the profile types, which is what its callers look for. */
async function labelValues(call: ApiCall): Promise<Reply> {
  const parameters = parametersOf(call.search);
  const name = parameters.get('label') ?? '';
  if (name === '') {
    throw invalid('PS_PARAMETER_MISSING', 'cannot list values: got no parameter label; want one');
  }
  const isRanged = parameters.has('from') || parameters.has('until');
  const names = { from: 'from', until: 'until' };
  const range = isRanged ? rangeOf(parameters, names, call.nowMs) : ALL_TIME;
  const query = { ...call.context, ...range, selector: parameters.get('query') ?? '' };
  const values =
    name === PROFILE_NAME
      ? (await call.query.profileTypes(query)).items.map((type) => type.id)
      : (await call.query.labelValues({ ...query, name })).items;
  return { contentType: JSON_TYPE, body: new JsonText().strings(values).finish() };
}

function noted(run: ApiRoute['run']): ApiRoute['run'] {
  return async (call) => {
    const own = new NotedApi(call.query);
    const reply = await run({ ...call, query: own.api });
    return { ...reply, headers: own.headers() };
  };
}

export const RENDER_ROUTES: Readonly<Record<RenderPath, ApiRoute['run']>> = {
  '/pyroscope/render': noted(render),
  '/pyroscope/render-diff': noted(renderDiff),
  '/pyroscope/label-values': noted(labelValues),
};
