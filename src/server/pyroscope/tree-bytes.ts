/**
 * A flame graph in Pyroscope's binary form: nodes depth-first from a root without a name, each as the length of its name,
 * the name, its self value and the number of its children, numbers as varints. Totals are left to the reader.
 */
import type { FlameTree } from '../../query/api.js';
import { OTHER_NAME } from '../../query/render/flamebearer.js';

const encoder = new TextEncoder();

export function treeBytes(tree: FlameTree): Uint8Array {
  const writer = new VarintWriter();
  const names = tree.names.map((name) => encoder.encode(name));
  const other = encoder.encode(OTHER_NAME);
  const children: number[][] = Array.from(tree.parent, () => []);
  for (let n = 1; n < tree.parent.length; n++) children[tree.parent[n] ?? 0]?.push(n);
  for (const pending = [0]; pending.length > 0; ) {
    const n = pending.pop() ?? 0;
    if (n < 0) {
      // What the cut hid under node -1 - n.
      writer
        .bytes(other)
        .number(hiddenUnder(tree, children, -1 - n))
        .number(0n);
      continue;
    }
    const own = children[n] ?? [];
    const isCut = hiddenUnder(tree, children, n) !== 0n;
    writer.bytes(n === 0 ? new Uint8Array(0) : (names[tree.name[n] ?? 0] ?? new Uint8Array(0)));
    writer.number(tree.self[n] ?? 0n).number(BigInt(own.length + (isCut ? 1 : 0)));
    if (isCut) pending.push(-1 - n);
    for (let i = own.length - 1; i >= 0; i--) pending.push(own[i] ?? 0);
  }
  return writer.finish();
}

function hiddenUnder(tree: FlameTree, children: readonly number[][], n: number): bigint {
  let rest = (tree.value[n] ?? 0n) - (tree.self[n] ?? 0n);
  for (const child of children[n] ?? []) rest -= tree.value[child] ?? 0n;
  return rest;
}

class VarintWriter {
  private readonly parts: Uint8Array[] = [];

  bytes(value: Uint8Array): this {
    this.number(BigInt(value.length));
    this.parts.push(value);
    return this;
  }

  /** Negative ones as two's complement in 64 bits. */
  number(value: bigint): this {
    const out: number[] = [];
    let rest = BigInt.asUintN(64, value);
    for (; rest >= 128n; rest >>= 7n) out.push(Number(rest & 127n) | 128);
    out.push(Number(rest));
    this.parts.push(Uint8Array.from(out));
    return this;
  }

  finish(): Uint8Array {
    return Buffer.concat(this.parts);
  }
}
