// Runs `npm ci` when node_modules is missing or older than what package-lock.json asks for, so that `npm start` and
// `npm test` work in a fresh clone with no other step. Uses Node alone: nothing is installed yet when it runs.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const stamp = join(root, 'node_modules', '.basalt-install');

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`cannot install basalt: got Node ${process.versions.node}; want >= 20.19`);
  process.exit(1);
}

const lock = readFileSync(join(root, 'package-lock.json'));
const platform = `${process.platform} ${process.arch} ${process.versions.modules}`;
const wanted = createHash('sha256').update(lock).update(platform).digest('hex');

if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) process.exit(0);
// An install made by hand is as good when npm's own record of it agrees with the lock file.
if (installedAgrees()) {
  writeFileSync(stamp, wanted);
  process.exit(0);
}

console.error('installing dependencies (npm ci) ...');
const done = spawnSync('npm', ['ci', '--no-fund', '--no-audit'], {
  cwd: root,
  stdio: ['ignore', 2, 2],
  shell: process.platform === 'win32',
});
if (done.status !== 0) {
  console.error(
    `cannot install dependencies: npm ci ended with ${done.status ?? done.error}; want 0`,
  );
  process.exit(1);
}
writeFileSync(stamp, wanted);

function installedAgrees() {
  const record = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(record)) return false;
  const installed = JSON.parse(readFileSync(record, 'utf8')).packages ?? {};
  const packages = JSON.parse(lock.toString('utf8')).packages ?? {};
  return Object.entries(packages).every(
    ([path, entry]) =>
      path === '' || entry.optional === true || installed[path]?.version === entry.version,
  );
}
