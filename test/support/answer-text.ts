/** Answers of queries in a form that can be compared. */
import type { FlameTree } from '../../src/query/api.js';

/** All of an answer but what stands behind it. */
export function answerText(answer: object): string {
  return JSON.stringify(answer, (name, v: unknown) => {
    if (name === 'stats') return undefined;
    if (typeof v === 'bigint') return v.toString();
    return ArrayBuffer.isView(v) ? Array.from(v as unknown as ArrayLike<number>, String) : v;
  });
}

/** Own values that are not 0, by path from the root as JSON. */
export function selfByPath(tree: FlameTree): Map<string, bigint> {
  const out = new Map<string, bigint>();
  const paths: string[][] = [];
  for (let n = 0; n < tree.parent.length; n++) {
    paths[n] = n === 0 ? [] : [...paths[tree.parent[n]!]!, tree.names[tree.name[n]!]!];
    if (tree.self[n] !== 0n) out.set(JSON.stringify(paths[n]), tree.self[n]!);
  }
  return out;
}
