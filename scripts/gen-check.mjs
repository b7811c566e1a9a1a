// Fails when src/gen is not what buf makes of proto/ and scripts/kernels.mjs of kernels/: generates into a copy and compares.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const copy = mkdtempSync(join(tmpdir(), 'basalt-gen-'));
try {
  for (const name of ['proto', 'buf.yaml', 'buf.gen.yaml']) {
    cpSync(join(root, name), join(copy, name), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'), 'junction');
  const buf = join('node_modules', '.bin', 'buf');
  for (const args of [['lint'], ['generate']]) {
    const ran = spawnSync(buf, args, { cwd: copy, stdio: 'inherit' });
    if (ran.status !== 0)
      fail(`buf ${args.join(' ')} ended with ${ran.status ?? ran.error}; want 0`);
  }
  const kernels = [join(root, 'scripts', 'kernels.mjs'), join(copy, 'src', 'gen')];
  const compiled = spawnSync(process.execPath, kernels, { stdio: 'inherit' });
  if (compiled.status !== 0) fail(`kernels.mjs ended with ${compiled.status}; want 0`);
  const want = filesOf(join(copy, 'src', 'gen'));
  const got = filesOf(join(root, 'src', 'gen'));
  const names = new Set([...want.keys(), ...got.keys()]);
  const stale = [...names].filter((name) => want.get(name) !== got.get(name));
  if (stale.length > 0) fail(`got other text in ${stale.join(', ')}; want what npm run gen writes`);
} finally {
  rmSync(copy, { recursive: true, force: true });
}

function filesOf(folder) {
  const out = new Map();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath ?? entry.path, entry.name);
    out.set(relative(folder, path), readFileSync(path, 'utf8'));
  }
  return out;
}

function fail(message) {
  console.error(`cannot accept src/gen: ${message}`);
  process.exitCode = 1;
  rmSync(copy, { recursive: true, force: true });
  process.exit(1);
}
