/**
 * I8 for the log: cut at every byte of its last commit, and one bit turned at a thousand places. What is answered is
 * right, and what is missing has been reported.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { openSnapshot } from '../../src/index.js';
import { HastyClock } from '../support/hasty-clock.js';
import { LossyFiles, mulberry32 } from '../support/lossy-files.js';
import {
  growthWrite,
  markedWrite,
  numbers,
  readMarked,
  type MarkedAnswer,
} from '../support/marked-profiles.js';
import { outcomeOf } from '../support/outcome.js';
import { seededRng } from '../support/virtual-clock.js';
import { filesOf, filesWith, flipped, openOn, STORE_DIR } from '../support/stored-files.js';

const FLIPS = Number(process.env['BASALT_FLIPS'] ?? 1_000);
const SEED = Number(process.env['BASALT_SEED'] ?? 11);
const MARKED = 30;
const STEPS = 8;

function isWhole({ marked, steps }: MarkedAnswer): boolean {
  return marked.size === MARKED && steps.size === STEPS - 1;
}

interface StoredLog {
  readonly stored: ReadonlyMap<string, Uint8Array>;
  /** The segment that was open at the end, and where its last commit lies. */
  readonly open: { readonly path: string; readonly start: number; readonly end: number };
}

/** Profiles 0 to `marked`, the last two of them in one commit. */
async function storedLog(marked: number, steps: number): Promise<StoredLog> {
  const files = new LossyFiles();
  const store = await openOn(files);
  for (const n of numbers(0, marked - 2)) {
    await store.write(markedWrite(n));
    if (n < steps) await store.write(growthWrite(n));
    // Sealed segments, with footers, and an open one.
    if (n === 9 || n === 18) await store.flush();
  }
  const committedBytes = async (): Promise<number> =>
    (await store.ingest.position()).segments.at(-1)?.committedBytes ?? 0;
  const start = await committedBytes();
  await Promise.all(numbers(marked - 2, marked).map((n) => store.write(markedWrite(n))));
  const end = await committedBytes();
  await store.close();
  const stored = await filesOf(files);
  const segments = [...stored.keys()].filter((name) => name.endsWith('.segment'));
  const path = segments.sort().at(-1) as string;
  expect(stored.get(path)).toHaveLength(end);
  return { stored, open: { path, start, end } };
}

