/** What can be wrong with a part of a profile while the rest is sound, and how its sender hears of it. */
import { LIMITS } from '../../base/limits.js';
import type { PprofRejection } from './decoded.js';

interface DamageKind {
  readonly reason: string;
  /** What the count counts. */
  readonly verb: string;
  readonly got: string;
  readonly want: string;
}

/** In the order of the DAMAGE_... of kernel-layout.ts. */
const KINDS: readonly DamageKind[] = [
  {
    reason: 'PS_PPROF_SAMPLE_VALUES',
    verb: 'keep # samples',
    got: 'another number of values than sample types',
    want: 'one value for each sample type',
  },
  {
    reason: 'PS_PPROF_STACK_DEPTH',
    verb: 'keep the stacks of # samples whole',
    got: `more than ${LIMITS.stackDepthMax} frames`,
    want: 'at most that',
  },
  {
    reason: 'PS_PPROF_SAMPLE_LABELS',
    verb: 'keep all labels of # samples',
    got: `more than ${LIMITS.labelsPerSampleMax} labels`,
    want: 'at most that',
  },
  {
    reason: 'PS_PPROF_LOCATION_MISSING',
    verb: 'keep # samples',
    got: 'the id of a location that is missing or damaged',
    want: 'the id of a location',
  },
  {
    reason: 'PS_PPROF_FUNCTION_MISSING',
    verb: 'keep # locations',
    got: 'a line with the id of a function that is missing or damaged',
    want: 'the id of a function',
  },
  {
    reason: 'PS_PPROF_MAPPING_MISSING',
    verb: 'keep the mapping of # locations',
    got: 'the id of a mapping that is missing or damaged',
    want: 'the id of a mapping, or 0',
  },
  {
    reason: 'PS_PPROF_ID_ZERO',
    verb: 'keep # mappings, functions and locations',
    got: 'id 0',
    want: 'an id other than 0',
  },
  {
    reason: 'PS_PPROF_ID_DUPLICATE',
    verb: 'keep # mappings, functions and locations',
    got: 'an id that an earlier one has',
    want: 'ids that differ',
  },
  {
    reason: 'PS_PPROF_STRING_INDEX',
    verb: 'keep # mappings, functions, labels, comments and other fields',
    got: 'an index past the string table',
    want: 'the index of a string',
  },
  {
    reason: 'PS_PPROF_STRING_LENGTH',
    verb: 'keep # strings whole',
    got: `more than ${LIMITS.stringBytesMax} bytes`,
    want: 'at most that',
  },
  {
    reason: 'PS_PPROF_STRING_ZERO',
    verb: 'keep # string',
    got: 'text at index 0, which means none',
    want: 'the empty string there',
  },
  {
    reason: 'PS_PPROF_COMMENTS',
    verb: 'keep # comments',
    got: `more than ${LIMITS.commentsMax}`,
    want: 'at most that',
  },
];

/** `counts` is in the order of KINDS. */
export function rejectionsOf(counts: Int32Array): readonly PprofRejection[] {
  return KINDS.flatMap(({ reason, verb, got, want }, index) => {
    const count = counts[index] ?? 0;
    if (count === 0) return [];
    return [
      {
        reason,
        count,
        message: `cannot ${verb.replace('#', String(count))}: got ${got}; want ${want}`,
      },
    ];
  });
}
