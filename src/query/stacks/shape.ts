/** What a query asks of stacks, compiled: which ones count, and how they show. */
import { invalid } from '../../base/errors.js';
import { LIMITS } from '../../base/limits.js';
import type { MergedValues } from '../merge.js';
import type { QueryContext } from '../context.js';
import type { KeyFilter } from '../key-filter.js';
import { compileFilter } from './filter.js';
import { GRANULARITIES, type StackFilter, type StackView } from './options.js';
import { filterSteps, rewriteStacks, viewSteps } from './rewrite.js';

export interface StackShape {
  /** Which stacks count; undefined when all do. */
  readonly keys: KeyFilter | undefined;
  /** Merged values as they show. */
  apply(merged: MergedValues, context: QueryContext): MergedValues;
}

/** Throws `invalid` PS_STACK_*, PS_REGEX_*. */
export function stackShape(query: StackFilter & StackView): StackShape {
  checkView(query);
  const { keys, frames: frameFilter } = compileFilter(query);
  const { granularity = 'function', inverted, collapseRecursion, rootLabel = [] } = query;
  const isPlain =
    frameFilter === undefined &&
    granularity === 'function' &&
    inverted !== true &&
    collapseRecursion !== true &&
    rootLabel.length === 0;
  if (isPlain) return { keys, apply: (merged) => merged };
  return {
    keys,
    apply: (merged, context) =>
      rewriteStacks(
        merged,
        (frames) => [
          ...(frameFilter === undefined ? [] : filterSteps(frameFilter, frames)),
          ...viewSteps(query, frames),
        ],
        context,
      ),
  };
}

function checkView({ granularity, rootLabel = [] }: StackView): void {
  if (granularity !== undefined && !GRANULARITIES.includes(granularity)) {
    throw invalid(
      'PS_STACK_VIEW',
      `cannot group stacks: got ${JSON.stringify(granularity)}; want ${GRANULARITIES.join(', ')}`,
    );
  }
  const isNamed = rootLabel.every((name) => {
    const sizeBytes = Buffer.byteLength(name);
    return sizeBytes >= 1 && sizeBytes <= LIMITS.labelNameBytesMax;
  });
  if (rootLabel.length <= LIMITS.labelsMax && isNamed) return;
  throw invalid(
    'PS_STACK_VIEW',
    `cannot group stacks: got ${rootLabel.length} labels; want at most ${LIMITS.labelsMax}, with names of 1 to ${LIMITS.labelNameBytesMax} bytes`,
  );
}
