import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** Breaks each rule on purpose, in a copy of the configuration: a rule that no longer bites is worse than none. */
const root = join(import.meta.dirname, '..', '..', '..');
const CONFIGURATION = [
  'biome.json',
  '.dependency-cruiser.cjs',
  'tsconfig.json',
  'package.json',
  'scripts/lint',
];

/** What a lint rule must find in one file. */
interface Planted {
  readonly rule: string;
  readonly path: string;
  readonly code: string;
}

const LINT: readonly Planted[] = [
  {
    rule: 'noFloatingPromises',
    path: 'src/query/a.ts',
    code: 'async function f(): Promise<number> { return 1; }\nexport function g(): void { f(); }\n',
  },
  {
    rule: 'noMisusedPromises',
    path: 'src/query/b.ts',
    code: 'async function f(): Promise<boolean> { return true; }\nexport function g(): number { if (f()) return 1; return 2; }\n',
  },
  {
    rule: 'useExhaustiveSwitchCases',
    path: 'src/query/c.ts',
    code: "export function f(x: 'a' | 'b'): void { switch (x) { case 'a': break; } }\n",
  },
  { rule: 'noExplicitAny', path: 'src/query/d.ts', code: 'export const x: any = 1;\n' },
  { rule: 'noConsole', path: 'src/query/e.ts', code: "console.log('x');\n" },
  {
    rule: 'useErrorMessage',
    path: 'src/query/f.ts',
    code: 'export function f(): never { throw new Error(); }\n',
  },
  {
    rule: 'useThrowOnlyError',
    path: 'src/query/g.ts',
    code: "export function f(): never { throw 'x'; }\n",
  },
  {
    rule: 'useNodejsImportProtocol',
    path: 'src/env/h.ts',
    code: "import { join } from 'path';\nexport const x = join('a');\n",
  },
  {
    rule: 'useImportExtensions',
    path: 'src/query/i.ts',
    code: "import { y } from './other';\nexport const x = y;\n",
  },
  { rule: 'noDefaultExport', path: 'src/query/j.ts', code: 'export default 1;\n' },
  { rule: 'noEnum', path: 'src/query/k.ts', code: 'export enum E { A }\n' },
  {
    rule: 'noParameterProperties',
    path: 'src/query/l.ts',
    code: 'export class A { constructor(private readonly x: number) {} }\n',
  },
  { rule: 'noBarrelFile', path: 'src/query/m.ts', code: "export { y } from './other.js';\n" },
  { rule: 'noReExportAll', path: 'src/query/n.ts', code: "export * from './other.js';\n" },
  {
    rule: 'useFilenamingConvention',
    path: 'src/query/camelCase.ts',
    code: 'export const x = 1;\n',
  },
  {
    rule: 'useMaxParams',
    path: 'src/model/o.ts',
    code: 'export function f(a: number, b: number, c: number, d: number, e: number): number { return a + b + c + d + e; }\n',
  },
  {
    rule: 'noExcessiveLinesPerFunction',
    path: 'src/query/p.ts',
    code: `export function f(): number {\n  let x = 0;\n${'  x += 1;\n'.repeat(75)}  return x;\n}\n`,
  },
  {
    rule: 'noExcessiveLinesPerFile',
    path: 'src/query/q.ts',
    code: Array.from({ length: 601 }, (_, i) => `export const x${i} = ${i};\n`).join(''),
  },
  {
    rule: 'noNonNullAssertion',
    path: 'src/model/r.ts',
    code: 'export const f = (x: string[]): string => x[0]!;\n',
  },
  {
    rule: 'noImportCycles',
    path: 'src/query/cycle-a.ts',
    code: "import { b } from './cycle-b.js';\nexport const a = (): number => b();\n",
  },
  ...['Date', 'setTimeout', 'setInterval', 'performance', 'fetch'].map((name) => ({
    rule: 'noRestrictedGlobals',
    path: `src/query/global-${name.toLowerCase()}.ts`,
    code: `export const x: unknown = ${name};\n`,
  })),
  ...['Math.random()', 'Date.now()', 'crypto.randomUUID()', 'process.hrtime.bigint()'].map(
    (call, i) => ({
      rule: 'Nondeterminism',
      path: `src/query/call-${i}.ts`,
      code: `export const x: unknown = ${call};\n`,
    }),
  ),
];

const LINT_ALLOWED: readonly { path: string; code: string }[] = [
  { path: 'src/env/allowed.ts', code: 'export const nowMs = (): number => Date.now();\n' },
  {
    path: 'src/columnar/allowed.ts',
    code: 'export const first = (x: number[]): number => x[0]!;\n',
  },
];

