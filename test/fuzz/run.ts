/**
 * Long runs: `npm run fuzz -- --executions 10000000 [--seed 7] [--target jfr]`. Executions are spread over the parsers.
 * One line a parser; ends with code 1 and the bytes when one of them fails.
 */
import { parseArgs } from 'node:util';
import { fuzz, FuzzRng } from './fuzz.js';
import { FUZZ_TARGETS } from './targets.js';

const { values } = parseArgs({
  options: {
    executions: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: '1' },
    target: { type: 'string' },
  },
});
const targets = FUZZ_TARGETS.filter(
  (one) => values.target === undefined || one.name === values.target,
);
const each = Math.ceil(Number(values.executions) / Math.max(1, targets.length));
let failed = targets.length === 0;
for (const target of targets) {
  const begin = performance.now();
  try {
    const { taken, refused, slowestMs } = await fuzz(
      target,
      each,
      new FuzzRng(Number(values.seed)),
    );
    const seconds = ((performance.now() - begin) / 1_000).toFixed(1);
    const rssMb = Math.round(process.memoryUsage().rss / (1 << 20));
    console.log(
      `${target.name}: ${taken} taken, ${refused} refused in ${seconds} s, slowest ${slowestMs.toFixed(1)} ms, ${rssMb} MB resident`,
    );
  } catch (error) {
    failed = true;
    console.log(error instanceof Error ? error.message.slice(0, 20_000) : String(error));
  }
}
process.exitCode = failed ? 1 : 0;
