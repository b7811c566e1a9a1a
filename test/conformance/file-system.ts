import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FileSystem } from '../../src/env/files.js';

export interface FileSystemUnderTest {
  readonly files: FileSystem;
  /** An empty directory. */
  readonly dir: string;
  close(): Promise<void>;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (b: Uint8Array): string => new TextDecoder().decode(b);

/** Awaited together: one that waits for its turn while it rejects would count as unhandled. */
async function allReject(calls: readonly Promise<unknown>[], reason: object): Promise<void> {
  for (const outcome of await Promise.allSettled(calls)) {
    expect(outcome).toMatchObject({ status: 'rejected', reason });
  }
}

/** What every FileSystem does alike; durability is not visible here. */
export function fileSystemConformance(
  name: string,
  open: () => Promise<FileSystemUnderTest>,
): void {
  describe(`file system: ${name}`, () => {
    let t: FileSystemUnderTest;
    let files: FileSystem;
    const at = (...parts: string[]): string => join(t.dir, ...parts);

    beforeEach(async () => {
      t = await open();
      files = t.files;
    });
    afterEach(() => t.close());

    it('makes directories with their parents, again and again', async () => {
      await files.makeDir(at('a/b/c'));
      await files.makeDir(at('a/b/c'));
      expect((await files.list(at('a'))).map((e) => [e.name, e.isDirectory])).toEqual([
        ['b', true],
      ]);
      expect((await files.stat(at('a/b'))).isDirectory).toBe(true);
      await files.writeNew(at('file'), bytes('x'));
      await expect(files.makeDir(at('file'))).rejects.toMatchObject({ kind: 'conflict' });
    });

    it('lists names in order with sizes', async () => {
      await files.writeNew(at('b'), bytes('four'));
      await files.writeNew(at('a'), bytes(''));
      await files.makeDir(at('a-dir'));
      const entries = await files.list(t.dir);
      expect(entries.map((e) => [e.name, e.isDirectory, e.sizeBytes])).toEqual([
        ['a', false, 0],
        ['a-dir', true, 0],
        ['b', false, 4],
      ]);
      expect(await files.stat(at('b'))).toEqual(entries[2]);
    });

    it('answers not-found for what is not there', async () => {
      await allReject(
        [
          files.list(at('no')),
          files.stat(at('no')),
          files.openRead(at('no')),
          files.readAll(at('no')),
          files.truncate(at('no'), 0),
          files.rename(at('no'), at('other')),
          files.openAppend(at('no/file')),
          files.writeNew(at('no/file'), bytes('x')),
          files.writeReplace(at('no/file'), bytes('x')),
        ],
        { kind: 'not-found', code: 'PS_FILE_NOT_FOUND' },
      );
      await files.remove(at('no'));
      await files.removeEmptyDir(at('no'));
    });

    it('writes a new file once only', async () => {
      await files.writeNew(at('f'), bytes('first'));
      await expect(files.writeNew(at('f'), bytes('second'))).rejects.toMatchObject({
        kind: 'conflict',
        code: 'PS_FILE_EXISTS',
      });
      expect(text(await files.readAll(at('f')))).toBe('first');
      expect((await files.list(t.dir)).map((e) => e.name)).toEqual(['f']);
    });

    it('lets exactly one of many writers create a file', async () => {
      const results = await Promise.allSettled(
        Array.from({ length: 8 }, (_, i) => files.writeNew(at('f'), bytes(`writer ${i}`))),
      );
      const winners = results.flatMap((r, i) => (r.status === 'fulfilled' ? [i] : []));
      expect(winners).toHaveLength(1);
      expect(text(await files.readAll(at('f')))).toBe(`writer ${winners[0]}`);
    });

    it('replaces a file whole, with a new time of change', async () => {
      const times = new Set<number>();
      for (let i = 0; i < 10; i++) {
        await files.writeReplace(at('f'), bytes(`content ${i}`));
        expect(text(await files.readAll(at('f')))).toBe(`content ${i}`);
        times.add((await files.stat(at('f'))).modifiedMs);
      }
      expect(times.size).toBe(10);
      expect((await files.list(t.dir)).map((e) => e.name)).toEqual(['f']);
    });

    it('appends pieces in order and reads ranges', async () => {
      const file = await files.openAppend(at('log'));
      expect(file.sizeBytes).toBe(0);
      await file.append([bytes('abc'), new Uint8Array(0), bytes('de')]);
      await file.append([]);
      await file.sync();
      expect(file.sizeBytes).toBe(5);
      const reader = await files.openRead(at('log'));
      expect(text(await reader.read(1, 4))).toBe('bcd');
      expect((await reader.read(2, 2)).length).toBe(0);
      await file.append([bytes('fg')]);
      expect(await reader.sizeBytes()).toBe(7);
      expect(text(await reader.read(5, 7))).toBe('fg');
      await expect(reader.read(5, 8)).rejects.toMatchObject({
        kind: 'corrupt',
        code: 'PS_FILE_SHORT',
      });
      await reader.close();
      await reader.close();
      await file.close();
      await file.close();
      await expect(file.append([bytes('x')])).rejects.toMatchObject({ kind: 'closed' });
      await expect(file.sync()).rejects.toMatchObject({ kind: 'closed' });
      await expect(reader.read(0, 1)).rejects.toMatchObject({ kind: 'closed' });

      const again = await files.openAppend(at('log'));
      expect(again.sizeBytes).toBe(7);
      await again.append([bytes('h')]);
      await again.close();
      expect(text(await files.readAll(at('log')))).toBe('abcdefgh');
    });

    it('appends more pieces than one system call takes', async () => {
      const file = await files.openAppend(at('log'));
      const pieces = Array.from({ length: 3_000 }, (_, i) => bytes(`${i},`));
      await file.append(pieces);
      await file.close();
      expect(text(await files.readAll(at('log')))).toBe(pieces.map(text).join(''));
    });

    it('gives reads a buffer of their own', async () => {
      await files.writeNew(at('f'), bytes('hello'));
      const read = await files.readAll(at('f'));
      expect(read.byteLength).toBe(read.buffer.byteLength);
    });

    it('cuts, renames over and removes', async () => {
      await files.writeNew(at('a'), bytes('abcdef'));
      await files.truncate(at('a'), 3);
      expect(text(await files.readAll(at('a')))).toBe('abc');
      await files.writeNew(at('b'), bytes('old'));
      await files.rename(at('a'), at('b'));
      expect((await files.list(t.dir)).map((e) => e.name)).toEqual(['b']);
      expect(text(await files.readAll(at('b')))).toBe('abc');
      await files.remove(at('b'));
      expect(await files.list(t.dir)).toEqual([]);
    });

    it('removes a directory only if it is empty', async () => {
      await files.makeDir(at('d'));
      await files.writeNew(at('d/f'), bytes('x'));
      await files.removeEmptyDir(at('d'));
      expect(await files.list(t.dir)).toHaveLength(1);
      await files.remove(at('d/f'));
      await files.removeEmptyDir(at('d'));
      expect(await files.list(t.dir)).toHaveLength(0);
    });

    it('holds a lock once at a time', async () => {
      for (let round = 0; round < 3; round++) {
        const lock = await files.lock(at('LOCK'));
        await expect(files.lock(at('LOCK'))).rejects.toMatchObject({
          kind: 'conflict',
          code: 'PS_DIR_LOCKED',
          message: expect.stringMatching(/process \d+/),
        });
        const other = await files.lock(at('OTHER'));
        await other.release();
        await lock.release();
        await lock.release();
      }
    });

    it('gives a lock to one of many at most', async () => {
      const results = await Promise.allSettled(
        Array.from({ length: 8 }, () => files.lock(at('LOCK'))),
      );
      const won = results.filter((r) => r.status === 'fulfilled');
      expect(won.length).toBe(1);
      await won[0]?.value.release();
      await (await files.lock(at('LOCK'))).release();
    });
  });
}
