import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ByteRun, ByteRing } from '../../../src/env/byte-ring.js';

const SIZE = 256;

/** A put of so many bytes, or the release of one of the runs that are held. */
const step = fc.oneof(
  fc.record({ put: fc.integer({ min: 0, max: 120 }) }),
  fc.record({ release: fc.nat() }),
);

function filled(length: number, mark: number): Uint8Array {
  return new Uint8Array(length).fill(mark);
}

describe('ByteRing', () => {
  it('keeps what is held, whatever is put and released in any order', async () => {
    await fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const ring = new ByteRing(SIZE);
        const seen = new Uint8Array(ring.shared);
        const held: { run: ByteRun; mark: number }[] = [];
        let mark = 0;
        for (const next of steps) {
          if ('put' in next) {
            mark = (mark % 255) + 1;
            const run = ring.put(filled(next.put, mark));
            if (run === undefined) expect(held.length).toBeGreaterThan(0);
            else held.push({ run, mark });
          } else if (held.length > 0) {
            const [gone] = held.splice(next.release % held.length, 1);
            ring.release((gone as { run: ByteRun }).run);
          }
          for (const { run, mark: of } of held) {
            const bytes = seen.slice(run.at, run.at + run.length);
            expect(bytes).toEqual(filled(run.length, of));
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  it('takes as much as it has, and again when all of it was given back', () => {
    const ring = new ByteRing(SIZE);
    for (let round = 0; round < 5; round++) {
      const runs = [ring.put(filled(100, 1)), ring.put(filled(100, 2))] as ByteRun[];
      expect(ring.put(filled(100, 3))).toBeUndefined();
      expect(ring.put(filled(SIZE + 1, 3))).toBeUndefined();
      for (const run of runs.reverse()) ring.release(run);
      const whole = ring.put(filled(SIZE, 4)) as ByteRun;
      expect(whole.length).toBe(SIZE);
      ring.release(whole);
    }
  });
});
