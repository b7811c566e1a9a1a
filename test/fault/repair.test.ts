/** `verify --repair`: what is damaged is put aside, unchanged; what was lost is said; the rest is whole and stays so. */
import { beforeAll, describe, expect, it } from 'vitest';
import { type LostPart, openMaintenance } from '../../src/index.js';
import { HastyClock } from '../support/hasty-clock.js';
import { LossyFiles, mulberry32 } from '../support/lossy-files.js';
import { growthWrite, markedWrite, numbers, readMarked } from '../support/marked-profiles.js';
import {
  carriesOf,
  filesOf,
  filesWith,
  flipped,
  openOn,
  STORE_DIR,
} from '../support/stored-files.js';
import { seededRng } from '../support/virtual-clock.js';

const SEED = Number(process.env['BASALT_SEED'] ?? 7);
const FLIPS = Number(process.env['BASALT_FLIPS'] ?? 30);
const MARKED = 36;
const STEPS = 9;
const KINDS = ['/objects/blocks/', '/objects/carry/', '.segment'];

async function repair(files: LossyFiles): Promise<readonly LostPart[]> {
  const environment = { files, clock: new HastyClock(1_790_000_100_000), rng: seededRng(77) };
  const maintenance = await openMaintenance({ dir: STORE_DIR, environment });
  const { lost, manifests } = await maintenance.repair();
  expect(manifests).toEqual([]);
  await maintenance.close();
  return lost;
}

describe('repair', () => {
  let stored: ReadonlyMap<string, Uint8Array>;

  beforeAll(async () => {
    const files = new LossyFiles();
    const store = await openOn(files);
    for (let turn = 0; turn < 3; turn++) {
      for (const n of numbers(turn * 12, turn * 12 + 12)) await store.write(markedWrite(n));
      for (const step of numbers(turn * 3, turn * 3 + 3)) await store.write(growthWrite(step));
      if (turn < 2) await store.compact();
    }
    // Sealed, so that a turned bit in it is damage and no torn tail.
    await store.flush();
    await store.close();
    stored = await filesOf(files);
  });

  it('does nothing to a whole store', async () => {
    const files = await filesWith(stored);
    expect(await repair(files)).toEqual([]);
    expect(await filesOf(files)).toEqual(stored);
  });

  it(`leaves a store without findings after each of ${FLIPS} turned bits, and says what was lost`, async () => {
    const random = mulberry32(SEED);
    const carries = await carriesOf(await filesWith(stored));
    const live = [...stored.keys()].filter(
      (path) =>
        path.includes('/objects/blocks/') ||
        path.endsWith('.segment') ||
        carries.some((key) => path.endsWith(key)),
    );
    const kindsLost = new Set<string>();
    for (let flip = 0; flip < FLIPS; flip++) {
      const ofKind = live.filter((path) => path.includes(KINDS[flip % KINDS.length] as string));
      const path = ofKind[Math.floor(random() * ofKind.length)] as string;
      const bytes = stored.get(path) as Uint8Array;
      const bit = Math.floor(random() * bytes.length * 8);
      const damaged = flipped(bytes, bit);
      const files = await filesWith(stored, path, damaged);
      try {
        const lost = await repair(files);
        const store = await openOn(files);
        expect(await store.verify()).toEqual([]);
        const { marked, steps, missing } = await readMarked(store.query);
        expect(missing).toEqual([]);
        await checkLosses(lost, { marked: MARKED - marked.size, steps: STEPS - 1 - steps.size });
        for (const part of lost) kindsLost.add(part.part.split(' ')[0] as string);
        // What was put aside is there as it was found.
        if (lost.length > 0) {
          const all = [...(await filesOf(files))].filter(([name]) => name.includes('/quarantine/'));
          expect(all.some(([, kept]) => Buffer.compare(kept, damaged) === 0)).toBe(true);
        }
        // The same data can be sent again.
        for (const n of numbers(0, MARKED)) await store.write(markedWrite(n));
        await store.compact({ full: true });
        expect((await readMarked(store.query)).marked.size).toBe(MARKED);
        await store.close();
      } catch (error) {
        throw new Error(`seed ${SEED}, bit ${bit} of ${path}`, { cause: error });
      }
    }
    expect([...kindsLost].sort()).toEqual(['block', 'carry', 'segment']);
  }, 120_000);
});

/** Everything that is missing from the answers was reported, with a tenant, services, a range and a number. */
async function checkLosses(
  lost: readonly LostPart[],
  missing: { readonly marked: number; readonly steps: number },
): Promise<void> {
  if (missing.marked + missing.steps > 0) expect(lost.length).toBeGreaterThan(0);
  const told = lost.filter((part) => part.profiles !== undefined);
  const profiles = told.reduce((sum, part) => sum + (part.profiles as number), 0);
  // Where the index of a segment is gone as well, nobody can tell.
  if (told.length === lost.length && lost.length > 0 && missing.marked > 0) {
    // Steps whose neighbours are lost count with the next one, so only the marked ones add up exactly.
    expect(profiles).toBeGreaterThanOrEqual(missing.marked);
    expect(profiles).toBeLessThanOrEqual(missing.marked + STEPS);
  }
  for (const part of told) {
    expect(part.tenantId).toBe('anonymous');
    expect(part.start).toBeGreaterThanOrEqual(1_790_000_000_000);
    expect(part.end).toBeLessThan(1_790_000_100_000);
  }
}
