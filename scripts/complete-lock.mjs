// Adds to package-lock.json the optional packages of other platforms that npm left out. npm drops an optional package
// that it cannot see when the lock file is written (a mirror may lack those of other platforms), and `npm ci` then
// refuses the lock file everywhere. Their versions are exact in the packages that name them. Run it after each
// `npm install` of a new dependency; test/unit/house/tidy.test.ts checks that it was.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const OS = 'aix android darwin freebsd linux netbsd openbsd openharmony sunos win32'.split(' ');
const CPU = 'arm arm64 ia32 loong64 mips64el ppc64 riscv64 s390x wasm32 x64'.split(' ');

const path = join(dirname(dirname(fileURLToPath(import.meta.url))), 'package-lock.json');
const lock = JSON.parse(readFileSync(path, 'utf8'));
const { '': root, ...packages } = lock.packages;
let added = 0;
for (const [folder, entry] of Object.entries(packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const isThere = packages[`node_modules/${name}`] ?? packages[`${folder}/node_modules/${name}`];
    if (isThere) continue;
    packages[`node_modules/${name}`] = platformEntry(name, version, entry.dev === true);
    added += 1;
  }
}
const sorted = Object.entries(packages).sort(([a], [b]) => a.localeCompare(b, 'en'));
lock.packages = { '': root, ...Object.fromEntries(sorted) };
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`added ${added} packages`);

/** What the package is for, by its name: `@esbuild/darwin-arm64`, `…-linux-x64-musl`. */
function platformEntry(name, version, isDev) {
  const parts = name.replace('armv7', 'arm').split(/[-/]/);
  const os = parts.find((part) => OS.includes(part));
  const cpu = parts.find((part) => CPU.includes(part));
  const libc = parts.find((part) => part === 'musl' || part === 'gnu');
  return {
    version,
    ...(cpu === undefined ? {} : { cpu: [cpu] }),
    ...(isDev ? { dev: true } : {}),
    ...(libc === undefined ? {} : { libc: [libc === 'gnu' ? 'glibc' : 'musl'] }),
    optional: true,
    ...(os === undefined ? {} : { os: [os] }),
  };
}
