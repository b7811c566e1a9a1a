import { describe, expect, it } from 'vitest';
import { findRise } from '../../src/query/regressions/change-point.js';
import { findRises } from '../../src/query/regressions/find.js';
import { StepShares } from '../../src/query/regressions/step-shares.js';
import { mulberry32 } from '../support/lossy-files.js';
import type { PlainProfile } from '../support/plain-store.js';
import { API_SERIES, memoryStore, TENANT } from '../support/query-store.js';
import { plant, recordedStacks, searchDay, STEP_MS } from '../support/planted-days.js';

const STEPS = 48;

/** Values of each step by stack, the leaf's function first. */
function shares(
  at: (step: number) => readonly (readonly [functions: readonly number[], value: number])[],
): StepShares {
  const made = new StepShares({ startMs: 0, stepMs: 1_000, steps: STEPS });
  for (let step = 0; step < STEPS; step++) {
    for (let profile = 0; profile < 4; profile++) {
      for (const [functions, value] of at(step)) made.add(functions, value);
      made.endProfile(BigInt(step * 1_000 + profile * 100) * 1_000_000n);
    }
  }
  return made;
}

const SETTINGS = { changeMin: 0.01, rate: 0.01 };
const MAIN = 0;
const HANDLE = 1;
const PRICE = 2;
const STORE = 3;
const IDLE = 4;

function search(values: (step: number, noise: () => number) => readonly [number, number, number]) {
  const random = mulberry32(3);
  const noise = (): number => 1 + (random() - 0.5) * 0.1;
  return findRises(
    shares((step) => {
      const [price, store, idle] = values(step, noise);
      return [
        [[PRICE, HANDLE, MAIN], price],
        [[STORE, HANDLE, MAIN], store],
        [[IDLE, MAIN], idle],
      ];
    }),
    SETTINGS,
  );
}

describe('change points', () => {
  it('lie where the series rose', () => {
    const random = mulberry32(5);
    for (let run = 0; run < 50; run++) {
      const at = 8 + Math.floor(random() * 32);
      const values = Float64Array.from(
        { length: STEPS },
        (_, i) => 0.1 + random() * 0.01 + (i >= at ? 0.05 : 0),
      );
      const rise = findRise(values);
      expect(Math.abs((rise?.at ?? -99) - at)).toBeLessThanOrEqual(1);
      expect(rise?.p).toBeLessThan(1e-6);
    }
  });

  it('are what the obvious search over all splits finds', () => {
    const random = mulberry32(9);
    const values = Float64Array.from({ length: 30 }, (_, i) => random() + (i > 17 ? 1 : 0));
    const mean = (list: Float64Array): number => list.reduce((a, b) => a + b, 0) / list.length;
    const squares = (list: Float64Array): number =>
      list.reduce((sum, v) => sum + (v - mean(list)) ** 2, 0);
    let best = { at: -1, t: 0 };
    for (let at = 6; at <= 24; at++) {
      const [a, b] = [values.slice(0, at), values.slice(at)];
      const variance = ((squares(a) + squares(b)) / 28) * (1 / a.length + 1 / b.length);
      const t = (mean(b) - mean(a)) / Math.sqrt(variance);
      if (t > best.t) best = { at, t };
    }
    expect(findRise(values)?.at).toBe(best.at);
  });

  it('are none where nothing rises or there is too little', () => {
    expect(findRise(new Float64Array(STEPS).fill(0.2))).toBeUndefined();
    expect(findRise(Float64Array.from({ length: STEPS }, (_, i) => -i))).toBeUndefined();
    expect(findRise(Float64Array.of(1, 2, 3))).toBeUndefined();
  });
});

