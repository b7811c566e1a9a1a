/**
 * One scan that several threads sum: its rows are cut into tasks, whoever is free takes the next one, and each ends with
 * sums of its own by key, which are added up. The query's thread takes part and waits for nobody who took nothing, so
 * that helpers which are still starting, or busy, cost it no time (docs/adr/0020-helpers-sum-large-scans.md).
 */
import { StoreError } from '../base/errors.js';
import type { BlockReader, RowGroupMeta, RowRange } from '../block/types.js';
import { meterReads, noteReads, type ReadCosts } from '../env/read-meter.js';
import { wordsOf } from './kernels.js';
import { acquireSums, releaseSums, type SumKernel } from './sum-kernel.js';

/** What a helper is asked: rows of the samples of one block. */
export interface SharedScan {
  readonly tenantId: string;
  readonly blockId: string;
  readonly column: number;
  /** Keys of all rows are below it. */
  readonly keyCount: number;
  /** Sorted, disjoint ranges of each task. */
  readonly tasks: readonly (readonly RowRange[])[];
  /** For a TaskQueue. */
  readonly queue: SharedArrayBuffer;
}

export interface HelperSums {
  /** Absent if the helper took no task: low and high word of each key's sum. */
  readonly words?: Int32Array;
  /** A key that is none, in place of sums. */
  readonly strayKey?: number;
  readonly reads: ReadCosts;
}

export interface ScanHelpers {
  /** Of those that are there now. */
  readonly count: number;
  /** A task has about as many rows: nobody waits long for the last one, and taking it costs little beside it. */
  readonly taskRows: number;
  /** Told after a large scan: starts those that are not there. */
  wake(): void;
  /** One promise for each of the first `count` helpers. */
  sum(scan: SharedScan, signal: AbortSignal): readonly Promise<HelperSums>[];
}

/** Tasks that one thread has begun: the next one is fetched while one is decoded. */
const TASKS_AT_ONCE = 2;

/** Tasks by number, for threads to take: element 0 is the next, element 1 + h whether helper h took any. */
export class TaskQueue {
  readonly shared: SharedArrayBuffer;
  readonly #cells: Int32Array;
  readonly #count: number;

  static make(count: number, helpers: number): TaskQueue {
    return new TaskQueue(new SharedArrayBuffer(4 * (1 + helpers)), count);
  }

  constructor(shared: SharedArrayBuffer, count: number) {
    this.shared = shared;
    this.#cells = new Int32Array(shared);
    this.#count = count;
  }

