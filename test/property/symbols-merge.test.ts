import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SymbolMerger } from '../../src/symbols/merge.js';
import { type PlainKey, plainKey, symbolsOf } from '../support/symbols.js';

const name = fc.constantFrom('main', 'run', 'parse', 'gc', 'write', 'λ');
const plain: fc.Arbitrary<PlainKey> = fc.record({
  functions: fc.array(name, { maxLength: 6 }),
  labelSet: fc.constantFrom('', '', '[[["thread","1"]],[]]', '[[],[["bytes","16","bytes"]]]'),
});
const text = (key: PlainKey): string => JSON.stringify([key.functions, key.labelSet]);
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
