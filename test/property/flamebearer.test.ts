import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FlameTree } from '../../src/query/api.js';
import { diffTrees } from '../../src/query/render/diff.js';
import { diffFlamebearer, flamebearer } from '../../src/query/render/flamebearer.js';
import { treeBytes } from '../../src/server/pyroscope/tree-bytes.js';
import { flamebearerStacks, treeStacks } from '../support/flamebearer.js';

/** Pyroscope's encodings of flame graphs, read back by a reader that knows only the encoding. */

const STACKS = fc.dictionary(
  fc
    .array(fc.constantFrom('a', 'b', 'c', 'läuft', 'x y'), { maxLength: 5 })
    .map((names) => names.join(';')),
  // Twelve of them together fit 64 bits.
  fc.bigInt({ min: 1n, max: 2n ** 59n }),
  { maxKeys: 12 },
);

interface Node {
  self: bigint;
  value: bigint;
  readonly children: Map<string, Node>;
}

const node = (): Node => ({ self: 0n, value: 0n, children: new Map() });

/** As the engine answers it: parents first, children by name. Children of `cutAt` and below are hidden. */
function treeOf(stacks: Readonly<Record<string, bigint>>, depthMax = 100): FlameTree {
  const root = node();
  for (const [path, value] of Object.entries(stacks)) {
    let at = root;
    at.value += value;
    for (const name of path === '' ? [] : path.split(';')) {
      const child = at.children.get(name) ?? node();
      at.children.set(name, child);
      at = child;
      at.value += value;
    }
    at.self += value;
  }
  const rows: { name: string; parent: number; node: Node }[] = [];
  const walk = (name: string, parent: number, one: Node, depth: number): void => {
    if (depth > depthMax) return;
    const number = rows.push({ name, parent, node: one }) - 1;
    for (const child of [...one.children.keys()].sort()) {
      walk(child, number, one.children.get(child) as Node, depth + 1);
    }
  };
  walk('total', -1, root, 0);
  const names = [...new Set(rows.map((r) => r.name))];
  return {
    unit: 'count',
    total: root.value,
    names,
    parent: Int32Array.from(rows, (r) => r.parent),
    name: Int32Array.from(rows, (r) => names.indexOf(r.name)),
    self: BigInt64Array.from(rows, (r) => r.node.self),
    value: BigInt64Array.from(rows, (r) => r.node.value),
    hiddenNodes: 0,
    hiddenValue: 0n,
    stats: {
      profiles: 0,
      series: 0,
      rows: 0,
      tiles: 0,
      tileRows: 0,
      blocks: 0,
      segments: 0,
      sums: '',
      missing: [],
    },
  };
}

/** What a cut at a depth leaves: deeper stacks under `other`. */
function cutAt(stacks: Readonly<Record<string, bigint>>, depthMax: number): Map<string, bigint> {
  const out = new Map<string, bigint>();
  for (const [path, value] of Object.entries(stacks)) {
    const names = path === '' ? [] : path.split(';');
    const key = names.length <= depthMax ? path : [...names.slice(0, depthMax), 'other'].join(';');
    out.set(key, (out.get(key) ?? 0n) + value);
  }
  return out;
}

const sorted = <T>(map: Map<string, T>): [string, T][] =>
  [...map].sort(([a], [b]) => (a < b ? -1 : 1));

describe('one profile', () => {
  it('comes back from levels, hidden stacks as other', () => {
    void fc.assert(
      fc.property(STACKS, fc.integer({ min: 0, max: 6 }), (stacks, depth) => {
        const graph = flamebearer(treeOf(stacks, depth));
        const read = flamebearerStacks(graph.names, graph.levels, 1);
        const flat = new Map([...read].map(([path, [self]]) => [path, self ?? 0n]));
        expect(sorted(flat)).toEqual(sorted(cutAt(stacks, depth)));
        expect(graph.total).toBe(Object.values(stacks).reduce((a, b) => a + b, 0n));
        expect(graph.maxSelf).toBe([...flat.values()].reduce((a, b) => (a > b ? a : b), 0n));
        expect(graph.names[0]).toBe('total');
      }),
      { numRuns: 300 },
    );
  });

  it('comes back from binary trees', () => {
    void fc.assert(
      fc.property(STACKS, fc.integer({ min: 0, max: 6 }), (stacks, depth) => {
        const read = treeStacks(treeBytes(treeOf(stacks, depth)));
        expect(sorted(read)).toEqual(sorted(cutAt(stacks, depth)));
      }),
      { numRuns: 300 },
    );
  });
});

describe('two profiles', () => {
  it('come back side by side', () => {
    void fc.assert(
      fc.property(STACKS, STACKS, (left, right) => {
        const tree = diffTrees(treeOf(left), treeOf(right), 10_000);
        const graph = diffFlamebearer(tree);
        const expected = new Map<string, bigint[]>();
        for (const path of new Set([...Object.keys(left), ...Object.keys(right)])) {
          expected.set(path, [left[path] ?? 0n, right[path] ?? 0n]);
        }
        expect(sorted(flamebearerStacks(graph.names, graph.levels, 2))).toEqual(sorted(expected));
        expect(graph.total).toBe((tree.left.value[0] ?? 0n) + (tree.right.value[0] ?? 0n));
      }),
      { numRuns: 300 },
    );
  });

  it('are cut together: never more nodes than asked, no value lost', () => {
    void fc.assert(
      fc.property(STACKS, STACKS, fc.integer({ min: 1, max: 8 }), (left, right, maxNodes) => {
        const tree = diffTrees(treeOf(left), treeOf(right), maxNodes);
        expect(tree.parent.length).toBeLessThanOrEqual(maxNodes);
        const graph = diffFlamebearer(tree);
        const read = flamebearerStacks(graph.names, graph.levels, 2);
        for (const side of [0, 1] as const) {
          const sum = [...read.values()].reduce((s, selves) => s + (selves[side] ?? 0n), 0n);
          const sent = Object.values(side === 0 ? left : right).reduce((a, b) => a + b, 0n);
          expect(sum).toBe(sent);
        }
      }),
      { numRuns: 300 },
    );
  });
});
