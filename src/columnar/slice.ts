import { unreachable } from '../base/assert.js';
import type { Column } from './table.js';
import { TextColumn } from './text-column.js';

/** Rows [start, end) of a column; typed arrays are views of the same memory. */
export function sliceColumn(column: Column, start: number, end: number): Column {
  switch (column.type) {
    case 'int32':
      return { type: column.type, values: column.values.subarray(start, end) };
    case 'int64':
    case 'timestamp':
      return { type: column.type, values: column.values.subarray(start, end) };
    case 'float64':
      return { type: column.type, values: column.values.subarray(start, end) };
    case 'bool':
      return { type: column.type, values: column.values.subarray(start, end) };
    case 'utf8':
      return { type: column.type, values: column.values.slice(start, end) };
    case 'dictionary':
      return { ...column, indices: column.indices.subarray(start, end) };
    case 'list-utf8':
      return { type: column.type, values: column.values.slice(start, end) };
    case 'map':
      return { type: column.type, values: column.values.slice(start, end) };
    case 'list-numeric':
      return { type: column.type, values: column.values.slice(start, end) };
    default:
      return unreachable(column);
  }
}

/** A column with the same text in every row. */
export function constantColumn(text: string, rowCount: number): Column {
  return { type: 'dictionary', indices: new Int32Array(rowCount), dictionary: [text] };
}

/** A dictionary column of `texts`, one for each row. */
export function dictionaryColumn(texts: readonly string[]): Column {
  const column = new TextColumn(texts.length);
  for (let row = 0; row < texts.length; row++) column.set(row, texts[row] as string);
  return column.take();
}
