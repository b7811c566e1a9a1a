// Runs the benchmarks of bench/, one process each: `npm run bench -- [--quick] [NAME…]`. Each prints one JSON line for
// each figure. Fails when one of them does.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const flags = process.argv.slice(2).filter((arg) => arg.startsWith('-'));
const names = process.argv.slice(2).filter((arg) => !arg.startsWith('-'));
const timeoutMs = flags.includes('--quick') ? 300_000 : 3_600_000;

const files = readdirSync(join(root, 'bench'))
  .filter((file) => file.endsWith('.bench.ts'))
  .filter((file) => names.length === 0 || names.some((name) => file.startsWith(name)))
  .sort();
let failed = 0;
for (const file of files) {
  console.error(`# ${file}`);
  const args = ['--import', 'tsx', join('bench', file), ...flags];
  const ran = spawnSync(process.execPath, args, {
    cwd: root,
    stdio: 'inherit',
    timeout: timeoutMs,
  });
  if (ran.status !== 0) {
    failed += 1;
    console.error(`cannot finish ${file}: got ${ran.status ?? ran.signal ?? ran.error}; want 0`);
  }
}
console.error(`# ${files.length - failed} of ${files.length} benchmarks ran`);
process.exitCode = failed > 0 ? 1 : 0;
