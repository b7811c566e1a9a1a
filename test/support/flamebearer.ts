/** Reads flame graphs as Pyroscope's clients do: bars by level, each under the bar of the level before that spans it. */

type Numbers = readonly (readonly (bigint | number | string)[])[];

interface Bar {
  readonly path: string;
  readonly from: bigint[];
  readonly to: bigint[];
  readonly self: bigint[];
}

/** Self values by path (names joined by `;`, without the root), one for each side; zeros left out. Checks that bars nest. */
export function flamebearerStacks(
  names: readonly string[],
  levels: Numbers,
  sides: 1 | 2,
): Map<string, bigint[]> {
  const width = 3 * sides + 1;
  const out = new Map<string, bigint[]>();
  let above: Bar[] = [];
  for (const [depth, level] of levels.entries()) {
    if (level.length % width !== 0) throw new Error(`level ${depth} has ${level.length} numbers`);
    const bars: Bar[] = [];
    const ends = new Array<bigint>(sides).fill(0n);
    for (let at = 0; at < level.length; at += width) {
      const number = (i: number): bigint => BigInt(level[at + i] ?? 'no number');
      const from: bigint[] = [];
      const to: bigint[] = [];
      const self: bigint[] = [];
      for (let side = 0; side < sides; side++) {
        const start = (ends[side] ?? 0n) + number(3 * side);
        from.push(start);
        to.push(start + number(3 * side + 1));
        self.push(number(3 * side + 2));
        ends[side] = start + number(3 * side + 1);
      }
      const name = names[Number(number(width - 1))];
      if (name === undefined) throw new Error('a name past the list');
      const parent = above.find((b) => from.every((x, s) => spans(b, s, x, to[s] ?? 0n)));
      if (depth > 0 && parent === undefined) throw new Error(`no bar above ${name}`);
      const path = depth === 0 ? '' : parent?.path === '' ? name : `${parent?.path};${name}`;
      bars.push({ path, from, to, self });
      const known = out.get(path);
      if (known !== undefined) throw new Error(`${path} twice`);
      if (self.some((value) => value !== 0n)) out.set(path, self);
    }
    above = bars;
  }
  return out;
}

function spans({ from, to, self }: Bar, side: number, start: bigint, end: bigint): boolean {
  return (from[side] ?? 0n) + (self[side] ?? 0n) <= start && end <= (to[side] ?? 0n);
}

/** The same from Pyroscope's binary trees. */
export function treeStacks(bytes: Uint8Array): Map<string, bigint> {
  let at = 0;
  const number = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) throw new Error('the tree ends early');
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return BigInt.asIntN(64, value);
    }
  };
  const out = new Map<string, bigint>();
  const read = (above: string, isRoot: boolean): void => {
    const length = Number(number());
    const name = Buffer.from(bytes.subarray(at, at + length)).toString();
    at += length;
    const path = isRoot ? '' : above === '' ? name : `${above};${name}`;
    const self = number();
    if (self !== 0n) out.set(path, self);
    for (let children = number(); children > 0n; children--) read(path, false);
  };
  read('', true);
  if (at !== bytes.length) throw new Error(`${bytes.length - at} bytes behind the tree`);
  return out;
}
