import type { Watermark } from './types.js';

/** The highest consumed segment of an instance; 0 for none. */
export function sequenceOf(watermarks: readonly Watermark[], instance: string): number {
  return watermarks.find((w) => w.instance === instance)?.sequence ?? 0;
}

/** With `next` in place of its instance's; sorted by instance. */
export function advanced(watermarks: readonly Watermark[], next: Watermark): Watermark[] {
  return [...watermarks.filter((w) => w.instance !== next.instance), next].sort((a, b) =>
    a.instance < b.instance ? -1 : 1,
  );
}
