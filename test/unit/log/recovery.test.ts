import { describe, expect, it } from 'vitest';
import { listLogPosition } from '../../../src/head/log-position.js';
import { SegmentReader } from '../../../src/head/segment-reader.js';
import { scanSegment } from '../../../src/log/segment-scan.js';
import { HEADER_BYTES } from '../../../src/log/segment-format.js';
import { cpuRequest, LOG_DIR, openTestIngest } from '../../support/ingest-store.js';
import { LossyFiles } from '../../support/lossy-files.js';
import { storedProfiles } from '../../support/segment-rows.js';

/** Writes profiles one commit each, without closing: as a killed process leaves the directory. */
async function writtenLog(
  counts: readonly number[],
): Promise<{ files: LossyFiles; paths: string[]; ends: number[][] }> {
  const files = new LossyFiles();
  const { ingest } = await openTestIngest(files);
  const ends: number[][] = [];
  let second = 0;
  for (const [segment, count] of counts.entries()) {
    ends.push([]);
    for (let i = 0; i < count; i++) {
      await ingest.write('t', cpuRequest('a', second++));
      ends[segment]!.push((await ingest.position()).segments.at(-1)!.committedBytes);
    }
    if (segment < counts.length - 1) await ingest.seal();
  }
  const { segments } = await ingest.position();
  const paths = segments.map(
    (s) => `${LOG_DIR}/${s.instance}/${String(s.sequence).padStart(16, '0')}.segment`,
  );
  files.kill();
  return { files, paths, ends };
}

const startsOf = (profiles: readonly { startNs: bigint }[]): number[] =>
  profiles.map((p) => Number(p.startNs / 1_000_000_000n) - 1_600_000_000);

