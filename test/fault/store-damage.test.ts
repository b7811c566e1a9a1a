/** I8 for a compacted store: one bit turned in blocks, manifests and carries, each kind of file alike. */
import { beforeAll, describe, expect, it } from 'vitest';
import { LossyFiles, mulberry32 } from '../support/lossy-files.js';
import {
  growthWrite,
  type MarkedAnswer,
  markedWrite,
  numbers,
  readMarked,
} from '../support/marked-profiles.js';
import { onlyCorrupt, outcomeOf } from '../support/outcome.js';
import { carriesOf, filesOf, filesWith, flipped, openOn } from '../support/stored-files.js';

const FLIPS = Number(process.env['BASALT_FLIPS'] ?? 1_000);
const SEED = Number(process.env['BASALT_SEED'] ?? 12);
const MARKED = 36;
const STEPS = 9;

function isWhole({ marked, steps }: MarkedAnswer): boolean {
  return marked.size === MARKED && steps.size === STEPS - 1;
}

/** `samples.parquet`, `meta`, `manifest`, `carry`, ... */
function kindOf(path: string): string {
  const [, folder, last] = /\/objects\/([^/]+)\/.*?([^/]+)$/.exec(path) ?? [];
  return folder === 'blocks' ? (last as string) : (folder as string);
}

describe('a damaged store (I8)', () => {
  let stored: ReadonlyMap<string, Uint8Array>;
  let live: readonly string[];

  beforeAll(async () => {
    const files = new LossyFiles();
    const store = await openOn(files);
    const thirds = [numbers(0, 12), numbers(12, 24), numbers(24, 36)];
    for (const [turn, third] of thirds.entries()) {
      for (const n of third) await store.write(markedWrite(n));
      for (const step of numbers(turn * 3, turn * 3 + 3)) await store.write(growthWrite(step));
      // Two blocks, and a log that needs the carry.
      if (turn < 2) await store.compact();
    }
    const { blocks } = await store.inspect();
    expect(blocks).toHaveLength(2);
    await store.close();
    stored = await filesOf(files);
    const newest = [...stored.keys()]
      .filter((name) => name.includes('/manifest/'))
      .sort()
      .at(-1);
    const carryKeys = await carriesOf(files);
    live = [...stored.keys()].filter(
      (name) =>
        name === newest ||
        name.includes('/objects/blocks/') ||
        carryKeys.some((key) => name.endsWith(key)),
    );
  });

  it('is whole when nothing happened to it', async () => {
    const files = await filesWith(stored);
    const outcome = await outcomeOf(files);
    expect(isWhole(outcome)).toBe(true);
    expect(outcome.isReported).toBe(false);
    const store = await openOn(files);
    expect(await store.verify()).toEqual([]);
    await store.close();
  });

  it(`answers nothing wrong and loses nothing in silence over ${FLIPS} turned bits`, async () => {
    const random = mulberry32(SEED);
    const kinds = [...new Set(live.map(kindOf))].sort();
    expect(kinds).toEqual([
      'carry',
      'frames.parquet',
      'keys.parquet',
      'manifest',
      'meta',
      'nodes.parquet',
      'profiles.parquet',
      'samples.parquet',
      'series.parquet',
    ]);
    let reported = 0;
    for (let flip = 0; flip < FLIPS; flip++) {
      const ofKind = live.filter((path) => kindOf(path) === kinds[flip % kinds.length]);
      const path = ofKind[Math.floor(random() * ofKind.length)] as string;
      const bytes = stored.get(path) as Uint8Array;
      const bit = Math.floor(random() * bytes.length * 8);
      const name = `seed ${SEED}, bit ${bit} of ${path}`;
      const files = await filesWith(stored, path, flipped(bytes, bit));
      try {
        const outcome = await outcomeOf(files);
        expect(outcome.isReported || isWhole(outcome), 'lost in silence').toBe(true);
        if (outcome.isReported) reported++;
        if (flip % 5 === 0) expect(await findings(files), 'verify').toBeGreaterThan(0);
        if (flip % 5 === 1) await compactedStaysRight(files);
      } catch (error) {
        throw new Error(name, { cause: error });
      }
    }
    expect(reported).toBeGreaterThan(FLIPS / 3);
  }, 300_000);
});

async function findings(files: LossyFiles): Promise<number> {
  const store = await openOn(files).catch(onlyCorrupt);
  if (store === undefined) return 1;
  const found = await store.verify().catch(onlyCorrupt);
  await store.close();
  return found?.length ?? 1;
}

/** Compaction over damage must not turn a report into silence. */
async function compactedStaysRight(files: LossyFiles): Promise<void> {
  const store = await openOn(files).catch(onlyCorrupt);
  if (store === undefined) return;
  await store.compact({ full: true }).catch(onlyCorrupt);
  const answer = await readMarked(store.query).catch(onlyCorrupt);
  const isReported = answer === undefined || answer.missing.length > 0;
  expect(isReported || isWhole(answer), 'lost by compaction').toBe(true);
  await store.close();
}
