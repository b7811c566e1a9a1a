/** Decoding and summing the rows of a whole store by key, on one thread, from its files. */
import { openBlock } from '../../src/block/reader.js';
import { systemClock } from '../../src/env/clock.js';
import { nodeFileSystem } from '../../src/env/node-files.js';
import { systemRng } from '../../src/env/rng.js';
import { wordsOf } from '../../src/query/kernels.js';
import { acquireSums, releaseSums } from '../../src/query/sum-kernel.js';
import { dataLayout, openStoreBucket } from '../../src/store/layout.js';
import { isQuick, printFigure } from './figures.js';

const ROUNDS = isQuick ? 3 : 15;
const BUDGET_ROWS = 50_000_000;
const TENANT = 'anonymous';

/** Prints rows per second of CPU, the best of several rounds: as whole row groups are summed, and as parts of them are. */
export async function scanStore(
  name: string,
  dataDir: string,
  blockIds: readonly string[],
): Promise<void> {
  const environment = { files: nodeFileSystem, clock: systemClock, rng: systemRng };
  const bucket = await openStoreBucket(dataLayout(dataDir), {}, environment);
  for (const isUnordered of [true, false]) {
    let least = Number.POSITIVE_INFINITY;
    let rows = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const before = process.cpuUsage();
      rows = 0;
      for (const blockId of blockIds) {
        const reader = await openBlock(bucket, TENANT, blockId);
        const keyCount = Math.max(...reader.meta.services.map((service) => service.keyCount));
        const sums = acquireSums(keyCount);
        const ranges = [{ start: 0, end: reader.meta.sampleCount }];
        await reader.scan({ ranges, valueColumns: [0], isUnordered }, (run) => {
          sums.add({ key: run.key, words: wordsOf(run.values[0]!) }, 0, run.rowCount);
          rows += run.rowCount;
        });
        if ('strayKey' in sums.finish()) throw new Error('a key must be one of its service');
        releaseSums(sums);
      }
      const { user, system } = process.cpuUsage(before);
      least = Math.min(least, (user + system) / 1_000);
    }
    printFigure({
      figure: `${name}: decode and sum (key, v1) by key${isUnordered ? '' : ', rows by profile'}`,
      value: (rows / least) * 1_000,
      unit: 'rows/CPU s',
      compare: [{ to: 'budget', value: BUDGET_ROWS }],
      detail: { rows, cpuMs: least },
    });
  }
}
