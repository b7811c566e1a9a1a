/**
 * Runs `work` over items, at most `width` at a time, and hands each result to `take` in the order of the items. The
 * first failure stops what has not started and is thrown once everything that runs has ended.
 */
export async function mapInOrder<Item, Result>(
  items: readonly Item[],
  width: number,
  work: (item: Item) => Promise<Result>,
  take: (result: Result) => void,
): Promise<void> {
  const running: Promise<Result>[] = [];
  let next = 0;
  const start = (): void => {
    const item = items[next];
    if (item === undefined) return;
    next++;
    const promise = work(item);
    // Looked at in its turn; without this a failure out of turn would count as unhandled.
    promise.catch(() => undefined);
    running.push(promise);
  };
  while (next < Math.min(width, items.length)) start();
  try {
    for (let first = running.shift(); first !== undefined; first = running.shift()) {
      const result = await first;
      start();
      take(result);
    }
  } finally {
    await Promise.allSettled(running);
  }
}