  /** Undefined when all are taken. */
  take(): number | undefined {
    const task = Atomics.add(this.#cells, 0, 1);
    return task < this.#count ? task : undefined;
  }

  /** For helper `helper`. It says so before it takes one: where nobody has said so when none is left, all is done. */
  takeFirst(helper: number): number | undefined {
    Atomics.store(this.#cells, 1 + helper, 1);
    const task = this.take();
    if (task === undefined) Atomics.store(this.#cells, 1 + helper, 0);
    return task;
  }

  /** Whether helper `helper` took a task. It cannot any more once `take` has found none. */
  isAtWork(helper: number): boolean {
    return Atomics.load(this.#cells, 1 + helper) === 1;
  }

  /** Leaves nothing to take. */
  stop(): void {
    Atomics.store(this.#cells, 0, this.#count);
  }
}

/** Ranges (sorted, disjoint) cut at row groups into tasks of some `taskRows` rows. */
export function tasksOf(
  groups: readonly RowGroupMeta[],
  ranges: readonly RowRange[],
  taskRows: number,
): readonly (readonly RowRange[])[] {
  const tasks: RowRange[][] = [];
  let task: RowRange[] = [];
  let rows = 0;
  let g = 0;
  for (const range of ranges) {
    for (let start = range.start; start < range.end; ) {
      const before = g;
      while (g < groups.length && groupEnd(groups[g]!) <= start) g++;
      if (rows >= taskRows && g > before) {
        tasks.push(task);
        task = [];
        rows = 0;
      }
      const group = groups[g];
      const end = Math.min(range.end, group === undefined ? range.end : groupEnd(group));
      const last = task.at(-1);
      if (last?.end === start) task[task.length - 1] = { start: last.start, end };
      else task.push({ start, end });
      rows += end - start;
      start = end;
    }
  }
  if (task.length > 0) tasks.push(task);
  return tasks;
}

function groupEnd({ firstRow, rowCount }: RowGroupMeta): number {
  return firstRow + rowCount;
}

export interface OwnShare {
  readonly reader: BlockReader;
  readonly kernel: SumKernel;
  readonly signal: AbortSignal;
  /** Called between runs of rows; may throw. */
  readonly check: () => void;
}

/** Adds the rows of `scan` to the kernel; false if a helper was lost with what it had: then the kernel is as if new. */
export async function sumTogether(
  scan: Omit<SharedScan, 'queue'>,
  helpers: ScanHelpers,
  own: OwnShare,
): Promise<boolean> {
  const queue = TaskQueue.make(scan.tasks.length, helpers.count);
  const answers = helpers.sum({ ...scan, queue: queue.shared }, own.signal);
  // Those of helpers that took nothing are not waited for.
  for (const answer of answers) answer.catch(() => undefined);
  try {
    await sumTasks(scan, queue, { ...own, first: queue.take() });
  } finally {
    queue.stop();
  }
  let keys: Int32Array | undefined;
  for (const [helper, answer] of answers.entries()) {
    if (!queue.isAtWork(helper)) continue;
    const sums = await answerOf(answer);
    if (sums === undefined) {
      own.kernel.reset(scan.keyCount);
      return false;
    }
    noteReads(sums.reads);
    const { words, strayKey } = sums;
    if (words !== undefined) {
      keys ??= allKeys(scan.keyCount);
      own.kernel.add({ key: keys, words }, 0, scan.keyCount);
    }
    if (strayKey !== undefined) {
      own.kernel.add({ key: Int32Array.of(strayKey), words: new Int32Array(2) }, 0, 1);
    }
  }
  return true;
}

function allKeys(count: number): Int32Array {
  const keys = new Int32Array(count);
  for (let k = 0; k < count; k++) keys[k] = k;
  return keys;
}

/** Undefined if the helper's thread is gone. */
async function answerOf(answer: Promise<HelperSums>): Promise<HelperSums | undefined> {
  try {
    return await answer;
  } catch (error) {
    const { code } = StoreError.from(error);
    if (code === 'PS_THREAD_EXIT' || code === 'PS_THREAD_CLOSED') return undefined;
    throw error;
  }
}

/** What a helper does: sums of the tasks that it took. */
export async function helperSums(
  scan: SharedScan,
  helper: number,
  how: {
    readonly open: () => Promise<BlockReader>;
    readonly signal: AbortSignal;
  },
): Promise<HelperSums> {
  const queue = new TaskQueue(scan.queue, scan.tasks.length);
  const { value, reads } = await meterReads(async () => {
    // Ready before it takes anything: whoever has done the rest waits for what it took.
    const reader = await how.open();
    const first = queue.takeFirst(helper);
    if (first === undefined) return {};
    const kernel = acquireSums(scan.keyCount);
    try {
      await sumTasks(scan, queue, { reader, kernel, first, ...how, check: () => undefined });
      const found = kernel.finish();
      return 'words' in found ? { words: found.words.slice() } : found;
    } finally {
      releaseSums(kernel);
    }
  });
  return { ...value, reads };
}

async function sumTasks(
  { column, tasks }: Pick<SharedScan, 'column' | 'tasks'>,
  queue: TaskQueue,
  { reader, kernel, signal, check, first }: OwnShare & { readonly first: number | undefined },
): Promise<void> {
  const sum = (task: number): Promise<void> => {
    const request = { ranges: tasks[task]!, valueColumns: [column], isUnordered: true, signal };
    return reader.scan(request, ({ key, values, rowCount }) => {
      check();
      kernel.add({ key, words: wordsOf(values[0]!) }, 0, rowCount);
    });
  };
  const work = async (begin: number | undefined): Promise<void> => {
    try {
      for (let task = begin; task !== undefined; task = queue.take()) await sum(task);
    } catch (error) {
      // What others would still find is worth nothing.
      queue.stop();
      throw error;
    }
  };
  const others = Array.from({ length: TASKS_AT_ONCE - 1 }, () => work(queue.take()));
  const all = await Promise.allSettled([work(first), ...others]);
  for (const result of all) if (result.status === 'rejected') throw result.reason;
}
