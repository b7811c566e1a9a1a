import { describe, expect, it } from 'vitest';
import type { BlockLineage, LogClaim } from '../../../src/manifest/lineage.js';
import { type FoundBlock, planRebuild } from '../../../src/manifest/rebuild.js';

const LOG = 'log';

function claim(afterSequence: number, sequence: number, day = 0): LogClaim {
  return { instance: LOG, afterSequence, sequence, startNs: BigInt(day), endNs: BigInt(day + 1) };
}

function block(blockId: string, baseVersion: number, lineage: Partial<BlockLineage>): FoundBlock {
  const claims = lineage.claims ?? [];
  const watermarks = [{ instance: LOG, sequence: claims[0]?.afterSequence ?? 0 }];
  const rest = { watermarks, firstSequence: 0, isLast: false };
  return { blockId, lineage: { baseVersion, ...rest, ...lineage, claims } };
}

/** Of segments (after, last], made on a version. */
const one = (id: string, base: number, after: number, last: number): FoundBlock =>
  block(id, base, { claims: [claim(after, last)], firstSequence: after + 1, isLast: true });

const carry = (objectKey: string, baseVersion: number, sequence: number) => ({
  objectKey,
  service: 's',
  lineage: { baseVersion, consumed: [{ instance: LOG, sequence }] },
});

describe('a rebuild', () => {
  it('takes a merged block instead of its inputs, and what came after', () => {
    const merged = block('m', 5, { claims: [claim(0, 4)] });
    const found = [one('a', 0, 0, 2), one('b', 1, 2, 4), merged, one('c', 6, 4, 5)];
    const log = { instance: LOG, firstSequence: 6 };
    const plan = planRebuild(found, [carry('old', 1, 4), carry('new', 6, 5)], log);
    expect(plan.blocks).toEqual(['c', 'm']);
    expect(plan.watermarks).toEqual([{ instance: LOG, sequence: 5 }]);
    expect(plan.carries.map((c) => c.objectKey)).toEqual(['new']);
    expect(plan.baseVersionMax).toBe(6);
    expect(plan.leftOut.map((b) => b.blockId).sort()).toEqual(['a', 'b']);
  });

  it('leaves to the log what nobody saw committed, and with it its carry', () => {
    const found = [one('a', 0, 0, 2), one('b', 1, 2, 4)];
    const carries = [carry('a', 0, 2), carry('b', 1, 4)];
    const plan = planRebuild(found, carries, { instance: LOG, firstSequence: 3 });
    expect(plan.blocks).toEqual(['a']);
    expect(plan.watermarks).toEqual([{ instance: LOG, sequence: 2 }]);
    expect(plan.carries.map((c) => c.objectKey)).toEqual(['a']);
    // Without the log it counts: its compaction wrote all that it had to write.
    expect(planRebuild(found, carries, undefined).blocks).toEqual(['a', 'b']);
  });

  it('drops what a crash cut off between two days, where the log is not at hand', () => {
    const first = block('x', 1, { claims: [claim(2, 4, 0)], firstSequence: 3 });
    const last = block('y', 1, { claims: [claim(2, 4, 1)], firstSequence: 3, isLast: true });
    expect(planRebuild([one('a', 0, 0, 2), first], [], undefined)).toMatchObject({
      blocks: ['a'],
      watermarks: [{ instance: LOG, sequence: 2 }],
    });
    expect(planRebuild([first, last], [], undefined).blocks).toEqual(['x', 'y']);
    // Seen as consumed by a later block, it counts whatever became of the other day.
    expect(planRebuild([first, one('z', 2, 4, 5)], [], undefined).blocks).toEqual(['x', 'z']);
  });

  it('prefers of two attempts the one whose successor counts', () => {
    // The first attempt took one segment more and crashed; the second was committed, and another after it.
    const found = [one('z', 3, 4, 9), one('x', 3, 4, 8), one('w', 4, 8, 12)];
    const plan = planRebuild(found, [], { instance: LOG, firstSequence: 13 });
    expect(plan.blocks).toEqual(['w', 'x']);
  });

  it('leaves out what does not say where it comes from', () => {
    const plan = planRebuild([block('u', 0, {})], [], undefined);
    expect(plan.blocks).toEqual([]);
    expect(plan.leftOut).toHaveLength(1);
  });
});
