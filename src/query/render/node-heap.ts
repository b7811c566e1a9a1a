/** A binary heap of node numbers, the first by `isBefore` on top. */
export class NodeHeap {
  readonly #isBefore: (a: number, b: number) => boolean;
  readonly #items: number[] = [];

  constructor(isBefore: (a: number, b: number) => boolean) {
    this.#isBefore = isBefore;
  }

  /** What is in it, in no particular order. */
  items(): readonly number[] {
    return this.#items;
  }

  push(node: number): void {
    const items = this.#items;
    let at = items.length;
    items.push(node);
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (!this.#isBefore(node, items[up]!)) break;
      items[at] = items[up]!;
      at = up;
    }
    items[at] = node;
  }

  pop(): number | undefined {
    const items = this.#items;
    const top = items[0];
    const last = items.pop();
    if (top === undefined || last === undefined || items.length === 0) return top;
    let at = 0;
    for (;;) {
      let down = 2 * at + 1;
      if (down >= items.length) break;
      if (down + 1 < items.length && this.#isBefore(items[down + 1]!, items[down]!)) down++;
      if (!this.#isBefore(items[down]!, last)) break;
      items[at] = items[down]!;
      at = down;
    }
    items[at] = last;
    return top;
  }
}
