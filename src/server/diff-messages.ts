import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { invalid } from '../base/errors.js';
import { DiffResponseSchema, RegressionsResponseSchema } from '../gen/basalt/v1/query_pb.js';
import type {
  DiffFunctionSchema,
  DiffRequest,
  DiffResponse,
  DiffSideSchema,
  RegressionsRequest,
  RegressionsResponse,
  Selection,
} from '../gen/basalt/v1/query_pb.js';
import type {
  DiffAnswer,
  DiffFunction,
  DiffQuery,
  DiffSelection,
  DiffSide,
  Regressions,
  RegressionsQuery,
} from '../query/api.js';
import {
  type CallContext,
  missingMessages,
  rangeQuery,
  selectionOptions,
  statsMessage,
} from './query-messages.js';

/** Between the messages of comparisons and the values of the query engine. */

/** Throws `invalid` PS_QUERY_DIFF. */
export function diffQuery(context: CallContext, request: DiffRequest): DiffQuery {
  const { profileType, base, others, falseDiscoveryRate, limit } = request;
  if (base === undefined) {
    throw invalid('PS_QUERY_DIFF', 'cannot compare: got no base; want a selection');
  }
  return {
    ...selectionOptions(request),
    ...rangeQuery(context, base),
    profileType,
    others: others.map((selection) => selectionOf(context, selection)),
    ...(falseDiscoveryRate === 0 ? {} : { falseDiscoveryRate }),
    ...(limit === 0 ? {} : { limit }),
  };
}

function selectionOf(context: CallContext, selection: Selection): DiffSelection {
  const { selector, startMs, endMs } = rangeQuery(context, selection);
  return { selector, startMs, endMs };
}

export function diffMessage({ unit, base, comparisons }: DiffAnswer): DiffResponse {
  return create(DiffResponseSchema, {
    unit,
    base: sideMessage(base),
    comparisons: comparisons.map(({ side, functions, hiddenFunctions }) => ({
      side: sideMessage(side),
      functions: functions.map(functionMessage),
      hiddenFunctions: BigInt(hiddenFunctions),
    })),
  });
}

function sideMessage(side: DiffSide): MessageInitShape<typeof DiffSideSchema> {
  const { total, durationNs, observedProfiles, stats } = side;
  const observed = BigInt(observedProfiles);
  return { total, durationNs, observedProfiles: observed, stats: statsMessage(stats) };
}

function valuesMessage({ profiles, samples, ...sums }: DiffFunction['base']) {
  return { ...sums, profiles: BigInt(profiles), samples: BigInt(samples) };
}

function functionMessage(own: DiffFunction): MessageInitShape<typeof DiffFunctionSchema> {
  const { base, other, selfP, totalP } = own;
  return {
    function: own.functionName,
    file: own.fileName,
    base: valuesMessage(base),
    other: valuesMessage(other),
    selfChange: own.selfChange,
    totalChange: own.totalChange,
    ...(selfP === undefined ? {} : { selfP }),
    ...(totalP === undefined ? {} : { totalP }),
    selfSignificant: own.isSelfSignificant,
    totalSignificant: own.isTotalSignificant,
  };
}

export function regressionsQuery(
  context: CallContext,
  request: RegressionsRequest,
): RegressionsQuery {
  const { profileType, limit, changeMin, falseDiscoveryRate } = request;
  return {
    ...selectionOptions(request),
    ...rangeQuery(context, request),
    profileType,
    ...(limit === 0 ? {} : { limit }),
    ...(changeMin === 0 ? {} : { changeMin }),
    ...(falseDiscoveryRate === 0 ? {} : { falseDiscoveryRate }),
  };
}

export function regressionsMessage(answer: Regressions): RegressionsResponse {
  return create(RegressionsResponseSchema, {
    stepMs: BigInt(answer.stepMs),
    regressions: answer.regressions.map(({ functionName, fileName, kind, series, ...own }) => ({
      function: functionName,
      file: fileName,
      isTotal: kind === 'total',
      before: own.before,
      after: own.after,
      changedMs: BigInt(own.changedMs),
      p: own.p,
      timestampMs: Array.from(series.timestampMs, (ms) => BigInt(ms)),
      share: [...series.share],
      paths: own.paths.map(({ path, share }) => ({ path: [...path], share })),
    })),
    hiddenRegressions: BigInt(answer.hiddenRegressions),
    goneAway: BigInt(answer.goneAway),
    shifted: BigInt(answer.shifted),
    profiles: BigInt(answer.profiles),
    missing: missingMessages(answer.missing),
    partial: answer.missing.length > 0,
  });
}
