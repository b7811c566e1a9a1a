// Installs the agents of other products, and the browser, that test/interop runs, unmodified and in fixed versions, under
// node_modules/.cache/interop: `node scripts/interop-clients.mjs go`. Prints one line of JSON: what to run, or what of
// the machine is missing. A second run finds everything installed.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const cache = join(root, 'node_modules', '.cache', 'interop');
const sources = join(root, 'test', 'interop', 'clients');

const NODE_AGENT = '@pyroscope/nodejs@0.6.4';
const PYTHON_AGENT = 'pyroscope-io==1.4.0';
const PANDAS = ['pandas==3.1.1', 'pyarrow==26.0.1'];
const JAVA_AGENT = 'io.pyroscope:agent:2.9.2';
const BROWSER_DRIVER = 'playwright-core@1.64.1';
/** Names of a browser that the driver can run; the first is that of Debian's package. */
const BROWSERS = ['chromium', 'chromium-browser', 'google-chrome'];
const INSTALL_MS = 5 * 60_000;

/** By name: the commands that the machine must have, and what installs and tells the command to run. */
const CLIENTS = {
  go: { needs: [['go', 'version']], install: installGo },
  node: { needs: [['npm', '--version']], install: installNode },
  python: { needs: [['python3', '-c', 'import venv, ensurepip']], install: installPython },
  pandas: { needs: [['python3', '-c', 'import venv, ensurepip']], install: installPandas },
  java: {
    needs: [
      ['javac', '-version'],
      ['jfr', '--version'],
      ['mvn', '--version'],
    ],
    install: installJava,
  },
  browser: { needs: [['npm', '--version']], install: installBrowser },
};

function run(command, args, options = {}) {
  const ran = spawnSync(command, args, { encoding: 'utf8', timeout: INSTALL_MS, ...options });
  if (ran.status === 0) return;
  const why = ran.error?.message ?? `${ran.stdout}${ran.stderr}`.slice(-2_000);
  throw new Error(`${command} ${args.join(' ')} failed: ${why}`);
}

/** Installs into a folder of its own name, which is there only when it is whole. */
function once(name, install) {
  const dir = join(cache, name);
  if (existsSync(dir)) return dir;
  const partial = `${dir}.${process.pid}`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  install(partial);
  renameSync(partial, dir);
  return dir;
}

function installGo() {
  mkdirSync(cache, { recursive: true });
  const binary = join(cache, 'go-client');
  // Go's own caches make a second build quick, and notice a changed source.
  run('go', ['build', '-o', binary, '.'], { cwd: join(sources, 'go') });
  return [binary];
}

function installNode() {
  return [process.execPath, join(sources, 'node', 'main.mjs'), npmPackage(NODE_AGENT)];
}

/** The folder that a package is installed in. */
function npmPackage(spec) {
  return once(`node-${spec.replaceAll(/[@/]/g, '-')}`, (partial) => {
    writeFileSync(join(partial, 'package.json'), '{"private":true,"type":"module"}');
    run('npm', ['install', '--no-audit', '--no-fund', spec], { cwd: partial });
  });
}

/** Takes the machine's browser; without one, Debian's where this may install packages. */
function installBrowser() {
  const found = () => BROWSERS.find((name) => spawnSync(name, ['--version']).status === 0);
  if (found() === undefined && process.getuid?.() === 0) {
    const options = { timeout: INSTALL_MS };
    spawnSync('apt-get', ['install', '-y', '--no-install-recommends', BROWSERS[0]], options);
  }
  const browser = found();
  if (browser === undefined) return undefined;
  const main = join(sources, 'browser', 'main.mjs');
  return [process.execPath, main, npmPackage(BROWSER_DRIVER), browser];
}

function installPython() {
  return [pythonWith([PYTHON_AGENT]), join(sources, 'python', 'main.py')];
}

function installPandas() {
  return [pythonWith(PANDAS), join(sources, 'pandas', 'main.py')];
}

/** A Python with these packages. */
function pythonWith(packages) {
  const dir = join(cache, `python-${packages.join('-')}`);
  const python = join(dir, 'bin', 'python');
  // A virtual environment holds its own path: it cannot be renamed, and is whole when the mark is there.
  const mark = join(dir, 'installed');
  if (!existsSync(mark)) {
    rmSync(dir, { recursive: true, force: true });
    mkdirSync(cache, { recursive: true });
    run('python3', ['-m', 'venv', dir]);
    run(python, ['-m', 'pip', 'install', '--quiet', ...packages]);
    writeFileSync(mark, '');
  }
  return python;
}

function installJava() {
  const dir = once(`java-${JAVA_AGENT.replaceAll(':', '-')}`, (partial) => {
    const args = [
      `-Dartifact=${JAVA_AGENT}`,
      `-DoutputDirectory=${partial}`,
      '-Dmdep.stripVersion',
    ];
    run('mvn', ['-q', 'dependency:copy', ...args]);
  });
  const agent = join(dir, 'agent.jar');
  const classes = join(cache, 'java-client');
  run('javac', ['-cp', agent, '-d', classes, join(sources, 'java', 'Main.java')]);
  return ['java', `-javaagent:${agent}`, '-cp', classes, 'Main'];
}

const name = process.argv[2] ?? '';
const client = CLIENTS[name];
if (client === undefined) {
  console.error(`want one of ${Object.keys(CLIENTS).join(', ')}`);
  process.exitCode = 2;
} else {
  const missing = client.needs.find(([command, ...args]) => spawnSync(command, args).status !== 0);
  const command = missing === undefined ? client.install() : undefined;
  console.log(
    JSON.stringify(command === undefined ? { missing: missing?.[0] ?? name } : { command }),
  );
}
