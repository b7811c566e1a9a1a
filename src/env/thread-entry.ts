import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

/**
 * Where a thread's module is. Run from its TypeScript sources (tests, benchmarks), a `.js` entry names a `.ts` file,
 * and the thread first starts the translator that its owner has too; in the built package the entry is as given.
 */
export function threadEntry(entry: URL): URL {
  if (!import.meta.url.endsWith('.ts') || entry.protocol !== 'file:') return entry;
  const source = entry.href.replace(/\.js$/, '.ts');
  // `resolve` finds the CommonJS build, which does not work here; its ES module lies beside it.
  const commonJs = createRequire(import.meta.url).resolve('tsx/esm/api');
  const translator = pathToFileURL(commonJs.replace(/\.cjs$/, '.mjs')).href;
  const start = `import { register } from ${JSON.stringify(translator)};
register();
await import(${JSON.stringify(source)});`;
  return new URL(`data:text/javascript,${encodeURIComponent(start)}`);
}