describe('a damaged log (I8)', () => {
  let stored: ReadonlyMap<string, Uint8Array>;
  beforeAll(async () => {
    ({ stored } = await storedLog(MARKED, STEPS));
  });

  it('is whole when nothing happened to it', async () => {
    const outcome = await outcomeOf(await filesWith(stored));
    expect(isWhole(outcome)).toBe(true);
    expect(outcome.isReported).toBe(false);
  });

  it('loses no more than the last commit when cut anywhere in it', async () => {
    // Few profiles: the commit has some thousand bytes, and each of them is a start of the store.
    const { stored: small, open } = await storedLog(6, 2);
    const bytes = small.get(open.path) as Uint8Array;
    for (let cut = open.start; cut < open.end; cut++) {
      const outcome = await outcomeOf(await filesWith(small, open.path, bytes.slice(0, cut)));
      const name = `cut at ${cut} of [${open.start}, ${open.end})`;
      expect([...outcome.marked].sort(), name).toEqual([0, 1, 2, 3]);
      expect([...outcome.steps], name).toEqual([1]);
      expect(outcome.tornBytes, name).toBe(cut - open.start);
      expect(outcome.damaged, name).toBe(0);
    }
  }, 300_000);

  it.each([
    ['removed', 'PS_SEGMENT_MISSING', () => undefined],
    ['emptied', 'PS_FILE_SHORT', (bytes: Uint8Array) => bytes.slice(0, 0)],
    ['cut in its header', 'PS_FILE_SHORT', (bytes: Uint8Array) => bytes.slice(0, 20)],
    ['cut in the middle', 'PS_FILE_SHORT', (bytes: Uint8Array) => bytes.slice(0, bytes.length / 2)],
  ])('is missed where a sealed segment between others was %s', async (_, code, damage) => {
    const sealed = [...stored.keys()].filter((name) => name.endsWith('.segment')).sort()[1]!;
    const left = damage(stored.get(sealed)!);
    const files = await filesWith(
      new Map(
        [...stored].flatMap(([name, bytes]): [string, Uint8Array][] => {
          if (name !== sealed) return [[name, bytes]];
          return left === undefined ? [] : [[name, left]];
        }),
      ),
    );
    const environment = { files, clock: new HastyClock(), rng: seededRng(5) };
    const snapshot = await openSnapshot({ dir: STORE_DIR, environment });
    expect((await snapshot.verify()).map((f) => f.code)).toEqual([code]);
    await snapshot.close();
    const store = await openOn(files);
    const kept = left === undefined ? 'PS_SEGMENT_MISSING' : 'PS_SEGMENT_QUARANTINED';
    expect((await store.verify()).map((f) => f.code)).toEqual([kept]);
    await store.close();
  });

  it('is missed where the oldest segment was removed before anybody consumed it', async () => {
    const oldest = [...stored.keys()].filter((name) => name.endsWith('.segment')).sort()[0]!;
    const files = await filesWith(new Map([...stored].filter(([name]) => name !== oldest)));
    const environment = { files, clock: new HastyClock(), rng: seededRng(5) };
    const snapshot = await openSnapshot({ dir: STORE_DIR, environment });
    expect((await snapshot.verify()).map((f) => f.code)).toEqual(['PS_SEGMENT_MISSING']);
    await snapshot.close();
    const store = await openOn(files);
    expect((await store.verify()).map((f) => f.code)).toEqual(['PS_SEGMENT_MISSING']);
    // What is left is consumed and deleted as ever; then there is nothing left that says so.
    await store.compact({ full: true });
    expect(await store.verify()).toEqual([]);
    await store.close();
  });

  it(`answers nothing wrong and loses nothing in silence over ${FLIPS} turned bits`, async () => {
    const random = mulberry32(SEED);
    const logs = [...stored.keys()].filter((name) => name.includes('/log/'));
    const sizes = logs.map((name) => stored.get(name)?.length ?? 0);
    const total = sizes.reduce((a, b) => a + b, 0);
    let found = 0;
    for (let flip = 0; flip < FLIPS; flip++) {
      let at = Math.floor(random() * total);
      const file = sizes.findIndex((size) => {
        if (at < size) return true;
        at -= size;
        return false;
      });
      const path = logs[file] as string;
      const bit = at * 8 + Math.floor(random() * 8);
      const name = `seed ${SEED}, bit ${bit} of ${path}`;
      const files = await filesWith(stored, path, flipped(stored.get(path) as Uint8Array, bit));
      const outcome = await outcomeOf(files).catch((error: unknown) => {
        throw new Error(name, { cause: error });
      });
      if (outcome.isReported) found++;
      else expect(isWhole(outcome), `${name}: lost in silence`).toBe(true);
      // A sender that sends all again brings back all that was lost, and nothing twice.
      if (flip % 20 === 0) await sendAllAgain(files, name);
    }
    // Every byte of a segment is under a checksum.
    expect(found).toBe(FLIPS);
  }, 300_000);
});

async function sendAllAgain(files: LossyFiles, name: string): Promise<void> {
  const store = await openOn(files);
  const before = await readMarked(store.query);
  for (const n of numbers(0, MARKED)) {
    const { profiles } = await store.write(markedWrite(n));
    expect(profiles, `${name}: profile ${n}`).toBe(before.marked.has(n) ? 0 : 1);
  }
  for (const step of numbers(0, STEPS)) await store.write(growthWrite(step));
  expect(isWhole(await readMarked(store.query)), name).toBe(true);
  await store.compact({ full: true });
  expect(isWhole(await readMarked(store.query)), `${name}, compacted`).toBe(true);
  await store.close();
}
