/**
 * Flame graphs level by level, as Pyroscope's clients read them ("flamebearer"): each node is a few numbers, the first
 * of them the distance from the end of the node before it on its level. The children of a node lie to the right of its
 * own self value.
 *
 * What a cut hid under a node becomes one more child of it, `other`, so that widths add up.
 */
import type { FlameTree } from '../api.js';
import type { DiffTree } from './diff.js';

export interface Flamebearer {
  readonly names: readonly string[];
  /** Four numbers a node: offset, total, self, name. In a diff seven: offset, total, self, twice, then name. */
  readonly levels: readonly (readonly bigint[])[];
  readonly total: bigint;
  readonly maxSelf: bigint;
}

export const OTHER_NAME = 'other';

/** One side of a tree: sums by node. */
interface Side {
  readonly self: BigInt64Array;
  readonly value: BigInt64Array;
}

interface Shape {
  readonly names: readonly string[];
  readonly parent: Int32Array;
  readonly name: Int32Array;
}

export function flamebearer(tree: FlameTree): Flamebearer {
  return layOut(tree, [tree]);
}

export function diffFlamebearer(tree: DiffTree): Flamebearer {
  return layOut(tree, [tree.left, tree.right]);
}

/** A bar: a node, or what is hidden under its parent. */
interface Bar {
  /** -1 for `other`. */
  readonly node: number;
  readonly name: number;
  readonly sides: readonly { x: bigint; readonly total: bigint; readonly self: bigint }[];
}

function layOut(shape: Shape, sides: readonly Side[]): Flamebearer {
  const children = childrenOf(shape.parent);
  const names = [...shape.names];
  let other = names.indexOf(OTHER_NAME);
  let maxSelf = 0n;
  const otherName = (): number => {
    if (other < 0) other = names.push(OTHER_NAME) - 1;
    return other;
  };
  const levels: bigint[][] = [];
  let bars: Bar[] = [barOf(shape, sides, { node: 0, x: sides.map(() => 0n) })];
  while (bars.length > 0) {
    levels.push(levelOf(bars));
    const below: Bar[] = [];
    for (const bar of bars) {
      for (const { self } of bar.sides) if (self > maxSelf) maxSelf = self;
      if (bar.node < 0) continue;
      const x = bar.sides.map((side) => side.x + side.self);
      const rest = bar.sides.map((side) => side.total - side.self);
      for (const child of children[bar.node] ?? []) {
        const below1 = barOf(shape, sides, { node: child, x });
        below.push(below1);
        below1.sides.forEach(({ total }, i) => {
          x[i] = (x[i] ?? 0n) + total;
          rest[i] = (rest[i] ?? 0n) - total;
        });
      }
      if (rest.every((value) => value === 0n)) continue;
      const hidden = rest.map((value, i) => ({ x: x[i] ?? 0n, total: value, self: value }));
      below.push({ node: -1, name: otherName(), sides: hidden });
    }
    bars = below;
  }
  const total = sides.reduce((sum, side) => sum + (side.value[0] ?? 0n), 0n);
  return { names, levels, total, maxSelf };
}

function barOf(
  shape: Shape,
  sides: readonly Side[],
  at: { readonly node: number; readonly x: readonly bigint[] },
): Bar {
  const { node, x } = at;
  return {
    node,
    name: shape.name[node] ?? 0,
    sides: sides.map((side, i) => ({
      x: x[i] ?? 0n,
      total: side.value[node] ?? 0n,
      self: side.self[node] ?? 0n,
    })),
  };
}

function childrenOf(parent: Int32Array): readonly (readonly number[])[] {
  const children: number[][] = Array.from(parent, () => []);
  for (let n = 1; n < parent.length; n++) children[parent[n] ?? 0]?.push(n);
  return children;
}

function levelOf(bars: readonly Bar[]): bigint[] {
  const level: bigint[] = [];
  const ends = bars[0]?.sides.map(() => 0n) ?? [];
  for (const bar of bars) {
    bar.sides.forEach(({ x, total, self }, i) => {
      level.push(x - (ends[i] ?? 0n), total, self);
      ends[i] = x + total;
    });
    level.push(BigInt(bar.name));
  }
  return level;
}
