import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { invalid } from '../base/errors.js';
import { DiffResponseSchema } from '../gen/basalt/v1/query_pb.js';
import type {
  DiffFunctionSchema,
  DiffRequest,
  DiffResponse,
  DiffSideSchema,
  Selection,
} from '../gen/basalt/v1/query_pb.js';
import type { DiffAnswer, DiffFunction, DiffQuery, DiffSelection, DiffSide } from '../query/api.js';
import { type CallContext, rangeQuery, selectionOptions, statsMessage } from './query-messages.js';

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

function functionMessage(own: DiffFunction): MessageInitShape<typeof DiffFunctionSchema> {
  const { base, other, selfP, totalP } = own;
  return {
    function: own.functionName,
    file: own.fileName,
    base: { ...base, profiles: BigInt(base.profiles) },
    other: { ...other, profiles: BigInt(other.profiles) },
    selfChange: own.selfChange,
    totalChange: own.totalChange,
    ...(selfP === undefined ? {} : { selfP }),
    ...(totalP === undefined ? {} : { totalP }),
    selfSignificant: own.isSelfSignificant,
    totalSignificant: own.isTotalSignificant,
  };
}
