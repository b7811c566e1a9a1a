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
import { WHOLE_STACK_OPTIONS } from '../query/option-tables.js';
import { plainJson } from './http-json.js';
import { optionParameters, optionsOf } from './http-options.js';
import type { ParameterNames, Parameters } from './http-parameters.js';
import { parseTime } from './http-times.js';
import { checkRange } from './query-range.js';

/** `GET /api/v1/diff` and `/api/v1/regressions`, as docs/api.md has them. */

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
    ...optionParameters(WHOLE_STACK_OPTIONS, false),
  ],
  repeated: ['otherSelector', ...optionParameters(WHOLE_STACK_OPTIONS, true)],
};

/**
 * The base is compared with the selection, and with one of the same range for each further selector. Without a selector of its own the base has that of the other side; without a range the time just before, as long, or,
 * where its selector is another one, the same time.
 */
export function diffOf(range: RangeQuery, parameters: Parameters, nowMs: number): DiffQuery {
  const time = (name: string): number | undefined => {
    const text = parameters.optional(name);
    return text === undefined ? undefined : parseTime(name, text, nowMs);
  };
  const { selector, startMs, endMs } = range;
  const baseSelector = parameters.optional('baseSelector') ?? selector;
  const shiftMs = baseSelector === selector ? endMs - startMs : 0;
  const base = {
    selector: baseSelector,
    startMs: time('baseStart') ?? startMs - shiftMs,
    endMs: time('baseEnd') ?? endMs - shiftMs,
  };
  checkRange(base.startMs, base.endMs);
  return {
    ...range,
    ...base,
    ...commonOf(parameters, LIMITS.diffFunctionsMax),
    others: [selector, ...parameters.all('otherSelector')].map((other) => ({
      selector: other,
      startMs,
      endMs,
    })),
  };
}

/** What comparisons and searches for regressions both have. */
function commonOf(parameters: Parameters, limitMax: number) {
  const limit = parameters.count('limit', limitMax);
  const rate = parameters.optional('rate');
  return {
    ...optionsOf(parameters, WHOLE_STACK_OPTIONS),
    profileType: parameters.required('type'),
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
    ...optionParameters(WHOLE_STACK_OPTIONS, false),
  ],
  repeated: optionParameters(WHOLE_STACK_OPTIONS, true),
};

export function regressionsOf(range: RangeQuery, parameters: Parameters): RegressionsQuery {
  const change = parameters.optional('change');
  return {
    ...range,
    ...commonOf(parameters, LIMITS.regressionsMax),
    ...(change === undefined ? {} : { changeMin: shareOf('change', change) }),
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
    partial: answer.missing.length > 0,
  };
  return plainJson(value);
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
  return plainJson(value);
}

function sideValue({ stats, ...side }: DiffSide): object {
  return { ...side, stats, partial: stats.missing.length > 0 };
}
