import { unreachable } from '../base/assert.js';
import type {
  Aggregation,
  ItemsQuery,
  QueryApi,
  RangeQuery,
  TimeSeriesMeasure,
} from '../query/api.js';
import type { MergeFormat } from '../query/formats.js';
import {
  ITEMS_DEFAULT,
  MERGE_OPTIONS,
  type OptionValue,
  type OptionValues,
} from '../query/option-tables.js';
import {
  planJson,
  profileTypesJson,
  seriesJson,
  stringsJson,
  timeSeriesJson,
} from '../server/http-json.js';
import {
  DIFF_NAMES,
  diffJson,
  diffOf,
  REGRESSION_NAMES,
  regressionsJson,
  regressionsOf,
} from '../server/http-diff.js';
import { readParameters } from '../server/http-parameters.js';
import { beforeOomJson, heatmapJson, itemsJson } from '../server/http-items.js';
import { aboutText, type MergeAnswer, mergeAnswer } from '../server/merge-answer.js';
import { defaultStepMs, parseDuration, parseTime } from '../server/http-times.js';
import { tenantOf } from '../server/tenant.js';
import type { CommandIo } from './command.js';
import { type HttpAnswer, httpClient } from './http-client.js';
import { storePlace, type BucketValues } from './store-location.js';

export type QuestionKind =
  | 'types'
  | 'labels'
  | 'values'
  | 'series'
  | 'merge'
  | 'timeseries'
  | 'profiles'
  | 'spans'
  | 'heatmap'
  | 'diff'
  | 'oom'
  | 'regressions';

/** Kinds that list series, whatever their profiles hold. */
export const LISTING_KINDS: readonly QuestionKind[] = ['types', 'labels', 'values', 'series'];

/** One question, the same for a server and a directory. Times and durations are texts as the user wrote them. */
export interface Question {
  readonly kind: QuestionKind;
  readonly selector: string;
  readonly from: string;
  readonly to: string;
  /** For `values`. */
  readonly label: string;
  /** For all that is no listing. */
  readonly profileType: string;
  readonly aggregation: Aggregation | undefined;
  readonly format: MergeFormat;
  /** For all that is no listing. */
  readonly options: OptionValues;
  /** For `timeseries` and `heatmap`. */
  readonly step: string | undefined;
  readonly groupBy: readonly string[];
  /** For `timeseries`. */
  readonly measure: TimeSeriesMeasure | undefined;
  /** For `timeseries`, `profiles`, `spans` and `diff`. */
  readonly limit: number | undefined;
  /** For `heatmap`. */
  readonly of: ItemsQuery['kind'];
  readonly buckets: number;
  /** What some kinds alone have, by the names of the HTTP API. */
  readonly own: readonly (readonly [name: string, value: string])[];
  /** For `merge` and `timeseries`: the plan in place of the answer. */
  readonly explain: boolean;
}

/** Answers in the bytes of the HTTP API, whoever gives them. */
export interface QuerySource {
  ask(question: Question): Promise<HttpAnswer>;
  close(): Promise<void>;
}

export interface SourceOptions extends BucketValues {
  readonly server: string | undefined;
  readonly data: string | undefined;
  readonly tenant: string;
}

const SERVER_DEFAULT = 'http://127.0.0.1:4040';

/** `--data` reads a snapshot of the directory; else a server is asked. */
export async function querySource(io: CommandIo, options: SourceOptions): Promise<QuerySource> {
  if (options.data === undefined) {
    return serverSource(io, options.server ?? SERVER_DEFAULT, options.tenant);
  }
  // The engine is loaded only where it is needed: most calls go to a server.
  const { openSnapshot } = await import('../index.js');
  const snapshot = await openSnapshot(storePlace(io, options.data, options));
  const tenantId = tenantOf(options.tenant);
  return {
    ask: (question) => askDirectly(io, snapshot.query, tenantId, question),
    close: () => snapshot.close(),
  };
}

function serverSource(io: CommandIo, server: string, tenant: string): QuerySource {
  const client = httpClient(server, tenant);
  return {
    ask: (question) => client.ask(pathOf(question), parametersOf(question), io.signal),
    close: () => Promise.resolve(),
  };
}

function pathOf(question: Question): string {
  switch (question.kind) {
    case 'types':
      return '/api/v1/profile-types';
    case 'labels':
      return '/api/v1/labels';
    case 'values':
      return `/api/v1/labels/${encodeURIComponent(question.label)}/values`;
    case 'series':
      return '/api/v1/series';
    case 'merge':
      return '/api/v1/merge';
    case 'timeseries':
    case 'profiles':
    case 'spans':
    case 'heatmap':
    case 'diff':
    case 'regressions':
      return `/api/v1/${question.kind}`;
    case 'oom':
      return '/api/v1/before-oom';
    default:
      return unreachable(question.kind);
  }
}

function parametersOf(question: Question): URLSearchParams {
  const out = new URLSearchParams({ start: question.from, end: question.to });
  const isListing = LISTING_KINDS.includes(question.kind);
  if (question.selector !== '') out.set(isListing ? 'match' : 'selector', question.selector);
  if (isListing) return out;
  if (question.profileType !== '') out.set('type', question.profileType);
  if (question.aggregation !== undefined) out.set('aggregation', question.aggregation);
  const values = question.options as Readonly<Record<string, OptionValue>>;
  for (const [name, { parameter = name }] of Object.entries(MERGE_OPTIONS)) {
    const value = values[name];
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined) out.append(parameter, String(one));
    }
  }
  for (const [name, value] of ownParameters(question)) out.append(name, value);
  if (question.explain) out.set('explain', 'true');
  return out;
}

