import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { withLabels } from '../../src/query/series-labels.js';
import { numberDepthFirst } from '../../src/symbols/depth-first.js';
import { FramePool } from '../../src/symbols/frame-pool.js';
import { SymbolMerger } from '../../src/symbols/merge.js';
import { mergeInOrder } from '../../src/symbols/merge-in-order.js';
import { mergeParts } from '../../src/symbols/merge-parts.js';
import { type SymbolSource, withoutLabels } from '../../src/symbols/source.js';
import { areSymbolsInOrder } from '../../src/symbols/trie-order.js';
import { type PlainKey, plainFrame, plainKey, symbolsOf } from '../support/symbols.js';

const name = fc.constantFrom('main', 'run', 'parse', 'gc', 'write', 'λ');
const plain: fc.Arbitrary<PlainKey> = fc.record({
  functions: fc.array(name, { maxLength: 6 }),
  labelSet: fc.constantFrom('', '', '[[["thread","1"]],[]]', '[[],[["bytes","16","bytes"]]]'),
});
/** As a block has them. */
const inOrder = (list: readonly PlainKey[]): SymbolSource => {
  const merger = new SymbolMerger();
  merger.add(symbolsOf(list));
  return merger.finish().symbols;
};
const keysOf = (symbols: SymbolSource): PlainKey[] =>
  Array.from({ length: symbols.keys.count }, (_, k) => plainKey(symbols, k));
const text = (key: PlainKey): string => JSON.stringify([key.functions, key.labelSet]);
const expectSame = (got: SymbolSource, want: SymbolSource): void => {
  expect(keysOf(got)).toEqual(keysOf(want));
  expect([...got.nodes.parent]).toEqual([...want.nodes.parent]);
  expect([...got.nodes.frame]).toEqual([...want.nodes.frame]);
  expect(got.frames.count).toBe(want.frames.count);
};
const withSameIds = (source: SymbolSource): SymbolSource => {
  const { count } = source.frames;
  const ids = new Uint32Array(count).fill(7);
  return { ...source, frames: { ...source.frames, idHigh: ids, idLow: ids } };
};
const distinct = fc.uniqueArray(plain, { selector: text, maxLength: 30 });