describe('rises', () => {
  it('are found with their time', () => {
    const { rises } = search((step, noise) => [
      (step >= 20 ? 160 : 100) * noise(),
      100 * noise(),
      800 * noise(),
    ]);
    const own = rises.find((rise) => rise.kind === 'self');
    expect(own).toMatchObject({ f: PRICE, step: 20 });
    expect(own?.before).toBeCloseTo(0.1, 2);
    expect(own?.after).toBeCloseTo(160 / 1_060, 2);
  });

  it('that went away are not', () => {
    const { rises, goneAway } = search((step, noise) => [
      (step >= 20 && step < 40 ? 160 : 100) * noise(),
      100 * noise(),
      800 * noise(),
    ]);
    expect(rises.filter((rise) => rise.kind === 'self')).toEqual([]);
    expect(goneAway).toBeGreaterThan(0);
  });

  it('that only moved below one caller are not', () => {
    const { rises, shifted } = search((step, noise) => [
      (step >= 20 ? 160 : 100) * noise(),
      (step >= 20 ? 40 : 100) * noise(),
      800 * noise(),
    ]);
    expect(rises.filter((rise) => rise.kind === 'self')).toEqual([]);
    expect(shifted).toBe(1);
  });

  it('of a function that was renamed, or of a frame that came in between, are shifts', () => {
    const RENAMED = 5;
    const found = (load: number) => {
      const random = mulberry32(3);
      const noise = (): number => 1 + (random() - 0.5) * 0.1;
      return findRises(
        shares((step) => {
          const isNew = step >= 20;
          const price = (isNew ? 100 * load : 100) * noise();
          return [
            [isNew ? [RENAMED, HANDLE, MAIN] : [PRICE, HANDLE, MAIN], price],
            // A frame between: all of its time is that of what it calls.
            [isNew ? [STORE, 6, MAIN] : [STORE, MAIN], 200 * noise()],
            [[IDLE, MAIN], 500 * noise()],
          ];
        }),
        SETTINGS,
      );
    };
    expect(found(1).rises).toEqual([]);
    expect(found(1).shifted).toBeGreaterThanOrEqual(3);
    // Renamed and slower.
    expect(found(3).rises.map(({ f, kind }) => [f, kind])).toContainEqual([RENAMED, 'self']);
  });

  it('are none where everything got slower alike, or where a peak is all there is', () => {
    expect(
      search((step, noise) => {
        const load = step >= 20 ? 2 : 1;
        return [100 * load * noise(), 100 * load * noise(), 800 * load * noise()];
      }).rises,
    ).toEqual([]);
    expect(
      search((step, noise) => [(step === 30 ? 900 : 100) * noise(), 100 * noise(), 800 * noise()])
        .rises,
    ).toEqual([]);
  });
});

describe('a search for regressions', () => {
  const day = 86_400_000;
  const profiles = (count: number, stepMs: number, startMs: number): PlainProfile[] => {
    const random = mulberry32(8);
    return Array.from({ length: count }, (_, i) => {
      const price = i < count * 0.6 ? 100 : 600;
      const values = [price, 900 - price].map((v) =>
        BigInt(Math.round(v * (0.9 + 0.2 * random()))),
      );
      return {
        series: API_SERIES,
        startNs: BigInt(startMs + i * stepMs) * 1_000_000n,
        id: `p-${i}`,
        flags: 0,
        samples: [
          { functions: ['main', 'price'], labelSet: '', values: [values[0]!] },
          { functions: ['main', 'rest'], labelSet: '', values: [values[1]!] },
        ],
      };
    });
  };
  const ask = (list: readonly PlainProfile[]) =>
    memoryStore(list, { consumedBeforeNs: 0n, placeOf: () => 0 }).engine.regressions({
      tenantId: TENANT,
      selector: '',
      startMs: 0,
      endMs: 2 * day,
      profileType: 'cpu:cpu:count:p:u',
    });

  it('finds what changed within an hour that a service is there, in two days that are asked for', async () => {
    const { regressions, missing } = await ask(profiles(360, 10_000, day));
    expect(regressions.map((r) => r.functionName)).toEqual(['price']);
    expect(missing).toEqual([]);
    const changedMs = regressions[0]!.changedMs - day;
    expect(Math.abs(changedMs - 216 * 10_000)).toBeLessThan(2 * 75_000);
  });

  it('says that it cannot tell, where there are too few profiles', async () => {
    const { regressions, missing } = await ask(profiles(9, 10_000, day));
    expect(regressions).toEqual([]);
    expect(missing.map((part) => part.code)).toEqual(['PS_REGRESSION_STEPS']);
    expect((await ask([])).missing).toEqual([]);
  });
});

const recorded = recordedStacks('nats', 71);

describe.skipIf(recorded === undefined)('in recorded profiles', () => {
  // bench/regressions.bench.ts has the curve over sizes and services.
  it('planted regressions of 5 % are found, and hardly anything where none is', async () => {
    const random = mulberry32(42);
    let found = 0;
    let alarms = 0;
    const runs = 10;
    for (let run = 0; run < runs; run++) {
      const planted = plant(random, recorded ?? [], 0.05);
      const { regressions } = await searchDay(random, recorded ?? [], planted);
      const onStack = new Set(JSON.parse(planted.stack) as string[]);
      const hit = regressions.find(
        (r) => onStack.has(r.functionName) && Math.abs(r.changedMs / STEP_MS - planted.atStep) <= 2,
      );
      if (hit !== undefined) {
        found++;
        expect(hit.paths.length).toBeGreaterThan(0);
        expect(hit.series.share.length).toBeGreaterThan(40);
      }
      alarms += (await searchDay(random, recorded ?? [])).regressions.length;
    }
    expect(found).toBeGreaterThanOrEqual(9);
    expect(alarms).toBeLessThanOrEqual(runs);
  });
});
