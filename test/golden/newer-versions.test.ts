/** A newer program's files are refused with a clear error and left alone, never taken for damage (I8, I9). */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodeBlockMeta } from '../../src/block/meta-codec.js';
import { crc32c } from '../../src/base/crc32c.js';
import { openMaintenance } from '../../src/index.js';
import { openIngest } from '../../src/ingest/ingest.js';
import { scanSegment } from '../../src/log/segment-scan.js';
import { decodeCarry } from '../../src/manifest/carry.js';
import { decodeBoundary, decodeManifest } from '../../src/manifest/manifest-codec.js';
import { HastyClock } from '../support/hasty-clock.js';
import { LossyFiles } from '../support/lossy-files.js';
import { growthWrite, markedWrite } from '../support/marked-profiles.js';
import { NO_BLOCKS } from '../support/no-blocks.js';
import { filesOf, filesWith, openOn, STORE_DIR } from '../support/stored-files.js';
import { seededRng } from '../support/virtual-clock.js';

const golden = (name: string): Uint8Array => readFileSync(new URL(name, import.meta.url));

/** The same file as a program would write it whose format has a version that this one does not know. */
function newer(bytes: Uint8Array): Uint8Array {
  const out = Uint8Array.from(bytes);
  const view = new DataView(out.buffer);
  view.setUint32(8, view.getUint32(8, true) + 9, true);
  const isSegment = Buffer.from(out.subarray(0, 8)).toString() === 'BASALTSG';
  if (isSegment) {
    view.setUint32(12, crc32c(out.subarray(16, 64), crc32c(out.subarray(0, 12))), true);
  }
  return out;
}

describe('a newer version', () => {
  it.each([
    ['manifest', 'manifest-v1', (b: Uint8Array) => decodeManifest('team-a', 9, b)],
    ['boundary', 'boundary-v1', decodeBoundary],
    ['carry', 'carry-v1', (b: Uint8Array) => decodeCarry({ service: 'shop', objectKey: 'carry/t/1' }, b)],
    ['block', 'block-v1/meta', decodeBlockMeta],
    ['block with sums', 'block-v2/meta', decodeBlockMeta],
  ] as const)('of a %s is refused', (_, name, decode) => {
    expect(() => decode(golden(name))).not.toThrow();
    expect(() => decode(newer(golden(name)))).toThrowError(
      expect.objectContaining({
        code: 'PS_ENVELOPE_VERSION',
        message: expect.stringMatching(/version 1[01]/),
      }),
    );
  });

  it('of a segment is refused, at the start too, and the file stays as it is', async () => {
    const bytes = golden('segment-v1/first.segment');
    const sequence = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(32, true));
    const scan = (b: Uint8Array) => scanSegment({ bytes: b, sequence, durableBytes: undefined });
    expect(scan(bytes.slice()).damagedBytes).toBe(0);
    expect(() => scan(newer(bytes))).toThrowError(
      expect.objectContaining({ code: 'PS_SEGMENT_VERSION' }),
    );
    const instance = '6f1c0a52-6f0e-4f5e-8f0e-3c0f4e0f7a10';
    const path = `/log/${instance}/${String(sequence).padStart(16, '0')}.segment`;
    const files = await filesWith(new Map([[path, newer(bytes)]]));
    const parts = { files, clock: new HastyClock(), rng: seededRng(1) };
    await expect(openIngest({ ...parts, logDir: '/log', store: NO_BLOCKS })).rejects.toMatchObject({
      code: 'PS_SEGMENT_VERSION',
    });
    expect(await filesOf(files, '/log')).toEqual(new Map([[path, newer(bytes)]]));
  });

  it('of a block, a carry or a manifest is not put aside by a repair or a rebuild', async () => {
    const disk = new LossyFiles();
    const store = await openOn(disk);
    await store.write(markedWrite(1));
    await store.write(growthWrite(0));
    await store.compact();
    await store.close();
    const stored = await filesOf(disk);
    for (const kind of ['/meta', '/carry/', '/manifest/']) {
      const path = [...stored.keys()].filter((name) => name.includes(kind)).at(-1) as string;
      const files = await filesWith(stored, path, newer(stored.get(path) as Uint8Array));
      const before = await filesOf(files);
      const environment = { files, clock: new HastyClock(), rng: seededRng(2) };
      const maintenance = await openMaintenance({ dir: STORE_DIR, environment });
      const work = kind === '/manifest/' ? maintenance.rebuildManifests() : maintenance.repair();
      await expect(work, kind).rejects.toMatchObject({ code: 'PS_ENVELOPE_VERSION' });
      await maintenance.close();
      expect(await filesOf(files)).toEqual(before);
    }
  });
});

describe('a manifest with a field that this program does not know', () => {
  it('is refused: the next commit would drop it', () => {
    const stored = golden('manifest-v1');
    // Field 1000, a varint.
    const body = Buffer.concat([stored.subarray(16), Uint8Array.of(0xc0, 0x3e, 0x01)]);
    const bytes = Buffer.concat([stored.subarray(0, 16), body]);
    bytes.writeUInt32LE(crc32c(body), 12);
    expect(() => decodeManifest('team-a', 9, bytes)).toThrowError(
      expect.objectContaining({ code: 'PS_MANIFEST_FIELDS' }),
    );
  });
});
