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
  const depth = new Int32Array(count);
  for (let n = 1; n < count; n++) depth[n] = depth[tree.parent[n]!]! + 1;
  return encodeIpcStream({
    schema: SCHEMA,
    rowCount: count,
    columns: [
      { type: 'int32', values: Int32Array.from({ length: count }, (_, n) => n) },
      { type: 'int32', values: tree.parent },
      { type: 'int32', values: depth },
      { type: 'dictionary', indices: tree.name, dictionary: tree.names },
      { type: 'int64', values: tree.self },
      { type: 'int64', values: tree.value },
    ],
  });
}
