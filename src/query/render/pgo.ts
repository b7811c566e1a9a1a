/**
 * Stacks for `go build -pgo`: the compiler needs who calls whom near the leaves, by line of the call and first line of
 * the function. Each stack keeps its last locations, and the line within the leaf function, which only says where it
 * was interrupted, goes: that leaves far fewer stacks.
 */
import { invalid } from '../../base/errors.js';
import { parseProfileType } from '../../model/profile-type.js';
import type { MergedValues } from '../merge.js';
import type { QueryContext } from '../context.js';
import type { StackView } from '../stacks/options.js';
import { type Frames, keep, type PathStep, rewriteStacks } from '../stacks/rewrite.js';

export const KEEP_LOCATIONS_DEFAULT = 5;
/** What Go's compiler takes as weights. */
const SAMPLE_TYPES = ['samples:count', 'cpu:nanoseconds'];

/** Throws `invalid` PS_PGO_TYPE, or PS_FORMAT_OPTION for views in which a call is no longer the call it was. */
export function checkPgo(query: { readonly profileType: string } & StackView): void {
  const { granularity = 'function', inverted, rootLabel = [] } = query;
  if (granularity !== 'function' || inverted === true || rootLabel.length > 0) {
    throw invalid(
      'PS_FORMAT_OPTION',
      `cannot make a profile for Go's compiler: got ${inverted === true ? 'inverted stacks' : rootLabel.length > 0 ? 'labels as frames' : `frames by ${granularity}`}; want stacks as they were sampled`,
    );
  }
  const { sampleType, sampleUnit } = parseProfileType(query.profileType);
  if (SAMPLE_TYPES.includes(`${sampleType}:${sampleUnit}`)) return;
  throw invalid(
    'PS_PGO_TYPE',
    `cannot make a profile for Go's compiler: got ${sampleType}:${sampleUnit}; want ${SAMPLE_TYPES.join(' or ')}`,
  );
}

export function trimmedForPgo(
  merged: MergedValues,
  keepLocations: number,
  context: QueryContext,
): MergedValues {
  return rewriteStacks(
    merged,
    (frames) => [lastLocations(keepLocations), leafWithoutLine(frames), withoutLabels],
    context,
  );
}

function lastLocations(count: number): PathStep {
  return (path) => {
    const { locations } = path;
    let seen = 0;
    let first = locations.length;
    while (first > 0) {
      if (locations[first - 1] !== locations[first] && ++seen > count) break;
      first--;
    }
    keep(path, (i) => i >= first);
    return true;
  };
}

function leafWithoutLine(frames: Frames): PathStep {
  const leaf = frames.mapped((frame) => ({ ...frame, line: 0n, column: 0n }));
  return (path) => {
    const last = path.frames.length - 1;
    if (last >= 0) path.frames[last] = leaf(path.frames[last]!);
    return true;
  };
}

const withoutLabels: PathStep = (path) => {
  path.labelSet = 0;
  return true;
};
