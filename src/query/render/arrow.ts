/** A flame graph as an Arrow IPC stream with one record batch, one row a node, in the order of FlameTree. */
import { encodeIpcStream } from '../../columnar/ipc-encode.js';
import type { TableSchema } from '../../columnar/table.js';
import type { FlameTree } from '../api.js';

const SCHEMA: TableSchema = {
  fields: [
    { name: 'node', type: 'int32', id: 1 },
    { name: 'parent', type: 'int32', id: 2 },
    { name: 'depth', type: 'int32', id: 3 },
    { name: 'name', type: 'dictionary', id: 4 },
    { name: 'self', type: 'int64', id: 5 },
    { name: 'value', type: 'int64', id: 6 },
  ],
};

export function renderArrow(tree: FlameTree): Uint8Array {
  const count = tree.parent.length;
  const { dictionary, indices } = withoutDuplicates(tree);
  const depth = new Int32Array(count);
  for (let n = 1; n < count; n++) depth[n] = depth[tree.parent[n]!]! + 1;
  return encodeIpcStream({
    schema: SCHEMA,
    rowCount: count,
    columns: [
      { type: 'int32', values: Int32Array.from({ length: count }, (_, n) => n) },
      { type: 'int32', values: tree.parent },
      { type: 'int32', values: depth },
      { type: 'dictionary', indices, dictionary },
      { type: 'int64', values: tree.self },
      { type: 'int64', values: tree.value },
    ],
  });
}

/** A frame may be called as the root is; readers take the values of a dictionary to be different. */
function withoutDuplicates({ names, name }: FlameTree): {
  readonly dictionary: readonly string[];
  readonly indices: Int32Array;
} {
  const numbers = new Map<string, number>();
  const numberOf = Int32Array.from(names, (text) => {
    const number = numbers.get(text) ?? numbers.size;
    numbers.set(text, number);
    return number;
  });
  if (numbers.size === names.length) return { dictionary: names, indices: name };
  return { dictionary: [...numbers.keys()], indices: name.map((n) => numberOf[n]!) };
}
