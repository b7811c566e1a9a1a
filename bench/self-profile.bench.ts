/**
 * What self-profiling costs a busy main thread: work done with it and without, in turns, for each second of CPU time.
 *
 *     npx tsx bench/self-profile.bench.ts [--quick]
 */
import { systemClock } from '../src/env/clock.js';
import { PprofDecoder } from '../src/formats/pprof/decode.js';
import { startSelfProfile } from '../src/server/self-profile.js';
import { smallCpuProfile } from '../test/support/small-profile.js';
import { isQuick, printFigure } from './support/figures.js';

const ROUNDS = isQuick ? 3 : 9;
const ROUND_MS = isQuick ? 1_500 : 6_000;
const BREATH = 200;

const body = smallCpuProfile(Date.now());
const decoder = new PprofDecoder();

/** Profiles decoded and objects built for each second of CPU time of this process, profiling included. */
async function work(): Promise<number> {
  const end = performance.now() + ROUND_MS;
  const before = process.cpuUsage();
  let count = 0;
  let objects: object[] = [];
  while (performance.now() < end) {
    for (let i = 0; i < BREATH; i++) {
      decoder.decode(body);
      objects.push(JSON.parse('{"a":[1,2,3],"b":"text"}') as object);
      if (objects.length > 50_000) objects = [];
      count += 1;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { user, system } = process.cpuUsage(before);
  return count / ((user + system) / 1e6);
}

await work();
const ratios: number[] = [];
for (let round = 0; round < ROUNDS; round++) {
  const off = await work();
  const profile = await startSelfProfile({
    write: async () => undefined,
    clock: systemClock,
    // As in a server that has run for a while; one slice of two ends in each round.
    firstSliceMs: ROUND_MS / 2,
  });
  const on = await work();
  await profile.close();
  ratios.push(on / off);
}
ratios.sort((a, b) => a - b);
const median = ratios[ratios.length >> 1] ?? 1;
printFigure({ figure: 'self_profile_cost', value: (1 - median) * 100, unit: '% of CPU time' });
