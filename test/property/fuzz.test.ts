/** Every parser of bytes from outside, for a bounded number of executions; `npm run fuzz` runs longer. */
import { describe, expect, it } from 'vitest';
import { fuzz, FuzzRng, mutate } from '../fuzz/fuzz.js';
import { FUZZ_TARGETS } from '../fuzz/targets.js';
import { SEED } from '../support/seed.js';

const EXECUTIONS = 2_000;

describe(`seed ${SEED}`, () => {
  it.each(FUZZ_TARGETS.map((target) => [target.name, target] as const))(
    '%s',
    async (_name, target) => {
      for (const bytes of target.seeds) target.run(bytes);
      const { taken, refused } = await fuzz(target, EXECUTIONS, new FuzzRng(SEED));
      expect(taken + refused).toBe(EXECUTIONS);
      expect(taken).toBeGreaterThan(0);
      expect(refused).toBeGreaterThan(0);
    },
  );

  it('finds what is no StoreError, and changes bytes by its seed alone', async () => {
    const bad = {
      name: 'bad',
      seeds: [Uint8Array.of(1, 2, 3)],
      run: (bytes: Uint8Array) => {
        if (bytes.length > 4) throw new TypeError('boom');
      },
    };
    await expect(fuzz(bad, 1_000, new FuzzRng(SEED))).rejects.toThrow(
      /bad with [0-9a-f]+: TypeError: boom/,
    );
    const runs = [0, 1].map(() => {
      const rng = new FuzzRng(SEED);
      return Array.from({ length: 50 }, () => [...mutate(bad.seeds, rng)]);
    });
    expect(runs[0]).toEqual(runs[1]);
  });
});