describe('symbol merge', () => {
  it('keeps every key, once, whatever the sources and their order', () => {
    fc.assert(
      fc.property(fc.array(distinct, { minLength: 1, maxLength: 4 }), (lists) => {
        const merger = new SymbolMerger();
        const maps = lists.map((list) => merger.add(symbolsOf(list)));
        const provisional = merger.provisional();
        lists.forEach((list, s) => {
          list.forEach((key, k) => {
            expect(plainKey(provisional, maps[s]?.[k] as number)).toEqual(key);
          });
        });
        const { symbols, remap } = merger.finish();
        const want = new Set(lists.flat().map(text));
        expect(symbols.keys.count).toBe(want.size);
        lists.forEach((list, s) => {
          list.forEach((key, k) => {
            expect(plainKey(symbols, remap[maps[s]?.[k] as number] as number)).toEqual(key);
          });
        });
        const backwards = new SymbolMerger();
        for (const list of [...lists].reverse()) backwards.add(symbolsOf(list));
        const other = backwards.finish().symbols;
        const dump = (s: typeof symbols): string[] =>
          Array.from({ length: s.keys.count }, (_, k) => text(plainKey(s, k)));
        expect(dump(other)).toEqual(dump(symbols));
        expect([...other.nodes.parent]).toEqual([...symbols.nodes.parent]);
      }),
      { numRuns: 300 },
    );
  });

  it('leaves out keys that are not sampled', () => {
    fc.assert(
      fc.property(
        fc.array(distinct, { maxLength: 3 }),
        fc.infiniteStream(fc.boolean()),
        (lists, coin) => {
          const merger = new SymbolMerger();
          for (const list of lists) merger.add(symbolsOf(list));
          const sampled = Uint8Array.from({ length: merger.keyCount }, () =>
            coin.next().value ? 0 : 1,
          );
          const kept = keysOf(merger.provisional()).filter((_, k) => sampled[k] === 1);
          expectSame(merger.finish(sampled).symbols, inOrder(kept.reverse()));
        },
      ),
      { numRuns: 300 },
    );
  });

  // What a block holds is in order already, and takes a shorter way.
  it('walks sources in depth-first order, whole or in part, to what merging in any order makes of them', () => {
    fc.assert(
      fc.property(
        fc.array(distinct, { minLength: 1, maxLength: 6 }),
        fc.infiniteStream(fc.boolean()),
        fc.constantFrom('all', 'some', 'none of the last'),
        fc.constantFrom('with', 'without'),
        (lists, coin, which, labels) => {
          const frames = new FramePool();
          frames.add(plainFrame('of another query'));
          const parts = lists.map((list, i) => {
            const whole = inOrder(list);
            // Two keys of one stack are equal then.
            const symbols =
              labels === 'with' ? whole : { ...whole, ...withoutLabels(whole.keys.node) };
            const isWanted = (): boolean =>
              which === 'all' || (which === 'some' ? coin.next().value : i < lists.length - 1);
            const wanted = Uint8Array.from(list, () => (isWanted() ? 1 : 0));
            return which === 'all' && coin.next().value ? { symbols } : { symbols, wanted };
          });
          for (const { symbols } of parts) expect(areSymbolsInOrder(symbols)).toBe(true);
          const { symbols, keyOf } = mergeInOrder(parts, { frames });
          expect(areSymbolsInOrder(symbols)).toBe(true);
          const obvious: PlainKey[] = [];
          parts.forEach(({ symbols: source, wanted }, i) => {
            keysOf(source).forEach((key, k) => {
              const merged = keyOf[i]![k]!;
              if (wanted?.[k] === 0) expect(merged).toBe(-1);
              else {
                expect(plainKey(symbols, merged)).toEqual(key);
                obvious.push(key);
              }
            });
          });
          expect(new Set(keysOf(symbols).map(text)).size).toBe(symbols.keys.count);
          expectSame(numberDepthFirst(symbols).symbols, inOrder(obvious.reverse()));
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it('merges what is in order and what is not', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(distinct, fc.boolean()), { maxLength: 5 }),
        fc.infiniteStream(fc.boolean()),
        fc.constantFrom(0, undefined),
        (lists, coin, manyNodes) => {
          const parts = lists.map(([list, isInOrder]) => ({
            symbols: isInOrder ? inOrder(list) : symbolsOf(list),
            wanted: Uint8Array.from(list, () => (coin.next().value ? 1 : 0)),
          }));
          const { symbols, keyOf } = mergeParts(parts, { frames: new FramePool() }, manyNodes);
          const obvious: PlainKey[] = [];
          parts.forEach(({ symbols: source, wanted }, i) => {
            keysOf(source).forEach((key, k) => {
              const merged = keyOf[i]![k]!;
              if (wanted[k] === 0) expect(merged).toBe(-1);
              else {
                expect(plainKey(symbols, merged)).toEqual(key);
                obvious.push(key);
              }
            });
          });
          expectSame(numberDepthFirst(symbols).symbols, inOrder(obvious));
        },
      ),
      { numRuns: 300 },
    );
  });

  it('tells two frames of one content id apart, in the order of numbering', () => {
    const one = withSameIds(inOrder([{ functions: ['a', 'x'], labelSet: '' }]));
    const two = withSameIds(inOrder([{ functions: ['b', 'y'], labelSet: '' }]));
    const merged = mergeInOrder([{ symbols: two }, { symbols: one }], { frames: new FramePool() });
    const numbered = numberDepthFirst(merged.symbols);
    expect(keysOf(numbered.symbols).map((key) => key.functions)).toEqual([
      ['a', 'x'],
      ['b', 'y'],
    ]);
    expect([...numbered.remap]).toEqual([0, 1]);
  });

  it('stops when its check throws', () => {
    const parts = [
      { symbols: inOrder([{ functions: ['a'], labelSet: '' }]) },
      { symbols: inOrder([]) },
    ];
    const check = (): never => {
      throw new Error('enough');
    };
    expect(() => mergeInOrder(parts, { frames: new FramePool(), check })).toThrow('enough');
  });

  it('keeps set 0 the empty one where every set of the only source has labels', () => {
    const labels = [{ name: 'pod', value: 'a' }];
    const source = withLabels(inOrder([{ functions: ['main'], labelSet: '' }]), labels);
    const merger = new SymbolMerger();
    merger.add(source);
    for (const { labelSets, keys } of [merger.provisional(), merger.finish().symbols]) {
      expect(labelSets.key(0)).toBe('');
      expect(labelSets.labels(keys.labelSet[0] as number).strings).toEqual(labels);
    }
  });

  it('numbers depth-first: a subtree is an interval of keys, a node’s own keys first', () => {
    fc.assert(
      fc.property(distinct, fc.infiniteStream(fc.boolean()), (list, coin) => {
        const merger = new SymbolMerger();
        const map = merger.add(symbolsOf(list));
        const sampled = Uint8Array.from(map, () => (coin.next().value ? 1 : 0));
        const { symbols, remap } = merger.finish(sampled);
        const kept = list.filter((_, k) => sampled[map[k] as number] === 1);
        expect(symbols.keys.count).toBe(kept.length);
        for (let k = 0; k < list.length; k++) {
          if (sampled[map[k] as number] === 0) expect(remap[map[k] as number]).toBe(-1);
        }
        const paths = Array.from({ length: symbols.keys.count }, (_, k) => plainKey(symbols, k));
        for (let node = 1; node < symbols.nodes.count; node++) {
          expect(symbols.nodes.parent[node]).toBeLessThan(node);
        }
        for (const prefix of paths.map((p) => p.functions)) {
          const under = paths.flatMap((p, k) =>
            prefix.every((f, i) => p.functions[i] === f) ? [k] : [],
          );
          expect((under.at(-1) as number) - (under[0] as number) + 1).toBe(under.length);
          expect(paths[under[0] as number]?.functions).toEqual(prefix);
        }
      }),
      { numRuns: 300 },
    );
  });
});
