/**
 * Planted regressions: how many are found by size, and how many are named where there is none, in days made of recorded
 * profiles of four services.
 *
 *     npx tsx bench/regressions.bench.ts [--quick]
 */
import { mulberry32 } from '../test/support/lossy-files.js';
import { plant, recordedStacks, searchDay, STEP_MS } from '../test/support/planted-days.js';
import { isQuick, printFigure } from './support/figures.js';

const SERVICES = isQuick ? ['nats'] : ['prometheus', 'caddy', 'etcd', 'nats'];
const SIZES = isQuick ? [0.05] : [0.01, 0.02, 0.03, 0.05, 0.1];
const DAYS = isQuick ? 4 : 10;
const FOUND_MIN = 0.9;

async function main(): Promise<void> {
  const services = SERVICES.map((name) => recordedStacks(name, 71)).filter((r) => r !== undefined);
  if (services.length === 0) {
    console.error('# no recordings beside the checkout: nothing to plant into');
    return;
  }
  for (const share of SIZES) {
    let found = 0;
    let others = 0;
    for (const [s, recorded] of services.entries()) {
      const random = mulberry32(1_000 + s);
      for (let day = 0; day < DAYS; day++) {
        const planted = plant(random, recorded, share);
        const onStack = new Set(JSON.parse(planted.stack) as string[]);
        const { regressions } = await searchDay(random, recorded, planted);
        const hits = regressions.filter(
          (r) =>
            onStack.has(r.functionName) && Math.abs(r.changedMs / STEP_MS - planted.atStep) <= 2,
        );
        if (hits.length > 0) found++;
        others += regressions.length - hits.length;
      }
    }
    const days = services.length * DAYS;
    printFigure({
      figure: `regressions: found of those planted with ${share * 100} % of the CPU`,
      value: found / days,
      unit: 'share',
      ...(share === 0.05 ? { compare: [{ to: 'least share wanted', value: FOUND_MIN }] } : {}),
      detail: { days, othersADay: others / days },
    });
  }
  let alarms = 0;
  let ms = 0;
  for (const [s, recorded] of services.entries()) {
    const random = mulberry32(2_000 + s);
    for (let day = 0; day < DAYS; day++) {
      const begin = performance.now();
      alarms += (await searchDay(random, recorded)).regressions.length;
      ms += performance.now() - begin;
    }
  }
  const days = services.length * DAYS;
  printFigure({
    figure: 'regressions: false alarms a service and day',
    value: alarms / days,
    unit: 'alarms',
    compare: [{ to: 'most wanted', value: 1 }],
    detail: { days, msASearchAndItsData: Math.round(ms / days) },
  });
}

await main();
