import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  claimRest,
  claimsOverlap,
  joinClaims,
  type LogClaim,
  mergedLineage,
  NO_LINEAGE,
} from '../../../src/manifest/lineage.js';

const SIDE = 6;
const point = fc.nat(SIDE - 1);
const claim = fc
  .record({
    instance: fc.constantFrom('a', 'b'),
    log: fc.tuple(point, point),
    time: fc.tuple(point, point),
  })
  .map(({ instance, log, time }): LogClaim => {
    const [after, last] = log[0] <= log[1] ? log : [log[1], log[0]];
    const [start, end] = time[0] <= time[1] ? time : [time[1], time[0]];
    return {
      instance,
      afterSequence: after,
      sequence: last + 1,
      startNs: BigInt(start),
      endNs: BigInt(end + 1),
    };
  });

/** The obvious model: every (instance, segment, nanosecond) of a claim. */
function cells(claims: readonly LogClaim[]): string[] {
  const out: string[] = [];
  for (const { instance, afterSequence, sequence, startNs, endNs } of claims) {
    for (let s = afterSequence + 1; s <= sequence; s++) {
      for (let t = startNs; t < endNs; t++) out.push(`${instance}/${s}/${t}`);
    }
  }
  return out.sort();
}

/** Claims of which no two overlap, as those of live blocks. */
const disjoint = fc.array(claim, { maxLength: 8 }).map((list) => {
  const kept: LogClaim[] = [];
  for (const next of list) if (!kept.some((k) => claimsOverlap(k, next))) kept.push(next);
  return kept;
});

describe('claims', () => {
  it('overlap when they share a cell', () => {
    fc.assert(
      fc.property(claim, claim, (a, b) => {
        const shared = new Set(cells([a]));
        expect(claimsOverlap(a, b)).toBe(cells([b]).some((cell) => shared.has(cell)));
      }),
    );
  });

  it('join without losing or adding anything, in any order', () => {
    fc.assert(
      fc.property(disjoint, fc.nat(), (list, turn) => {
        const joined = joinClaims(list);
        expect(cells(joined)).toEqual(cells(list));
        const turned = [...list.slice(turn % (list.length || 1)), ...list].slice(0, list.length);
        expect(cells(joinClaims(turned))).toEqual(cells(turned));
        expect(joinClaims(joined)).toEqual(joinClaims(joinClaims(joined)));
      }),
    );
  });

  it('of a week compacted again and again become one', () => {
    const day = (instance: string, sequence: number, at: number): LogClaim => ({
      instance,
      afterSequence: sequence - 1,
      sequence,
      startNs: BigInt(at),
      endNs: BigInt(at + 1),
    });
    const inputs = Array.from({ length: 70 }, (_, i) => day('a', 1 + (i % 10), Math.floor(i / 10)));
    const merged = mergedLineage(
      { version: 9, watermarks: [{ instance: 'a', sequence: 10 }] },
      inputs.map((c) => ({ ...NO_LINEAGE, claims: [c], firstSequence: 3, isLast: true })),
    );
    expect(merged).toEqual({
      baseVersion: 9,
      watermarks: [{ instance: 'a', sequence: 10 }],
      claims: [{ instance: 'a', afterSequence: 0, sequence: 10, startNs: 0n, endNs: 7n }],
      firstSequence: 0,
      isLast: false,
    });
  });

  it('leave of a claim what no other has', () => {
    fc.assert(
      fc.property(claim, fc.array(claim, { maxLength: 6 }), (own, others) => {
        const taken = new Set(cells(others));
        expect(cells(claimRest(own, others))).toEqual(
          cells([own]).filter((cell) => !taken.has(cell)),
        );
      }),
    );
  });
});
