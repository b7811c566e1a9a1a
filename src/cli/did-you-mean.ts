import { nearest } from '../server/nearest.js';

/** `; did you mean X?`, or nothing when no candidate is close. */
export function didYouMean(word: string, candidates: Iterable<string>): string {
  const guess = nearest(word, [...candidates]);
  return guess === undefined ? '' : `; did you mean ${guess}?`;
}