const LAYERS: readonly Planted[] = [
  {
    rule: 'layer-base',
    path: 'src/base/up.ts',
    code: "import { other } from '../query/other.js';\nexport const x = other;\n",
  },
  {
    rule: 'layer-model',
    path: 'src/model/type-only.ts',
    code: "import type { Other } from '../query/other.js';\nexport type X = Other;\n",
  },
  {
    rule: 'layer-query',
    path: 'src/query/aside.ts',
    code: "import { other } from '../ingest/other.js';\nexport const x = other;\n",
  },
  {
    rule: 'layer-compaction',
    path: 'src/compaction/aside.ts',
    code: "import { other } from '../query/other.js';\nexport const x = other;\n",
  },
  {
    rule: 'layer-ui',
    path: 'src/ui/aside.ts',
    code: "import { other } from '../query/other.js';\nexport const x = other;\n",
  },
  {
    rule: 'layer-store',
    path: 'src/store/up.ts',
    code: "import { other } from '../server/other.js';\nexport const x = other;\n",
  },
  {
    rule: 'owner-apache-arrow',
    path: 'src/query/arrow.ts',
    code: "import { Table } from 'apache-arrow';\nexport const x = Table;\n",
  },
  {
    rule: 'owner-parquet-wasm',
    path: 'src/query/wasm.ts',
    code: "import * as wasm from 'parquet-wasm';\nexport const x = wasm;\n",
  },
  {
    rule: 'owner-hyparquet',
    path: 'src/query/hy.ts',
    code: "import * as hy from 'hyparquet';\nexport const x = hy;\n",
  },
  {
    rule: 'owner-aws-sdk',
    path: 'src/log/s3.ts',
    code: "import { S3Client } from '@aws-sdk/client-s3';\nexport const x = S3Client;\n",
  },
  {
    rule: 'owner-re2js',
    path: 'src/query/re.ts',
    code: "import * as re from 're2js';\nexport const x = re;\n",
  },
  {
    rule: 'owner-grpc',
    path: 'src/query/grpc.ts',
    code: "import * as grpc from '@grpc/grpc-js';\nexport const x = grpc;\n",
  },
  {
    rule: 'owner-connect',
    path: 'src/query/connect.ts',
    code: "import * as c from '@connectrpc/connect';\nexport const x = c;\n",
  },
  {
    rule: 'owner-yaml',
    path: 'src/server/yaml.ts',
    code: "import * as y from 'yaml';\nexport const x = y;\n",
  },
  {
    rule: 'owner-d3',
    path: 'src/server/d3.ts',
    code: "import * as d3 from 'd3-selection';\nexport const x = d3;\n",
  },
  {
    rule: 'owner-protobuf',
    path: 'src/model/pb.ts',
    code: "import { create } from '@bufbuild/protobuf';\nexport const x = create;\n",
  },
  {
    rule: 'owner-fs',
    path: 'src/log/fs.ts',
    code: "import { readFileSync } from 'node:fs';\nexport const x = readFileSync;\n",
  },
  {
    rule: 'owner-crypto',
    path: 'src/log/crypto.ts',
    code: "import { createHash } from 'node:crypto';\nexport const x = createHash;\n",
  },
  {
    rule: 'owner-zlib',
    path: 'src/log/zlib.ts',
    code: "import { gunzipSync } from 'node:zlib';\nexport const x = gunzipSync;\n",
  },
  {
    rule: 'owner-timers',
    path: 'src/log/timers.ts',
    code: "import { setTimeout } from 'node:timers/promises';\nexport const x = setTimeout;\n",
  },
  {
    rule: 'owner-threads',
    path: 'src/query/threads.ts',
    code: "import { Worker } from 'node:worker_threads';\nexport const x = Worker;\n",
  },
  {
    rule: 'owner-network',
    path: 'src/query/network.ts',
    code: "import { request } from 'node:http';\nexport const x = request;\n",
  },
  {
    rule: 'owner-host',
    path: 'src/query/host.ts',
    code: "import { cpus } from 'node:os';\nexport const x = cpus;\n",
  },
  {
    rule: 'owner-inspector',
    path: 'src/query/inspector.ts',
    code: "import { Session } from 'node:inspector';\nexport const x = Session;\n",
  },
  {
    rule: 'owner-module',
    path: 'src/query/module.ts',
    code: "import { createRequire } from 'node:module';\nexport const x = createRequire;\n",
  },
  {
    rule: 'unknown-package',
    path: 'src/query/unknown.ts',
    code: "import * as t from 'typescript';\nexport const x = t;\n",
  },
  {
    rule: 'unknown-folder',
    path: 'src/nowhere/x.ts',
    code: "import { other } from '../query/other.js';\nexport const x = other;\n",
  },
  {
    rule: 'no-circular',
    path: 'src/query/cycle-a.ts',
    code: "import type { B } from './cycle-b.js';\nexport type A = B | 1;\nexport const b = 1;\n",
  },
  {
    rule: 'src-not-to-test',
    path: 'src/query/to-test.ts',
    code: "import { t } from '../../test/t.js';\nexport const x = t;\n",
  },
  {
    rule: 'not-resolvable',
    path: 'src/query/missing.ts',
    code: "import { x as y } from './not-there.js';\nexport const x = y;\n",
  },
];

