// What `.ci/run` runs: the tests, then each check. Counts tests by vitest's JSON report and each check as one.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const scratch = mkdtempSync(join(tmpdir(), 'basalt-ci-'));
const counts = { passed: 0, failed: 0 };
/** What failed, told again at the end: the output of the benchmarks is long. */
const failures = [];

/** Bounds of one step, so that the whole run ends within half an hour. */
const TESTS_MS = 17 * 60_000;
const INTEROP_MS = 9 * 60_000;
const CHECK_MS = 3 * 60_000;
const BENCH_MS = 4 * 60_000;

try {
  tests('tests', ['test'], TESTS_MS);
  check('types', ['run', 'types'], CHECK_MS);
  check('lint', ['run', 'lint'], CHECK_MS);
  check('import rules', ['run', 'layers'], CHECK_MS);
  check('unused code', ['run', 'knip'], CHECK_MS);
  check('generated code', ['run', 'gen:check'], CHECK_MS);
  if (existsSync(join(root, 'test', 'interop')))
    tests('interop', ['run', 'test:interop'], INTEROP_MS);
  check('benchmark smoke', ['run', 'bench:smoke'], BENCH_MS);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
for (const failure of failures) console.log(`FAILED ${failure}`);
console.log(`${counts.passed} passed, ${counts.failed} failed`);
process.exitCode = counts.failed > 0 ? 1 : 0;

function npm(args, timeoutMs) {
  const startedMs = Date.now();
  const ran = spawnSync('npm', args, { cwd: root, stdio: 'inherit', timeout: timeoutMs });
  const elapsed = `${((Date.now() - startedMs) / 1000).toFixed(1)} s`;
  return { ok: ran.status === 0, elapsed, got: ran.error?.code ?? ran.signal ?? ran.status };
}

function check(name, args, timeoutMs) {
  console.log(`--- ${name}`);
  const { ok, elapsed, got } = npm(args, timeoutMs);
  counts[ok ? 'passed' : 'failed'] += 1;
  if (!ok) failures.push(`${name} (${got}) after ${elapsed}`);
  console.log(`--- ${name}: ${ok ? 'ok' : `failed (${got})`} after ${elapsed}`);
}

/** A run that ends badly without a failed test (a crash, the time limit) counts as one failure. */
function tests(name, args, timeoutMs) {
  console.log(`--- ${name}`);
  const report = join(scratch, `${name}.json`);
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const { ok, elapsed, got } = npm([...args, '--', ...reporters], timeoutMs);
  const result = existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : {};
  const passed = result.numPassedTests ?? 0;
  const failed = result.numFailedTests ?? 0;
  counts.passed += passed;
  counts.failed += ok ? failed : Math.max(1, failed);
  if (!ok) failures.push(`${name} (${got}) after ${elapsed}`, ...failedTests(result));
  console.log(`--- ${name}: ${passed} passed, ${failed} failed (${got}) after ${elapsed}`);
}

/** The failed tests and files of one of vitest's JSON reports, each with the start of what it said. */
function failedTests(result) {
  return (result.testResults ?? []).flatMap(({ name: path, message, assertionResults }) => {
    const file = path.slice(root.length + 1);
    const own = message ? [`${file}: ${start(message)}`] : [];
    const tests = assertionResults.filter(({ status }) => status === 'failed');
    return [...own, ...tests.map((t) => `${file}: ${t.fullName}: ${start(t.failureMessages[0])}`)];
  });
}

/** At most this much of an error is told again. */
function start(text = '') {
  return text.slice(0, 600).split('\n').slice(0, 12).join('\n    ');
}
