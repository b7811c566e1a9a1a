import { invalid } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import type {
  DiffAnswer,
  DiffQuery,
  DiffSide,
  RangeQuery,
  Regressions,
  RegressionsQuery,
} from '../query/api.js';
import { type OptionTable, SELECTION_OPTIONS } from '../query/option-tables.js';
import { optionParameters, optionsOf } from './http-options.js';
import type { ParameterNames, Parameters } from './http-parameters.js';
import { parseTime } from './http-times.js';
import { checkRange, type CallContext } from './query-messages.js';

/** `GET /api/v1/diff` (one selection beside its base) and `/api/v1/regressions`, as docs/api.md has them. */

const CHANGES_STACKS = ['hide', 'show', 'showFrom', 'pruneFrom', 'hideFrame', 'profileIds'];

/** Filters that change stacks do not go with a comparison. */
export const DIFF_OPTIONS: OptionTable = Object.fromEntries(
  Object.entries(SELECTION_OPTIONS).filter(([name]) => !CHANGES_STACKS.includes(name)),
);

export const DIFF_NAMES: ParameterNames = {
  once: [
    'type',
    'selector',
    'start',
    'end',
    'baseSelector',
    'baseStart',
    'baseEnd',
    'rate',
    'limit',
    ...optionParameters(DIFF_OPTIONS, false),
  ],
  repeated: optionParameters(DIFF_OPTIONS, true),
};

/**
 * Without a selector of its own the base has that of the other side; without a range the time just before, as long, or,
 * where its selector is another one, the same time.
 */
export function diffOf(context: CallContext, nowMs: number, parameters: Parameters): DiffQuery {
  const time = (name: string): number | undefined => {
    const text = parameters.optional(name);
    return text === undefined ? undefined : parseTime(name, text, nowMs);
  };
  const selector = parameters.optional('selector') ?? '';
  const startMs = time('start') ?? nowMs - 3_600_000;
  const endMs = time('end') ?? nowMs;
  checkRange(startMs, endMs);
  const baseSelector = parameters.optional('baseSelector') ?? selector;
  const shiftMs = baseSelector === selector ? endMs - startMs : 0;
  const base = {
    selector: baseSelector,
    startMs: time('baseStart') ?? startMs - shiftMs,
    endMs: time('baseEnd') ?? endMs - shiftMs,
  };
  checkRange(base.startMs, base.endMs);
  const limit = parameters.count('limit', LIMITS.diffFunctionsMax);
  const rate = parameters.optional('rate');
  return {
    ...optionsOf(parameters, DIFF_OPTIONS),
    ...context,
    ...base,
    profileType: parameters.required('type'),
    others: [{ selector, startMs, endMs }],
    ...(limit === undefined ? {} : { limit }),
    ...(rate === undefined ? {} : { falseDiscoveryRate: shareOf('rate', rate) }),
  };
}

function shareOf(name: string, text: string): number {
  if (/^0?\.\d{1,9}$/.test(text)) return Number(text);
  throw invalid(
    'PS_QUERY_DIFF',
    `cannot read parameter ${name}: got ${JSON.stringify(text.slice(0, 64))}; want a share like 0.05`,
  );
}

export const REGRESSION_NAMES: ParameterNames = {
  once: [
    'type',
    'selector',
    'start',
    'end',
    'change',
    'rate',
    'limit',
    ...optionParameters(DIFF_OPTIONS, false),
  ],
  repeated: optionParameters(DIFF_OPTIONS, true),
};

export function regressionsOf(range: RangeQuery, parameters: Parameters): RegressionsQuery {
  const limit = parameters.count('limit', LIMITS.regressionsMax);
  const change = parameters.optional('change');
  const rate = parameters.optional('rate');
  return {
    ...optionsOf(parameters, DIFF_OPTIONS),
    ...range,
    profileType: parameters.required('type'),
    ...(limit === undefined ? {} : { limit }),
    ...(change === undefined ? {} : { changeMin: shareOf('change', change) }),
    ...(rate === undefined ? {} : { falseDiscoveryRate: shareOf('rate', rate) }),
  };
}

export function regressionsJson({
  regressions,
  hiddenRegressions,
  ...answer
}: Regressions): Buffer {
  const value = {
    ...answer,
    regressions: regressions.map(({ functionName, fileName, series, ...own }) => ({
      function: functionName,
      file: fileName,
      ...own,
      points: [...series.timestampMs].map((ms, i) => [ms, series.share[i]]),
    })),
    hidden: hiddenRegressions,
  };
  return Buffer.from(JSON.stringify(value));
}

export function diffJson({ unit, base, comparisons }: DiffAnswer): Buffer {
  const value = {
    unit,
    base: sideValue(base),
    comparisons: comparisons.map(({ side, functions, hiddenFunctions }) => ({
      side: sideValue(side),
      functions: functions.map(({ functionName, fileName, ...own }) => ({
        function: functionName,
        file: fileName,
        ...own,
      })),
      hidden: hiddenFunctions,
    })),
  };
  const text = JSON.stringify(value, (_, v: unknown) => (typeof v === 'bigint' ? String(v) : v));
  return Buffer.from(text);
}

function sideValue({ stats, ...side }: DiffSide): object {
  return { ...side, stats, partial: stats.missing.length > 0 };
}
