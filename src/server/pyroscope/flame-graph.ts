import { create } from '@bufbuild/protobuf';
import {
  FlameGraphDiffSchema,
  FlameGraphSchema,
  type FlameGraph,
  type FlameGraphDiff,
} from '../../gen/querier/v1/querier_pb.js';
import { invalid } from '../../base/errors.js';
import { LIMITS } from '../../base/limits.js';
import type { FlameTree, MergeQuery, QueryApi } from '../../query/api.js';
import { type DiffTree, diffTrees } from '../../query/render/diff.js';
import { diffFlamebearer, type Flamebearer, flamebearer } from '../../query/render/flamebearer.js';

/** Flame graphs and differences as Pyroscope's messages. */

export function flameGraphMessage(tree: FlameTree): FlameGraph {
  return create(FlameGraphSchema, commonFields(flamebearer(tree)));
}

export function flameGraphDiffMessage(tree: DiffTree): FlameGraphDiff {
  return create(FlameGraphDiffSchema, {
    ...commonFields(diffFlamebearer(tree)),
    leftTicks: tree.left.value[0] ?? 0n,
    rightTicks: tree.right.value[0] ?? 0n,
  });
}

function commonFields({ names, levels, total, maxSelf }: Flamebearer) {
  return {
    names: [...names],
    levels: levels.map((values) => ({ values: [...values] })),
    total,
    maxSelf,
  };
}

/** Both sides whole, cut once and together. Throws `invalid` PS_DIFF_TYPES where the sides are of two types. */
export async function diffOf(
  api: QueryApi,
  sides: { readonly left: MergeQuery; readonly right: MergeQuery },
  maxNodes: number,
): Promise<DiffTree> {
  const { left, right } = sides;
  if (left.profileType !== right.profileType) {
    throw invalid(
      'PS_DIFF_TYPES',
      `cannot compare: got profile types ${left.profileType} and ${right.profileType}; want one`,
    );
  }
  const whole = { maxNodes: LIMITS.treeNodesMax };
  const [leftTree, rightTree] = await Promise.all([
    api.mergeTree({ ...left, ...whole }),
    api.mergeTree({ ...right, ...whole }),
  ]);
  return diffTrees(leftTree, rightTree, maxNodes);
}
