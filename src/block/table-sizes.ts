import type { BlockMeta } from './types.js';

/** Bytes of a block by table, and by column as `table.column` (parts of a nested column together). */
export interface BlockTableSizes {
  readonly tables: Readonly<Record<string, number>>;
  readonly columns: Readonly<Record<string, number>>;
}

export function blockTableSizes(meta: BlockMeta): BlockTableSizes {
  const tables: Record<string, number> = {};
  const columns: Record<string, number> = {};
  for (const { table, sizeBytes, rowGroups } of meta.tables) {
    tables[table] = sizeBytes;
    for (const group of rowGroups) {
      for (const chunk of group.columns) {
        const name = `${table}.${chunk.column.split('.')[0] as string}`;
        columns[name] = (columns[name] ?? 0) + chunk.sizeBytes;
      }
    }
  }
  return { tables, columns };
}