/** What one kind alone has. */
function ownParameters(question: Question): (readonly [string, string])[] {
  const { step, measure, limit, of, buckets, own } = question;
  const steps: [string, string][] = question.groupBy.map((label) => ['groupBy', label]);
  if (step !== undefined) steps.push(['step', step]);
  const limits: [string, string][] = limit === undefined ? [] : [['limit', String(limit)]];
  switch (question.kind) {
    case 'merge':
      return [['format', question.format]];
    case 'timeseries':
      return [
        ...steps,
        ...limits,
        ...(measure === undefined ? [] : [['measure', measure] as [string, string]]),
      ];
    case 'heatmap':
      return [...steps, ['kind', of], ['buckets', String(buckets)], ...own];
    case 'diff':
    case 'regressions':
      return [...limits, ...own];
    default:
      return limits;
  }
}

async function askDirectly(
  io: CommandIo,
  query: QueryApi,
  tenantId: string,
  question: Question,
): Promise<HttpAnswer> {
  const nowMs = io.clock.nowMs();
  const range: RangeQuery = {
    tenantId,
    selector: question.selector,
    startMs: parseTime('--from', question.from, nowMs),
    endMs: parseTime('--to', question.to, nowMs),
    signal: io.signal,
  };
  const { kind } = question;
  if (kind === 'merge') {
    const { body, about } = await askMerge(query, range, question);
    return { body, about: about === undefined ? '' : aboutText(about) };
  }
  return { body: await askJson(query, range, { ...question, kind }, nowMs), about: '' };
}

/** All that says in its JSON what is missing. */
async function askJson(
  query: QueryApi,
  range: RangeQuery,
  question: Question & { readonly kind: Exclude<QuestionKind, 'merge'> },
  nowMs: number,
): Promise<Uint8Array> {
  switch (question.kind) {
    case 'types':
      return profileTypesJson(await query.profileTypes(range));
    case 'labels':
      return stringsJson('labels', await query.labelNames(range));
    case 'values':
      return stringsJson('values', await query.labelValues({ ...range, name: question.label }));
    case 'series':
      return seriesJson(await query.series(range));
    case 'timeseries':
      return askTimeSeries(query, range, question);
    case 'profiles':
    case 'spans':
      return askItems(query, range, question);
    case 'heatmap':
      return askHeatmap(query, range, question);
    case 'regressions': {
      const parameters = readParameters(parametersOf(question).toString(), REGRESSION_NAMES);
      return regressionsJson(await query.regressions(regressionsOf(range, parameters)));
    }
    case 'oom': {
      const { profileType, limit } = question;
      const answer = await query.beforeOom({
        ...range,
        ...(profileType === '' ? {} : { profileType }),
        ...(limit === undefined ? {} : { limit }),
      });
      return beforeOomJson(answer);
    }
    case 'diff': {
      const parameters = readParameters(parametersOf(question).toString(), DIFF_NAMES);
      return diffJson(await query.diff(diffOf(range, parameters, nowMs)));
    }
    default:
      return unreachable(question.kind);
  }
}

async function askTimeSeries(
  query: QueryApi,
  range: RangeQuery,
  question: Question,
): Promise<Uint8Array> {
  const { profileType, groupBy, aggregation, options, measure, limit } = question;
  const stepMs = stepOf(range, question);
  const chosen = {
    ...(aggregation === undefined ? {} : { aggregation }),
    ...(measure === undefined ? {} : { measure }),
    ...(limit === undefined ? {} : { limit }),
  };
  const own = { ...range, ...options, profileType, stepMs, groupBy, ...chosen };
  if (question.explain) return planJson(await query.explain({ ...own, kind: 'timeseries' }));
  return timeSeriesJson(await query.timeSeries(own), stepMs);
}

function stepOf({ startMs, endMs }: RangeQuery, { step }: Question): number {
  return step === undefined ? defaultStepMs(startMs, endMs) : parseDuration('--step', step);
}

async function askItems(
  query: QueryApi,
  range: RangeQuery,
  { kind, profileType, options, limit = ITEMS_DEFAULT }: Question,
): Promise<Uint8Array> {
  const own = kind === 'spans' ? 'span' : 'profile';
  const answer = await query.items({ ...range, ...options, profileType, kind: own, limit });
  return itemsJson(answer, own, {});
}

async function askHeatmap(
  query: QueryApi,
  range: RangeQuery,
  question: Question,
): Promise<Uint8Array> {
  const { profileType, options, of: kind, buckets, groupBy } = question;
  const stepMs = stepOf(range, question);
  const withExemplars = question.own.some(([name]) => name === 'exemplars');
  const own = { kind, stepMs, groupBy, buckets, withExemplars };
  const answer = await query.heatmap({ ...range, ...options, ...own, profileType });
  return heatmapJson(answer, { kind, stepMs, links: {} });
}

async function askMerge(
  query: QueryApi,
  range: RangeQuery,
  question: Question,
): Promise<Pick<MergeAnswer, 'body' | 'about'>> {
  const { profileType, aggregation, options, format } = question;
  const chosen = aggregation === undefined ? {} : { aggregation };
  const own = { ...range, ...options, profileType, ...chosen };
  if (question.explain) {
    const plan = await query.explain({ ...own, format, kind: 'merge' });
    return { body: planJson(plan), about: undefined };
  }
  return mergeAnswer(query, own, format);
}
