/** What version 1 of a manifest is, byte for byte (docs/format/manifest.md). `BASALT_WRITE_GOLDEN=1` writes it anew. */
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodeManifest, encodeManifest } from '../../src/manifest/manifest-codec.js';
import type { Manifest } from '../../src/manifest/types.js';

const FILE = new URL('manifest-v1', import.meta.url);

const MANIFEST: Manifest = {
  formatVersion: 1,
  tenantId: 'team-a',
  version: 9,
  blocks: [
    {
      blockId: '01jd0000000000000000000000',
      level: 2,
      startNsMin: -1_700_000_000_000_000_000n,
      startNsMax: 1_700_000_000_000_000_001n,
      profileCount: 3,
      sampleCount: 40,
      sizeBytes: 5_000,
      symbolBytes: 0,
      createdMs: 1_700_000_000_000,
      seriesTombstones: [7, 9],
      retentionStamp: '0123abcd',
    },
    {
      blockId: '01jd0000000000000000000001',
      level: 1,
      startNsMin: 1n,
      startNsMax: 2n,
      profileCount: 1,
      sampleCount: 0,
      sizeBytes: 400,
      symbolBytes: 0,
      createdMs: 1_700_000_000_001,
      seriesTombstones: [],
      retentionStamp: '',
    },
  ],
  watermarks: [{ instance: '6f1c0a52-6f0e-4f5e-8f0e-3c0f4e0f7a10', sequence: 12 }],
  carries: [
    {
      service: 'shop',
      objectKey: 'carry/team-a/01jd0000000000000000000002',
      sizeBytes: 77,
      seriesTombstones: [9],
      deletedSinceMs: 1_700_000_000_002,
    },
  ],
  tombstones: [
    {
      objectPrefix: 'blocks/team-a/01jd0000000000000000000003/',
      sizeBytes: 9,
      deleteAfterMs: 1_700_000_600_000,
    },
  ],
  seriesTombstones: [
    {
      id: 7,
      selector: '{service_name="shop",pod=~"a|b"}',
      startMs: -9_223_372_036_854,
      endMs: 1_700_000_000_000,
      createdMs: 1_700_000_000_003,
      covered: [],
    },
    {
      id: 9,
      selector: '{span_name!=""}',
      startMs: 0,
      endMs: 1,
      createdMs: 1_700_000_000_004,
      covered: [{ instance: '6f1c0a52-6f0e-4f5e-8f0e-3c0f4e0f7a10', sequence: 13 }],
    },
  ],
  fenceVersion: 4,
  recentNonces: ['00112233445566778899aabbccddeeff', 'ffeeddccbbaa99887766554433221100'],
};

describe('manifest, version 1', () => {
  it('is written as ever, and read back', () => {
    const bytes = encodeManifest(MANIFEST);
    if (process.env['BASALT_WRITE_GOLDEN'] === '1') writeFileSync(FILE, bytes);
    const golden = readFileSync(FILE);
    expect(Buffer.from(bytes).equals(golden)).toBe(true);
    expect(decodeManifest('team-a', 9, golden)).toEqual(MANIFEST);
  });
});
