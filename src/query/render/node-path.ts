import type { FlameTree } from '../api.js';

/** Names from the root on, without the root's own. */
export function nodePath(
  { parent, name, names }: Pick<FlameTree, 'parent' | 'name' | 'names'>,
  node: number,
): readonly string[] {
  const path: string[] = [];
  for (let at = node; at > 0; at = parent[at]!) path.push(names[name[at]!]!);
  return path.reverse();
}
