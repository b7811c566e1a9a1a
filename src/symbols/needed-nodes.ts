import type { SymbolSource } from './source.js';

/** 1 for each node that a wanted key's stacktrace goes through. */
export function neededNodes(
  source: Pick<SymbolSource, 'nodes' | 'keys'>,
  wanted?: Uint8Array,
): Uint8Array {
  const { nodes, keys } = source;
  const needed = new Uint8Array(nodes.count);
  for (let k = 0; k < keys.count; k++) {
    if (wanted === undefined || wanted[k] !== 0) needed[keys.node[k] as number] = 1;
  }
  for (let n = nodes.count - 1; n > 0; n--) {
    if (needed[n] !== 0) needed[nodes.parent[n] as number] = 1;
  }
  needed[0] = 1;
  return needed;
}
