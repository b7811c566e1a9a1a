import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openStore } from '../../../src/index.js';
import { plainPprof } from '../../support/plain-pprof.js';

const TYPE = { type: 'cpu', unit: 'nanoseconds' };
const profile = (startMs: number, values: readonly bigint[]): Uint8Array =>
  plainPprof({
    types: [TYPE],
    periodType: 'cpu',
    periodUnit: 'nanoseconds',
    startMs,
    samples: values.map((value, i) => ({ functions: ['main', `f${i}`], values: [value] })),
  });

describe('values near the end of 64 bits', () => {
  it('are refused before they can make a compaction fail; the largest that are accepted come through it', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'basalt-totals-'));
    const store = await openStore({ dir, threads: false, compaction: 'manual' });
    try {
      const labels = [{ name: 'service_name', value: 'api' }];
      const write = (startMs: number, values: readonly bigint[]) =>
        store.write({ labels, profile: profile(startMs, values), temporality: 'cumulative' });
      await expect(write(1_000, [2n ** 62n, 1n])).rejects.toMatchObject({
        code: 'PS_PROFILE_TOTAL',
      });
      await expect(write(1_000, [2n ** 61n, -(2n ** 61n)])).rejects.toMatchObject({
        code: 'PS_PROFILE_TOTAL',
      });
      // A delta may use all 64 bits, as long as its total does.
      await store.write({
        labels,
        profile: profile(9_000, [2n ** 63n - 1n]),
        temporality: 'delta',
      });
      await expect(
        store.write({
          labels,
          profile: profile(9_000, [2n ** 63n - 1n, 1n]),
          temporality: 'delta',
        }),
      ).rejects.toMatchObject({ code: 'PS_PROFILE_TOTAL' });
      await write(2_000, [-(2n ** 61n), 2n ** 60n]);
      await write(3_000, [2n ** 61n, 2n ** 60n]);
      await store.compact({ full: true });
      const answer = await store.query.mergeFolded({
        tenantId: 'anonymous',
        selector: '{}',
        startMs: 0,
        endMs: 8_000,
        profileType: 'process_cpu:cpu:nanoseconds:cpu:nanoseconds',
      });
      expect(Buffer.from(answer.body).toString()).toBe(`main;f0 ${2n ** 62n}\n`);
    } finally {
      await store.close();
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
