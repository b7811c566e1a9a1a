import type { ColumnChunkInfo, RowGroupInfo } from './file-info.js';
import { isPartOf } from './file-info.js';

/** Chunks closer than this are fetched together: a request costs more than the bytes between. */
export const FETCH_GAP_BYTES_MAX = 64 << 10;
/** A window is cut before it gets larger, except that one row group's chunks stay together. */
export const FETCH_WINDOW_BYTES_MAX = 8 << 20;

/** Half-open range of a file, with the chunks in it. */
export interface FetchRange {
  readonly start: number;
  readonly end: number;
  readonly chunks: readonly ColumnChunkInfo[];
}

/** Row groups that are fetched at once, then read one by one. */
export interface FetchWindow {
  /** Indexes of row groups. */
  readonly rowGroups: readonly number[];
  readonly ranges: readonly FetchRange[];
  readonly sizeBytes: number;
}

/** The chunks of `columns` in a row group, in file order. */
export function chunksOf(group: RowGroupInfo, columns: readonly string[]): ColumnChunkInfo[] {
  return group.columns.filter((chunk) => columns.some((column) => isPartOf(chunk.column, column)));
}

/** Joins chunks (in file order) that lie close together. Pure. */
export function coalesceChunks(chunks: readonly ColumnChunkInfo[]): FetchRange[] {
  const ranges: { start: number; end: number; chunks: ColumnChunkInfo[] }[] = [];
  for (const chunk of chunks) {
    const last = ranges.at(-1);
    const end = chunk.offset + chunk.sizeBytes;
    if (last !== undefined && chunk.offset - last.end <= FETCH_GAP_BYTES_MAX) {
      last.end = end;
      last.chunks.push(chunk);
    } else ranges.push({ start: chunk.offset, end, chunks: [chunk] });
  }
  return ranges;
}

/** Which ranges to fetch for `columns` of `rowGroups` (ascending indexes), in windows of bounded size. Pure. */
export function planFetch(
  groups: readonly RowGroupInfo[],
  rowGroups: readonly number[],
  columns: readonly string[],
): FetchWindow[] {
  const windows: FetchWindow[] = [];
  let indexes: number[] = [];
  let chunks: ColumnChunkInfo[] = [];
  const close = (): void => {
    if (indexes.length === 0) return;
    const ranges = coalesceChunks(chunks);
    const sizeBytes = ranges.reduce((sum, range) => sum + range.end - range.start, 0);
    windows.push({ rowGroups: indexes, ranges, sizeBytes });
    indexes = [];
    chunks = [];
  };
  for (const index of rowGroups) {
    const wanted = chunksOf(groups[index]!, columns);
    const first = chunks[0];
    const last = wanted.at(-1);
    const isTooLarge =
      first !== undefined &&
      last !== undefined &&
      last.offset + last.sizeBytes - first.offset > FETCH_WINDOW_BYTES_MAX;
    if (isTooLarge) close();
    indexes.push(index);
    chunks.push(...wanted);
  }
  close();
  return windows;
}
