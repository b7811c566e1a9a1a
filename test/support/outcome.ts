/** What a store over damaged files does: right numbers, or a report of what is missing. Anything else fails the test. */
import { expect } from 'vitest';
import { isKind, type StoreError } from '../../src/base/errors.js';
import type { LossyFiles } from './lossy-files.js';
import { type MarkedAnswer, readMarked } from './marked-profiles.js';
import { openOn } from './stored-files.js';

export interface Outcome extends MarkedAnswer {
  /** Anything that tells an operator or a caller of damage. */
  readonly isReported: boolean;
  readonly tornBytes: number;
  /** Segments that the start set aside. */
  readonly damaged: number;
}

/** Opens the store, reads all, closes it. Throws for anything but right numbers and typed reports of damage. */
export async function outcomeOf(files: LossyFiles): Promise<Outcome> {
  const nothing = { marked: new Set<number>(), steps: new Set<number>(), missing: [] };
  const store = await openOn(files).catch((error: unknown) => onlyCorrupt(error));
  if (store === undefined) return { ...nothing, isReported: true, tornBytes: 0, damaged: 0 };
  try {
    const { recovery } = await store.report();
    const { tornBytes } = recovery;
    const damaged = recovery.damaged.length;
    const answer = await readMarked(store.query).catch((error: unknown) => onlyCorrupt(error));
    const isReported =
      answer === undefined || answer.missing.length > 0 || tornBytes > 0 || damaged > 0;
    return { ...(answer ?? nothing), isReported, tornBytes, damaged };
  } finally {
    await store.close();
  }
}

/** Throws anything but damage again. */
export function onlyCorrupt(error: unknown): undefined {
  if (!isKind(error, 'corrupt')) throw error;
  expect((error as StoreError).message).toMatch(/^cannot .*: got .*; want /);
  return undefined;
}
