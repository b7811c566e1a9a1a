import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BASALT, ROOT } from '../support/basalt-command.js';
import { startServerProcess, type ServerProcess } from '../support/server-process.js';
import { smallCpuProfile } from '../support/small-profile.js';

/** Runs what README.md says, in its order, with a server on other ports than the usual ones. */
const README = readFileSync(join(ROOT, 'README.md'), 'utf8');
const blocks = [...README.matchAll(/^```(\w+)\n([\s\S]*?)^```/gm)].map(([, language, code]) => ({
  language: language ?? '',
  code: code ?? '',
}));
const commands = blocks
  .filter((block) => block.language === 'sh')
  .flatMap((block) => block.code.trim().split('\n'));
const hasCurl = spawnSync('curl', ['--version']).status === 0;

let folder = '';
let server: ServerProcess;

function run(command: string): { code: number | null; output: string } {
  const ran = spawnSync('sh', ['-ec', command.replaceAll('127.0.0.1:4040', server.http)], {
    cwd: folder,
    encoding: 'utf8',
    timeout: 60_000,
    env: {
      ...process.env,
      PATH: `${join(folder, 'bin')}:${process.env['PATH']}`,
      BASALT_SERVER: `http://${server.http}`,
    },
  });
  return { code: ran.status, output: ran.stdout + ran.stderr };
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'basalt-readme-'));
  mkdirSync(join(folder, 'bin'));
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(ROOT, join(folder, 'node_modules', 'basalt'), 'junction');
  const npx = join(folder, 'bin', 'npx');
  writeFileSync(npx, `#!/bin/sh\nshift\nexec '${process.execPath}' '${BASALT}' "$@"\n`);
  chmodSync(npx, 0o755);
  writeFileSync(join(folder, 'cpu.pb.gz'), smallCpuProfile(Date.now() - 60_000));
  // `npm start` without the installation and the build, which npm runs before it.
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  expect(scripts['start']).toBe('node --single-threaded-gc bin/basalt.js serve');
  expect(scripts['prestart']).toContain('ensure-install');
  expect(scripts['pretest']).toContain('ensure-install');
  server = await startServerProcess({ dataDir: join(folder, 'data') });
});

afterAll(async () => {
  await server?.kill();
  rmSync(folder, { recursive: true, force: true });
});

describe('README.md', () => {
  it.each(commands)('%s', (command) => {
    if (command === 'npm start') return;
    if (command.startsWith('curl') && !hasCurl) return;
    const { code, output } = run(command);
    expect(code, output).toBe(0);
    if (command.includes('query types')) expect(output).toContain('process_cpu:cpu:nanoseconds');
    if (command.includes('query top')) expect(output).toMatch(/3\.00 s\s+75\.0%.*work/);
    if (command.includes('service_name/values')) expect(output).toContain('"shop"');
  });

  it('writes the files that it says', () => {
    expect(readFileSync(join(folder, 'shop.folded'), 'utf8')).toContain('main;work 3000000000');
    expect(readFileSync(join(folder, 'merged.pb.gz')).subarray(0, 2)).toEqual(
      Buffer.from([0x1f, 0x8b]),
    );
  });

  it('embeds as it says', () => {
    const [example] = blocks.filter((block) => block.language === 'js');
    writeFileSync(join(folder, 'example.mjs'), example?.code ?? '');
    const ran = spawnSync(process.execPath, ['example.mjs'], {
      cwd: folder,
      encoding: 'utf8',
      timeout: 60_000,
    });
    expect(ran.stderr).toBe('');
    expect(ran.stdout).toContain('work 3000000000n');
  });

  it('links to what exists', () => {
    const links = [...README.matchAll(/\]\(([^)]+)\)/g)].map(([, link]) => link ?? '');
    const broken = links.filter((link) => !link.startsWith('http') && !existsIn(link));
    expect(broken).toEqual([]);
  });
});

function existsIn(link: string): boolean {
  return spawnSync('test', ['-e', join(ROOT, link.replace(/#.*/, ''))]).status === 0;
}
