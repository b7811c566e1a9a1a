import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { nodeFileSystem } from '../../../src/env/node-files.js';
import { uiAssets, type UiAsset } from '../../../src/ui/assets.js';

const root = join(import.meta.dirname, '..', '..', '..');
let assets: Map<string, UiAsset>;
let withMatcher: (selector: string, name: string, value: string) => string;
let stackFilters: (state: object) => object;
let stackView: (state: object) => object;
let baseOf: (state: object, range: object) => object;
let mergedTrees: (now: object, base: object) => MergedNode;
let changeColor: (node: object, significant: ReadonlySet<string>) => string;

interface MergedNode {
  readonly name: string;
  readonly value: number;
  readonly now: number;
  readonly base: number;
  readonly children: readonly MergedNode[];
}

function text(path: string): string {
  return new TextDecoder().decode(assets.get(path)?.body);
}

beforeAll(async () => {
  assets = await uiAssets(nodeFileSystem);
  // The page's modules have no types.
  const state: string = join(root, 'src/ui/static/state.js');
  const module = (await import(state)) as {
    withMatcher: typeof withMatcher;
    stackFilters: typeof stackFilters;
    stackView: typeof stackView;
    baseOf: typeof baseOf;
  };
  ({ withMatcher, stackFilters, stackView, baseOf } = module);
  const trees: string = join(root, 'src/ui/static/merged-trees.js');
  const merged = (await import(trees)) as {
    mergedTrees: typeof mergedTrees;
    changeColor: typeof changeColor;
  };
  ({ mergedTrees, changeColor } = merged);
});

describe('the page', () => {
  it('is served whole', () => {
    for (const name of readdirSync(join(root, 'src/ui/static'))) {
      expect(assets.has(`/ui/${name}`), name).toBe(true);
    }
    expect(assets.get('/')).toBe(assets.get('/ui/index.html'));
  });

  it('refers only to what is served, and has no inline script or style', () => {
    const page = text('/');
    const references = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map((m) => m[1] ?? '');
    const missing = references.filter((r) => !assets.has(r) && !r.startsWith('/api/v1/'));
    expect(missing).toEqual([]);
    expect(page).toContain("default-src 'none'");
    expect(page).not.toMatch(/<script(?![^>]*src=)|<style|\son[a-z]+=|\sstyle=/);
  });

  it('has modules that import only what is served', () => {
    for (const [path, asset] of assets) {
      if (!asset.contentType.startsWith('text/javascript') || path === '/ui/d3.js') continue;
      for (const [, from] of text(path).matchAll(
        /^\s*(?:import|export)[^'"`;]*from ['"]([^'"]+)['"]/gm,
      )) {
        expect(assets.has(`/ui/${(from ?? '').replace('./', '')}`), `${path}: ${from}`).toBe(true);
      }
    }
  });

  it('has a flame graph that takes all it needs from the d3 that is served', () => {
    const module = text('/ui/flamegraph.js');
    expect(module).not.toMatch(/^import/m);
    const taken = [...module.matchAll(/const \{([^}]*)\} = globalThis\.d3;/g)]
      .flatMap((m) => (m[1] ?? '').split(','))
      .map((name) => name.trim());
    expect(taken).toContain('select');
    const scope: { d3?: Record<string, unknown> } = {};
    // The bundle is UMD: without `module` and `define` in sight it fills the global object that `this` is.
    new Function('exports', 'module', 'define', 'globalThis', 'self', text('/ui/d3.js')).call(
      scope,
      undefined,
      undefined,
      undefined,
      scope,
      scope,
    );
    for (const name of taken) expect(typeof scope.d3?.[name], name).toBe('function');
    expect(scope.d3?.['transition']).toBeTypeOf('function');
  });
});

describe('what is asked of stacks', () => {
  const state = { focus: 'a', hide: '', granularity: 'file', inverted: 'true', selector: '{}' };

  it('are parameters of a merge, without what is empty', () => {
    const whole = { ignore: '', show: '', collapseRecursion: '', ...state };
    expect(stackFilters(whole)).toEqual({ focus: 'a' });
    expect(stackView(whole)).toEqual({ granularity: 'file', inverted: 'true' });
  });

  it('has a control on the page for each', () => {
    const ids = ['focus', 'ignore', 'hide', 'show', 'granularity', 'inverted', 'collapseRecursion'];
    for (const id of ids) expect(text('/')).toContain(`id="${id}"`);
  });
});

describe('baseOf', () => {
  const range = { start: 100_000_000, end: 103_600_000 };
  it.each([
    [{ baseTime: '', baseSelector: '' }, 96_400_000, 100_000_000, '{a="1"}'],
    [{ baseTime: 'same', baseSelector: '{a="2"}' }, 100_000_000, 103_600_000, '{a="2"}'],
    [{ baseTime: '1d', baseSelector: '' }, 13_600_000, 17_200_000, '{a="1"}'],
    [{ baseTime: 'nonsense', baseSelector: '' }, 96_400_000, 100_000_000, '{a="1"}'],
  ])('%o', (state, baseStart, baseEnd, baseSelector) => {
    const base = baseOf({ selector: '{a="1"}', ...state }, range);
    expect(base).toEqual({ baseSelector, baseStart, baseEnd });
  });
});

describe('two trees as one', () => {
  const tree = (total: number, names: string[], parent: number[], value: number[]): object => ({
    total: String(total),
    names,
    nodes: { parent, name: names.map((_, i) => i), value: value.map(String) },
  });
  const now = tree(8, ['total', 'main', 'a', 'b'], [-1, 0, 1, 1], [8, 8, 6, 2]);
  const base = tree(4, ['all', 'main', 'c', 'a'], [-1, 0, 1, 1], [4, 4, 3, 1]);

  it('have each path once, as wide as its shares of both', () => {
    const root = mergedTrees(now, base);
    expect([root.name, root.value, root.now, root.base]).toEqual(['total', 2, 1, 1]);
    const [main] = root.children;
    expect(main?.children.map((n) => [n.name, n.value, n.now, n.base])).toEqual([
      ['a', 1, 0.75, 0.25],
      ['b', 0.25, 0.25, 0],
      ['c', 0.75, 0, 0.75],
    ]);
  });

  it('are one tree where the other is empty', () => {
    const empty = tree(0, ['total'], [-1], [0]);
    expect(mergedTrees(empty, base).children[0]?.children.map((n) => n.base)).toEqual([0.75, 0.25]);
  });

  it('are red for more, blue for less, and grey for what may be chance', () => {
    const color = (name: string, more: number): string =>
      changeColor({ name, now: 0.5 + more, base: 0.5 }, new Set(['a', 'total']));
    const colors = [color('a', 0.3), color('a', -0.05), color('b', 0.3), color('total', 0.3)];
    expect(colors).toEqual(['rgb(235,0,0)', 'rgb(103,103,235)', color('b', 0), color('b', 0)]);
  });
});

describe('withMatcher', () => {
  it.each([
    ['', 'a', 'x', '{a="x"}'],
    ['{}', 'a', 'x', '{a="x"}'],
    ['{b="1"}', 'a', 'x', '{b="1",a="x"}'],
    ['{b="1"}', 'b', 'x', '{b="x"}'],
    ['{a="1",b="2,\\"3"}', 'b', 'x', '{a="1",b="x"}'],
    ['{bb="1"}', 'b', 'x', '{bb="1",b="x"}'],
    ['{b=~"1"}', 'b', 'a"b', '{b=~"1",b="a\\"b"}'],
  ])('%s with %s=%s is %s', (selector, name, value, expected) => {
    expect(withMatcher(selector, name, value)).toBe(expected);
  });
});