/** What the planted files import. */
const OTHERS: readonly { path: string; code: string }[] = [
  ...['query', 'ingest', 'server'].map((layer) => ({
    path: `src/${layer}/other.ts`,
    code: 'export const other = 1;\nexport const y = 1;\nexport type Other = 1;\n',
  })),
  { path: 'test/t.ts', code: 'export const t = 1;\n' },
  {
    path: 'src/query/cycle-b.ts',
    code: "import { a, type A } from './cycle-a.js';\nexport type B = A | 2;\nexport const b = (): number => a();\n",
  },
];

let copy = '';

function plant(files: readonly { path: string; code: string }[]): void {
  rmSync(join(copy, 'src'), { recursive: true, force: true });
  rmSync(join(copy, 'test'), { recursive: true, force: true });
  for (const { path, code } of [...OTHERS, ...files]) {
    mkdirSync(dirname(join(copy, path)), { recursive: true });
    writeFileSync(join(copy, path), code);
  }
}

function run(script: string, args: readonly string[]): string {
  const path = join(root, 'node_modules', script);
  const ran = spawnSync(process.execPath, [path, ...args], {
    cwd: copy,
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  });
  return ran.stdout;
}

beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'basalt-rules-'));
  for (const name of CONFIGURATION) {
    cpSync(join(root, name), join(copy, name), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'), 'junction');
});

afterAll(() => {
  rmSync(copy, { recursive: true, force: true });
});

describe('lint rules', () => {
  let findings = new Set<string>();

  beforeAll(() => {
    plant([...LINT, ...LINT_ALLOWED]);
    // The copy is no repository.
    const args = ['lint', '--vcs-enabled=false', '--reporter=json', '--max-diagnostics=none'];
    const report = JSON.parse(run('@biomejs/biome/bin/biome', args)) as LintReport;
    findings = new Set(report.diagnostics.map(finding));
  });

  it.each(LINT.map((p) => [p.rule, p.path] as const))('%s is reported in %s', (rule, path) => {
    expect([...findings].filter((f) => f.startsWith(`${path}: `) && f.includes(rule))).not.toEqual(
      [],
    );
  });

  it.each(LINT_ALLOWED.map((p) => [p.path]))('nothing is reported in %s', (path) => {
    expect([...findings].filter((f) => f.startsWith(`${path}: `))).toEqual([]);
  });
});

interface LintReport {
  readonly diagnostics: readonly {
    readonly category?: string;
    readonly severity: string;
    readonly message?: unknown;
    readonly location?: { readonly path?: unknown };
  }[];
}

function finding(diagnostic: LintReport['diagnostics'][number]): string {
  const { location, category, message, severity } = diagnostic;
  const path = location?.path;
  const file =
    typeof path === 'string' ? path : String((path as { file?: string } | null)?.file ?? '');
  const text = category === 'plugin' ? JSON.stringify(message) : '';
  return `${file}: ${severity} ${category ?? ''} ${text}`;
}

describe('import rules', () => {
  let violations = new Set<string>();

  beforeAll(() => {
    plant(LAYERS);
    const report = JSON.parse(
      run('dependency-cruiser/bin/dependency-cruise.mjs', ['src', '--output-type', 'json']),
    ) as { summary: { violations: { rule: { name: string }; from: string }[] } };
    violations = new Set(report.summary.violations.map((v) => `${v.rule.name} ${v.from}`));
  });

  it.each(LAYERS.map((p) => [p.rule, p.path] as const))('%s is reported in %s', (rule, path) => {
    expect([...violations]).toContain(`${rule} ${path}`);
  });

  it('reports nothing in the files that they import', () => {
    const others = [...violations].filter((v) => v.endsWith('/other.ts'));
    expect(others).toEqual([]);
  });
});
