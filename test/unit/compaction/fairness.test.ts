/** One run serves tenants in turn, and the log before them (I7). */
import { describe, expect, it } from 'vitest';
import { Compactor } from '../../../src/compaction/compactor.js';
import type { CompactionProgress } from '../../../src/compaction/report.js';
import { ManifestStore } from '../../../src/manifest/manifest-store.js';
import { MemoryBucket } from '../../../src/objstore/memory-bucket.js';
import { PlainBlocks, PlainSegments, type TenantProfile } from '../../support/compaction.js';
import { seededRng, VirtualClock } from '../../support/virtual-clock.js';

const HOUR_MS = 3_600_000;
const BASE_MS = 20_000 * 24 * HOUR_MS;

function profile(tenantId: string, number: number, startMs: number): TenantProfile {
  return {
    tenantId,
    profile: {
      name: 'cpu',
      types: [{ type: 'cpu', unit: 'ns', temporality: 'delta' }],
      periodType: 'p',
      periodUnit: 'u',
      labels: { service_name: 's' },
      startMs,
      id: `p${number}`,
      samples: [{ functions: [`f${number % 3}`], labels: {}, values: [1n] }],
    },
  };
}

describe('a tenant with much to merge', () => {
  it('takes turns with a tenant that has little, and with new segments', async () => {
    const bucket = new MemoryBucket();
    const clock = new VirtualClock(BASE_MS + 40 * 24 * HOUR_MS);
    const rng = seededRng(1);
    const segments = new PlainSegments();
    const manifests = new ManifestStore({ bucket, clock, rng });
    const blocks = new PlainBlocks(bucket);
    const dependencies = { bucket, clock, rng, manifests, blocks, segments };
    const settings = { levelZeroBytesMax: 1, mergeInputsMax: 2, mergeCountMin: 2 };
    // Blocks first, without a merge: each compactor stops at its first one.
    for (let i = 0; i < 16; i++) segments.add([profile('big', i, BASE_MS + i)]);
    for (let i = 0; i < 4; i++) segments.add([profile('small', i, BASE_MS + i)]);
    const done: string[] = [];
    const onProgress = ({ tenantId, kind }: CompactionProgress): void => {
      done.push(`${kind} ${tenantId}`);
      // Sealed while merges run: the next round begins with it.
      if (done.length === 22) segments.add([profile('late', 0, BASE_MS)]);
    };
    const compactor = new Compactor(dependencies, settings);
    const report = await compactor.runOnce({ onProgress });
    expect(report.failures).toEqual([]);

    const merges = done.slice(20);
    expect(done.slice(0, 20).every((step) => step.startsWith('level-zero'))).toBe(true);
    const lastSmall = merges.lastIndexOf('merge small');
    const bigBefore = merges.slice(0, lastSmall).filter((step) => step === 'merge big').length;
    const small = merges.filter((step) => step === 'merge small').length;
    expect(small).toBeGreaterThan(0);
    expect(bigBefore).toBeLessThanOrEqual(small);
    expect(merges.filter((step) => step === 'merge big').length).toBeGreaterThan(small);
    // The late segment waits for one round of merges at most.
    expect(merges.indexOf('level-zero late')).toBeGreaterThan(0);
    expect(merges.indexOf('level-zero late')).toBeLessThanOrEqual(4);
  });
});
