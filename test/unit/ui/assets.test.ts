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
  };
  ({ withMatcher, stackFilters, stackView } = module);
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
