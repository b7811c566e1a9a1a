/** What a reader must know of a Parquet file before it reads any of it. */

/** One column of one row group (a leaf: `labels.key_value.key`), the unit that is fetched and verified. */
export interface ColumnChunkInfo {
  readonly column: string;
  readonly offset: number;
  readonly sizeBytes: number;
  readonly crc32c: number;
}

export interface RowGroupInfo {
  readonly firstRow: number;
  readonly rowCount: number;
  /** In file order. */
  readonly columns: readonly ColumnChunkInfo[];
}

export interface ParquetFileInfo {
  readonly sizeBytes: number;
  readonly rowCount: number;
  /** Everything after the last row group: page indexes, footer, its length and the magic. */
  readonly footer: Uint8Array;
  readonly rowGroups: readonly RowGroupInfo[];
}

/** Whether chunk `path` is a part of top-level column `column`. */
export function isPartOf(path: string, column: string): boolean {
  return path === column || (path.startsWith(column) && path[column.length] === '.');
}
