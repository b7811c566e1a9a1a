import type { Column, ColumnType } from './table.js';

function joinArrays<T extends Int32Array | BigInt64Array | Float64Array | Uint8Array>(
  parts: readonly T[],
  make: (length: number) => T,
): T {
  const out = make(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part as never, at);
    at += part.length;
  }
  return out;
}

/** Columns of one type, one after another; dictionaries are merged by content. */
export function concatenate(type: ColumnType, columns: readonly Column[]): Column {
  if (columns.length === 1) return columns[0]!;
  const all = <T>(): T[] => columns.map((column) => (column as { values: unknown }).values as T);
  switch (type) {
    case 'int32':
      return { type, values: joinArrays(all<Int32Array>(), (n) => new Int32Array(n)) };
    case 'int64':
    case 'timestamp':
      return { type, values: joinArrays(all<BigInt64Array>(), (n) => new BigInt64Array(n)) };
    case 'float64':
      return { type, values: joinArrays(all<Float64Array>(), (n) => new Float64Array(n)) };
    case 'bool':
      return { type, values: joinArrays(all<Uint8Array>(), (n) => new Uint8Array(n)) };
    case 'dictionary':
      return concatenateDictionaries(columns as readonly Extract<Column, { type: 'dictionary' }>[]);
    case 'utf8':
    case 'list-utf8':
    case 'map':
    case 'list-numeric':
      return { type, values: all<unknown[]>().flat() } as unknown as Column;
  }
}

function concatenateDictionaries(
  columns: readonly Extract<Column, { type: 'dictionary' }>[],
): Column {
  const numbers = new Map<string, number>();
  const parts = columns.map(({ indices, dictionary }) => {
    const remap = Int32Array.from(dictionary, (text) => {
      const known = numbers.get(text);
      if (known !== undefined) return known;
      numbers.set(text, numbers.size);
      return numbers.size - 1;
    });
    return indices.map((index) => remap[index]!);
  });
  const indices = joinArrays(parts, (n) => new Int32Array(n));
  return { type: 'dictionary', indices, dictionary: [...numbers.keys()] };
}
