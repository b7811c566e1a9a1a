import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FileSystem } from '../env/files.js';

/** One file of the web page, as the HTTP server sends it. */
export interface UiAsset {
  readonly contentType: string;
  readonly body: Uint8Array;
}

const FOLDER = join(dirname(fileURLToPath(import.meta.url)), 'static');

const FILES: Readonly<Record<string, string>> = {
  'index.html': 'text/html; charset=utf-8',
  'app.css': 'text/css; charset=utf-8',
  'app.js': 'text/javascript; charset=utf-8',
  'api.js': 'text/javascript; charset=utf-8',
  'axis.js': 'text/javascript; charset=utf-8',
  'changes.js': 'text/javascript; charset=utf-8',
  'chart.js': 'text/javascript; charset=utf-8',
  'compare.js': 'text/javascript; charset=utf-8',
  'dom.js': 'text/javascript; charset=utf-8',
  'flame.js': 'text/javascript; charset=utf-8',
  'format.js': 'text/javascript; charset=utf-8',
  'growth.js': 'text/javascript; charset=utf-8',
  'heatmap.js': 'text/javascript; charset=utf-8',
  'icon.svg': 'image/svg+xml',
  'merge.js': 'text/javascript; charset=utf-8',
  'merged-trees.js': 'text/javascript; charset=utf-8',
  'notes.js': 'text/javascript; charset=utf-8',
  'state.js': 'text/javascript; charset=utf-8',
  'table.js': 'text/javascript; charset=utf-8',
  'views.js': 'text/javascript; charset=utf-8',
};

/** What d3-flame-graph needs of d3, each after what it needs itself. Their UMD forms all add to one global `d3`. */
const D3_PACKAGES = [
  'd3-array',
  'd3-color',
  'd3-format',
  'd3-interpolate',
  'd3-time',
  'd3-time-format',
  'd3-scale',
  'd3-hierarchy',
  'd3-dispatch',
  'd3-ease',
  'd3-timer',
  'd3-selection',
  'd3-transition',
];

/**
 * The web page by path, `/` included: our own files, and the flame graph library out of the installed package, so
 * that the page needs no network and no build step. Some 250 KB; read once at start.
 */
export async function uiAssets(files: FileSystem): Promise<Map<string, UiAsset>> {
  const out = new Map<string, UiAsset>();
  for (const [name, contentType] of Object.entries(FILES)) {
    out.set(`/ui/${name}`, { contentType, body: await files.readAll(join(FOLDER, name)) });
  }
  const flameGraph = packageFolder('d3-flame-graph', createRequire(import.meta.url));
  const library = await text(files, join(flameGraph, 'dist', 'd3-flamegraph.es.js'));
  const body = new TextEncoder().encode(flameGraphModule(library));
  out.set('/ui/flamegraph.js', { contentType: 'text/javascript; charset=utf-8', body });
  out.set('/ui/flamegraph.css', {
    contentType: 'text/css; charset=utf-8',
    body: await files.readAll(join(flameGraph, 'dist', 'd3-flamegraph.css')),
  });
  out.set('/ui/d3.js', {
    contentType: 'text/javascript; charset=utf-8',
    body: await d3Bundle(files, flameGraph),
  });
  const page = out.get('/ui/index.html');
  if (page !== undefined) out.set('/', page);
  return out;
}

async function d3Bundle(files: FileSystem, flameGraph: string): Promise<Uint8Array> {
  const require = createRequire(join(flameGraph, 'package.json'));
  const pieces: string[] = [];
  for (const name of D3_PACKAGES) {
    pieces.push(await text(files, join(packageFolder(name, require), 'dist', `${name}.min.js`)));
  }
  return new TextEncoder().encode(`${pieces.join('\n')}\n`);
}

/** The package's folder: its entry lies in `src/` or `dist/` of it. */
function packageFolder(name: string, require: NodeJS.Require): string {
  return dirname(dirname(require.resolve(name)));
}

/**
 * The library's ES module for a page without a bundler: its imports of d3 become reads of the global `d3`, and its
 * import of a style sheet goes away, since the page links it.
 */
export function flameGraphModule(source: string): string {
  return source
    .replaceAll(/^import\s+(\{[^}]*\})\s+from\s+["']d3-[a-z-]+["'];/gm, 'const $1 = globalThis.d3;')
    .replaceAll(/^import\s+["'][^"']+["'];/gm, '');
}

async function text(files: FileSystem, path: string): Promise<string> {
  return new TextDecoder().decode(await files.readAll(path));
}
