import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { nodeFileSystem } from '../../../src/env/node-files.js';
import { dropBytes } from '../../../src/env/node-file-writes.js';
import { fileSystemConformance } from '../../conformance/file-system.js';
import { LossyFiles } from '../../support/lossy-files.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (b: Uint8Array): string => new TextDecoder().decode(b);

async function temporaryDir(): Promise<{ dir: string; remove: () => Promise<void> }> {
  const dir = await mkdtemp(join(tmpdir(), 'basalt-files-'));
  return { dir, remove: () => rm(dir, { recursive: true, force: true }) };
}

fileSystemConformance('node', async () => {
  const { dir, remove } = await temporaryDir();
  return { files: nodeFileSystem, dir, close: remove };
});

fileSystemConformance('lossy', async () => {
  const files = new LossyFiles();
  await files.makeDir('/data');
  return { files, dir: '/data', close: async () => undefined };
});

describe('folders made and removed at once', () => {
  it('are never taken for files', async () => {
    const { dir, remove } = await temporaryDir();
    try {
      for (let round = 0; round < 60; round++) {
        const path = join(dir, `folder-${round}`);
        const worker = async (_: unknown, i: number): Promise<void> => {
          for (let turn = 0; turn < 4; turn++) {
            if (i % 2 === 0) await nodeFileSystem.makeDir(path);
            else await nodeFileSystem.removeEmptyDir(path);
          }
        };
        await Promise.all(Array.from({ length: 24 }, worker));
      }
    } finally {
      await remove();
    }
  });
});

describe('locks between processes', () => {
  it('takes over the lock of a killed process, and one of many wins it', async () => {
    const { dir, remove } = await temporaryDir();
    const path = join(dir, 'LOCK');
    const child = spawn('sleep', ['60']);
    try {
      await spawned(child);
      const pid = child.pid as number;
      await writeFile(`${path}.4`, JSON.stringify({ pid, startTime: await startTime(pid) }));
      await expect(nodeFileSystem.lock(path)).rejects.toMatchObject({
        kind: 'conflict',
        message: `cannot lock ${path}: got a lock of process ${pid}; want none`,
      });
      child.kill('SIGKILL');
      await exited(child);
      const tries = await Promise.allSettled(
        Array.from({ length: 8 }, () => nodeFileSystem.lock(path)),
      );
      expect(tries.filter((r) => r.status === 'fulfilled')).toHaveLength(1);
      expect(await readdir(dir)).toEqual(['LOCK.5']);
    } finally {
      child.kill('SIGKILL');
      await remove();
    }
  });

  it('does not take a recycled process id for the holder, nor a damaged file', async () => {
    const { dir, remove } = await temporaryDir();
    const path = join(dir, 'LOCK');
    await writeFile(`${path}.1`, JSON.stringify({ pid: process.pid, startTime: '1' }));
    await (await nodeFileSystem.lock(path)).release();
    expect(await readdir(dir)).toEqual(['LOCK.2.free']);
    await writeFile(`${path}.3`, '{"pi');
    await (await nodeFileSystem.lock(path)).release();
    expect(await readdir(dir)).toEqual(['LOCK.4.free']);
    await remove();
  });
});

async function startTime(pid: number): Promise<string> {
  const stat = text(new Uint8Array(await nodeReadProc(pid)));
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] as string;
}

async function nodeReadProc(pid: number): Promise<Buffer> {
  const { readFile } = await import('node:fs/promises');
  return readFile(`/proc/${pid}/stat`);
}

function spawned(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => child.once('spawn', () => resolve()));
}

function exited(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => child.once('exit', () => resolve()));
}

describe('dropBytes', () => {
  it('skips whole pieces and cuts the next', () => {
    const pieces = [bytes('abc'), bytes('de'), bytes('f')];
    const whole = 'abcdef';
    for (let n = 0; n <= 6; n++) {
      expect(dropBytes(pieces, n).map(text).join('')).toBe(whole.slice(n));
    }
  });
});

describe('LossyFiles', () => {
  it('drops names and bytes that were not synced', async () => {
    const files = new LossyFiles(3);
    await files.makeDir('/d');
    const never = await files.openAppend('/d/never');
    await never.append([bytes('x')]);
    const log = await files.openAppend('/d/log');
    await log.append([bytes('synced')]);
    await log.sync();
    await log.append([bytes('-unsynced')]);
    files.crash();
    expect((await files.list('/d')).map((e) => e.name)).toEqual(['log']);
    const left = text(await files.readAll('/d/log'));
    expect(left.length).toBeGreaterThanOrEqual(6);
    expect('synced-unsynced'.startsWith(left)).toBe(true);
    await expect(log.append([bytes('z')])).rejects.toMatchObject({ kind: 'closed' });
  });

  it('loses different parts with different seeds, and the same with the same', async () => {
    const run = async (seed: number): Promise<number> => {
      const files = new LossyFiles(seed);
      const log = await files.openAppend('/log');
      await log.sync();
      await log.append([new Uint8Array(1_000)]);
      files.crash();
      return (await files.readAll('/log')).length;
    };
    const sizes = await Promise.all([1, 2, 3, 4, 1].map(run));
    expect(sizes[4]).toBe(sizes[0]);
    expect(new Set(sizes).size).toBeGreaterThan(2);
  });

  it('fails the call it was told to', async () => {
    const files = new LossyFiles(5);
    const log = await files.openAppend('/log');
    files.failNth(2, 'ENOSPC');
    await log.append([bytes('ab')]);
    await expect(log.append([bytes('cd')])).rejects.toMatchObject({ code: 'PS_DISK_FULL' });
    await log.append([bytes('ef')]);
    expect(text(await files.readAll('/log'))).toBe('abef');
    files.failNth(1, 'late-EIO');
    await expect(files.writeNew('/f', bytes('x'))).rejects.toMatchObject({ code: 'PS_FILE_IO' });
    expect(text(await files.readAll('/f'))).toBe('x');
    files.failNth(1, 'halt');
    await expect(files.readAll('/f')).rejects.toMatchObject({ code: 'PS_FILE_IO' });
    await expect(files.readAll('/f')).rejects.toMatchObject({ code: 'PS_FILE_IO' });
    files.crash();
    expect(text(await files.readAll('/f'))).toBe('x');
  });
});
