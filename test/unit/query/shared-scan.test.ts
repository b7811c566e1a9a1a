import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RowGroupMeta, RowRange } from '../../../src/block/types.js';
import { TaskQueue, tasksOf } from '../../../src/query/shared-scan.js';

const GROUP = 8;
const groups = Array.from(
  { length: 6 },
  (_, g) => ({ firstRow: g * GROUP, rowCount: GROUP, columns: [] }) as unknown as RowGroupMeta,
);
const rowsOf = (ranges: readonly RowRange[]): number[] =>
  ranges.flatMap(({ start, end }) => Array.from({ length: end - start }, (_, i) => start + i));

/** Sorted, disjoint. */
const someRanges = fc
  .uniqueArray(fc.nat(GROUP * groups.length), { maxLength: 12 })
  .map((cuts) => cuts.sort((a, b) => a - b))
  .map((cuts) =>
    Array.from({ length: cuts.length >> 1 }, (_, i) => ({
      start: cuts[2 * i]!,
      end: cuts[2 * i + 1]!,
    })),
  );

describe('the tasks of a shared scan', () => {
  it('are all rows, each once and in order, no row group in two of them', () => {
    fc.assert(
      fc.property(someRanges, fc.integer({ min: 1, max: 30 }), (ranges, taskRows) => {
        const tasks = tasksOf(groups, ranges, taskRows);
        expect(tasks.flatMap(rowsOf)).toEqual(rowsOf(ranges));
        const owner = new Map<number, number>();
        tasks.forEach((task, t) => {
          for (const row of rowsOf(task)) {
            const group = Math.floor(row / GROUP);
            expect(owner.get(group) ?? t).toBe(t);
            owner.set(group, t);
          }
          if (t < tasks.length - 1) expect(rowsOf(task).length).toBeGreaterThanOrEqual(taskRows);
          expect(rowsOf(task).length).toBeLessThan(taskRows + GROUP);
        });
      }),
    );
  });

  it('are taken once each, whoever takes them', () => {
    const own = TaskQueue.make(3, 2);
    const helper = new TaskQueue(own.shared, 3);
    expect([own.take(), helper.takeFirst(1), own.take(), own.take()]).toEqual([0, 1, 2, undefined]);
    expect([own.isAtWork(0), own.isAtWork(1)]).toEqual([false, true]);
    expect(helper.takeFirst(0)).toBeUndefined();
    expect(own.isAtWork(0)).toBe(false);
  });

  it('are none any more once it was stopped', () => {
    const queue = TaskQueue.make(3, 1);
    queue.stop();
    expect([queue.take(), queue.takeFirst(0)]).toEqual([undefined, undefined]);
  });
});
