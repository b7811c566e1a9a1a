/**
 * Folded text: one line for each stack of function names that has a value, `root;child;leaf value`, sorted by the
 * names of the path. `;` in a name becomes `:`, a line break or other control character a space; the empty stacktrace
 * is written as `[empty]`. Nothing is cut.
 */
import type { QueryContext } from '../context.js';
import type { MergedValues } from '../merge.js';
import { NameTree } from './name-tree.js';
import { TextChunks } from './text-chunks.js';
import { depthFirst, storeMembers } from './tree.js';

const EMPTY_STACK = '[empty]';

export function renderFolded(
  merged: MergedValues,
  context: Pick<QueryContext, 'check'>,
): Uint8Array {
  const tree = new NameTree(merged.symbols, merged.sums);
  tree.expandAll();
  const order = depthFirst(tree, new Uint8Array(tree.count).fill(1));
  const names: string[] = [];
  const self = new BigInt64Array(1);
  const into = { words: new Int32Array(self.buffer), at: 0 };
  const text = new TextChunks('folded stacks', () => context.check());
  const paths: string[] = [''];
  for (const node of order) {
    const depth = tree.depth[node]!;
    let path = EMPTY_STACK;
    if (node > 0) {
      const number = tree.name[node]!;
      names[number] ??= safeName(tree.names[number]!);
      const name = names[number];
      path = depth === 1 ? name : `${paths[depth - 1]!};${name}`;
      paths[depth] = path;
    }
    storeMembers(tree, node, tree.sums.self, into);
    if (self[0] !== 0n) text.append(`${path} ${self[0]}\n`);
  }
  return text.finish();
}

function safeName(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is replaced
  return name.replaceAll(';', ':').replaceAll(/[\u0000-\u001f\u007f]/g, ' ');
}
