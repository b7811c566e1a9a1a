import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../../src/base/limits.js';

const root = join(import.meta.dirname, '..', '..', '..');

/** The runtime dependencies, by name: one more needs an ADR and the owner rule of .dependency-cruiser.cjs. */
const DEPENDENCIES = [
  '@aws-sdk/client-s3',
  '@bufbuild/protobuf',
  '@connectrpc/connect',
  '@connectrpc/connect-node',
  '@grpc/grpc-js',
  'apache-arrow',
  'd3-flame-graph',
  'd3-selection',
  'hyparquet',
  'parquet-wasm',
  're2js',
  'yaml',
];

const LINES_MAX = 600;

function text(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

function trackedFiles(): string[] {
  if (!existsSync(join(root, '.git'))) return [];
  const out = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' });
  return out.split('\0').filter((path) => path !== '' && existsSync(join(root, path)));
}

const sources = trackedFiles().filter(
  (path) =>
    /^(src|test|bench|scripts|bin)\/.*\.(ts|js|mjs|css|html)$/.test(path) &&
    !path.startsWith('src/gen/'),
);

describe('the house', () => {
  it('has no unfinished business', () => {
    const marks = new RegExp(['FIX', 'ME|XX', 'X|TO', 'DO(?! \\(#\\d)'].join(''));
    const found = sources.filter((path) => marks.test(text(path)));
    expect(found).toEqual([]);
  });

  it('has no long files', () => {
    const long = sources.filter((path) => text(path).split('\n').length > LINES_MAX);
    expect(long).toEqual([]);
  });

  it('has no download addresses in its lock file', () => {
    expect(text('package-lock.json')).not.toContain('"resolved"');
  });

  it('has the packages of every platform in its lock file, without which npm ci refuses it', () => {
    const { packages } = JSON.parse(text('package-lock.json')) as {
      packages: Record<string, { optionalDependencies?: Record<string, string> }>;
    };
    const missing = Object.entries(packages).flatMap(([folder, entry]) =>
      Object.keys(entry.optionalDependencies ?? {}).filter(
        (name) =>
          !(`node_modules/${name}` in packages || `${folder}/node_modules/${name}` in packages),
      ),
    );
    expect(missing, 'run node scripts/complete-lock.mjs').toEqual([]);
  });

  it('has the dependencies that it says, at exact versions', () => {
    const manifest = JSON.parse(text('package.json')) as {
      dependencies: Record<string, string>;
      devDependencies: Record<string, string>;
    };
    expect(Object.keys(manifest.dependencies).sort()).toEqual(DEPENDENCIES);
    const versions = { ...manifest.dependencies, ...manifest.devDependencies };
    const inexact = Object.entries(versions).filter(
      ([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version),
    );
    expect(inexact).toEqual([]);
  });

  it('has every folder of src in ARCHITECTURE.md', () => {
    const map = text('ARCHITECTURE.md');
    const entries = readdirSync(join(root, 'src'), { withFileTypes: true });
    const missing = entries
      .map((entry) => entry.name)
      .filter((name) => !map.includes(`\n| ${name} |`));
    expect(missing).toEqual([]);
  });

  it('has the import rules in the order of ARCHITECTURE.md', () => {
    const map = [...text('ARCHITECTURE.md').matchAll(/^\| ([a-z0-9.]+) \|/gm)].map((m) => m[1]);
    const rules = text('.dependency-cruiser.cjs');
    const table = /const LAYERS = \[([^\]]*)\]/.exec(rules)?.[1] ?? '';
    const layers = [...table.matchAll(/'([^']+)'/g)].map((m) => m[1]);
    expect(layers.filter((layer) => map.includes(layer))).toEqual(
      map.filter((name) => name !== 'folder'),
    );
  });

  it('explains every limit, with its value', () => {
    const page = text('docs/limits.md');
    const rows = new Map(
      [...page.matchAll(/^\| `(\w+)` \| (\d+) \|/gm)].map((m) => [m[1], Number(m[2])]),
    );
    expect(Object.fromEntries(rows)).toEqual({ ...LIMITS });
  });

  it('lists every architecture decision once, without gaps', () => {
    const names = readdirSync(join(root, 'docs/adr'))
      .filter((name) => name.endsWith('.md'))
      .sort();
    const numbers = names.map((name) => Number(name.slice(0, 4)));
    expect(numbers).toEqual(names.map((_, i) => i));
  });
});
