import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { basalt } from '../support/basalt-command.js';
import { startServerProcess, type ServerProcess } from '../support/server-process.js';
import { CPU_TYPE, smallCpuProfile } from '../support/small-profile.js';

let cwd = '';
let server: ServerProcess | undefined;

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'basalt-command-'));
});

afterEach(async () => {
  await server?.kill();
  server = undefined;
  rmSync(cwd, { recursive: true, force: true });
});

describe('basalt', () => {
  it('helps, and says its version', () => {
    const help = basalt(['--help'], { cwd });
    expect(help.code).toBe(0);
    for (const name of ['serve', 'push', 'import', 'query', 'compact', 'gc', 'inspect', 'verify']) {
      expect(help.stdout).toContain(`  ${name} `);
      const own = basalt([name, '--help'], { cwd });
      expect(own.code).toBe(0);
      expect(own.stdout).toContain(`Usage: basalt ${name}`);
    }
    expect(basalt(['--version'], { cwd }).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(basalt([], { cwd }).code).toBe(2);
  });

  it.each([
    [['sevre'], 'did you mean serve?'],
    [['serve', '--dat', 'x'], 'did you mean --data?'],
    [['serve', '--self-profile=perhaps'], 'want true or false'],
    [['push'], 'got no file'],
    [['query', 'marge'], 'did you mean merge?'],
    [['query', 'diff', '--explain'], 'want it with merge, top, timeseries'],
    [['query', 'merge', '--rate', '0.1'], 'want it with diff, regressions'],
    [['query', 'diff', '--exemplars'], 'want it with heatmap'],
    [['query', 'heatmap', '--aggregation', 'max'], 'want it with merge, top, timeseries'],
    [['query', 'top', '--format', 'pprof'], 'got format with top; want it with merge'],
    [['query', 'labels', '--focus', 'main'], 'got focus with labels; want it with merge, top,'],
    [['query', 'diff', '--hide', 'main'], 'want it with merge, top, timeseries, profiles'],
    [['serve', '--config', 'bad.yaml'], 'did you mean http?'],
  ])('refuses %j', (args, message) => {
    writeFileSync(join(cwd, 'bad.yaml'), 'htttp: 127.0.0.1:1\n');
    const ran = basalt(args, { cwd });
    expect(ran.stderr).toContain(message);
    expect(ran.code).toBe(2);
  });

  it('prints what is in force and where it comes from', () => {
    writeFileSync(
      join(cwd, 'a.yaml'),
      'http: 127.0.0.1:1\ngrpc: 127.0.0.1:2\nself-profile: false\n',
    );
    const ran = basalt(['serve', '--config', 'a.yaml', '--grpc', '127.0.0.1:3', '--print-config'], {
      cwd,
      env: { BASALT_DATA: '/from/variable' },
    });
    expect(ran.code).toBe(0);
    expect(ran.stdout.split('\n')).toEqual(
      expect.arrayContaining([
        'http: 127.0.0.1:1 # config',
        'grpc: 127.0.0.1:3 # flag',
        'self-profile: false # config',
        'data: /from/variable # environment',
        '# bucket: not set',
      ]),
    );
  });

  it('stores without a server, compacts, inspects, verifies and answers', () => {
    const startMs = Date.now() - 600_000;
    for (const version of ['1', '2']) {
      mkdirSync(join(cwd, 'in', 'shop', version), { recursive: true });
      for (let i = 0; i < 10; i++) {
        const body = smallCpuProfile(startMs + i * 10_000);
        writeFileSync(join(cwd, 'in', 'shop', version, `${i}.pb.gz`), body);
      }
    }
    writeFileSync(join(cwd, 'in', 'shop', '1', 'bad.pb.gz'), 'no profile');
    const imported = basalt(
      ['import', 'in', '--path-labels', 'service_name/version', '--data', 'store'],
      { cwd },
    );
    expect(imported.stdout).toBe('20 files, 40 profiles, 80 samples; 1 files failed\n');
    expect(imported.stderr).toContain('shop/1/bad.pb.gz: cannot ');
    expect(imported.code).toBe(1);

    const top = ['query', 'top', '--data', 'store', '--type', CPU_TYPE];
    const before = basalt(top, { cwd });
    expect(before.stdout).toMatch(/total 1\.33 min\n[\s\S]*1\.00 min\s+75\.0%.*work/);
    const compacted = basalt(['compact', '--data', 'store', '--full'], { cwd });
    expect(compacted.stderr).toBe('');
    expect(compacted.stdout).toMatch(/^now .* in 1 blocks/);
    expect(basalt(top, { cwd }).stdout).toBe(before.stdout);

    const inspected = JSON.parse(
      basalt(['inspect', '--data', 'store', '--json'], { cwd }).stdout,
    ) as {
      samples: number;
      blocks: { level: number; bytes: { tables: Record<string, number> } }[];
    };
    expect(inspected.blocks).toHaveLength(1);
    expect(Object.keys(inspected.blocks[0]?.bytes.tables ?? {})).toContain('samples');
    expect(basalt(['inspect', '--data', 'store'], { cwd }).stdout).toContain('a sample)');
    expect(basalt(['verify', '--data', 'store'], { cwd })).toEqual({
      code: 0,
      stdout: 'no findings\n',
      stderr: '',
    });
  });

  it('collects what a crash left behind', () => {
    mkdirSync(join(cwd, 'in'));
    writeFileSync(join(cwd, 'in', 'a.pb.gz'), smallCpuProfile(Date.now() - 60_000));
    basalt(['import', 'in', '--label', 'service_name=shop', '--data', 'store'], { cwd });
    basalt(['compact', '--data', 'store', '--full'], { cwd });
    const id = '01m3253wn0f8a5ztrf1pnb2jgs';
    const orphan = join(cwd, 'store', 'objects', 'blocks', 'anonymous', id);
    mkdirSync(orphan);
    writeFileSync(join(orphan, 'samples.parquet'), 'PAR1 and then the power went');
    const gc = ['gc', '--data', 'store', '--grace-hours', '0'];
    const dry = basalt([...gc, '--dry-run'], { cwd });
    expect(dry.stdout).toContain('would delete 0 dead objects (0 B), 1 orphans (28 B)');
    expect(dry.stdout).toContain(`orphan blocks/anonymous/${id}/`);
    expect(basalt(['gc', '--data', 'store'], { cwd }).stdout).toContain('0 orphans');
    expect(basalt([...gc, '--json'], { cwd }).stdout).toContain('"count": 1');
    expect(basalt(gc, { cwd }).stdout).toContain('0 orphans');
    expect(basalt(['verify', '--data', 'store'], { cwd }).code).toBe(0);
    expect(basalt(['query', 'top', '--data', 'store', '--type', CPU_TYPE], { cwd }).code).toBe(0);
    const nowhere = basalt(['gc', '--data', 'nowhere'], { cwd });
    expect(nowhere.stderr).toContain('cannot ');
    expect(nowhere.code).toBe(1);
  });

  it('serves, tells others that the directory is taken, and stops at a signal', async () => {
    server = await startServerProcess({
      dataDir: join(cwd, 'store'),
      args: ['--no-self-profile'],
    });
    writeFileSync(join(cwd, 'cpu.pb.gz'), smallCpuProfile(Date.now() - 60_000));
    const env = { BASALT_SERVER: `http://${server.http}` };
    const pushed = basalt(['push', 'cpu.pb.gz', '--label', 'service_name=shop'], { cwd, env });
    expect(pushed).toEqual({
      code: 0,
      stdout: 'cpu.pb.gz: 2 profiles, 4 samples\n',
      stderr: '',
    });
    const asked = basalt(['query', 'merge', '--type', CPU_TYPE, '-o', 'server.json'], { cwd, env });
    expect(asked.code).toBe(0);
    // The same bytes from the directory itself, beside the server.
    basalt(['query', 'merge', '--type', CPU_TYPE, '--data', 'store', '-o', 'data.json'], { cwd });
    expect(readFileSync(join(cwd, 'data.json'), 'utf8')).toBe(
      readFileSync(join(cwd, 'server.json'), 'utf8'),
    );
    const range = ['--from', String(Date.now() - 3_600_000), '--to', String(Date.now())];
    for (const question of [
      ['heatmap', '--exemplars', '--json', '--step', '1h'],
      ['diff', '--rate', '0.1', '--other-selector', '{service_name="none"}', '--json'],
      ['regressions', '--rate', '0.1', '--change', '0.02', '--json'],
    ]) {
      const own = ['query', ...question, '--type', CPU_TYPE, ...range];
      const [fromServer, fromData] = [
        basalt(own, { cwd, env }),
        basalt([...own, '--data', 'store'], { cwd }),
      ];
      expect(fromServer).toEqual(fromData);
      if (question[0] !== 'regressions') expect(fromServer.code).toBe(0);
      if (question[0] === 'heatmap') expect(fromServer.stdout).toContain('profileId');
    }
    const compacted = basalt(['compact', '--data', 'store'], { cwd });
    expect(compacted.code).toBe(1);
    expect(compacted.stderr).toContain('stop the server first');
    const collected = basalt(['gc', '--data', 'store'], { cwd });
    expect(collected.stderr).toContain('the server collects by itself');
    expect(basalt(['gc', '--data', 'store', '--dry-run'], { cwd }).code).toBe(0);
    const bad = basalt(['query', 'top', '--type', CPU_TYPE, '--selector', '{a='], { cwd, env });
    expect(bad.code).toBe(1);
    expect(bad.stderr).toContain('basalt: cannot ');
    const page = await fetch(`http://${server.http}/`);
    expect(page.headers.get('content-type')).toContain('text/html');
    expect(await server.stop()).toBe(0);
    expect(server.output()).toContain('stopped');
  });

  it('profiles itself within 15 seconds of its start', async () => {
    const startedMs = Date.now();
    server = await startServerProcess({ dataDir: join(cwd, 'store') });
    const query = new URLSearchParams({
      type: CPU_TYPE,
      selector: '{service_name="basalt"}',
      start: 'now-5m',
      end: 'now',
    });
    let frames: string[] = [];
    while (frames.length < 2 && Date.now() - startedMs < 15_000) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      const response = await fetch(`http://${server.http}/api/v1/merge?${query}`);
      frames = ((await response.json()) as { names?: string[] }).names ?? [];
    }
    expect(frames.length, server.output()).toBeGreaterThan(2);
    const threads = await fetch(
      `http://${server.http}/api/v1/labels/thread/values?start=now-5m&end=now`,
    );
    expect(await threads.json()).toMatchObject({ values: expect.arrayContaining(['main']) });
    expect(await server.stop()).toBe(0);
  });
});
