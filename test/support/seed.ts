/**
 * The seed of all random tests. A commit is tested with the same cases each time, so that a red run is a report on it.
 * `BASALT_SEED=<number>` repeats a run, `BASALT_SEED=random` looks for what no run has met yet.
 */
import fc from 'fast-check';

const given = process.env['BASALT_SEED'] ?? '20261125';

export const SEED = given === 'random' ? Math.floor(Math.random() * 2 ** 31) : Number(given);

if (!Number.isSafeInteger(SEED))
  throw new Error(`got BASALT_SEED=${given}; want a number or random`);

fc.configureGlobal({ seed: SEED });