describe('recovery', () => {
  it('cuts a torn tail at every byte of the last commit, and loses nothing else', async () => {
    const { files, paths, ends } = await writtenLog([3]);
    const whole = await files.readAll(paths[0]!);
    const [, second, third] = ends[0]!;
    expect(whole.length).toBe(third);
    for (let cut = second!; cut < third!; cut++) {
      const scan = scanSegment({
        bytes: whole.subarray(0, cut),
        sequence: 1,
        durableBytes: undefined,
      });
      expect(scan).toMatchObject({ goodBytes: second, tornBytes: cut - second!, damagedBytes: 0 });
      expect(scan.index.profileCount).toBe(2);
      // The rest once in a while: all of it at every byte takes too long.
      if (cut !== second && cut !== third! - 1 && cut % 61 !== 0) continue;
      const torn = new LossyFiles();
      await torn.makeDir(paths[0]!.slice(0, paths[0]!.lastIndexOf('/')));
      await torn.writeNew(paths[0]!, whole.subarray(0, cut));
      const offline = await listLogPosition(torn, LOG_DIR);
      expect(offline.segments.map((s) => s.committedBytes)).toEqual([second]);
      const store = await openTestIngest(torn);
      expect(store.ingest.recovery).toEqual({
        segments: 1,
        tornSegments: cut === second ? 0 : 1,
        tornBytes: cut - second!,
        damaged: [],
        missingSegments: 0,
      });
      expect(startsOf(await store.stored())).toEqual([0, 1]);
      expect((await store.ingest.write('t', cpuRequest('a', 2))).profiles).toBe(2);
      expect((await store.ingest.write('t', cpuRequest('a', 1))).profiles).toBe(0);
      expect(startsOf(await store.stored())).toEqual([0, 1, 2]);
      await store.ingest.close();
    }
  });

  it('cuts a file that is shorter than its header, and uses its number again', async () => {
    const { files, paths } = await writtenLog([1, 1]);
    for (const size of [0, 1, HEADER_BYTES - 1, HEADER_BYTES]) {
      files.damage(paths[1]!, (bytes) => bytes.slice(0, size));
      expect(startsOf(await readAll(files))).toEqual([0]);
      const store = await openTestIngest(files);
      expect(store.ingest.recovery.damaged).toEqual([]);
      expect((await store.ingest.write('t', cpuRequest('a', 1))).profiles).toBe(2);
      const { segments } = await store.ingest.position();
      expect(segments.map((s) => s.sequence)).toEqual([1, 2]);
      expect(startsOf(await store.stored())).toEqual([0, 1]);
      await store.ingest.close();
    }
  });

  it('puts a damaged segment aside, keeps its good part and says so', async () => {
    const { files, paths, ends } = await writtenLog([3, 2]);
    files.damage(paths[0]!, (bytes) => {
      const changed = bytes.slice();
      changed[ends[0]![0]! + 100]! ^= 4;
      return changed;
    });
    const damaged = (await files.readAll(paths[0]!)).slice();
    const reader = new SegmentReader({ files, dir: LOG_DIR });
    const [position] = (await listLogPosition(files, LOG_DIR)).segments;
    await expect(reader.view(position!)).rejects.toMatchObject({ kind: 'corrupt' });

    const store = await openTestIngest(files);
    const { recovery } = store.ingest;
    expect(recovery.tornSegments).toBe(0);
    expect(recovery.damaged).toEqual([
      { sequence: 1, keptAs: `${paths[0]}.damaged`, lostBytes: damaged.length - ends[0]![0]! },
    ]);
    expect(await files.readAll(`${paths[0]}.damaged`)).toEqual(damaged);
    expect(startsOf(await store.stored())).toEqual([0, 3, 4]);
    await store.ingest.close();
    expect(startsOf(await readAll(files))).toEqual([0, 3, 4]);
    const after = await openTestIngest(files);
    expect(after.ingest.recovery).toMatchObject({ damaged: [], tornBytes: 0 });
    expect(startsOf(await after.stored())).toEqual([0, 3, 4]);
    await after.ingest.close();
  });

  it('tells damage before the tail of the newest segment from a torn tail', async () => {
    const { files, paths, ends } = await writtenLog([3]);
    files.damage(paths[0]!, (bytes) => {
      const changed = bytes.slice();
      changed[ends[0]![0]! + 40]! ^= 1;
      return changed;
    });
    const store = await openTestIngest(files);
    expect(store.ingest.recovery.damaged).toHaveLength(1);
    expect(startsOf(await store.stored())).toEqual([0]);
    await store.ingest.close();
  });

  it('makes a damaged header anew: the commits say all that it said', async () => {
    const { files, paths } = await writtenLog([2, 1]);
    for (const at of [0, 9, 13, 20, 33, 50]) {
      files.damage(paths[0]!, (bytes) => {
        const changed = bytes.slice();
        changed[at]! ^= 255;
        return changed;
      });
      const reader = new SegmentReader({ files, dir: LOG_DIR });
      const [position] = (await listLogPosition(files, LOG_DIR)).segments;
      await expect(reader.view(position!)).rejects.toMatchObject({ kind: 'corrupt' });
      const store = await openTestIngest(files);
      expect(store.ingest.recovery.damaged).toHaveLength(1);
      expect(startsOf(await store.stored())).toEqual([0, 1, 2]);
      await store.ingest.close();
    }
  });

  it('detects every flipped bit of a sealed segment (I8)', async () => {
    const { files, paths } = await writtenLog([2, 1]);
    const whole = (await files.readAll(paths[0]!)).slice();
    const [position] = (await listLogPosition(files, LOG_DIR)).segments;
    const good = storedProfiles(await new SegmentReader({ files, dir: LOG_DIR }).view(position!));
    for (let bit = 3; bit < whole.length * 8; bit += 211) {
      files.damage(paths[0]!, () => {
        const changed = whole.slice();
        changed[bit >> 3]! ^= 1 << (bit & 7);
        return changed;
      });
      const view = new SegmentReader({ files, dir: LOG_DIR }).view(position!);
      await expect(view, `bit ${bit}`).rejects.toMatchObject({ kind: 'corrupt' });
    }
    files.damage(paths[0]!, () => whole);
    const again = await new SegmentReader({ files, dir: LOG_DIR }).view(position!);
    expect(storedProfiles(again)).toEqual(good);
  });

  it('never uses a number twice, though everything was consumed', async () => {
    const { files } = await writtenLog([2]);
    const store = await openTestIngest(files);
    const { segments } = await store.ingest.seal();
    await store.ingest.consumed('t', segments.at(-1)!.sequence);
    expect(await store.stored()).toEqual([]);
    files.crash();
    const after = await openTestIngest(files);
    await after.ingest.write('t', cpuRequest('a', 50));
    const position = await after.ingest.position();
    expect(position.segments.map((s) => s.sequence)).toEqual([2]);
    expect(position.segments[0]?.instance).toBe(segments[0]?.instance);
    await after.ingest.close();
  });

  it('keeps a segment until every tenant in it consumed it, and deletes in order', async () => {
    const store = await openTestIngest(new LossyFiles());
    await store.ingest.write('t', cpuRequest('a', 1));
    await store.ingest.write('u', cpuRequest('a', 1));
    await store.ingest.seal();
    await store.ingest.write('t', cpuRequest('a', 2));
    await store.ingest.seal();
    await store.ingest.write('u', cpuRequest('a', 3));
    await store.ingest.consumed('t', 2);
    const sequences = async (): Promise<number[]> =>
      (await store.ingest.position()).segments.map((s) => s.sequence);
    expect(await sequences()).toEqual([1, 2, 3]);
    await store.ingest.consumed('u', 1);
    expect(await sequences()).toEqual([3]);
    await store.ingest.close();
  });
});

async function readAll(files: LossyFiles): Promise<{ startNs: bigint }[]> {
  const reader = new SegmentReader({ files, dir: LOG_DIR });
  const { segments } = await listLogPosition(files, LOG_DIR);
  const views = await Promise.all(segments.map((s) => reader.view(s)));
  return views.flatMap(storedProfiles);
}
